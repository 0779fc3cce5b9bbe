"""Channels of a set of weighted points at a slope, in blocks of samples, so that memory is a block times the points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.distances import squared_distances
from rdr.program_cache import ProgramCache

Distortion = Callable[[jax.Array, jax.Array], jax.Array]

BLOCK_NUMBERS = 2**22  # of a block of samples times the points: 16 MB, a few times
_ROUNDED = 1e4 * np.finfo(np.float32).eps  # of |x|^2: smaller errors are taken from differences


def squared_error(x: jax.Array, y: jax.Array) -> jax.Array:
    """Squared errors of all pairs, summed over components.

    Args:
      x: [samples, dimension].
      y: [points, dimension].

    Returns:
      [samples, points].
    """
    return squared_distances(x, y, exact=False)


def squared_differences(x: jax.Array, y: jax.Array) -> jax.Array:
    """Squared errors of all pairs, as `squared_error` but without its rounding error of |x|^2: slower.

    Args:
      x: [samples, dimension].
      y: [points, dimension].

    Returns:
      [samples, points].
    """
    return squared_distances(x, y, exact=True)


def block_rows(points: int, rows: int) -> int:
    """Chooses how many samples a block has.

    Args:
      points: how many points.
      rows: how many samples there are.

    Returns:
      At least 1, at most `rows`.
    """
    return max(1, min(rows, BLOCK_NUMBERS // points))


def in_blocks(rows: jax.Array, block: int) -> tuple[jax.Array, jax.Array]:
    """Divides samples into blocks, the last one filled with repetitions of the first sample.

    Args:
      rows: [samples, ...].
      block: samples of a block.

    Returns:
      [blocks, block, ...], and 1 for samples or 0 for what was filled in, float32 [blocks, block].
    """
    count = rows.shape[0]
    blocks = -(-count // block)
    number = jnp.arange(blocks * block).reshape(blocks, block)
    return rows[jnp.where(number < count, number, 0)], (number < count).astype(jnp.float32)


def tilt(x: jax.Array, points: jax.Array, log_weights: jax.Array, slope: jax.Array, distortion: Distortion
         ) -> tuple[jax.Array, jax.Array]:
    """Rate and distortion of each sample through the channel that is best for a distribution of reproductions.

        Q(y_j | x) = w_j exp(-s d(x, y_j)) / Z(x),   KL(Q || w) = -log Z - s E d.

    Args:
      x: [samples, dimension].
      points: y, [points, dimension].
      log_weights: log w, [points].
      slope: s, nats per unit of distortion, scalar.
      distortion: of all pairs, [samples, points].

    Returns:
      KL(Q || w) in nats and E d, [samples] each.
    """
    cost = distortion(x, points)
    logits = log_weights[None, :] - slope * cost
    likely = jnp.take_along_axis(cost, jnp.argmax(logits, axis=1, keepdims=True), axis=1)
    more = cost - likely  # so that the rate is no difference of two large numbers
    logits = log_weights[None, :] - slope * more
    log_z = jax.nn.logsumexp(logits, axis=1)
    mean = jnp.sum(jnp.exp(logits - log_z[:, None]) * more, axis=1)
    return -log_z - slope * mean, likely[:, 0] + mean


def _tilt_curve(points: jax.Array, weights: jax.Array, slopes: jax.Array, x: jax.Array, distortion: Any, block: int
                ) -> tuple[jax.Array, jax.Array]:
    blocks, _ = in_blocks(x, block)

    def at_slope(of: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        y, w, slope = of
        rates, distortions = jax.lax.map(lambda rows: tilt(rows, y, jnp.log(w), slope, distortion), blocks)
        return rates.reshape(-1)[: x.shape[0]], distortions.reshape(-1)[: x.shape[0]]

    return jax.lax.map(at_slope, (points, weights, slopes))


_compiled_curve = ProgramCache(_tilt_curve, maxsize=16, static_argnums=(4, 5))


def tilt_curve(points: np.ndarray, weights: np.ndarray, slopes: np.ndarray, x: np.ndarray, *,
               distortion: Distortion = squared_error) -> tuple[np.ndarray, np.ndarray]:
    """Takes `tilt` at many slopes, in one compiled program and in blocks.

    Squared errors so small beside |x|^2 that their rounding would show are computed again from differences: clusters
    that are narrow and far apart would seem to be described without any error.

    Args:
      points: [slopes, points, dimension], float32.
      weights: [slopes, points], float32.
      slopes: nats per unit of distortion, [slopes], float32.
      x: [samples, dimension], float32.
      distortion: of all pairs.

    Returns:
      Nats and distortions, [slopes, samples] each.
    """
    block = block_rows(points.shape[1], x.shape[0])
    rates, distortions = map(np.asarray, _compiled_curve(points, weights, slopes, x, distortion, block))
    if distortion is squared_error:
        least = _ROUNDED * float(np.mean(np.sum(np.square(x), axis=1, dtype=np.float64)))
        again = np.flatnonzero(~(distortions.mean(1, dtype=np.float64) >= least))
        if again.size:
            block = block_rows(points.shape[1] * points.shape[2], x.shape[0])
            exact = _compiled_curve(points[again], weights[again], slopes[again], x, squared_differences, block)
            rates, distortions = rates.copy(), distortions.copy()
            rates[again], distortions[again] = exact
    return rates, distortions
