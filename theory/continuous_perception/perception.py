"""Rate-distortion-perception functions of densities on the line, from both sides, at any perception."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.continuous.densities import Density
from theory.continuous.panels import Panels
from theory.continuous_perception import bins as binning
from theory.continuous_perception.bins import Bins
from theory.continuous_perception.response_bound import response_bound
from theory.discrete import rate_distortion_perception as finite_alphabet
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.units import bits_to_nats, nats_to_bits

DIVERGENCES = ("kl", "w2sq")
COSTS = ("squared", "absolute")
_PANELS_PER_BIN = 16
_ORDERS = (6, 4)  # of the panels' rules: the one that is used, and one to see what it is worth


class ContinuousRateDistortionPerception(NamedTuple):
    """A point of R(D, P) of a density, or several (leading axes on every field).

    Attributes:
      rate: [] bits, mutual information of a channel of the density, given by one of its bins.
      rate_lower: [] bits; no channel into the line with at most the distortion and perception asked for has less.
      distortion: [] E d(X, Y) of the channel, at most the one asked for.
      perception: [] of the channel, at most the one asked for, bits for "kl"; the cost of a coupling for "w2sq"; NaN
        where no perception was asked for and the channel's is not known.
      slope: [] bits per unit of distortion, of the bins.
      perception_slope: [] bits per unit of perception, of the bins; at P = 0 inf, or one-sided.
      quadrature_error: [] bits, by which the bounds were widened: what a rule of lower order changes.
    """

    rate: jax.Array
    rate_lower: jax.Array
    distortion: jax.Array
    perception: jax.Array
    slope: jax.Array
    perception_slope: jax.Array
    quadrature_error: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`rate - rate_lower`, bits; more bins make it smaller."""
        return self.rate - self.rate_lower

    @property
    def certified(self) -> jax.Array:
        """Whether a channel was found, whatever its gap: both bounds hold."""
        return jnp.isfinite(self.rate)


class Kind(NamedTuple):
    """Channels between bins that end in the same way.

    Attributes:
      distortion: E d(X, Y) given the bins, by either rule, [n, n] each.
      transport: costs of coupling the bins, [n, n], less `spent`; None for a divergence that needs none.
      spent: perception that such channels have besides that of the bins.
    """

    distortion: tuple[np.ndarray, np.ndarray]
    transport: np.ndarray | None
    spent: float


class _Prepared(NamedTuple):
    """A density made ready: its panels by both rules, bins by both, and the kinds of channels."""

    panels: tuple[Panels, Panels]
    bins: tuple[Bins, Bins]
    kinds: tuple[Kind, ...]
    interpolation: np.ndarray
    shift: np.ndarray  # of nu, per unit of slope


def rate_distortion_perception(
    density: Density,
    *,
    distortion: ArrayLike,
    perception: ArrayLike,
    divergence: str = "w2sq",
    cost: str = "squared",
    bins: int = 64,
    tolerance: float = 1e-4,
) -> ContinuousRateDistortionPerception:
    """R(D, P) of a density on the line, from both sides, with unlimited common randomness.

    R(D, P) = min I(X; Y) over channels into the line with E d(X, Y) <= D and delta(p_X, p_Y) <= P. Above: a channel
    between bins of the line, followed by a draw of the density within the bin (or, under W2^2 and where perception is
    free, by the bin's mean), is one of the density, whose rate, distortion and perception are known from masses,
    means and variances of bins; the best one is found by `theory.discrete.rate_distortion_perception`. Below: its
    multiplier nu, made a function of x, and its slope s give

        R(D, P) >= E nu(X) - s D - max over q with delta(p, q) <= P of E_q h,  h(y) = ln E exp(nu(X) - s d(X, y)),

    where the maximum is bounded by its dual and h by what convexity says of it between points
    (`theory.continuous_perception.response_bound`). The gap is mostly about slope times twice the mean variance within
    bins, which falls with the square of their number; it is larger where W2 squared is about that small, and under KL
    of a tenth of a bit or more for heavy tails.

    Args:
      density: on the line, known at every point: `from_pdf`, `gaussian_mixture`, `laplace` or `uniform`.
      distortion: D > 0; any shape.
      perception: P >= 0, 0 and inf included; bits for "kl"; broadcasts with `distortion`.
      divergence: "w2sq" (W2 squared) or "kl" (KL(p_Y || p_X)).
      cost: d, "squared" for (x - y)^2 or "absolute" for |x - y|.
      bins: number of bins, at least 8; the solver's time grows with its cube.
      tolerance: gap in bits to which the bins' own problem is solved.

    Returns:
      A `ContinuousRateDistortionPerception` of the broadcast shape. Both bounds hold for the density but for what a
      rule of lower order changes, by which they are widened, and the mass that `Density` leaves out. At P = 0 and
      P = inf and squared error `perfect_realism_curve` and `rate_distortion` come closer.

    Raises:
      ValueError: if an argument lies outside of its domain, the density has no panels, or the bins do not reach D.

    Reference:
      [blau2019rethinking] Y. Blau and T. Michaeli, Rethinking lossy compression: the rate-distortion-perception
      tradeoff, ICML 2019, arXiv 1901.07821 (the function); the bounds are derived in
      docs/derivations/perception_of_densities.md.
    """
    check_choice("divergence", divergence, DIVERGENCES)
    check_choice("cost", cost, COSTS)
    check_domain("distortion", distortion, minimum=0.0, open_minimum=True)
    check_domain("perception", perception, minimum=0.0)
    check_domain("bins", bins, minimum=8, finite=True)
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    if density.panels is None:
        raise ValueError(
            f"density must be one on the line that is known at every point (from_pdf), got {density.name!r}; for "
            "points or tabulated values use theory.discrete.rate_distortion_perception")
    distortions, perceptions = np.broadcast_arrays(np.asarray(distortion, float), np.asarray(perception, float))
    prepared = _prepare(density.panels, int(bins), divergence, cost)
    reached = float(prepared.bins[0].pmf @ np.diagonal(prepared.kinds[0].distortion[0]))
    if distortions.size and distortions.min() <= reached:
        raise ValueError(
            f"distortion must be > {reached:g}, which is what {bins} bins reach for {density.name}, got "
            f"{distortions.min():g}; give more bins")
    points = [
        _solve(prepared, float(d), float(p), divergence, cost, tolerance)
        for d, p in zip(distortions.ravel(), perceptions.ravel())
    ]
    fields = (jnp.asarray(np.reshape(values, distortions.shape)) for values in np.transpose(points).reshape(7, -1))
    return ContinuousRateDistortionPerception(*fields)


def _prepare(panels: Callable[[int, int], Panels], number: int, divergence: str, cost: str) -> _Prepared:
    fine, rough = (panels(_PANELS_PER_BIN * number, order) for order in _ORDERS)
    # Nodes without weight, so that one program serves both.
    more = ((0, 0), (0, fine.nodes.shape[1] - rough.nodes.shape[1]))
    rough = rough._replace(nodes=np.pad(rough.nodes, more, mode="edge"), weights=np.pad(rough.weights, more))
    bins = binning.bins_of(fine, number)
    both = bins, binning.measured(rough, bins.first)
    # The bins' distortion has the variance of X within its bin, which the density's nu has instead.
    shift = bins.variances if cost == "squared" else np.zeros_like(bins.variances)
    kinds, matrix = kinds_of(both, divergence, cost), binning.interpolation(bins, fine.edges)
    return _Prepared((fine, rough), both, kinds, matrix, shift)


def kinds_of(rules: tuple[Bins, Bins], divergence: str, cost: str) -> tuple[Kind, Kind]:
    """Collects what channels between bins cost when they end in draws of the density, and in means of bins.

    Args:
      rules: the bins, measured by two rules.
      divergence: "kl" or "w2sq".
      cost: "squared" or "absolute".

    Returns:
      The two kinds.
    """
    bins, rough = rules
    samples = binning.sample_distortion(bins, cost), binning.sample_distortion(rough, cost)
    centers = binning.center_distortion(bins, cost), binning.center_distortion(rough, cost)
    squares, transport = (bins.means[:, None] - bins.means) ** 2, divergence == "w2sq"
    return (
        Kind(samples, binning.sample_transport(bins) if transport else None, 0.0),
        # Moving the density of a bin to any bin's mean costs its own variance more; KL is not finite.
        Kind(centers, squares if transport else None, bins.mean_variance if transport else np.inf),
    )


def _information(pmf: np.ndarray, channel: np.ndarray) -> float:
    output = pmf @ channel
    ratio = np.where(channel > 0, channel, 1.0) / np.where(output > 0, output, 1.0)
    return float(np.sum(pmf[:, None] * channel * np.log(ratio)))


def _solve(
    prepared: _Prepared, distortion: float, perception: float, divergence: str, cost: str, tolerance: float
) -> tuple[float, ...]:
    """Fields of the result, in order, for one pair."""
    rate, lower, error, rest = np.inf, 0.0, 0.0, (np.nan,) * 4
    for kind in prepared.kinds:
        # Where a budget is mostly spent on coming to the means, the other kind is better.
        if kind.spent > 0 and not perception >= 4.0 * kind.spent:
            continue
        budget = perception if np.isinf(perception) else perception - kind.spent
        found = finite_alphabet(
            prepared.bins[0].pmf, kind.distortion[0], distortion=distortion, perception=budget, divergence=divergence,
            transport_cost=kind.transport, tolerance=tolerance)
        doubt = _channel_doubt(prepared, kind, found)
        if float(found.rate) + doubt < rate:
            rate, error = float(found.rate) + doubt, max(error, doubt)
            reached = float(found.perception) + kind.spent
            rest = (float(found.distortion), reached if np.isfinite(reached) else np.nan, float(found.slope),
                    float(found.perception_slope))
        proved, doubt = _proved(prepared, found, distortion, perception, divergence, cost)
        if proved > lower:
            lower, error = proved, max(error, doubt)
    # Two bounds that cross by more than rounding would say that one of them is wrong.
    certified = np.isfinite(rate) and lower <= rate + 1e-9 * (1.0 + rate)
    return (rate if certified else np.nan, min(lower, rate), *rest, error)


def _proved(prepared: _Prepared, found, distortion, perception, divergence, cost) -> tuple[float, float]:
    """What the bins' multipliers prove about the density, less what the other rule changes; and that; in bits."""
    slope = float(bits_to_nats(found.slope))
    multiplier = np.asarray(bits_to_nats(found.multiplier))
    if not np.isfinite(slope) or not np.all(np.isfinite(multiplier)):
        return 0.0, 0.0
    nu = jnp.asarray(prepared.interpolation @ (multiplier - slope * prepared.shift))
    limit = bits_to_nats(perception) if divergence == "kl" else perception
    values = [
        float(nats_to_bits(response_bound(
            nu, slope, distortion, limit, *map(jnp.asarray, panels), divergence=divergence, cost=cost)))
        for panels in prepared.panels
    ]
    doubt = abs(values[0] - values[1])
    return (values[0] - doubt, doubt) if np.isfinite(doubt) else (0.0, 0.0)


def _channel_doubt(prepared: _Prepared, kind: Kind, found) -> float:
    """Bits by which the other rule's masses and distances change the rate, at the slope of the distortion."""
    channel = np.asarray(found.channel)
    rates = [_information(bins.pmf, channel) for bins in prepared.bins]
    distances = [
        float(np.sum(bins.pmf[:, None] * channel * matrix)) for bins, matrix in zip(prepared.bins, kind.distortion)]
    slope = float(found.slope) if np.isfinite(found.slope) else 0.0
    return float(nats_to_bits(abs(rates[0] - rates[1]))) + slope * abs(distances[0] - distances[1])
