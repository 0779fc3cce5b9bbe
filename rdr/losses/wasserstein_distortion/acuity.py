"""Maps of sigma by acuity: windows no wider than what an eye cannot resolve anyway."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from rdr.vision.castle_csf import mechanism_sensitivities

_HIGHEST = 128.0  # cycles per degree that are tried


def finest_frequency(
    eccentricity: jax.Array | np.ndarray | float, *, luminance: float = 100.0, contrast: float = 1.0, area: float = 1.0,
    visual_field: float = 0.0,
) -> jax.Array:
    """Computes the finest grating of light and dark that is seen.

    The largest u with S(u, e) contrast >= 1, S castleCSF's achromatic sensitivity of a steady grating; by bisection
    above the sensitivity's peak.

    Args:
      eccentricity: e, degrees, of any shape, non-negative.
      luminance: that the eye has adapted to, cd/m^2.
      contrast: of the grating, (maximum - minimum) / (maximum + minimum), in (0, 1].
      area: of the grating, square degrees.
      visual_field: see `rdr.vision.mechanism_sensitivities`; 0 is the temple's side, where less is seen.

    Returns:
      u in cycles per degree, the shape of `eccentricity`, float32; at most 128; 0 where nothing is seen.

    Raises:
      ValueError: if a value is out of range.

    Reference:
      Ashraf, Mantiuk, Chapiro, Wuerger (ashraf2024castlecsf).
    """
    if not 0 < contrast <= 1:
        raise ValueError(f"contrast must be in (0, 1], got {contrast}")
    options = {"luminance": luminance, "area": area, "visual_field": visual_field}
    degrees = jnp.asarray(eccentricity, jnp.float32)
    mechanism_sensitivities(1.0, eccentricity=eccentricity, **options)  # refuses what is out of range

    def seen(u):
        return mechanism_sensitivities(u, eccentricity=degrees, **options).achromatic * contrast >= 1.0

    tried = jnp.exp2(jnp.linspace(-4.0, np.log2(_HIGHEST), 45, dtype=jnp.float32))
    column = tried.reshape((-1,) + (1,) * degrees.ndim)
    grid = mechanism_sensitivities(column, eccentricity=degrees[None], **options).achromatic * contrast >= 1.0
    last = jnp.max(jnp.where(grid, column, 0.0), axis=0)
    step = tried[1] / tried[0]

    def halve(_, ends):
        low, high = ends
        middle = jnp.sqrt(low * high)
        good = seen(middle)
        return jnp.where(good, middle, low), jnp.where(good, high, middle)

    start = jnp.maximum(last, tried[0])
    low, _ = jax.lax.fori_loop(0, 20, halve, (start, jnp.minimum(start * step, _HIGHEST)))
    return jnp.where(last > 0, low, 0.0)


def sigma_from_acuity(
    shape: tuple[int, int], fixation: tuple[float, float], *, pixels_per_degree: float, periods: float = 0.5,
    luminance: float = 100.0, contrast: float = 1.0,
) -> jax.Array:
    """Computes sigma proportional to the period of the finest grating that is seen at each pixel.

        sigma = periods / u(e) degrees, u = `finest_frequency`, e the distance from the fixated point

    What lies within such a window cannot be resolved, wherever else the eye pools; `sigma_from_eccentricity` has the
    wider windows of area V2, in which arrangements that are resolved are confused.

    Args:
      shape: height and width of the image in pixels.
      fixation: row and column of the fixated point in pixels, (0, 0) being the center of the first pixel.
      pixels_per_degree: resolution of the image on the retina.
      periods: sigma in periods of that grating. A window of 1/2 leaves exp(-pi^2 / 2) = 0.7 % of its contrast.
      luminance: that the eye has adapted to, cd/m^2.
      contrast: of the grating.

    Returns:
      sigma in pixels, [height, width], float32; infinite where nothing is seen.

    Raises:
      ValueError: if a number is out of range.

    Reference:
      Ashraf, Mantiuk, Chapiro, Wuerger (ashraf2024castlecsf); the rule is ours. Eccentricity is taken as proportional
      to the distance on the screen (small angles).
    """
    if not 0 < pixels_per_degree < np.inf:
        raise ValueError(f"pixels_per_degree must be positive and finite, got {pixels_per_degree}")
    if not 0 <= periods < np.inf:
        raise ValueError(f"periods must be non-negative and finite, got {periods}")
    rows, columns = (np.arange(n, dtype=np.float32) - f for n, f in zip(shape, fixation))
    degrees = np.hypot(rows[:, None], columns[None, :]) / pixels_per_degree
    knots = np.linspace(0.0, max(float(degrees.max(initial=0.0)), 1e-3), 257)
    finest = finest_frequency(knots, luminance=luminance, contrast=contrast)
    u = jnp.interp(jnp.asarray(degrees, jnp.float32), jnp.asarray(knots, jnp.float32), finest)
    return jnp.where(u > 0, periods * pixels_per_degree / jnp.where(u > 0, u, 1.0), jnp.inf)
