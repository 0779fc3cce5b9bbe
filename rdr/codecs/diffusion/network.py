"""Denoising networks on principal components, as formulas: for training in JAX, for coding in exact arithmetic.

With principal components z of x_t - sqrt(1 - t) mean, of variances w = (1 - t) lam + t,

    E[z_0 | x_t] = sqrt(1 - t) lam / w z + sqrt(lam t / w) F(u, t),   u = sqrt((1 - t) lam) / w z:

the denoiser of the Gaussian with the same moments, and what a network F adds in units of that Gaussian's standard
deviation of z_0 given x_t. F sees the Gaussian's estimate in units of sqrt(lam), so that components of which nothing is
known are 0 and not noise. It is 0 before training, so that its loss, in units of the Gaussian's, starts at 1.

F is made of matrix products, sums, products and cuts. `exact_correction` does them with multiples of powers of two that
float64 holds exactly: what goes into a product is a whole multiple of 2^-12 below 2^8 in size, weights are whole
multiples of 2^-12 up to 8 in size, and no more than 1024 products are added up: 45 bits of the 53, in whatever order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from rdr.codecs.diffusion.arithmetic import product
from rdr.randomness import truncated_normal_kernel

FRACTION = 12
LIMIT = 2.0**8 - 1
MAX_WEIGHT, MAX_WIDTH = 7.999, 1024
LEVELS = tuple(4.0**j for j in range(-6, 2))  # variances, around which the network sees how much noise there is
_ROWS = 512  # vectors that go through the network in one go

Weights = Mapping[str, Any]


def statistics(vectors: ArrayLike, *, least: float = 1e-5) -> dict[str, np.ndarray]:
    """Mean and principal components of samples.

    Args:
      vectors: [samples, dimension], of the order of 1.
      least: variances below it are taken for it, > 0.

    Returns:
      "mean" float32 [dimension], "axes" float32 [dimension, dimension], one a column, of whole multiples of 2^-20, and
      "variances" float32 [dimension], falling.

    Raises:
      ValueError: if there are fewer than two vectors, or they are not finite.
    """
    x = np.asarray(vectors, np.float64)
    if x.ndim != 2 or len(x) < 2 or not np.isfinite(x).all():
        raise ValueError(f"vectors must be finite, [samples, dimension], at least two, got shape {x.shape}")
    if not 0.0 < least < np.inf:
        raise ValueError(f"least must be positive and finite, got {least}")
    mean = x.mean(0)
    variances, axes = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    axes = np.rint(axes[:, ::-1] * 2.0**20) * 2.0**-20
    return {"mean": mean.astype(np.float32), "axes": axes.astype(np.float32),
            "variances": np.maximum(variances[::-1], least).astype(np.float32)}


def init(key: jax.Array, dimension: int, *, width: int = 384, blocks: int = 3) -> dict[str, jax.Array]:
    """Draws the weights of a network.

    Args:
      key: of the draws.
      dimension: of a vector, at most 1024.
      width: of the hidden layers, at most 1024.
      blocks: how many pairs of layers.

    Returns:
      Weights by name, float32.

    Raises:
      ValueError: if a size is out of its range.
    """
    if not (1 <= dimension <= MAX_WIDTH and 1 <= width <= MAX_WIDTH and blocks >= 1):
        raise ValueError(f"dimension and width must be from 1 to {MAX_WIDTH} and blocks at least 1, got {dimension}, "
                         f"{width} and {blocks}")
    keys, k = jax.random.split(key, 6), len(LEVELS)
    return {
        "input": truncated_normal_kernel(keys[0], (dimension, width)),
        "input_level": truncated_normal_kernel(keys[1], (k, width)), "input_bias": jnp.zeros(width, jnp.float32),
        "first": jax.vmap(lambda one: truncated_normal_kernel(one, (width, width)))(jax.random.split(keys[2], blocks)),
        "first_level": jax.vmap(lambda one: truncated_normal_kernel(one, (k, width)))(
            jax.random.split(keys[3], blocks)),
        "first_bias": jnp.zeros((blocks, width), jnp.float32),
        "gate": jnp.zeros((blocks, k, width), jnp.float32),
        "second": 0.5 * jax.vmap(lambda one: truncated_normal_kernel(one, (width, width)))(
            jax.random.split(keys[4], blocks)),
        "output": jnp.zeros((width, dimension), jnp.float32),
    }


def levels(t: Any) -> Any:
    """How much noise there is, in numbers between 0 and 1: t / (t + (1 - t) v) for some variances v.

    Args:
      t: times, [..].

    Returns:
      [.., 8].
    """
    t = t[..., None] if hasattr(t, "ndim") and t.ndim else t
    variances = jnp.asarray(LEVELS, t.dtype) if isinstance(t, jax.Array) else np.asarray(LEVELS)
    return t / (t + (1.0 - t) * (variances[None] if np.ndim(t) else variances))


def _swish(x: Any, clip: Callable) -> Any:
    return x * clip(x * (1.0 / 6.0) + 0.5, 0.0, 1.0)


def hidden(weights: Weights, u: Any, level: Any, *, snap: Callable = lambda x: x, clip: Callable = jnp.clip) -> Any:
    """The last hidden layer of the network.

    h = u A + l B + b; in every block h += s(g (h' C + l D + c)) E with h' = s(h), g = 1 + l G, l the levels, and
    s(x) = x max(0, min(1, x / 6 + 1/2)); the layer is s(h).

    Args:
      weights: from `init`.
      u: the Gaussian's estimate in units of sqrt(lam), [batch, dimension].
      level: from `levels`, [batch, 8] or [8].
      snap: what is done to every number that goes into a product: nothing, or rounding.
      clip: `clip` of the arrays' library.

    Returns:
      [batch, width].
    """
    level = level if level.ndim == 2 else level[None]
    h = snap(u @ weights["input"] + level @ weights["input_level"] + weights["input_bias"][None])
    for i in range(weights["first"].shape[0]):
        bias = level @ weights["first_level"][i] + weights["first_bias"][i][None]
        y = snap(_swish(h, clip)) @ weights["first"][i] + bias
        y = snap(_swish(snap(y), clip) * (1.0 + level @ weights["gate"][i]))
        h = h + snap(y @ weights["second"][i])
    return snap(_swish(snap(h), clip))


def correction(weights: Weights, u: Any, level: Any, **how: Any) -> Any:
    """The network F: the last hidden layer times a matrix.

    Args:
      weights: from `init`.
      u: the Gaussian's estimate in units of sqrt(lam), [batch, dimension].
      level: from `levels`, [batch, 8] or [8].
      **how: `snap` and `clip` of `hidden`.

    Returns:
      [batch, dimension].
    """
    return hidden(weights, u, level, **how) @ weights["output"]


def relative_error(model: Mapping[str, Any], weights: Weights, z: jax.Array, t: jax.Array, noise: jax.Array
                   ) -> jax.Array:
    """Squared error of a denoiser in units of that of the best linear one.

    sum_i (lam_i t / w_i) (F_i - e_i)^2 / sum_i (lam_i t / w_i), e = (z_0 - E_Gaussian[z_0 | x_t]) / sqrt(lam t / w).

    Args:
      model: from `statistics`.
      weights: of the network.
      z: principal components of vectors, [batch, dimension].
      t: times, [batch].
      noise: standard normal, the shape of z.

    Returns:
      [batch]; 1 on average for a network that adds nothing.
    """
    t = t[:, None]
    lam = jnp.asarray(model["variances"], jnp.float32)[None]
    total = (1.0 - t) * lam + t
    noisy = jnp.sqrt(1.0 - t) * z + jnp.sqrt(t) * noise
    left = z - jnp.sqrt(1.0 - t) * lam / total * noisy
    power = lam * t / total
    out = jnp.sqrt(power) * correction(
        weights, jnp.sqrt((1.0 - t) * lam) / total * noisy, levels(t[:, 0]))
    return jnp.square(left - out).sum(-1) / power.sum(-1)


def round_weights(weights: Weights, *, fraction: int = FRACTION) -> dict[str, np.ndarray]:
    """Rounds weights to what exact arithmetic takes.

    Args:
      weights: of a network.
      fraction: multiples of 2^-fraction, at most 12; fewer make smaller files.

    Returns:
      float32, cut at 8 in size.

    Raises:
      ValueError: if `fraction` is out of its range, or a weight is not finite.
    """
    if not 1 <= fraction <= FRACTION:
        raise ValueError(f"fraction must be from 1 to {FRACTION}, got {fraction}")
    rounded = {}
    for name, value in weights.items():
        value = np.asarray(value, np.float64)
        if not np.isfinite(value).all():
            raise ValueError(f"weights must be finite, {name} is not")
        rounded[name] = (np.rint(np.clip(value, -MAX_WEIGHT, MAX_WEIGHT) * 2.0**fraction) * 2.0**-fraction).astype(
            np.float32)
    return rounded


def _snap(x: np.ndarray) -> np.ndarray:
    x = np.rint(x * 2.0**FRACTION)
    x *= 2.0**-FRACTION
    return np.clip(x, -LIMIT, LIMIT, out=x)


def exact_correction(weights: Weights, u: np.ndarray, t: float) -> np.ndarray:
    """The network F, bit for bit the same everywhere.

    Args:
      weights: float64, from `round_weights`.
      u: float64 [batch, dimension].
      t: time.

    Returns:
      float64 [batch, dimension].
    """
    level = _snap(levels(np.float64(t)))
    parts = [correction(weights, _snap(u[start : start + _ROWS]), level, snap=_snap, clip=np.clip)
             for start in range(0, len(u), _ROWS)]
    return np.concatenate(parts)


def exact_denoiser(model: Mapping[str, Any], weights: Weights | None) -> Callable[[np.ndarray, float], np.ndarray]:
    """A denoiser of vectors in exact arithmetic.

    Args:
      model: from `statistics`.
      weights: from `round_weights`; None for the Gaussian's denoiser.

    Returns:
      `denoise(x_t, t) -> E[x_0 | x_t]`, float64 [batch, dimension] both.
    """
    mean, axes, lam = (np.asarray(model[name], np.float64) for name in ("mean", "axes", "variances"))
    back = np.ascontiguousarray(axes.T)
    wide = None if weights is None else {name: np.asarray(value, np.float64) for name, value in weights.items()}

    def denoise(x: np.ndarray, t: float) -> np.ndarray:
        x = np.asarray(x, np.float64)
        root, total = np.sqrt(1.0 - t), (1.0 - t) * lam + t
        z = product(x.reshape(-1, x.shape[-1]) - root * mean, axes)
        estimate = root * lam / total * z
        if wide is not None and t > 0.0:
            estimate += np.sqrt(lam * t / total) * exact_correction(wide, root * np.sqrt(lam) / total * z, t)
        return (mean + product(estimate, back)).reshape(x.shape)

    return denoise
