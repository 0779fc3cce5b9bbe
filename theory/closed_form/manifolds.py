"""Sources that lie on a curve, where linear transforms fail: sawbridge, ramp, circle; and the banana.

Sawbridge, ramp and circle are functions of one uniform variable U on an interval or a circle of length 1. A
quantizer cuts that into cells of lengths w_i; with conditional distortion d(w) of a cell of length w,
D = sum w_i d(w_i) and entropy H = -sum w_i log2 w_i. Distortion is the squared error of the whole realization, in
L^2([0, 1]) for processes.

All curves here are *operational*: what one-shot deterministic quantizers of U with ideal entropy coding reach
(by time sharing, on the hulls). Shannon's R(D) lies below them. The comparison with linear transforms is
reverse water-filling of the Karhunen-Loeve eigenvalues, R(D) of the Gaussian process of the same covariance.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, zeta
from jax.typing import ArrayLike

from theory.closed_form import shannon_lower_bound
from theory.numerics.checks import check_choice, check_domain, is_concrete
from theory.numerics.elementwise import infinite_at_zero, nan_unless
from theory.numerics.units import nats_to_bits

SOURCES = ("sawbridge", "ramp", "circle")
# The hull's vertices are N equal cells with N = 1 and all N from this number on; docs/derivations/curved_sources.md.
_FIRST_VERTEX_ABOVE_1 = {"sawbridge": 2, "ramp": 4, "circle": 3}
# Largest distortion, and eigenvalues c / k^2 (k = 1, 2, ...) of a multiplicity, of the two processes.
_VARIANCE = {"sawbridge": 1 / 6, "ramp": 1 / 12, "circle": 1.0}
# Where the hull of N cells differs from the smooth curve through its vertices by less than rounding.
_SMOOTH_BELOW = {"sawbridge": 1e-10, "ramp": 1e-10, "circle": 1e-14}
_SMOOTH_BITS = 26.0  # the same, for the inverse
_MAX_CELLS = 1e10  # beyond, the number of cells of one sawbridge quantizer cannot be told from its distortion
_MIN_LINEAR = 1e-12  # below, water-filling spreads over more than 1e11 components
_SPECTRUM = {"sawbridge": (1 / np.pi**2, 1), "ramp": (1 / (2 * np.pi) ** 2, 2)}


def cell_distortion(length: ArrayLike, source: str) -> jax.Array:
    """Mean squared error d(w) of the best reproduction of U's cell of length w.

    Sawbridge X(t) = t - 1{t >= U}: w / 6. Ramp X(t) = (t + U mod 1) - 1/2: w / 6 - w^2 / 12. Circle
    X = (cos 2 pi U, sin 2 pi U): 1 - sinc(w)^2, sinc(w) = sin(pi w) / (pi w).

    Args:
      length: w in [0, 1], any shape.
      source: "sawbridge", "ramp" or "circle".

    Returns:
      Mean squared error, same shape. Inside a trace a length outside of [0, 1] gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [wagner2021neural, bhadane2022ramp, theis2021advantages] Wagner and Balle, DCC 2021 (arXiv 2011.05065); Bhadane,
      Wagner and Balle 2022 (arXiv 2205.08518); Theis and Agustsson 2021 (arXiv 2102.09270) for the circle. Derived in
      docs/derivations/curved_sources.md.
    """
    check_choice("source", source, SOURCES)
    check_domain("length", length, minimum=0.0, maximum=1.0)
    w = jnp.asarray(length, jnp.float64)
    return nan_unless((w >= 0) & (w <= 1), _cell_distortion(w, source))


def _cell_distortion(w, source):
    if source == "sawbridge":
        return w / 6
    if source == "ramp":
        return w / 6 - w**2 / 12
    # 1 - sinc^2 = (1 - sinc)(1 + sinc), the first factor by its series where it would cancel.
    x2 = (np.pi * w) ** 2
    small = jnp.minimum(x2, 0.1)
    series = small / 6 * (1 - small / 20 * (1 - small / 42 * (1 - small / 72 * (1 - small / 110))))
    sinc = jnp.sinc(w)
    return jnp.where(x2 < 0.1, series, 1 - sinc) * (1 + sinc)


def sawbridge_minimum_entropy(distortion: ArrayLike) -> jax.Array:
    """Least entropy of one deterministic quantizer of the sawbridge at distortion D, exactly.

    The optimum has k = floor(1 / (6D)) cells of one length m and one shorter cell r:
    k m + r = 1, k m^2 + r^2 = 6D.

    Args:
      distortion: D >= 0.

    Returns:
      Entropy, bits per realization; 0 from D = 1/6 on, inf at 0. At D = 1/(6N), where a cell appears, the slope is
      -inf on the left; the derivative is that of the right side, -3N log2(e). Beyond 1e10 cells value and
      derivative are those of -log2(6D), from which the entropy differs by less than 1 / (4N) bit. Inside a trace a
      negative distortion gives NaN.

    Raises:
      ValueError: if `distortion` is negative.

    Reference:
      [wagner2021neural, harremoes2001inequalities] Wagner and Balle 2021 (arXiv 2011.05065); least entropy at a given
      sum of squares: Harremoes and Topsoe, IEEE T-IT 47(7), 2001.
    """
    check_domain("distortion", distortion, minimum=0.0)
    return _sawbridge_minimum_entropy(distortion)


@jax.jit
def _sawbridge_minimum_entropy(distortion):
    distortion = jnp.asarray(distortion, jnp.float64)
    d = 6 * distortion
    inside = (d > 0) & (d < 1)
    fine = inside & (d < 1 / _MAX_CELLS)
    safe = jnp.where(inside & ~fine, d, 0.75)
    frozen = jax.lax.stop_gradient(safe)
    # 1/d within rounding of an integer N counts as just below it: there k + 1 = N cells of one length.
    k = jnp.maximum(jnp.ceil((1 - 1e-13) / frozen) - 1, 1.0)
    root = jnp.sqrt(jnp.maximum(k * ((k + 1) * frozen - 1), 0.0))  # in [0, 1]; 0 where the cells are equal
    m = (k + root) / (k * (k + 1))
    r = jnp.clip(1 - k * m, 0.0, m)
    occupied = r > 0
    rest = jnp.where(occupied, r, 1.0)
    nats = -k * m * jnp.log(m) - jnp.where(occupied, rest * jnp.log(rest), 0.0)
    # dH/dd = -k ln(m/r)/(2 root) with m/r = 1 + u, u = root/(k r), without its 0/0 at equal cells.
    u = root / (k * rest)
    near = u < 1e-6
    slope = -0.5 / rest * jnp.where(near, 1 - 0.5 * u, jnp.log1p(u) / jnp.where(near, 1.0, u))
    nats = nats + jnp.where(occupied, slope, -jnp.inf) * jnp.where(inside & ~fine, safe - frozen, 0.0)
    nats = jnp.where(fine, -jnp.log(jnp.where(fine, d, 1.0)), nats)
    entropy = jnp.where(inside, nats_to_bits(nats), 0.0) + infinite_at_zero(d)
    return nan_unless(distortion >= 0, entropy)


def _vertex(index, source):
    """Number of cells of the hull's vertex with a given index 0, 1, 2, ..."""
    return jnp.where(index == 0, 1.0, index - 1 + _FIRST_VERTEX_ABOVE_1[source])


def _index_below(levels, source):
    """Index of the last vertex with at most so many cells."""
    return jnp.maximum(jnp.floor(levels) + 1 - _FIRST_VERTEX_ABOVE_1[source], 0.0)


def _largest(holds, lowest):
    """The largest integer below 2^50 for which a condition holds that, from `lowest` on, ceases to hold once."""
    def halve(_, ends):
        low, high = ends
        middle = jnp.floor((low + high) / 2)
        true = jax.lax.stop_gradient(holds(middle))
        return jnp.where(true, middle, low), jnp.where(true, high, middle)

    ends = jax.lax.stop_gradient((lowest, jnp.full_like(lowest, 2.0**50)))
    return jax.lax.fori_loop(0, 50, halve, ends)[0]


def hull_distortion_rate(rate: ArrayLike, source: str) -> jax.Array:
    """Least distortion of quantizers of U at a rate, with time sharing: the polygon through equal cells.

    Equal cells are optimal at the vertices (log2 N, d(1/N)). The polygon's vertices are all N for the sawbridge,
    N = 1, 4, 5, ... for the ramp and N = 1, 3, 4, ... for the circle. It is also the limit of what training with a
    Lagrangian can reach.

    Args:
      rate: bits per realization, >= 0 (up to 50), any shape.
      source: "sawbridge", "ramp" or "circle".

    Returns:
      Mean squared error, same shape. Inside a trace a rate outside of the domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      As `cell_distortion`.
    """
    check_choice("source", source, SOURCES)
    check_domain("rate", rate, minimum=0.0, maximum=50.0)
    return _hull_distortion_rate(rate, source)


@partial(jax.jit, static_argnames="source")
def _hull_distortion_rate(rate, source):
    rate = jnp.asarray(rate, jnp.float64)
    valid = (rate >= 0) & (rate <= 50)
    fine = rate > _SMOOTH_BITS
    safe = jnp.where(valid & ~fine, rate, 1.0)
    index = jax.lax.stop_gradient(_index_below(jnp.exp2(safe) * (1 + 1e-15), source))
    low, high = _vertex(index, source), _vertex(index + 1, source)
    part = (safe - jnp.log2(low)) / nats_to_bits(jnp.log1p((high - low) / low))
    ends = [_cell_distortion(1 / n, source) for n in (low, high)]
    smooth = _cell_distortion(jnp.exp2(-jnp.where(fine, rate, 1.0)), source)
    return nan_unless(valid, jnp.where(fine, smooth, (1 - part) * ends[0] + part * ends[1]))


def hull_rate_distortion(distortion: ArrayLike, source: str) -> jax.Array:
    """Inverse of `hull_distortion_rate`: least entropy at a distortion, with time sharing.

    Args:
      distortion: D >= 0, any shape.
      source: "sawbridge", "ramp" or "circle".

    Returns:
      Rate, bits per realization, same shape; 0 from the variance on, inf at 0. Inside a trace a negative
      distortion gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      As `cell_distortion`.
    """
    check_choice("source", source, SOURCES)
    check_domain("distortion", distortion, minimum=0.0)
    return _hull_rate(jnp.asarray(distortion, jnp.float64), source)


@partial(jax.jit, static_argnames="source")
def _hull_rate(distortion, source):
    inside = (distortion < _VARIANCE[source]) & (distortion > 0)
    safe = jnp.where(inside, distortion, _VARIANCE[source] / 2)
    # Bisection for the index: equal cells' distortion falls with their number.
    # With more than 1e7 cells the polygon is the curve through its vertices, to rounding.
    tiny = safe < _SMOOTH_BELOW[source]
    coarse = jnp.where(tiny, _VARIANCE[source] / 2, safe)
    index = _largest(lambda i: _cell_distortion(1 / _vertex(i, source), source) >= coarse, jnp.zeros_like(safe))
    levels = _vertex(index, source), _vertex(index + 1, source)
    ends = [_cell_distortion(1 / n, source) for n in levels]
    part = (ends[0] - coarse) / (ends[0] - ends[1])
    rate = (1 - part) * jnp.log2(levels[0]) + part * jnp.log2(levels[1])
    fine = jnp.where(tiny, safe, 0.5 * _SMOOTH_BELOW[source])
    width = {
        "sawbridge": 6 * fine,
        "ramp": 12 * fine / (1 + jnp.sqrt(1 - 12 * fine)),
        "circle": jnp.sqrt(3 * fine) / np.pi,
    }[source]
    rate = jnp.where(tiny, -jnp.log2(width), rate)
    return nan_unless(distortion >= 0, jnp.where(inside, rate, 0.0) + infinite_at_zero(distortion))


def linear_rate_distortion(distortion: ArrayLike, source: str) -> jax.Array:
    """Reverse water-filling over the Karhunen-Loeve eigenvalues: what linear transform coding aims at.

    It is R(D) of the Gaussian with the same covariance, hence an *upper* bound on R(D) of the source, and what
    ideal transform codes whose coefficients are coded as independent Gaussians reach. Eigenvalues: sawbridge
    1 / (pi k)^2; ramp 1 / (2 pi k)^2, each twice; circle 1/2, twice.

    Args:
      distortion: D = 0 or D >= 1e-12, any shape.
      source: "sawbridge", "ramp" or "circle".

    Returns:
      Rate, bits per realization, same shape; 0 from the variance on, inf at 0. Inside a trace a distortion
      outside of the domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [kolmogorov1956shannon, wagner2021neural] Kolmogorov 1956 (water-filling); Wagner and Balle 2021 for the
      comparison.
    """
    check_choice("source", source, SOURCES)
    check_domain("distortion", distortion, minimum=0.0)
    if is_concrete(distortion):
        given = np.asarray(distortion, np.float64)
        check_domain("distortion other than 0", given[given > 0], minimum=_MIN_LINEAR)
    return _linear_rate(jnp.asarray(distortion, jnp.float64), source)


@partial(jax.jit, static_argnames="source")
def _linear_rate(distortion, source):
    inside = (distortion < _VARIANCE[source]) & (distortion >= _MIN_LINEAR)
    safe = jnp.where(inside, distortion, _VARIANCE[source] / 2)
    if source == "circle":
        nats = -jnp.log(safe)
    else:
        nats = _inverse_square_water_filling(safe, *_SPECTRUM[source])
    rate = jnp.where(inside, nats_to_bits(nats), 0.0) + infinite_at_zero(distortion)
    return nan_unless((distortion >= _MIN_LINEAR) | (distortion == 0), rate)


def _inverse_square_water_filling(distortion, first, multiplicity):
    """Water-filling (nats) over first / k^2, k = 1, 2, ..., each `multiplicity` times, with the tail summed."""
    def tail(k):  # sum of 1 / j^2 over j > k
        return zeta(2.0, k + 1)

    # The largest k for which the level first / k^2 leaves at least the distortion.
    k = _largest(lambda j: multiplicity * first * (1 / j + tail(j)) >= distortion, jnp.ones_like(distortion))
    level = (distortion / multiplicity - first * tail(k)) / k
    return multiplicity / 2 * (k * jnp.log(first / level) - 2 * gammaln(k + 1))


def circle_reproductions(arcs: ArrayLike) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Distortion of the circle cut into N arcs, with three decoders: least error, and two that stay on the circle.

    With s = sinc(1/N): the centroid errs by 1 - s^2; a point drawn from the arc's own distribution by a deterministic
    encoder's decoder by 2 (1 - s^2); with shared dither (the arcs rotated at random, known to both sides) the
    center's direction is perfectly realistic at 2 (1 - s).

    Args:
      arcs: N >= 1, any shape; the rate is log2 N bits.

    Returns:
      Least mean squared error; that of posterior sampling; that of shared dither; each of the shape of `arcs`.

    Raises:
      ValueError: if `arcs` is below 1.

    Reference:
      [theis2021advantages] Theis and Agustsson 2021 (arXiv 2102.09270).
    """
    check_domain("arcs", arcs, minimum=1.0, finite=True)
    arcs = jnp.asarray(arcs, jnp.float64)
    valid = arcs >= 1
    w = 1 / jnp.where(valid, arcs, 1.0)
    mmse = _cell_distortion(w, "circle")
    centroid, drawn, dithered = (nan_unless(valid, d) for d in (mmse, 2 * mmse, 2 * mmse / (1 + jnp.sinc(w))))
    return centroid, drawn, dithered


def banana_entropy() -> float:
    """Differential entropy of the banana: that of its Gaussian, log2(2 pi e sqrt(9 * 0.25)) = 4.679154 bits.

    The banana is x = R(240 degrees)^T (y1, y2 - 0.1 y1^2) - 1 with y ~ N(0, diag(9, 0.25)): a shear, a rotation
    and a shift, all of which preserve volume.

    Returns:
      Bits.

    Reference:
      [balle2021nonlinear] Balle et al. 2021, "Nonlinear transform coding" (arXiv 2007.03034).
    """
    return float(np.log2(2 * np.pi * np.e * 1.5))


def banana_moments() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the banana.

    With u = (y1, y2 - 0.1 y1^2): E u = (0, -0.9), Cov u = diag(9, 0.25 + 0.01 * 2 * 81).

    Returns:
      The mean, shape [2], and the covariance, shape [2, 2]; its trace is 10.87.

    Reference:
      As `banana_entropy`.
    """
    angle = np.deg2rad(240.0)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    covariance = rotation.T @ np.diag([9.0, 0.25 + 0.01 * 2 * 81.0]) @ rotation
    return rotation.T @ np.array([0.0, -0.9]) - 1.0, covariance


def banana_lower_bound(distortion: ArrayLike) -> jax.Array:
    """Shannon lower bound of the banana under squared error: [log2(3 / D)]_+, D summed over both components.

    Args:
      distortion: D >= 0, any shape.

    Returns:
      Lower bound on the rate, bits per vector. Inside a trace a negative distortion gives NaN.

    Raises:
      ValueError: if `distortion` is negative.

    Reference:
      Shannon 1959; `theory.closed_form.shannon_lower_bound.squared_error`.
    """
    return shannon_lower_bound.squared_error(distortion, banana_entropy(), dimension=2)
