"""The look-up of bounds on rates under Wasserstein distortion of a white Gaussian image of variance 1."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory import gaussian
from theory import wasserstein_distortion as wd
from theory.bounds.bound import SHARED, Bound, in_order, only_at_zero, plain
from theory.numerics.checks import check_choice
from theory.numerics.elementwise import decreasing_root

WINDOWS = ("tiles", "gaussian", "pyramid")
LOSSES = ("proxy", "exact")
MAX_FRESH_SIGMA = 24.0  # up to which the moments of a sampled window are computed for the upper bound
_AT_ZERO = "perception 0 only"


def squared_error_or_fresh_noise(distortion: ArrayLike, fresh: float) -> jax.Array:
    """Computes what sharing time between squared error and fresh noise costs (upper bound for sliding windows).

    Wasserstein distortion averaged over pixels is at most the squared error, for which 1/2 log2(1/D) bits suffice; an
    independent realization has the distortion Z and costs nothing. Between them lies the tangent from (Z, 0): it
    touches at D_t (1 + ln(1/D_t)) = Z.

    Args:
      distortion: D >= 0, mean over pixels; any shape.
      fresh: Z, distortion of an independent realization.

    Returns:
      Bits per pixel; same shape.
    """
    d, z = jnp.asarray(distortion, jnp.float64), jnp.asarray(min(float(fresh), 1.0), jnp.float64)
    level = decreasing_root(lambda x: jnp.exp(-x) * (1.0 + x), z, 0.0, 700.0)
    touch = jnp.exp(-level)
    line = gaussian.rate_distortion(touch) * (z - d) / jnp.where(z > touch, z - touch, 1.0)
    return jnp.where(d < touch, gaussian.rate_distortion(d), jnp.maximum(line, 0.0))


def _tiles(pixels, loss, perception, shared, dimension):
    name = "tile_rate_bounds" if loss == "proxy" else "exact_tile_rate_bounds"
    bracket = getattr(wd, name)
    what = "mean and deviation" if loss == "proxy" else "sorted values"
    if perception == "none":
        for side, kind in enumerate(("lower", "upper")):
            yield Bound(f"rate-distortion function of {what}, {kind}", kind,
                        plain(lambda d, side=side: bracket(d, pixels)[side] / pixels), f"tiles of {pixels} pixels",
                        f"theory.wasserstein_distortion.{name}")
    elif shared == "nothing":
        for side, kind in enumerate(("lower", "upper")):
            yield Bound(f"half the distortion: rate-distortion function of {what}, {kind}", kind,
                        only_at_zero(lambda d, side=side: bracket(0.5 * jnp.asarray(d), pixels)[side] / pixels),
                        f"{_AT_ZERO}; tiles of {pixels} pixels", f"theory.wasserstein_distortion.{name}")


def _gaussian(sigma, loss, perception, shared, dimension):
    at = plain if perception == "none" else only_at_zero
    conditions = f"Gaussian windows, sigma = {sigma:g}" + ("" if perception == "none" else f"; {_AT_ZERO}")
    # Realism that nothing is shared for doubles the least distortion of any quantity that is coded.
    share = 0.5 if perception != "none" and shared == "nothing" else 1.0
    yield Bound("converse by pooled means", "lower",
                at(lambda d: wd.white_field_rate(share * jnp.asarray(d), sigma, dimension=dimension)), conditions,
                "theory.wasserstein_distortion.white_field_rate")
    if perception != "none":
        return
    if loss == "proxy" and 0.0 < sigma <= MAX_FRESH_SIGMA:
        window = _sampled(sigma)
        window = window if dimension == 1 else np.outer(window, window).reshape(-1)
        moments = wd.local_moments(window)
        fresh = 2.0 * float(moments.mean_variance + moments.deviation_variance)
    else:
        fresh = 1.0
    yield Bound("squared error or fresh noise, sharing time", "upper",
                plain(lambda d: squared_error_or_fresh_noise(d, fresh)), conditions,
                "theory.bounds.wasserstein.squared_error_or_fresh_noise")
    if loss == "proxy" and sigma > 0.0:
        yield Bound("two-field function", "asymptotic",
                    plain(lambda d: wd.asymptotic_white_field_rate(d, sigma, dimension=dimension)),
                    f"{conditions}; the limit of wide windows",
                    "theory.wasserstein_distortion.asymptotic_white_field_rate")


def _pyramid(level, loss, perception, shared, dimension):
    if perception != "none":
        return
    conditions = f"level {level} of the pyramid, away from edges"
    yield Bound("converse by pooled means", "lower",
                plain(lambda d: wd.pyramid_field_rate(d, level, dimension=dimension)), conditions,
                "theory.wasserstein_distortion.pyramid_field_rate")
    yield Bound("squared error", "upper", plain(lambda d: squared_error_or_fresh_noise(d, 1.0)), conditions,
                "theory.bounds.wasserstein.squared_error_or_fresh_noise")


def _sampled(sigma):
    taps = np.arange(-int(9 * sigma) - 1, int(9 * sigma) + 2)
    window = np.exp(-(taps**2) / (2.0 * sigma**2))
    return window / window.sum()


_BOUNDS_BY_WINDOWS = {"tiles": _tiles, "gaussian": _gaussian, "pyramid": _pyramid}


def wasserstein_bounds_of(
    windows: str,
    size: float,
    *,
    loss: str = "proxy",
    dimension: int = 2,
    perception: str = "none",
    shared: str = "unlimited",
) -> tuple[Bound, ...]:
    """Looks up what is known of the least rate under Wasserstein distortion, for a white Gaussian image of variance 1.

    Args:
      windows: "tiles" (disjoint, equal weights), "gaussian" (sliding, sampled) or "pyramid" (one of its levels).
      size: of the windows: pixels of a tile, sigma in pixels, or the level.
      loss: "proxy" (means and deviations) or "exact" (true W2 squared of local distributions).
      dimension: 1 or 2, for sliding windows.
      perception: "none", or "w2sq": 0 asks that images are distributed like the source.
      shared: "unlimited" or "nothing"; of no consequence without realism.

    Returns:
      Bounds in bits per pixel, at distortions that are means over pixels. Those of kind "asymptotic" are limits for
      wide windows and no bounds; `interval` leaves them out.

    Raises:
      ValueError: if a word is unknown, the size does not fit, or nothing is known of this combination.
    """
    check_choice("windows", windows, WINDOWS)
    check_choice("loss", loss, LOSSES)
    check_choice("perception", perception, ("none", "w2sq"))
    check_choice("shared", shared, SHARED)
    whole = float(size) == int(size) if np.isfinite(size) else False
    if not (np.isfinite(size) and size >= (1 if windows == "tiles" else 0)) or (windows != "gaussian" and not whole):
        needs = {"tiles": "an integer >= 1", "gaussian": ">= 0 and finite", "pyramid": "an integer >= 0"}[windows]
        raise ValueError(f"size must be {needs} for {windows}, got {size!r}")
    size = float(size) if windows == "gaussian" else int(size)
    result = tuple(_BOUNDS_BY_WINDOWS[windows](size, loss, perception, shared, dimension))
    if not result:
        raise ValueError(f"no bound is known for windows {windows!r} with perception {perception!r} and shared "
                         f"{shared!r}; it needs another combination")
    return in_order(result)
