"""Densities on the line, tabulated once so that every integral over a cell costs a look-up.

A density is cut into panels; on each it is a polynomial (its Legendre projection through Gauss nodes, exact
to rounding for smooth densities on panels that are short beside their scale). Mass, first and second moment
of any interval are then exact integrals of that polynomial. The tables are plain arrays, so that one
compilation serves every density with as many panels, and a `ScalarDensity` may be mapped and differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain, check_pmf
from theory.numerics.elementwise import broadcast, one_program
from theory.numerics.units import nats_to_bits

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_DEGREE = len(_NODES)
# Row r: the monomial coefficients of the Legendre polynomial P_r.
_LEGENDRE = np.array([
    np.pad(np.polynomial.legendre.leg2poly(np.eye(_DEGREE)[r]), (0, _DEGREE - 1 - r)) for r in range(_DEGREE)
])
# Values at the nodes -> monomial coefficients of the projection.
_TO_MONOMIALS = np.einsum(
    "r,i,ri,rk->ik",
    (2 * np.arange(_DEGREE) + 1) / 2,
    _WEIGHTS,
    np.polynomial.legendre.legvander(_NODES, _DEGREE - 1).T,
    _LEGENDRE,
)


class ScalarDensity(NamedTuple):
    """A probability density on an interval, tabulated on panels.

    Attributes:
      edges: panel boundaries, increasing, shape [panels + 1]; outside of them the density is zero.
      polynomials: on each panel, in its own coordinate u in [-1, 1], the coefficients of the density f(u) and
        of int_{-1}^u v^k f(v) dv, k = 0, 1, 2; shape [panels, 4, degree].
      below: mass, first and second moment about `mean` of what lies below each edge, [panels + 1, 3].
      above: the same of what lies above each edge, [panels + 1, 3].
      mean: the mean, scalar.
      variance: the variance, scalar.
    """

    edges: jax.Array
    polynomials: jax.Array
    below: jax.Array
    above: jax.Array
    mean: jax.Array
    variance: jax.Array


def _antiderivatives(monomials):
    """The polynomials f and int_{-1}^u v^k f dv, k = 0, 1, 2, from the coefficients of f, [panels, _DEGREE]."""
    rows = [jnp.pad(monomials, ((0, 0), (0, 3)))]
    for k in range(3):
        terms = jnp.pad(monomials / (np.arange(_DEGREE) + k + 1)[None, :], ((0, 0), (k + 1, 2 - k)))
        signs = (-1.0) ** np.arange(_DEGREE + 3)
        rows.append(terms.at[:, 0].set(-terms @ signs))
    return jnp.stack(rows, axis=1)


def tabulate_density(pdf: Callable[[jax.Array], jax.Array], edges: ArrayLike) -> ScalarDensity:
    """Tabulates a density given by its pdf.

    Args:
      pdf: maps points, shape [n], to densities, shape [n]. It must be smooth inside of every panel: kinks and
        jumps belong on edges.
      edges: panel boundaries, increasing, shape [panels + 1]. They must cover all but about 1e-12 of the
        mass; what is left outside is divided among the rest by normalization.

    Returns:
      The tabulated density.

    Raises:
      ValueError: if `edges` does not increase, or the density is negative or does not integrate to 1 +- 1e-6.
    """
    edges = jnp.asarray(edges, jnp.float64)
    if edges.ndim != 1 or edges.shape[0] < 2:
        raise ValueError(f"edges must have shape [panels + 1] with panels >= 1, got shape {edges.shape}")
    check_domain("edges", edges, finite=True)
    differences, nodes = _panels(edges)
    check_domain("the differences of edges", differences, minimum=0.0, open_minimum=True)
    values = jnp.asarray(pdf(nodes), jnp.float64)
    check_domain("pdf", values, minimum=0.0, finite=True)
    density, mass = _tabulated(edges, values)
    check_domain("the integral of pdf over edges", mass, minimum=1 - 1e-6, maximum=1 + 1e-6)
    return density


def _nodes(edges):
    """Half widths of panels, and Gauss nodes, [panels, nodes]."""
    half = jnp.diff(edges) / 2
    center = (edges[1:] + edges[:-1]) / 2
    return half, center[:, None] + half[:, None] * _NODES[None, :]


@one_program
def _panels(edges):
    """Widths of panels, and Gauss nodes in one row."""
    return jnp.diff(edges), _nodes(edges)[1].ravel()


@one_program
def _tabulated(edges, values):
    """The density from its values at the nodes, normalized, and the mass that it had."""
    half, nodes = _nodes(edges)
    values = values.reshape(nodes.shape)
    weights = half[:, None] * _WEIGHTS[None, :]
    mass = jnp.sum(weights * values)
    values = values / mass
    mean = jnp.sum(weights * values * nodes)
    moments = jnp.stack([jnp.sum(weights * values * (nodes - mean) ** k, axis=1) for k in range(3)], axis=1)
    zero = jnp.zeros((1, 3))
    below = jnp.concatenate([zero, jnp.cumsum(moments, axis=0)])
    above = jnp.concatenate([jnp.cumsum(moments[::-1], axis=0)[::-1], zero])
    return ScalarDensity(edges, _antiderivatives(values @ _TO_MONOMIALS), below, above, mean, below[-1, 2]), mass


def tabulate_density_from_cdf(cdf: Callable[[jax.Array], jax.Array], edges: ArrayLike) -> ScalarDensity:
    """Tabulates a density given by its cumulative distribution function, whose derivative is taken.

    Args:
      cdf: a differentiable JAX function of a scalar.
      edges: as for `tabulate_density`.

    Returns:
      The tabulated density.

    Raises:
      ValueError: as `tabulate_density`.
    """
    return tabulate_density(jax.vmap(jax.grad(cdf)), edges)


def gaussian_density(mean: float = 0.0, variance: float = 1.0, *, panels: int = 512) -> ScalarDensity:
    """The Gaussian density, cut 9 standard deviations from its mean (2e-19 of the mass lies outside).

    Args:
      mean: the mean.
      variance: the variance, > 0.
      panels: number of panels; even numbers put an edge on the mean.

    Returns:
      The tabulated density.

    Raises:
      ValueError: if `variance` is not positive.
    """
    return gaussian_mixture_density([1.0], [mean], [variance], panels=panels)


def gaussian_mixture_density(
    weights: Sequence[float], means: Sequence[float], variances: Sequence[float], *, panels: int = 512
) -> ScalarDensity:
    """A mixture of Gaussians, cut 9 standard deviations outside of its outermost components.

    Args:
      weights: probabilities of the components, shape [components].
      means: their means, shape [components].
      variances: their variances, > 0, shape [components].
      panels: number of panels; a panel should not be much wider than half the smallest standard deviation.

    Returns:
      The tabulated density.

    Raises:
      ValueError: if the weights are no probabilities or a variance is not positive.
    """
    shares, centers, spreads = (jnp.asarray(v, jnp.float64) for v in (weights, means, variances))
    check_pmf("weights", shares)
    check_domain("means", centers, finite=True)
    check_domain("variances", spreads, minimum=0.0, open_minimum=True, finite=True)
    low, high = _ends(centers, spreads)
    return tabulate_density(lambda x: _mixture(x, shares, centers, spreads), jnp.linspace(low, high, panels + 1))


@one_program
def _ends(means, variances):
    """Nine standard deviations outside of the outermost components."""
    return jnp.min(means - 9 * jnp.sqrt(variances)), jnp.max(means + 9 * jnp.sqrt(variances))


@one_program
def _mixture(x, weights, means, variances):
    """The pdf of a mixture of Gaussians at points [n]."""
    weight, mean, std = weights[None, :], means[None, :], jnp.sqrt(variances)[None, :]
    z = (x[:, None] - mean) / std
    return jnp.sum(weight * jnp.exp(-0.5 * z**2) / (std * np.sqrt(2 * np.pi)), axis=1)


def laplace_density(scale: float = 1.0, *, panels: int = 512) -> ScalarDensity:
    """The centered Laplace density exp(-|x| / b) / (2 b), cut 39 scales from 0 (1e-17 of the mass outside).

    Args:
      scale: b > 0; the variance is 2 b^2.
      panels: number of panels, even so that the kink at 0 is an edge.

    Returns:
      The tabulated density.

    Raises:
      ValueError: if `scale` is not positive, or `panels` is odd.
    """
    check_domain("scale", scale, minimum=0.0, open_minimum=True, finite=True)
    if panels % 2:
        raise ValueError(f"panels must be even (the density has a kink at 0), got {panels}")
    return tabulate_density(
        lambda x: jnp.exp(-jnp.abs(x) / scale) / (2 * scale), scale * jnp.linspace(-39.0, 39.0, panels + 1)
    )


def uniform_density(low: float = -0.5, high: float = 0.5, *, panels: int = 512) -> ScalarDensity:
    """The uniform density on [low, high].

    Args:
      low: lower end.
      high: upper end, > `low`.
      panels: number of panels.

    Returns:
      The tabulated density.

    Raises:
      ValueError: if the interval is empty.
    """
    check_domain("high - low", high - low, minimum=0.0, open_minimum=True, finite=True)
    return tabulate_density(lambda x: jnp.full_like(x, 1 / (high - low)), jnp.linspace(low, high, panels + 1))


def _evaluate(density: ScalarDensity, points: jax.Array):
    """Panel index, half width, center, and the panel's four polynomials at points clipped to the support."""
    panels = density.edges.shape[0] - 1
    inside = jnp.clip(points, density.edges[0], density.edges[-1])
    index = jnp.clip(jnp.searchsorted(density.edges, inside, side="right") - 1, 0, panels - 1)
    left, right = density.edges[index], density.edges[index + 1]
    half, center = (right - left) / 2, (right + left) / 2
    u = jnp.clip((inside - center) / half, -1.0, 1.0)[..., None]

    def horner(value, coefficients):
        return value * u + coefficients, None

    # A loop, not an unrolled sum: this sits in the innermost iteration of solvers and is compiled often.
    coefficients = jnp.moveaxis(density.polynomials[index], -1, 0)
    values, _ = jax.lax.scan(horner, jnp.zeros_like(coefficients[0]), coefficients, reverse=True)
    return index, half, center, values


def pdf(density: ScalarDensity, points: ArrayLike) -> jax.Array:
    """Evaluates a tabulated density.

    Args:
      density: the density.
      points: any shape.

    Returns:
      The density at `points`, same shape; zero outside of the support.
    """
    return _pdf(density, jnp.asarray(points, jnp.float64))


@one_program
def _pdf(density, points):
    _, _, _, values = _evaluate(density, points)
    outside = (points < density.edges[0]) | (points > density.edges[-1])
    return jnp.where(outside, 0.0, values[..., 0])


def tail_moments(density: ScalarDensity, points: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Mass, first and second moment about the mean on either side of a point.

    Args:
      density: the density.
      points: any shape.

    Returns:
      The moments int_{x < t} (x - mean)^k p(x) dx, k = 0, 1, 2, and those of x > t, each of shape
      [*points.shape, 3]. Neither is formed as a difference from the total, so both keep their
      relative accuracy far out in the tails.
    """
    return _tail_moments(density, jnp.asarray(points, jnp.float64))


@one_program
def _tail_moments(density, points):
    index, half, center, values = _evaluate(density, points)
    local = [half * values[..., k + 1] for k in range(3)]
    shift = center - density.mean
    raw = jnp.stack([
        local[0],
        shift * local[0] + half * local[1],
        shift**2 * local[0] + 2 * shift * half * local[1] + half**2 * local[2],
    ], axis=-1)
    panel = density.below[index + 1] - density.below[index]
    panel_above = density.above[index] - density.above[index + 1]
    # The tables disagree with each other by rounding only; each side uses its own.
    total = jnp.where((index < density.edges.shape[0] // 2)[..., None], panel, panel_above)
    return density.below[index] + raw, density.above[index + 1] + (total - raw)


def interval_moments(density: ScalarDensity, low: ArrayLike, high: ArrayLike) -> jax.Array:
    """Mass, first and second moment about the mean of intervals.

    Args:
      density: the density.
      low: lower ends; infinities are allowed.
      high: upper ends, >= `low`; a shape that broadcasts with `low`.

    Returns:
      int_{low}^{high} (x - mean)^k p(x) dx for k = 0, 1, 2, broadcast shape + [3].
    """
    low, high = broadcast(low, high)
    return difference_of_tails(density, tail_moments(density, low), tail_moments(density, high), low, high)


@one_program
def difference_of_tails(density, tails_low, tails_high, low, high):
    """The moments of intervals from the `tail_moments` of their ends, by the difference that cancels least.

    Args:
      density: the density.
      tails_low: `tail_moments` at `low`.
      tails_high: `tail_moments` at `high`.
      low: lower ends, shape [...].
      high: upper ends, same shape.

    Returns:
      The moments of the intervals, shape [..., 3].
    """
    from_left = tails_high[0] - tails_low[0]
    from_right = tails_low[1] - tails_high[1]
    below_low, above_high = jnp.broadcast_arrays(tails_low[0], tails_high[1])
    total = jnp.broadcast_to(density.below[-1], below_low.shape)
    left, right = (high <= density.mean)[..., None], (low >= density.mean)[..., None]
    moments = jnp.where(left, from_left, jnp.where(right, from_right, total - below_low - above_high))
    # Rounding may leave a mass or second moment of nothing below zero.
    floor = jnp.broadcast_to(jnp.asarray([0.0, -jnp.inf, 0.0]), moments.shape)
    return jnp.maximum(moments, floor)


def expectation(density: ScalarDensity, function: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """The expectation of a function that is smooth inside of every panel, by Gauss quadrature.

    Args:
      density: the density.
      function: maps points, shape [n], to values, shape [n, ...].

    Returns:
      int p(x) f(x) dx, shape [...].
    """
    half = jnp.diff(density.edges) / 2
    nodes = (density.edges[1:] + density.edges[:-1])[:, None] / 2 + half[:, None] * _NODES[None, :]
    weights = (half[:, None] * _WEIGHTS[None, :]).ravel() * pdf(density, nodes.ravel())
    return jnp.tensordot(weights, function(nodes.ravel()), axes=1)


def differential_entropy(density: ScalarDensity) -> jax.Array:
    """The differential entropy h(X) = -int p(x) log2 p(x) dx.

    Args:
      density: the density.

    Returns:
      Differential entropy, in bits, scalar.
    """
    def surprisal(x):
        value = pdf(density, x)
        positive = value > 0
        return jnp.where(positive, -jnp.log(jnp.where(positive, value, 1.0)), 0.0)

    return nats_to_bits(expectation(density, surprisal))
