"""Codecs of small Gaussian images under the Wasserstein distortion that codecs train with, edges and all.

With the windows q_c of `rdr.losses.wasserstein_distortion` and their weights w_c, M = sum_c w_c q_c q_c^T, and

    lam = eig(Sigma^1/2 M Sigma^1/2),   x = Sigma^1/2 z,   zeta = U^T z:

every code has E WD >= D only if its rate is at least that of reverse water-filling of lam, for the proxy and the exact
loss. The codec sends zeta above the water level; the decoder fills with a fixed carrier whose local power gives every
window its expected deviation, found by a few rounds of correction.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.sources import wasserstein_rate_fields as fields
from rdr.codecs.vectors import water_filling
from rdr.losses.wasserstein_distortion import exact as definition
from rdr.losses.wasserstein_distortion import wasserstein_distortion
from rdr.randomness import shared_key
from theory.gaussian.vector import rate_distortion

_ROUNDS = 8  # corrections of the carrier's local power


class Windows(NamedTuple):
    """An image size, a source and a sigma, and what follows.

    Attributes:
      source: name, see `fields.spectrum`.
      shape: height and width.
      sigma: of the loss.
      windows: q, all levels one below the other [windows, pixels].
      weights: w [windows].
      root: Sigma^1/2 [pixels, pixels].
      variances: lam, descending [pixels].
      directions: U [pixels, pixels].
    """

    source: str
    shape: tuple[int, int]
    sigma: float
    windows: np.ndarray
    weights: np.ndarray
    root: np.ndarray
    variances: np.ndarray
    directions: np.ndarray


def covariance_root(source: str, shape: tuple[int, int]) -> np.ndarray:
    """Square root of the covariance of a piece of a field on a torus of four times the side.

    Args:
      source: see `fields.spectrum`.
      shape: height and width; a height of 1 is a field on a line.

    Returns:
      Symmetric [pixels, pixels].
    """
    pixels = math.prod(shape)
    if source == "white":
        return np.eye(pixels)
    side, line = 4 * shape[1], shape[0] == 1
    correlation = np.fft.ifftn(fields.spectrum(source, side, 1 if line else 2)).real
    correlation = correlation[None] if line else correlation
    rows, columns = (a.ravel() for a in np.indices(shape))
    covariance = correlation[np.abs(np.subtract.outer(rows, rows)), np.abs(np.subtract.outer(columns, columns))]
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


@functools.lru_cache(maxsize=4)
def windows(source: str, shape: tuple[int, int], sigma: float) -> Windows:
    """Writes out the loss's windows, and diagonalizes the converse's quadratic form.

    Args:
      source: see `fields.spectrum`.
      shape: height and width.
      sigma: of the loss.

    Returns:
      The windows.
    """
    variance = np.full((1, *shape), min(sigma, max(shape)) ** 2)
    groups = definition._pyramid_windows(variance, shape, *shape, None)
    q = np.concatenate([np.asarray(part[0]) for part, _ in groups])
    w = np.concatenate([np.asarray(part).ravel() for _, part in groups])
    root = covariance_root(source, shape)
    half = (np.sqrt(w)[:, None] * q) @ root
    values, vectors = np.linalg.eigh(half.T @ half)
    return Windows(source, shape, sigma, q, w, root, np.maximum(values[::-1], 0.0), vectors[:, ::-1])


@functools.partial(jax.jit, static_argnames=("sigma", "exact"))
def _loss(x: jax.Array, y: jax.Array, sigma: float, exact: bool) -> jax.Array:
    return wasserstein_distortion(x, y, sigma, exact=exact)


def loss(where: Windows, x: np.ndarray, y: np.ndarray, *, exact: bool) -> np.ndarray:
    """Wasserstein distortion of each image, as `rdr.losses` has it.

    Args:
      where: sigma and size.
      x: [images, pixels].
      y: the same.
      exact: W2 itself, or of the Gaussians with the windows' moments.

    Returns:
      float64 [images].
    """
    result = []
    for part in range(0, len(x), 16):
        pair = [jnp.asarray(a[part : part + 16].reshape(-1, *where.shape, 1), jnp.float32) for a in (x, y)]
        result.append(np.asarray(_loss(*pair, where.sigma, exact), np.float64))
    return np.concatenate(result)


def texture(kind: str, shape: tuple[int, int]) -> np.ndarray:
    """A carrier on the pixels of an image, see `fields.carrier` [pixels]."""
    side = 2 * (max(shape) // 2) + 2
    whole = fields.carrier(kind, np.zeros([side] * (1 if shape[0] == 1 else 2)))
    return (whole[: shape[1]] if shape[0] == 1 else whole[: shape[0], : shape[1]]).ravel()


def fill(where: Windows, low: np.ndarray, expected: np.ndarray, carrier: np.ndarray) -> np.ndarray:
    """Adds a carrier that gives the windows their expected deviations.

    Args:
      where: the windows.
      low: decoded means' part of the images [images, pixels].
      expected: E v of each window [windows].
      carrier: [pixels].

    Returns:
      Images [images, pixels].
    """
    back = (where.windows * where.weights[:, None]) / (where.windows.T @ where.weights)[None]
    wanted = expected**2 + np.square(low @ where.windows.T)
    power = np.maximum(wanted @ back - low**2, 0.0)
    image = low + np.sqrt(power) * carrier
    for _ in range(_ROUNDS):
        m = image @ where.windows.T
        v = np.sqrt(np.maximum(np.square(image) @ where.windows.T - m**2, 0.0))
        power = np.maximum(power + ((expected**2 - v**2) @ back), 0.0)
        image = low + np.sqrt(power) * carrier
    return image


def measure(where: Windows, level: float, *, quantizer: str, images: int, exact_images: int, seed: int
            ) -> list[dict[str, Any]]:
    """Codes images, decodes them from the bytes and measures both losses.

    Args:
      where: source, size and windows.
      level: theta, in units of the largest lam.
      quantizer: of `water_filling`.
      images: how many.
      exact_images: how many of them for the exact loss, which is slow.
      seed: of everything.

    Returns:
      A row for each loss.
    """
    random = np.random.default_rng([seed, 3])
    z, other = random.standard_normal((images, len(where.root))), random.standard_normal((256, len(where.root)))
    x, other = z @ where.root, other @ where.root
    training = np.square(other) @ where.windows.T - np.square(other @ where.windows.T)
    expected = np.sqrt(np.maximum(training, 0.0)).mean(0)
    theta = level * where.variances[0]
    active = int((where.variances > theta).sum())
    scale = np.sqrt(where.variances[:active])
    made = water_filling.plan(where.variances[:active], theta, quantizer=quantizer)
    blocks = math.gcd(images, 2 ** int(np.clip(math.log2(images * active / 8192), 0, 6)))
    sent = ((z @ where.directions[:, :active]) * scale).reshape(blocks, -1, active)
    message, bits = water_filling.encode(made, sent, shared_key=shared_key(seed))
    result = water_filling.decode(made, message, shared_key=shared_key(seed)).reshape(images, active)
    low = (result / scale) @ where.directions[:, :active].T @ where.root
    rows = []
    for is_exact, kind, count in ((False, "checkerboard", images), (True, "quantiles", exact_images)):
        y = fill(where, low[:count], expected, texture(kind, where.shape))
        each = loss(where, x[:count], y, exact=is_exact)
        rows.append(_row(where, level, f"{kind}-{quantizer}", is_exact, each, message, bits.ravel(), seed))
    return rows


def _row(where: Windows, level: float, codec: str, is_exact: bool, each: np.ndarray, message: bytes, bits: np.ndarray,
         seed: int) -> dict[str, Any]:
    pixels, distortion = len(where.root), float(each.mean())
    lower, slope = (float(f) for f in jax.value_and_grad(rate_distortion)(distortion, where.variances))
    noise = (bits[: len(each)] - slope * each) / pixels
    above = int((where.variances > -1.0 / (2.0 * math.log(2.0) * slope)).sum()) if slope else 0
    return {
        "source": where.source, "dimension": 1 if where.shape[0] == 1 else 2, "codec": codec, "shared": "none",
        "rate_bits": 8 * len(message) / (len(bits) * pixels), "distortion": distortion, "perception": math.nan,
        "bound_kind": "pooled means", "bound_lower_bits": lower / pixels, "bound_upper_bits": math.nan,
        "gap_bits": (bits.mean() - lower) / pixels, "gap_se": noise.std(ddof=1) / math.sqrt(len(each)), "seed": seed,
        "family": "images", "loss": "exact" if is_exact else "proxy", "sigma": where.sigma, "level": level,
        "distortion_se": each.std(ddof=1) / math.sqrt(len(each)), "message_bytes": len(message),
        "ideal_bits": bits.mean() / pixels, "degrees": above / pixels, "samples": len(bits) * pixels,
        "side": where.shape[1], "bound_degrees": above / pixels,
    }
