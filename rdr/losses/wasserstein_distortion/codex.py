"""The pyramid of the published code for Wasserstein distortion, kept to reproduce earlier results.

It differs from `wasserstein_distortion` in known ways, reproduced here: outside the image there are zeros, so
that local means shrink towards the edge and level weights do not sum to 1 there; the map of sigma is
subsampled half a step away from the statistics; the window called sigma = 2^i has the standard deviation
sqrt((4^i - 1) / 6); variances are differences of moments.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from rdr.losses.wasserstein_distortion.pooling import safe_std
from rdr.losses.wasserstein_distortion.window_weights import as_map


def published_wasserstein_distortion(
    reference: Any, image: Any, log2_sigma: ArrayLike, *, num_levels: int = 5
) -> jax.Array:
    """Computes Wasserstein distortion as the published code does.

    Level 0 is d_0 = (f - f')^2. From level to level the means of f and of f^2 are smoothed with
    (1, 2, 1)/4 along both axes, zeros outside, and then halved in resolution;
    d_i = (m - m')^2 + (v - v')^2. Level i weighs relu(1 - |log2_sigma - i|), and
    D = sum_i mean(weight_i d_i), averaged over channels and summed over feature maps.

    Args:
      reference: a feature map [batch, height, width, channels], floating point, or a pytree of them.
      image: the same of the other image.
      log2_sigma: a number, or a map [height, width] of the image's size. For a feature map r times smaller it
        is resized and lowered by log2(r), to no less than 0.
      num_levels: number of levels beyond single pixels. Where log2_sigma exceeds it by 1, nothing counts.

    Returns:
      [batch], float32, or float64 for float64 maps. As in `wasserstein_distortion` the derivative is 0 where
      the image's local variance is 0 (the published code bounds that of the square root by 1e6 instead).

    Raises:
      ValueError: if shapes or dtypes are not as above.

    Reference:
      Balle et al. (balle2025good), Good, Cheap, and Fast: Overfitted Image Compression with Wasserstein Distortion,
      CVPR 2025, arXiv 2412.00505, and the code published with it (the CoDeX library, 2024).
    """
    ours, structure = jax.tree.flatten(reference)
    theirs, result = jax.tree.flatten(image)
    if not ours:
        raise ValueError("reference must hold at least one feature map, got none")
    if num_levels < 0:
        raise ValueError(f"num_levels must be >= 0, got {num_levels}")
    ours, theirs = [as_map("reference", x) for x in ours], [as_map("image", x) for x in theirs]
    if structure != result or [x.shape for x in ours] != [x.shape for x in theirs]:
        raise ValueError("image must have maps of the reference's shapes")
    log2_sigma = jnp.asarray(log2_sigma)
    if log2_sigma.ndim not in (0, 2):
        raise ValueError(f"log2_sigma must be a number or [height, width], got shape {log2_sigma.shape}")
    frame = log2_sigma.shape if log2_sigma.ndim else max((x.shape[1:3] for x in ours), key=np.prod)
    total = jnp.zeros(ours[0].shape[0], ours[0].dtype)
    for a, b in zip(ours, theirs):
        height, width = a.shape[1:3]
        local = jnp.broadcast_to(log2_sigma.astype(a.dtype), frame)
        if (height, width) != frame:
            local = jax.image.resize(local, (height, width), "linear", antialias=True)
            local = jax.nn.relu(local - float(0.5 * np.log2(frame[0] * frame[1] / (height * width))))
        total = total + _one_map(a, b, local, num_levels)
    return total


def _one_map(a: jax.Array, b: jax.Array, log2_sigma: jax.Array, num_levels: int) -> jax.Array:
    local = jnp.square(a - b)
    moments = [(x, jnp.square(x)) for x in (a, b)]
    total = jnp.zeros(a.shape[0], a.dtype)
    for level in range(num_levels + 1):
        if level > 0:
            smooth = [(_smooth(first), _smooth(second)) for first, second in moments]
            moments = [(first[:, ::2, ::2], second[:, ::2, ::2]) for first, second in smooth]
            spreads = [safe_std(jnp.maximum(second - jnp.square(first), 0)) for first, second in smooth]
            local = jnp.square(smooth[0][0] - smooth[1][0]) + jnp.square(spreads[0] - spreads[1])
        weight = jax.nn.relu(1 - jnp.abs(log2_sigma - level))
        total = total + jnp.mean(weight[None, :, :, None] * local, (1, 2, 3))
        if level > 0:
            # "Same" padding with stride 2: an even side has its zero at the far end only, which is what
            # shifts this map against the statistics.
            low = [(size + 1) % 2 for size in log2_sigma.shape]
            log2_sigma = _smooth(log2_sigma[None, :, :, None])[0, :, :, 0][low[0] :: 2, low[1] :: 2]
    return total


def _smooth(maps: jax.Array) -> jax.Array:
    """Smooths with (1, 2, 1)/4 along both axes, zeros outside, as two 2 x 2 boxes."""
    padded = jnp.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for _ in range(2):
        padded = lax.reduce_window(padded, np.zeros((), maps.dtype), lax.add, (1, 2, 2, 1), (1, 1, 1, 1), "VALID")
    return padded / 16
