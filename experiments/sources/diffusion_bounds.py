"""Bounds for sources with exact denoisers: R(D, 0), and R(D) or what is known below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.codecs.diffusion.sources import ExactSource
from theory.bounds.sources import banana as known_banana
from theory.closed_form import circle, shannon_lower_bound
from theory.continuous.densities import Density, QuadratureRule
from theory.continuous.perfect_realism import perfect_realism_curve
from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_realism

Rate = Callable[[Any], jax.Array]


class SourceBounds(NamedTuple):
    """What is known of a source.

    Attributes:
      realistic: D -> R(D, 0) with unlimited common randomness.
      plain: D -> R(D), or a lower bound on it.
      realistic_kind: what the former is.
      plain_kind: what the latter is.
    """

    realistic: Rate
    plain: Rate
    realistic_kind: str
    plain_kind: str


class _Planar(NamedTuple):
    """How R(D, 0) of a density on the plane is computed: slopes in bits, ends first, and spacing of nodes."""

    slopes: tuple[float, float]
    points: int
    spacing: float


_PLANAR = {"banana": _Planar((0.25, 3.2), 5, 0.33), "mixture": _Planar((0.7, 11.0), 5, 0.18),
           "swirl": _Planar((3.0, 45.0), 5, 0.12)}
_LEAST_MASS = 1e-7  # of the largest


def grid_density(name: str, log_pdf: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray,
                 finest: float) -> tuple[Density, float]:
    """A density of the plane on square grids, and its differential entropy.

    Args:
      name: of the density.
      log_pdf: points [n, 2] -> natural logarithms of the density.
      low: [2], corner below which there is no mass.
      high: [2], corner above which there is none.
      finest: spacing for the entropy.

    Returns:
      The density, whose rule is the trapezoid rule where there is mass, and h(X) in bits.
    """
    def grid(spacing: float) -> tuple[np.ndarray, np.ndarray]:
        axes = [np.arange(a, b + spacing, spacing) for a, b in zip(low, high)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
        return points, log_pdf(points)

    def rule(spacing: float) -> QuadratureRule:
        points, log_density = grid(spacing)
        mass = np.exp(log_density - log_density.max())
        kept = mass > _LEAST_MASS
        mass = mass[kept] / mass[kept].sum()
        return QuadratureRule(jnp.asarray(points[kept]), jnp.asarray(mass), jnp.ones(mass.size, bool))

    log_density = grid(finest)[1]
    entropy = -float(np.sum(np.exp(log_density) * log_density)) * finest**2 / np.log(2)
    return Density(name, 2, rule), entropy


def planar_density(source: ExactSource) -> tuple[Density, float]:
    """The density of a planar source, and its differential entropy.

    Args:
      source: the banana, or a mixture made by `rdr.codecs.diffusion.sources.mixture`.

    Returns:
      As `grid_density`.
    """
    if source.name == "banana":
        reach = 18.0 * np.sqrt(np.diag(source.covariance))  # it bends far away: y_1^2 / 10
        return grid_density("banana", lambda points: np.asarray(known_banana().log_density(points)),
                            source.mean - reach, source.mean + reach, 0.1)
    weights, means, variances = (source.identity[name] for name in ("weights", "means", "variances"))

    def log_pdf(points: np.ndarray) -> np.ndarray:
        away = np.square(points[:, None] - means) / variances
        parts = -0.5 * away.sum(-1) - 0.5 * np.log(variances).sum(-1) - np.log(2 * np.pi) + np.log(weights)
        return np.logaddexp.reduce(parts, axis=1)

    reach = 7.0 * np.sqrt(variances)
    return grid_density(source.name, log_pdf, (means - reach).min(0), (means + reach).max(0),
                        float(np.sqrt(variances.min())) / 2.5)


def hermite(distortions: np.ndarray, rates: np.ndarray, slopes: np.ndarray) -> Rate:
    """A curve R(D) between points of known slope: cubic in ln D.

    Args:
      distortions: [k], of the points.
      rates: [k], bits.
      slopes: [k], -dR/dD, bits per unit.

    Returns:
      D -> R, differentiable; NaN outside of the points.
    """
    order = np.argsort(distortions)
    x = jnp.asarray(np.log(distortions[order]))
    y = jnp.asarray(rates[order])
    rise = jnp.asarray(-(slopes * distortions)[order])

    def curve(distortion: Any) -> jax.Array:
        u = jnp.log(jnp.asarray(distortion, jnp.float64))
        i = jnp.clip(jnp.searchsorted(x, u) - 1, 0, x.size - 2)
        width = x[i + 1] - x[i]
        t = (u - x[i]) / width
        value = ((1 + 2 * t) * (1 - t) ** 2 * y[i] + t * (1 - t) ** 2 * width * rise[i]
                 + t**2 * (3 - 2 * t) * y[i + 1] - t**2 * (1 - t) * width * rise[i + 1])
        return jnp.where((u >= x[0]) & (u <= x[-1]), value, jnp.nan)

    return curve


def _planar(source: ExactSource) -> SourceBounds:
    how = _PLANAR[source.name]
    density, entropy = planar_density(source)
    curve = perfect_realism_curve(density, np.geomspace(*how.slopes, how.points), spacing=how.spacing, tolerance=1e-9)
    realistic = hermite(*(np.asarray(part) for part in (curve.distortion, curve.rate, curve.slope)))
    return SourceBounds(realistic, lambda d: shannon_lower_bound.squared_error(d, entropy, dimension=2),
                        "R(D; 0) by Sinkhorn", "Shannon lower bound on R(D)")


def source_bounds(source: ExactSource) -> SourceBounds:
    """Finds or computes the bounds of a source.

    Args:
      source: Gaussian, the circle, the banana, or a planar mixture named "mixture" or "swirl".

    Returns:
      The bounds. R(D, 0) of planar densities is computed: some seconds.

    Raises:
      ValueError: if nothing is known of the source.
    """
    if source.name.startswith("gaussian"):
        lam = np.linalg.eigvalsh(source.covariance)
        return SourceBounds(lambda d: vector_realism.perfect_realism_rate_distortion(d, lam),
                            lambda d: gaussian_vector.rate_distortion(d, lam), "R(D; 0)", "R(D)")
    if source.name == "circle":
        return SourceBounds(circle.perfect_realism_rate_distortion, circle.rate_distortion, "R(D; 0)", "R(D)")
    if source.name not in _PLANAR:
        raise ValueError(f"bounds are known for Gaussian sources, circle, {', '.join(_PLANAR)}, got {source.name!r}")
    return _planar(source)
