"""Codecs of tiles under Wasserstein distortion: one number for the mean, one for the deviation.

A tile has n pixels i.i.d. N(0,1), one window, every pixel counts alike (sigma = infinity). Three codecs:

* "moments": mean and deviation as two Gaussian numbers; the decoder gives a fixed pattern, of mean 0 and deviation 1,
  that mean and deviation. For the proxy loss; for the exact loss the pattern is that of mean order statistics.
* "order": the sorted tile's principal components as Gaussian numbers, for the exact loss.
* "realistic": as "moments" with rounding, but the decoder draws mean, deviation and pattern from what they are
  distributed like given the message: tiles come out exactly i.i.d. N(0,1), without common randomness, at twice the
  distortion.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats
from scipy.special import ndtr, ndtri

from experiments.sources.wasserstein_rate_fields import surplus_bits
from rdr.codecs.vectors import water_filling
from rdr.losses.wasserstein_distortion import wasserstein_distortion
from rdr.randomness import shared_key
from theory import wasserstein_distortion as theory


class Tiles(NamedTuple):
    """Coded tiles.

    Attributes:
      message: the bytes.
      bits: ideal bits of each tile [blocks, count].
      decoded: [blocks, count, pixels].
      surplus: what the tile costs more than others, see `wasserstein_rate_fields.surplus_bits` [blocks, count].
    """

    message: bytes
    bits: np.ndarray
    decoded: np.ndarray
    surplus: np.ndarray


@functools.cache
def order_statistics(pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal components of sorted tiles.

    Args:
      pixels: n, at most 64.

    Returns:
      Mean [n], variances of the components over n [n], directions [n, n].
    """
    values, directions = np.linalg.eigh(theory.order_statistic_covariance(pixels))
    return theory.order_statistic_means(pixels), np.maximum(values, 0.0) / pixels, directions


def pattern(pixels: int) -> np.ndarray:
    """Mean order statistics, scaled to deviation 1 [n]."""
    mean = order_statistics(pixels)[0]
    return mean / math.sqrt(np.mean(mean**2))


def moments_codec(x: np.ndarray, level: float, quantizer: str, seed: int) -> Tiles:
    """Codes means and deviations, and decodes tiles of a fixed pattern.

    Args:
      x: [blocks, count, n].
      level: of water-filling.
      quantizer: of `water_filling`.
      seed: of the dither, which is fixed.

    Returns:
      The tiles.
    """
    n, expected = x.shape[-1], float(theory.tile_moments(x.shape[-1]).deviation_mean)
    made = water_filling.plan(_variances(n), level, quantizer=quantizer)
    moments = np.stack([x.mean(-1), x.std(-1) - expected], -1)
    message, bits = water_filling.encode(made, moments, shared_key=shared_key(seed))
    result = water_filling.decode(made, message, shared_key=shared_key(seed))
    deviation = np.maximum(result[..., 1] + expected, 0.0)
    return Tiles(message, bits, result[..., :1] + deviation[..., None] * pattern(n), _surplus(made, moments))


def _surplus(made: water_filling.Plan, x: np.ndarray) -> np.ndarray:
    coded = np.concatenate([band.components for band in made.bands])
    return surplus_bits(x[..., coded], made.variances[coded])


def _variances(n: int) -> np.ndarray:
    moments = theory.tile_moments(n)
    return np.array([moments.mean_variance, moments.deviation_variance])


def order_codec(x: np.ndarray, level: float, quantizer: str, seed: int) -> Tiles:
    """Codes the principal components of sorted tiles.

    Args:
      x: [blocks, count, n].
      level: of water-filling.
      quantizer: of `water_filling`.
      seed: of the dither, which is fixed.

    Returns:
      The tiles.
    """
    n = x.shape[-1]
    mean, variances, directions = order_statistics(n)
    made = water_filling.plan(variances, level, quantizer=quantizer)
    components = (np.sort(x, -1) - mean) @ directions / math.sqrt(n)
    message, bits = water_filling.encode(made, components, shared_key=shared_key(seed))
    result = water_filling.decode(made, message, shared_key=shared_key(seed))
    return Tiles(message, bits, mean + math.sqrt(n) * result @ directions.T, _surplus(made, components))


def realistic_codec(x: np.ndarray, level: float, seed: int) -> Tiles:
    """Codes means and deviations by rounding, and draws tiles from the posterior distribution.

    The mean is N(0, 1/n), n v^2 is chi-square of n - 1 degrees, the pattern is uniform on a sphere, and all three are
    independent: the decoder draws the first two from the intervals that it knows.

    Args:
      x: [blocks, count, n].
      level: of water-filling.
      seed: of the decoder's own randomness.

    Returns:
      The tiles: i.i.d. N(0,1), exactly.
    """
    n, expected = x.shape[-1], float(theory.tile_moments(x.shape[-1]).deviation_mean)
    made = water_filling.plan(_variances(n), level, quantizer="rounding")
    moments = np.stack([x.mean(-1), x.std(-1) - expected], -1)
    message, bits = water_filling.encode(made, moments, shared_key=shared_key(0))
    low, high = water_filling.decode_cells(made, message, shared_key=shared_key(0))
    random = np.random.default_rng([seed, 5])
    u = random.random(low.shape)
    ends = [ndtr(e[..., 0] * math.sqrt(n)) for e in (low, high)]
    mean = ndtri(ends[0] + u[..., 0] * (ends[1] - ends[0])) / math.sqrt(n)
    squares = stats.chi2(n - 1)
    ends = [squares.cdf(n * np.maximum(e[..., 1] + expected, 0.0) ** 2) for e in (low, high)]
    deviation = np.sqrt(squares.ppf(ends[0] + u[..., 1] * (ends[1] - ends[0])) / n)
    noise = random.standard_normal(x.shape)
    noise -= noise.mean(-1, keepdims=True)
    noise /= noise.std(-1, keepdims=True)
    return Tiles(message, bits, mean[..., None] + deviation[..., None] * noise, _surplus(made, moments))


@functools.partial(jax.jit, static_argnames="exact")
def _loss(x: jax.Array, y: jax.Array, exact: bool) -> jax.Array:
    return wasserstein_distortion(x, y, np.inf, exact=exact)


def loss(x: np.ndarray, y: np.ndarray, exact: bool) -> np.ndarray:
    """Wasserstein distortion of tiles, as `rdr.losses` has it.

    Args:
      x: [blocks, count, n], n a square.
      y: the same.
      exact: W2 itself, or of the Gaussians with the tiles' moments.

    Returns:
      float64, mean of each block [blocks].
    """
    side = math.isqrt(x.shape[-1])
    shape = (-1, side, side, 1)
    result = [_loss(jnp.asarray(a.reshape(shape), jnp.float32), jnp.asarray(b.reshape(shape), jnp.float32), exact)
             for a, b in zip(x, y)]
    return np.asarray(result, np.float64).mean(-1)


def bounds(distortion: float, pixels: int, exact: bool) -> tuple[float, float]:
    """Bits per tile, below and above (certified).

    Args:
      distortion: per tile.
      pixels: n.
      exact: which loss.

    Returns:
      Lower and upper bound.
    """
    result = (theory.exact_tile_rate_bounds if exact else theory.tile_rate_bounds)(distortion, pixels)
    return float(result[0]), float(result[1])


def measure(pixels: int, distortion: float, quantizers: tuple[str, ...], blocks: int, count: int, seed: int
            ) -> list[dict[str, Any]]:
    """Codes tiles in every way at about one distortion.

    Args:
      pixels: n of a tile.
      distortion: n D to aim at.
      quantizers: of `water_filling`.
      blocks: of tiles, from which standard errors are taken.
      count: tiles in a block.
      seed: of everything.

    Returns:
      A row for each codec.
    """
    x = np.random.default_rng([seed, pixels]).standard_normal((blocks, count, pixels))
    level = 0.5 * distortion / pixels
    rows = []
    for quantizer in quantizers:
        rows.append(_row("moments", quantizer, False, x, moments_codec(x, level, quantizer, seed), seed))
    for quantizer in quantizers:
        # At about the same distortion: the level that the Gaussian upper bound has there.
        rows.append(_row("order", quantizer, True, x, order_codec(x, _order_level(distortion, pixels), quantizer, seed),
                         seed))
    made = realistic_codec(x, level, seed)
    for exact in (False, True):
        rows.append(_row("realistic", "rounding", exact, x, made, seed))
    return rows


def _order_level(distortion: float, pixels: int) -> float:
    """The water level at which the order statistics' components keep n D = `distortion`."""
    variances = order_statistics(pixels)[1]
    wanted = min(distortion / pixels, 0.9 * variances.sum())
    low, high = 0.0, variances.max()
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.minimum(variances, middle).sum() < wanted else (low, middle)
    return high


def _row(kind: str, quantizer: str, exact: bool, x: np.ndarray, made: Tiles, seed: int) -> dict[str, Any]:
    blocks, count, pixels = x.shape
    each = loss(x, made.decoded, exact)
    distortion = each.mean()
    realistic = kind == "realistic"
    # A realistic decoder without common randomness has twice the distortion that the rate allows.
    share = 0.5 if realistic else 1.0
    lower, upper = bounds(share * distortion, pixels, exact)
    step = 1e-3 * distortion
    slope = (bounds(share * (distortion + step), pixels, exact)[0] - lower) / step
    noise, surplus = made.bits.mean(-1) - slope * each, made.surplus.mean(-1)
    numbers = pixels if kind == "order" else 2
    active = sum(v > share * distortion / numbers for v in
                 (order_statistics(pixels)[1] if kind == "order" else _variances(pixels)))
    ideal = made.bits.sum() / (blocks * count)
    return {
        "source": "white", "dimension": pixels, "codec": f"{kind}-{quantizer}",
        "shared": "none", "rate_bits": 8 * len(made.message) / (blocks * count),
        "distortion": distortion, "perception": 0.0 if realistic else math.nan,
        "bound_kind": f"tile {'exact' if exact else 'proxy'}{' P=0 without common randomness' if realistic else ''}",
        "bound_lower_bits": lower, "bound_upper_bits": upper, "gap_bits": ideal - lower,
        "gap_se": noise.std(ddof=1) / math.sqrt(blocks), "seed": seed,
        "family": "tiles", "loss": "exact" if exact else "proxy", "sigma": math.inf, "level": math.nan,
        "distortion_se": each.std(ddof=1) / math.sqrt(blocks), "message_bytes": len(made.message),
        "surplus_bits": surplus.mean(), "surplus_se": (noise - surplus).std(ddof=1) / math.sqrt(blocks),
        "ideal_bits": ideal, "degrees": float(active), "samples": x.size,
    }
