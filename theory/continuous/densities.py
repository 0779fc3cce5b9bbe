"""Densities on the line and the plane, as quadrature rules that resolve what a kernel of given width sees.

The solvers of this package integrate functions such as `log sum_j w_j exp(-s |x - y_j|^2)` against a density.
These are analytic with singularities at a distance of the order `1/sqrt(s)` from the real axis, so a rule whose
spacing is a fraction of `1/sqrt(s)` is exact to rounding error. A density is therefore a function from that
spacing to nodes and weights. Its tails are cut twice: at a mass that float64 cannot see, where the rule ends, and
at a small mass `tail_mass` outside of a bounded *core*, on which lower bounds are proved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.continuous.panels import Panels, gauss_legendre, panel_edges
from theory.numerics.checks import check_domain, check_pmf, normalized_pmf

# Gauss-Legendre nodes per panel; a panel is one spacing wide.
_REFERENCE_PANELS = (997, 4999)  # of the finer rules that masses are compared with
_MASS_TOLERANCE = 1e-4
_HALVINGS = 4  # of the spacing, until the masses agree
_ORDER = 12
# Mass beyond which the rules of unbounded densities end.
_INVISIBLE_MASS = 1e-18


class QuadratureRule(NamedTuple):
    """A finite measure that stands for a density.

    Attributes:
      nodes: [n, d].
      weights: [n], non-negative, sum 1.
      core: [n], True where the node belongs to the bounded core on which lower bounds are proved.
    """

    nodes: jax.Array
    weights: jax.Array
    core: jax.Array


class Density(NamedTuple):
    """A probability density of dimension 1 or 2.

    Attributes:
      name: what to call it in tables.
      dimension: 1 or 2.
      rule: function from a spacing (a length) to the `QuadratureRule` that is exact to rounding error for
        analytic functions whose singularities are at least about half that spacing away from the real axis.
      panels: function from a number of intervals and of nodes in each to `Panels`, denser where the density is larger;
        None on the plane and where the density is not known at every point.
    """

    name: str
    dimension: int
    rule: Callable[[float], QuadratureRule]
    panels: Callable[[int, int], Panels] | None = None


def _composite_gauss_legendre(breakpoints: list[float], spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Lebesgue measure between the first and the last breakpoint."""
    edges = []
    for low, high in zip(breakpoints[:-1], breakpoints[1:]):
        panels = max(1, math.ceil((high - low) / spacing - 1e-9))
        edges.extend(np.linspace(low, high, panels + 1)[1:])
    nodes, widths = gauss_legendre(np.asarray([breakpoints[0], *edges]), _ORDER)
    return nodes.ravel(), widths.ravel()


def _agrees(rule, references) -> bool:
    """Whether a rule finds the mass that finer ones find."""
    return all(abs(rule[1].sum() - fine.sum()) <= _MASS_TOLERANCE * fine.sum() for _, fine in references)


def _refuse_mass(name, spacing, rule, references) -> None:
    """Says where the mass is that a rule does not find."""
    nodes, weights = rule
    fine_nodes, fine = max(references, key=lambda reference: abs(reference[1].sum() - weights.sum()))
    edges = np.linspace(nodes[0], nodes[-1], 65)
    missed = np.histogram(fine_nodes, edges, weights=fine)[0] - np.histogram(nodes, edges, weights=weights)[0]
    worst = int(np.abs(missed).argmax())
    raise ValueError(
        f"breakpoints must enclose every narrow part of the pdf of {name}: panels of width {spacing:g} find a mass of "
        f"{weights.sum():g}, finer ones {fine.sum():g}; most of the difference lies between {edges[worst]:g} and "
        f"{edges[worst + 1]:g}"
    )


def from_pdf(
    name: str,
    pdf: Callable[[jax.Array], jax.Array],
    breakpoints: ArrayLike | Sequence[float],
    *,
    core: tuple[float, float] | None = None,
) -> Density:
    """A density on the line from its pdf, analytic between breakpoints.

    Args:
      name: what to call it.
      pdf: function from points [n] to densities [n]; need not be normalized.
      breakpoints: [k] increasing; the pdf is taken as zero outside of the first and the last, and must be smooth
        between neighbors (put one at every kink or jump).
      core: the interval on which lower bounds are proved; the whole support when None.

    Returns:
      The density; composite Gauss-Legendre rules of order 12 per panel.

    Raises:
      ValueError: if the breakpoints do not increase or are not finite, or the pdf is negative or not finite at a node.
        From `rule`: if finer rules find another mass, as they do where a narrow spike lies between breakpoints.
    """
    points = np.asarray(breakpoints, np.float64)
    if points.ndim != 1 or points.size < 2 or not np.all(np.isfinite(points)) or not np.all(np.diff(points) > 0):
        raise ValueError(
            f"breakpoints must be at least two increasing, finite numbers, got {breakpoints!r}; where a density has "
            "tails, cut them where less than 1e-12 of the mass is outside"
        )
    low, high = (points[0], points[-1]) if core is None else core
    edges = np.unique(np.concatenate([points, [low, high]]))
    edges = list(edges[(edges >= points[0]) & (edges <= points[-1])])

    def masses(spacing: float) -> tuple[np.ndarray, np.ndarray]:
        nodes, widths = _composite_gauss_legendre(edges, spacing)
        values = np.asarray(pdf(jnp.asarray(nodes)), np.float64)
        check_domain(f"the pdf of {name}", values, minimum=0.0, finite=True)
        return nodes, values * widths

    # Two finer rules that have no nodes in common see what a coarse one may step over.
    references = [masses((points[-1] - points[0]) / panels) for panels in _REFERENCE_PANELS]

    def rule(spacing: float) -> QuadratureRule:
        nodes, weights = masses(spacing)
        for _ in range(_HALVINGS - 1):
            if _agrees((nodes, weights), references):
                break
            spacing = spacing / 2.0
            nodes, weights = masses(spacing)
        if not _agrees((nodes, weights), references):
            _refuse_mass(name, spacing, (nodes, weights), references)
        inside = (nodes >= low) & (nodes <= high)
        return QuadratureRule(
            jnp.asarray(nodes[:, None]), jnp.asarray(weights / weights.sum()), jnp.asarray(inside)
        )

    def panels(number: int, order: int) -> Panels:
        check_domain("number", number, minimum=points.size - 1)
        reference, mass = references[-1]
        cuts = panel_edges(points, reference, mass / np.gradient(reference), number)
        nodes, widths = gauss_legendre(cuts, order)
        weights = np.asarray(pdf(jnp.asarray(nodes.ravel())), np.float64).reshape(nodes.shape) * widths
        check_domain(f"the pdf of {name}", weights, minimum=0.0, finite=True)
        if not _agrees((nodes, weights), references):
            _refuse_mass(name, np.diff(cuts).max(), (nodes.ravel(), weights.ravel()), references)
        return Panels(cuts, nodes, weights / weights.sum())

    return Density(name, 1, rule, panels)


def uniform(width: float = 1.0) -> Density:
    """The uniform density on [-width/2, width/2].

    Args:
      width: length of the interval, > 0.

    Returns:
      The density; variance width^2 / 12.

    Raises:
      ValueError: if `width` is not positive and finite.
    """
    check_domain("width", width, minimum=0.0, open_minimum=True, finite=True)
    return from_pdf("uniform", jnp.ones_like, [-width / 2, width / 2])


def laplace(scale: float = 1.0, *, tail_mass: float = 1e-11) -> Density:
    """The Laplace density exp(-|x| / scale) / (2 scale).

    Args:
      scale: b > 0; the variance is 2 b^2.
      tail_mass: mass outside of the core.

    Returns:
      The density.

    Raises:
      ValueError: if `scale` is not positive and finite, or `tail_mass` not in (1e-18, 1).
    """
    check_domain("scale", scale, minimum=0.0, open_minimum=True, finite=True)
    check_domain("tail_mass", tail_mass, minimum=_INVISIBLE_MASS, maximum=0.5, open_minimum=True)
    edge = -scale * math.log(tail_mass)
    end = -scale * math.log(_INVISIBLE_MASS)
    return from_pdf("laplace", lambda x: jnp.exp(-jnp.abs(x) / scale), [-end, 0.0, end], core=(-edge, edge))


def _standard_normal_grid(spacing: np.ndarray, core: float) -> QuadratureRule:
    """A trapezoid product rule for N(0, I) with the given step per axis; spectrally accurate."""
    axes = []
    for step in spacing:
        # +-9 standard deviations leave 2e-19 outside; the step may not exceed what the Gaussian itself needs.
        half = math.ceil(9.0 / min(step, 0.5))
        axes.append(np.linspace(-9.0, 9.0, 2 * half + 1))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
    weights = np.exp(-0.5 * (grid**2).sum(-1))
    keep = weights > 1e-18
    grid, weights = grid[keep], weights[keep]
    inside = (grid**2).sum(-1) <= core**2
    return QuadratureRule(jnp.asarray(grid), jnp.asarray(weights / weights.sum()), jnp.asarray(inside))


def _core_radius(tail_mass: float) -> float:
    """Radius r with P(|Z| > r) <= tail_mass for a standard normal Z: exact on the plane, safe on the line."""
    check_domain("tail_mass", tail_mass, minimum=_INVISIBLE_MASS, maximum=0.5, open_minimum=True)
    return math.sqrt(-2.0 * math.log(tail_mass))


def gaussian_mixture(
    means: ArrayLike | Sequence[float] | Sequence[Sequence[float]],
    standard_deviations: ArrayLike | Sequence[float] | Sequence[Sequence[float]],
    weights: ArrayLike | Sequence[float],
    *,
    tail_mass: float | None = None,
) -> Density:
    """A mixture of k Gaussians with independent components, on the line or the plane.

    Args:
      means: [k] on the line, [k, 2] on the plane.
      standard_deviations: the same shape, > 0.
      weights: [k], a pmf.
      tail_mass: mass outside of the core; 1e-11 on the line and 1e-7 on the plane when None.

    Returns:
      The density; its rule is composite Gauss-Legendre on the line, and on the plane the union of one trapezoid
      rule per component.

    Raises:
      ValueError: if shapes disagree, a standard deviation is not positive, or `weights` is not a pmf.
    """
    means = np.asarray(means, np.float64)
    deviations = np.asarray(standard_deviations, np.float64)
    shares = np.asarray(weights, np.float64)
    if means.ndim == 1:
        means, deviations = means[:, None], deviations[..., None]
    if means.ndim != 2 or means.shape[1] not in (1, 2) or deviations.shape != means.shape:
        raise ValueError(
            "means and standard_deviations must both have shape [k] or [k, 2], got "
            f"{np.shape(means)} and {np.shape(standard_deviations)}"
        )
    if shares.shape != means.shape[:1]:
        raise ValueError(f"weights must have shape {means.shape[:1]}, got {shares.shape}")
    check_pmf("weights", shares)
    check_domain("means", means, finite=True)
    check_domain("standard_deviations", deviations, minimum=0.0, open_minimum=True, finite=True)
    dimension = means.shape[1]
    radius = _core_radius((1e-11 if dimension == 1 else 1e-7) if tail_mass is None else tail_mass)
    if dimension == 1:
        # Gauss-Legendre panels are exact up to the edge of the core, which a trapezoid rule cuts off badly.
        centers, widths = means[:, 0], deviations[:, 0]

        def pdf(x: jax.Array) -> jax.Array:
            z = (x[:, None] - centers[None]) / widths[None]
            return jnp.exp(-0.5 * z * z) @ jnp.asarray(shares / widths)

        line = from_pdf(
            "gaussian_mixture",
            pdf,
            [np.min(centers - 9.0 * widths), np.max(centers + 9.0 * widths)],
            core=(float(np.min(centers - radius * widths)), float(np.max(centers + radius * widths))),
        )
        return line._replace(rule=lambda spacing: line.rule(min(spacing, float(widths.min()))))

    def rule(spacing: float) -> QuadratureRule:
        # 1/3: a trapezoid rule with step h is as good as Gauss-Legendre panels of width 3 h (about).
        parts = [_standard_normal_grid(spacing / 3.0 / deviation, radius) for deviation in deviations]
        nodes = [part.nodes * deviation[None] + mean[None] for part, deviation, mean in zip(parts, deviations, means)]
        mass = [part.weights * share for part, share in zip(parts, shares)]
        return QuadratureRule(
            jnp.concatenate(nodes), jnp.concatenate(mass), jnp.concatenate([part.core for part in parts])
        )

    return Density("gaussian_mixture", dimension, rule)


def banana(*, tail_mass: float = 1e-6) -> Density:
    """The banana: a Gaussian bent by a volume-preserving map of the plane.

    (Y1, Y2) ~ N(0, diag(9, 1/4)), U = (Y1, Y2 - Y1^2 / 10), X = R^T U - (1, 1), R the rotation by 240 degrees.
    Its differential entropy is that of Y, log2(2 pi e 1.5) bits, and its total variance 10.87.

    Args:
      tail_mass: mass outside of the core.

    Returns:
      The density; its rule is the image of a trapezoid rule for Y, finer where the map stretches.

    Raises:
      ValueError: if `tail_mass` is not in (1e-18, 1/2].

    Reference:
      [balle2021nonlinear] J. Balle, P. A. Chou, D. Minnen, S. Singh, N. Johnston, E. Agustsson, S. J. Hwang and G.
      Toderici, Nonlinear Transform Coding, IEEE J. Sel. Topics Signal Process. 15(2), 2021, arXiv 2007.03034.
    """
    radius = _core_radius(tail_mass)
    angle = math.radians(240.0)
    rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    deviation = np.array([3.0, 0.5])

    def rule(spacing: float) -> QuadratureRule:
        # Along Y1 the map stretches lengths by sqrt(1 + (Y1 / 5)^2), about 2 where the mass still matters.
        base = _standard_normal_grid(spacing / np.array([6.0, 3.0]) / deviation, radius)
        y = base.nodes * deviation[None]
        u = jnp.stack([y[:, 0], y[:, 1] - 0.1 * y[:, 0] ** 2], axis=-1)
        return base._replace(nodes=u @ rotation.T - 1.0)

    return Density("banana", 2, rule)


def from_points(name: str, points: ArrayLike, pmf: ArrayLike) -> Density:
    """A discrete source on the line or the plane, reproduced anywhere on it.

    Args:
      name: what to call it.
      points: [n] or [n, 2].
      pmf: [n].

    Returns:
      A `Density` whose rule is the pmf itself, at every spacing.

    Raises:
      ValueError: if shapes disagree or `pmf` is not a pmf.
    """
    points = np.asarray(points, np.float64)
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or points.shape[1] not in (1, 2) or np.shape(pmf) != points.shape[:1]:
        raise ValueError(f"points must have shape [n] or [n, 2] and pmf [n], got {points.shape} and {np.shape(pmf)}")
    pmf = normalized_pmf("pmf", pmf)
    check_domain("points", points, finite=True)
    fixed = QuadratureRule(jnp.asarray(points), jnp.asarray(pmf), jnp.asarray(np.ones(len(pmf), bool)))
    return Density(name, points.shape[1], lambda spacing: fixed)


def from_grid(name: str, points: ArrayLike, values: ArrayLike) -> Density:
    """A density on the line known at equally spaced points only.

    Args:
      name: what to call it.
      points: [n] increasing, equally spaced.
      values: [n] >= 0, the density there up to a factor.

    Returns:
      The density; its rule at spacing h is the trapezoid rule on every k-th point, k = h / step rounded, at least 1.
      Its error falls as h^2 at a kink, which `perfect_realism` extrapolates away.

    Raises:
      ValueError: if shapes disagree, the points are not equally spaced, or a value is negative or not finite.
    """
    points, values = np.asarray(points, np.float64), np.asarray(values, np.float64)
    if points.ndim != 1 or points.size < 2 or values.shape != points.shape:
        raise ValueError(f"points and values must have one shape [n], n >= 2, got {points.shape} and {values.shape}")
    steps = np.diff(points)
    if steps.min() <= 0 or np.ptp(steps) > 1e-6 * steps.mean():
        raise ValueError(f"points must be equally spaced and increasing, got steps from {steps.min()} to {steps.max()}")
    check_domain("values", values, minimum=0.0, finite=True)

    def rule(spacing: float) -> QuadratureRule:
        chosen = np.arange(0, points.size, max(1, round(spacing / steps.mean())))
        weights = values[chosen] * np.where((chosen == chosen[0]) | (chosen == chosen[-1]), 0.5, 1.0)
        chosen, weights = chosen[weights > 0], weights[weights > 0]
        return QuadratureRule(
            jnp.asarray(points[chosen][:, None]), jnp.asarray(weights / weights.sum()),
            jnp.asarray(np.ones(chosen.size, bool)),
        )

    return Density(name, 1, rule)
