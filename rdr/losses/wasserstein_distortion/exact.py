"""The definition of Wasserstein distortion itself: true W_p between local distributions, with any pooling window.

Slow (one transport problem per window and channel): for validation and for small images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from rdr.gradients import absolute
from rdr.losses.wasserstein_distortion import pooling
from rdr.losses.wasserstein_distortion.window_weights import as_map, sigma_squared, variance_at, window_weights

# (rows away, columns away, sigma) -> density up to a factor; arrays that broadcast, sigma positive and finite.
Kernel = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def gaussian_kernel(rows: jax.Array, columns: jax.Array, sigma: jax.Array) -> jax.Array:
    """Samples the Gaussian window exp(-(rows^2 + columns^2) / (2 sigma^2)).

    Args:
      rows: distance from the window's center.
      columns: distance from the window's center.
      sigma: standard deviation along each axis (for the continuous density; the sampled one's is within 1e-3
        of it from sigma = 0.7 on).

    Returns:
      The density up to a factor, of the broadcast shape.
    """
    return jnp.exp(-(jnp.square(rows) + jnp.square(columns)) / (2 * jnp.square(sigma)))


def geometric_kernel(rows: jax.Array, columns: jax.Array, sigma: jax.Array) -> jax.Array:
    """Samples the two-sided geometric window r^(|rows| + |columns|) of standard deviation sigma.

    Its variance is 2 r / (1 - r)^2, and so r = (sigma^2 + 1 - sqrt(2 sigma^2 + 1)) / sigma^2.

    Args:
      rows: distance from the window's center.
      columns: distance from the window's center.
      sigma: standard deviation along each axis.

    Returns:
      The density up to a factor, of the broadcast shape.

    Reference:
      Qiu, Wagner, Balle, Theis (qiu2024wasserstein), arXiv 2310.03629, who call the scale 1 / log(1/r) sigma.
    """
    variance = jnp.square(sigma)
    # The same root, written without the difference of nearly equal numbers at small sigma.
    ratio = variance / (variance + 1 + jnp.sqrt(2 * variance + 1))
    return ratio ** (jnp.abs(rows) + jnp.abs(columns))


def exact_wasserstein_distortion(
    reference: Any,
    image: Any,
    sigma: ArrayLike,
    *,
    p: float = 2.0,
    kernel: Kernel | None = None,
    gaussianized: bool = False,
    image_shape: tuple[int, int] | None = None,
    num_levels: int | None = None,
) -> jax.Array:
    """Computes the Wasserstein distortion with the true p-Wasserstein distance of local distributions.

    Each scalar feature by itself: in a window q the distribution sum_k q_k delta(x_k) against sum_k q_k delta(x'_k),

        W_p^p = int_0^1 |F^{-1}(u) - F'^{-1}(u)|^p du,

    averaged over windows and channels and summed over feature maps. At sigma = infinity all q_k are equal and
    this is the mean of |difference|^p between sorted values.

    Args:
      reference: a feature map [batch, height, width, channels], or a pytree of them.
      image: the same of the other image.
      sigma: see `wasserstein_distortion`.
      p: order of the distance, at least 1.
      kernel: None for the windows of `wasserstein_distortion`, or the pooling window as a function of the
        distances in rows and columns and of sigma (`geometric_kernel`, `gaussian_kernel`, your own); every
        pixel then has its own window, cut off at the edge and normalized. At sigma = 0 it is a single pixel
        and at infinity the whole image, whatever the kernel.
      gaussianized: compares Gaussians with the local distributions' moments instead (p = 2 only); never above the
        true distance.
      image_shape: see `wasserstein_distortion`.
      num_levels: of the pyramid, as in `wasserstein_distortion`; without a kernel only.

    Returns:
      [batch], float32, or float64 for float64 maps. The gradient is that of the assignment at hand (the
      distance is differentiable where no two values in a window are equal).

    Raises:
      ValueError: if shapes, dtypes, sigma or p are not as above.

    Reference:
      Qiu, Wagner, Balle, Theis (qiu2024wasserstein), Wasserstein Distortion: Unifying Fidelity and Realism, arXiv
      2310.03629.
    """
    if not (1 <= p < np.inf) or (gaussianized and p != 2):
        raise ValueError(f"p must be finite and >= 1 (2 if gaussianized), got {p}")
    if kernel is not None and num_levels is not None:
        raise ValueError(f"num_levels must be None with a kernel, got {num_levels}")
    ours, structure = jax.tree.flatten(reference)
    theirs, result = jax.tree.flatten(image)
    if not ours:
        raise ValueError("reference must hold at least one feature map, got none")
    ours, theirs = [as_map("reference", x) for x in ours], [as_map("image", x) for x in theirs]
    if structure != result or [x.shape for x in ours] != [x.shape for x in theirs]:
        raise ValueError(
            f"image must have maps of the reference's shapes {[x.shape for x in ours]}, got {[x.shape for x in theirs]}"
        )
    variance, frame = sigma_squared(sigma, ours, image_shape)
    total = jnp.zeros(ours[0].shape[0], ours[0].dtype)
    for a, b in zip(ours, theirs):
        height, width = a.shape[1:3]
        if kernel is None:
            groups = _pyramid_windows(variance, frame, height, width, num_levels)
        else:
            # A feature is pooled over the whole map where all the pixels that it covers are.
            unbounded = 1.0 * (variance >= float(max(frame)) ** 2)
            share = variance_at(unbounded, frame, height, width) * (frame[0] * frame[1] / (height * width))
            sizes = variance_at(variance, frame, height, width)
            groups = [_kernel_windows(sizes, share > 1.0 - 1e-6, kernel)]
        for windows, weights in groups:
            windows, weights = jnp.asarray(windows, a.dtype), jnp.asarray(weights, a.dtype)
            distances = _window_distances(a, b, windows, p, gaussianized)
            total = total + jnp.sum(weights * distances, -1)
    return total


def _pyramid_windows(variance: Any, frame: tuple[int, int], height: int, width: int, num_levels: int | None) -> list:
    """Writes out the windows of each level: ([1, windows, pixels], [batch or 1, windows]) per level."""
    groups = []
    weights = window_weights(variance, frame, height, width, num_levels)
    for level, weight in enumerate(weights):
        if weight is None:
            continue
        if level == len(weights) - 1 and level > 0:
            rows, columns = np.full((1, height), 1 / height), np.full((1, width), 1 / width)
        else:
            rows, columns = _pooling_matrix(height, level), _pooling_matrix(width, level)
        groups.append((np.kron(rows, columns)[None], weight.reshape(weight.shape[0], -1)))
    return groups


def _pooling_matrix(size: int, level: int) -> np.ndarray:
    """Multiplies out the pooling of all levels up to one, along one axis."""
    matrix = np.eye(size)
    for step in range(level):
        pool = pooling.interpolation_matrix(matrix.shape[0]).T
        pool = pool / pool.sum(1, keepdims=True)
        if step == level - 1:
            pool = pooling.dense_pooling_matrix(matrix.shape[0])
        matrix = pool @ matrix
    return matrix


def _kernel_windows(variance: Any, whole: Any, kernel: Kernel) -> tuple[jax.Array, np.ndarray]:
    """Evaluates a kernel around every pixel, cut off at the edge: [batch or 1, windows, pixels]."""
    maps, height, width = variance.shape
    rows, columns = (jnp.asarray(np.subtract.outer(np.arange(n), np.arange(n))) for n in (height, width))
    sigma = jnp.sqrt(jnp.asarray(variance)).reshape(maps, height, width, 1, 1)
    inside = (sigma > 0) & ~jnp.asarray(whole).reshape(sigma.shape)
    values = kernel(
        rows.reshape(1, height, 1, height, 1), columns.reshape(1, 1, width, 1, width), jnp.where(inside, sigma, 1)
    )
    pixel = (rows.reshape(1, height, 1, height, 1) == 0) & (columns.reshape(1, 1, width, 1, width) == 0)
    values = jnp.where(inside, values, jnp.where(sigma > 0, 1.0, pixel.astype(values.dtype)))
    windows = values.reshape(maps, height * width, height * width)
    return windows / windows.sum(-1, keepdims=True), np.full((1, height * width), 1 / (height * width))


def _window_distances(a: jax.Array, b: jax.Array, windows: jax.Array, p: float, gaussianized: bool) -> jax.Array:
    """Computes W_p^p in each window, averaged over channels: [batch, windows]."""
    batch, height, width, channels = a.shape
    a, b = (jnp.moveaxis(x.reshape(batch, height * width, channels), 1, 2) for x in (a, b))
    windows = jnp.broadcast_to(windows, (batch, *windows.shape[1:]))

    def one_image(a, b, windows):
        if gaussianized:
            return _gaussian_distances(a, b, windows)
        orders = jnp.argsort(a, -1), jnp.argsort(b, -1)
        one_channel = jax.vmap(lambda x, y, i, j, q: _transport(x, y, i, j, q, p), (0, 0, 0, 0, None))
        return lax.map(lambda q: jnp.mean(one_channel(a, b, *orders, q)), windows)

    return jax.vmap(one_image)(a, b, windows)


def _gaussian_distances(a: jax.Array, b: jax.Array, windows: jax.Array) -> jax.Array:
    precision = lax.Precision.HIGHEST
    moments = []
    for x in (a, b):
        mean = jnp.einsum("np,cp->nc", windows, x, precision=precision)
        squares = jnp.square(x[None] - mean[..., None])  # [windows, channels, pixels]
        moments.append((mean, pooling.safe_std(jnp.einsum("np,ncp->nc", windows, squares, precision=precision))))
    (mean_a, spread_a), (mean_b, spread_b) = moments
    return jnp.mean(jnp.square(mean_a - mean_b) + jnp.square(spread_a - spread_b), -1)


def _transport(
    a: jax.Array, b: jax.Array, order_a: jax.Array, order_b: jax.Array, weights: jax.Array, p: float
) -> jax.Array:
    """Integrates |F_a^{-1} - F_b^{-1}|^p over the common refinement of the two distributions' steps."""
    steps_a, steps_b = jnp.cumsum(weights[order_a]), jnp.cumsum(weights[order_b])
    steps = jnp.sort(jnp.concatenate([steps_a, steps_b]))
    lengths = jnp.diff(steps, prepend=jnp.zeros(1, steps.dtype))
    middles = steps - lengths / 2
    last = a.size - 1
    i = jnp.minimum(jnp.searchsorted(steps_a, middles), last)
    j = jnp.minimum(jnp.searchsorted(steps_b, middles), last)
    return jnp.sum(lengths * absolute(a[order_a[i]] - b[order_b[j]]) ** p)
