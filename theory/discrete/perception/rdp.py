"""The rate-distortion-perception function of a finite alphabet, between two certified bounds."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.discrete.classical import solver as classical
from theory.discrete.gradients import with_gradient, without_gradient
from theory.discrete.perception import divergences
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.duals import Options
from theory.discrete.perception.solver import RateDistortionPerception, solve_regime
from theory.numerics.checks import check_choice, check_domain, is_concrete


def rate_distortion_perception(
    pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortion: ArrayLike | None = None,
    perception: ArrayLike | None = None,
    divergence: str | Divergence,
    slope: ArrayLike | None = None,
    perception_slope: ArrayLike | None = None,
    points: ArrayLike | None = None,
    transport_cost: ArrayLike | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 500,
) -> RateDistortionPerception:
    """Rate-distortion-perception function of a memoryless source on a finite alphabet, from both sides.

    R(D, P) = min I(X; Y) over channels with E[d(X, Y)] <= D and delta(p_X, p_Y) <= P, with unlimited common
    randomness. The rate is that of the returned channel, which meets both constraints. The lower bound is
    evaluated from the dual point alone: for any nu, s >= 0 and with phi(y) = ln sum_x p(x) exp(nu(x) - s d(x, y)),

        R(D, P) >= sum_x p(x) nu(x) - s D - max over pmfs q with delta(p, q) <= P of sum_y q(y) phi(y),

    since I(X; Y) >= E[nu(X) - s d(X, Y) - phi(Y)] for every channel; the inner maximum is bounded by its own
    dual, t P + t conjugate(phi / t). In the Lagrangian form one or both slopes are given instead.

    Given distortion and perception, `rate` is differentiable once with respect to `pmf` (along the simplex),
    `distortion_matrix`, `distortion` and `perception`, by the envelope theorem; the other fields are constants.

    Args:
      pmf: probabilities of the source, [n]; zeros are allowed.
      distortion_matrix: d(x, y) >= 0, [n, n]; +inf forbids a pair.
      distortion: largest allowed mean distortion D; scalar. Give this or `slope`.
      perception: largest allowed divergence P; scalar; 0 is perfect realism, inf drops the constraint. In bits
        for "kl", "reverse_kl", "js". Give this or `perception_slope`.
      divergence: "tv" (half the L1 norm), "kl" (KL(p_Y || p_X), bits), "reverse_kl" (KL(p_X || p_Y), bits), "js"
        (Jensen-Shannon, weights 1/2, bits), "chi2" (sum (p_X - p_Y)^2 / p_Y), "hellinger2" (1 - sum sqrt(p_X p_Y)),
        "w1", "w2sq" (optimal transport at cost |x - y|, |x - y|^2), or a `Divergence` of your own.
      slope: bits per unit of distortion, >= 0; scalar.
      perception_slope: bits per unit of perception, >= 0; scalar.
      points: positions of the letters for "w1" and "w2sq", [n]; default 0, 1, ..., n - 1.
      transport_cost: replaces the cost of "w1" or "w2sq", [n, n], zero on the diagonal.
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps.

    Returns:
      A `RateDistortionPerception`. Inside a trace, arguments that would be refused give NaN.

    Raises:
      ValueError: if an argument has the wrong shape or values, or no channel meets both constraints.

    Reference: Y. Blau, T. Michaeli, "Rethinking lossy compression: the rate-distortion-perception tradeoff",
      ICML 2019, arXiv:1901.07821. Wasserstein perception is W2 squared here.
    """
    pmf, distortion_matrix = classical.check_source(pmf, distortion_matrix)
    n = pmf.shape[0]
    if distortion_matrix.shape != (n, n):
        raise ValueError(f"distortion_matrix must have shape [{n}, {n}], got {distortion_matrix.shape}")
    if (slope is None) == (distortion is None):
        raise ValueError("slope and distortion: give exactly one of them")
    if (perception_slope is None) == (perception is None):
        raise ValueError("perception_slope and perception: give exactly one of them")
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    if slope is None:
        classical.check_distortion(pmf, distortion_matrix, distortion)
    else:
        check_domain("slope", slope, minimum=0.0, finite=True)
    cost, on_line = transport_costs(n, divergence, points, transport_cost)

    name, level = (
        ("perception", perception) if perception is not None else ("perception_slope", perception_slope)
    )
    check_domain(name, level, minimum=0.0)
    regime = "any"
    if is_concrete(level):
        extremes = (
            {0.0: "perfect", np.inf: "free"} if perception is not None else {0.0: "free", np.inf: "perfect"}
        )
        regime = extremes.get(float(np.asarray(level)), "constrained")
    options = Options(divergence, on_line, slope is not None, perception_slope is not None, max_iterations)
    trade = jnp.asarray(distortion if slope is None else slope, jnp.float64)
    arguments = (pmf, distortion_matrix, trade, jnp.asarray(level, jnp.float64), cost, tolerance, options)
    result = _solve(*arguments, regime)
    unsettled = is_concrete(result.rate) and bool(jnp.isfinite(result.rate) & ~result.converged)
    if unsettled and regime == "constrained" and perception is not None:
        # Hardly ever: a constraint that is slack, or nearly.
        result = _solve(*arguments, "positive")
    if (
        is_concrete(result.rate)
        and slope is None
        and bool(jnp.isnan(result.rate))
        and bool(result.rate_lower > 0)
    ):
        raise ValueError(
            f"distortion and perception: no channel has E[d] <= {float(trade):g} and divergence <= {float(level):g}"
        )
    return result


def transport_costs(
    n: int, divergence: str | Divergence, points: ArrayLike | None, transport_cost: ArrayLike | None
) -> tuple[tuple[jax.Array, ...], bool]:
    """Checks what a divergence needs besides the pmf.

    Args:
      n: number of letters.
      divergence: a name or a `Divergence`.
      points: positions, [n], or None.
      transport_cost: costs, [n, n], or None.

    Returns:
      A tuple (cost [n, n], positions [n]) for transport divergences, else empty; and whether the cost is one
      of the line, for which the optimal coupling is known.

    Raises:
      ValueError: if `points` or `transport_cost` does not fit, or the divergence is unknown.
    """
    if not isinstance(divergence, Divergence):
        check_choice("divergence", divergence, divergences.NAMES)
    if divergence not in divergences.TRANSPORT:
        if points is not None or transport_cost is not None:
            raise ValueError(
                f"points and transport_cost belong to 'w1' and 'w2sq', got divergence {divergence!r}"
            )
        return (), False
    if transport_cost is not None:
        if points is not None:
            raise ValueError("points and transport_cost: give at most one of them")
        check_domain("transport_cost", transport_cost, minimum=0.0)
        cost = jnp.asarray(transport_cost, jnp.float64)
        if cost.shape != (n, n):
            raise ValueError(f"transport_cost must have shape [{n}, {n}], got {cost.shape}")
        if is_concrete(cost) and np.diagonal(np.asarray(cost)).any():
            raise ValueError("transport_cost must be zero on the diagonal")
        return (cost, jnp.arange(float(n))), False
    positions = jnp.arange(float(n)) if points is None else jnp.asarray(points, jnp.float64)
    check_domain("points", positions, finite=True)
    if positions.shape != (n,):
        raise ValueError(f"points must have shape [{n}], got {positions.shape}")
    distance = jnp.abs(positions[:, None] - positions[None])
    return (distance if divergence == "w1" else distance**2, positions), True


def differentiable(pmf, distortion_matrix, trade, level, cost, tolerance, options, regime):
    """The traced part of `rate_distortion_perception`; in regime "any" the level decides which one applies."""
    arguments = (pmf, distortion_matrix, trade, level)
    if options.fixed_slope or options.fixed_price:
        arguments = without_gradient(arguments)
    constants = lax.stop_gradient((*arguments, cost))

    def of(regime):
        return lambda: solve_regime(*constants, tolerance, options, regime)

    if regime != "any":
        result, by_source = of(regime)()
    else:
        at_zero, above = ("free", "constrained") if options.fixed_price else ("perfect", "positive")
        branches = [of(at_zero), of(above)]
        which = jnp.where(level <= 0, 0, 1)
        if options.fixed_price:
            branches.append(of("perfect"))
            which = jnp.where(jnp.isinf(level), 2, which)
        result, by_source = lax.switch(which, branches)
    if options.fixed_slope or options.fixed_price:
        return result
    joint = (constants[0] / constants[0].sum())[:, None] * result.channel
    rate = with_gradient(
        result.rate,
        (pmf, by_source),
        (distortion_matrix, jnp.where(joint > 0, result.slope * joint, 0.0)),
        (trade, -result.slope),
        (level, -result.perception_slope),
    )
    return result._replace(rate=rate)


_solve = jax.jit(differentiable, static_argnames=("options", "regime"))
