"""Maps of sigma for Wasserstein distortion: where an image needs fidelity and where realism is enough."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from rdr.losses.wasserstein_distortion import decimation as blocks
from rdr.losses.wasserstein_distortion import pooling
from rdr.losses.wasserstein_distortion.window_weights import as_map

DEGREES = "deg"  # after numbers that are no pixels


def in_pixels(sigma: float | str, *, pixels_per_degree: float) -> float:
    """Reads a width of windows that may be in degrees of visual angle.

    Args:
      sigma: a number of pixels, or text: "4" (pixels), "0.1deg" (degrees), "inf".
      pixels_per_degree: resolution of the image on the retina.

    Returns:
      sigma in pixels.

    Raises:
      ValueError: if it is none, negative or not a number, or the resolution is not positive.
    """
    text = str(sigma)
    try:
        value = float(text.removesuffix(DEGREES))
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise ValueError(f"sigma must be a number of pixels, at least 0, or of degrees as in 0.1{DEGREES}, got "
                         f"{sigma!r}")
    if not text.endswith(DEGREES):
        return value
    if not 0 < pixels_per_degree < math.inf:
        raise ValueError(f"pixels_per_degree must be positive and finite, got {pixels_per_degree}")
    return value * pixels_per_degree


def sigma_from_saliency(saliency: ArrayLike, *, minimum: float, maximum_sigma: float = 16.0) -> jax.Array:
    """Computes sigma inversely proportional to a fixation probability.

    sigma = maximum_sigma p_min / p,  p = p_min + (1 - p_min) s / mean(s).

    Args:
      saliency: s, non-negative, [batch, height, width]; a map that is 0 everywhere is taken as uniform.
      minimum: p_min in (0, 1], the probability of looking where s = 0.
      maximum_sigma: sigma where s = 0.

    Returns:
      sigma in pixels, [batch, height, width], in (0, maximum_sigma]. It is the published code's sigma; pass it
      through `std_of_codex_window` to pool with the same width.

    Raises:
      ValueError: if shapes or values are not as above.

    Reference:
      Balle et al. (balle2025good), arXiv 2412.00505 (WD_s; maximum_sigma = 16).
    """
    saliency = _check_saliency(saliency)
    if not 0 < minimum <= 1:
        raise ValueError(f"minimum must be in (0, 1], got {minimum}")
    if not maximum_sigma >= 0:
        raise ValueError(f"maximum_sigma must be >= 0, got {maximum_sigma}")
    mean = saliency.mean((1, 2), keepdims=True)
    relative = jnp.where(mean > 0, saliency / jnp.where(mean > 0, mean, 1), 1)
    return maximum_sigma * minimum / (minimum + (1 - minimum) * relative)


def sigma_from_salient_regions(
    saliency: ArrayLike, *, slope: float = 1.5, threshold: ArrayLike | None = None
) -> jax.Array:
    """Computes sigma proportional to the city-block distance from the salient pixels, which have sigma = 0.

    Args:
      saliency: non-negative, [batch, height, width].
      slope: sigma per pixel of distance.
      threshold: pixels above it are salient; by default min(0.1, maximum / 8) of each map.

    Returns:
      sigma in pixels, [batch, height, width]; infinite everywhere in a map without salient pixels. It is the
      scale of a two-sided geometric window; `std_of_geometric_window` turns it into a standard deviation.

    Raises:
      ValueError: if shapes or values are not as above.

    Reference:
      Qiu, Wagner, Balle, Theis (qiu2024wasserstein), arXiv 2310.03629, experiment with saliency maps; default values
      from the code published with it.
    """
    saliency = _check_saliency(saliency)
    if not slope > 0:
        raise ValueError(f"slope must be > 0, got {slope}")
    if threshold is None:
        threshold = jnp.minimum(0.1, saliency.max((1, 2), keepdims=True) / 8)
    distance = jnp.where(saliency > threshold, 0.0, jnp.inf).astype(saliency.dtype)
    for axis in (1, 2):
        # min_j |i - j| + d_j over one axis: a running minimum of d_j - j from one side, of d_j + j from the other.
        place = lax.broadcasted_iota(saliency.dtype, saliency.shape, axis)
        before = lax.cummin(distance - place, axis=axis) + place
        after = lax.cummin(distance + place, axis=axis, reverse=True) - place
        distance = jnp.minimum(before, after)
    return slope * distance


def sigma_from_eccentricity(
    shape: tuple[int, int],
    fixation: tuple[float, float],
    *,
    pixels_per_degree: float,
    slope: float = 0.2,
    fovea_degrees: float = 1.0,
) -> jax.Array:
    """Computes sigma proportional to the eccentricity, as pooling regions of the visual system grow.

    sigma = slope max(e - fovea, 0) degrees, e the distance from the fixated point.

    Args:
      shape: height and width of the image in pixels.
      fixation: row and column of the fixated point in pixels, (0, 0) being the center of the first pixel.
      pixels_per_degree: resolution of the image on the retina; at 60 cm from a 96 dpi screen about 40.
      slope: sigma per eccentricity. Regions in area V2 have a diameter of about 0.46 e; taken as the width at
        half maximum, 2.35 sigma, this gives 0.2.
      fovea_degrees: eccentricity within which sigma is 0.

    Returns:
      sigma in pixels, [height, width], float32.

    Raises:
      ValueError: if a number is not as above.

    Reference:
      Freeman and Simoncelli (freeman2011metamers), Metamers of the ventral stream, Nature Neuroscience 14, 2011.
      Eccentricity is taken as proportional to the distance on the screen (small angles).
    """
    if not pixels_per_degree > 0:
        raise ValueError(f"pixels_per_degree must be > 0, got {pixels_per_degree}")
    if not (slope >= 0 and fovea_degrees >= 0):
        raise ValueError(f"slope and fovea_degrees must be >= 0, got {slope} and {fovea_degrees}")
    rows, columns = (jnp.arange(n, dtype=jnp.float32) - f for n, f in zip(shape, fixation))
    eccentricity = jnp.hypot(rows[:, None], columns[None, :])
    return slope * jnp.maximum(eccentricity - fovea_degrees * pixels_per_degree, 0)


def intrinsic_sigma(maps: ArrayLike, *, threshold: float = 0.1) -> jax.Array:
    """Computes for each pixel the narrowest window beyond which local statistics stop changing.

    Between one level of pooling and the next the Gaussianized squared Wasserstein distance is

        c_i(n) = mean over channels of (m_i - m_{i+1})^2 + (v_i - v_{i+1})^2,

    and sigma(n) = s_i for the smallest i with c_j(n) <= threshold max_k c_k(n) for all j >= i. A texture gets
    a window that holds a few of its elements, a region where nothing repeats one that sees it all.

    Args:
      maps: feature maps of the image, [batch, height, width, channels], floating point.
      threshold: how small a change counts as none, relative to the largest at that pixel.

    Returns:
      sigma in pixels of the maps, [batch, height, width]: one of the levels' standard deviations, infinite
      where statistics change up to the whole image, and 0 where they never change (flat images).

    Raises:
      ValueError: if shapes or values are not as above.

    Reference:
      The idea is that of Qiu and Lin (qiu_intrinsic), Wasserstein Distortion with Intrinsic sigma-Map (OpenReview
      8lwDe1eOTV); the rule for where the changes end, and the pyramid, are ours.
    """
    maps = as_map("maps", maps)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must be in [0, 1), got {threshold}")
    knots = pooling.pooling_knots(*maps.shape[1:3])
    mean, variance = maps - maps.mean((1, 2), keepdims=True), jnp.zeros_like(maps)
    rows, columns = (np.eye(n) for n in maps.shape[1:3])
    moments = [(mean, variance)]
    for _ in range(len(knots) - 2):
        mean, variance = blocks.pool_blocks(mean, variance)
        rows, columns = (a @ pooling.interpolation_matrix(a.shape[1]) for a in (rows, columns))
        moments.append((_interpolate(mean, rows, columns), _interpolate(variance, rows, columns)))
    if len(knots) > 1:
        mean, variance = moments[0]
        whole = mean.mean((1, 2), keepdims=True)
        spread = jnp.square(mean - whole).mean((1, 2), keepdims=True)
        moments.append((jnp.broadcast_to(whole, maps.shape), jnp.broadcast_to(spread, maps.shape)))
    changes = [
        jnp.mean(jnp.square(m - n) + jnp.square(pooling.safe_std(v) - pooling.safe_std(w)), -1)
        for (m, v), (n, w) in itertools.pairwise(moments)
    ]
    if not changes:
        return jnp.zeros(maps.shape[:3], maps.dtype)
    changes = jnp.stack(changes)
    moving = changes > threshold * changes.max(0, keepdims=True)
    levels = np.arange(1, len(moments), dtype=np.int32).reshape(-1, 1, 1, 1)
    first = jnp.max(jnp.where(moving, levels, 0), 0)
    sigmas = np.sqrt(knots)
    sigmas[-1] = np.inf
    return jnp.asarray(sigmas, maps.dtype)[first]


def std_of_codex_window(sigma: ArrayLike) -> jax.Array:
    """Computes the standard deviation of the published pyramid's window called sigma.

    Args:
      sigma: 2^i names level i; below 1 it is a single pixel.

    Returns:
      sqrt((sigma^2 - 1) / 6), 0 below 1, of the same shape.
    """
    sigma = jnp.asarray(sigma)
    above = sigma > 1
    return jnp.where(above, jnp.sqrt((jnp.square(jnp.where(above, sigma, 2)) - 1) / 6), 0)


def std_of_geometric_window(scale: ArrayLike) -> jax.Array:
    """Computes the standard deviation of the two-sided geometric window exp(-|k| / scale).

    Args:
      scale: non-negative, in pixels.

    Returns:
      sqrt(2 r) / (1 - r), r = exp(-1 / scale), of the same shape: near sqrt(2) scale, 0 for 0.
    """
    scale = jnp.asarray(scale)
    if not jnp.issubdtype(scale.dtype, jnp.floating):
        scale = scale.astype(jnp.float32)
    positive = scale > 0
    decay = 1 / jnp.where(positive, scale, 1)
    value = jnp.sqrt(2.0) * jnp.exp(-decay / 2) / -jnp.expm1(-decay)
    return jnp.where(positive, value, 0).astype(scale.dtype)


def _check_saliency(saliency: ArrayLike) -> jax.Array:
    saliency = jnp.asarray(saliency)
    if saliency.ndim != 3 or not jnp.issubdtype(saliency.dtype, jnp.floating):
        raise ValueError(
            f"saliency must be floating point of shape [batch, height, width], got {saliency.dtype} {saliency.shape}"
        )
    if not isinstance(saliency, jax.core.Tracer) and not (np.asarray(saliency) >= 0).all():
        raise ValueError("saliency must be >= 0 and not NaN")
    # Distances and quotients need more digits than bfloat16 has.
    return saliency.astype(jnp.promote_types(saliency.dtype, jnp.float32))


def _interpolate(maps: jax.Array, rows: np.ndarray, columns: np.ndarray) -> jax.Array:
    """Brings [batch, rows, columns, channels] back to all pixels."""
    up, along = jnp.asarray(rows, maps.dtype), jnp.asarray(columns, maps.dtype)
    return jnp.einsum("hi,bijc,wj->bhwc", up, maps, along, precision=lax.Precision.HIGHEST)
