"""Best decoders of one encoder on a finite alphabet: distortion against perception, from both sides."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.discrete import decoder_cuts, decoder_program
from theory.discrete.common import marginals
from theory.discrete.common.gradients import with_gradient, without_gradient
from theory.discrete.decoder_bounds import (
    BestDecoder,
    Mixable,
    Scaled,
    Task,
    measured,
    mixable,
    mixed,
    proved,
    report,
    scaled_task,
)
from theory.discrete.perception import blocks, divergences, rdp
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.duals import best_multiplier, separable_of
from theory.discrete.perception.power_divergence import PowerDivergence
from theory.discrete.perception.problem import Options
from theory.numerics.checks import check_domain, check_pmf, is_concrete

_MARGIN = 1e-11


def best_decoder(
    pmf: ArrayLike,
    encoder: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    perception: ArrayLike,
    divergence: str | Divergence | PowerDivergence,
    points: ArrayLike | None = None,
    transport_cost: ArrayLike | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 200,
) -> BestDecoder:
    """Least distortion of decoders with private randomness that see the message of a given encoder, from both sides.

    min E[d(X, Y)] over Q(y|z) with delta(p_X, p_Y) <= P, where X -> Z by the encoder and Z -> Y by the decoder: a
    convex program, at P = 0 an optimal transport of the message to the source. For any h and t > 0, with
    c(z, y) = E[d(X, y) | z],

        E[d] >= sum_z p(z) min_y (c(z, y) + h(y)) - t P - t conjugate(h / t).

    `distortion` is differentiable once with respect to `perception` and `distortion_matrix`.

    Args:
      pmf: probabilities of the source, [n]; zeros are allowed.
      encoder: W(z|x), [n, k]; rows sum to one.
      distortion_matrix: d(x, y) >= 0, finite, [n, n].
      perception: largest allowed divergence P; any shape; 0 is perfect realism, inf drops the constraint. Units as in
        `rate_distortion_perception`.
      divergence: as in `rate_distortion_perception`.
      points: positions of the letters for "w1" and "w2sq", [n]; default 0, 1, ..., n - 1.
      transport_cost: replaces the cost of "w1" or "w2sq", [n, n], zero on the diagonal.
      tolerance: certified gap to reach, in units of the distortion's mean over independent letters.
      max_iterations: bound on Newton steps.

    Returns:
      A `BestDecoder`; its fields have the shape of `perception` in front. Inside a trace, arguments that would be
      refused give NaN.

    Raises:
      ValueError: if an argument has the wrong shape or values.

    Reference: [zhang2021universal] G. Zhang, J. Qian, J. Chen, A. Khisti, "Universal rate-distortion-perception
      representations for lossy compression", NeurIPS 2021, arXiv:2106.10311; [freirich2021theory] for W2 squared.
    """
    pmf, distortion_matrix = rdp.check_square_source(pmf, distortion_matrix)
    check_domain("distortion_matrix", distortion_matrix, minimum=0.0, finite=True)
    check_pmf("encoder", encoder)
    encoder = jnp.asarray(encoder, jnp.float64)
    n = pmf.shape[0]
    if encoder.ndim != 2 or encoder.shape[0] != n:
        raise ValueError(f"encoder must have shape [{n}, k], got {encoder.shape}")
    check_domain("perception", perception, minimum=0.0)
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    divergence, transport, on_line = rdp.checked_divergence(n, divergence, points, transport_cost)
    options = Options(divergence, on_line, False, False, max_iterations)
    level = jnp.asarray(perception, jnp.float64)
    regime = rdp.regime_of(perception, options) if is_concrete(perception) else "any"
    task = Task(pmf, encoder, distortion_matrix, level, transport, jnp.asarray(tolerance, jnp.float64))
    result = _solved(task, options, regime)
    # Where Newton's method is lost, and nothing is traced, supporting planes are tried.
    if all(map(is_concrete, jax.tree.leaves((task, result)))) and regime != "free" and not np.all(result.converged):
        separable = separable_of(options, transport)
        open_cases = np.logical_and(np.logical_not(result.converged), np.asarray(level) > 0)
        for index in np.argwhere(open_cases) if separable else []:
            at = tuple(index)
            old = jax.tree.map(lambda x, at=at: x[at], result)
            new = decoder_cuts.by_planes(task._replace(perception=level[at]), options, old)
            result = jax.tree.map(lambda x, y, at=at: jnp.asarray(x).at[at].set(y), result, new)
    return result


@partial(jax.jit, static_argnames=("options", "regime"))
def _solved(task: Task, options: Options, regime: str) -> BestDecoder:
    def point(level):
        return _differentiable(task._replace(perception=level), options, regime)

    if task.perception.ndim == 0:
        return point(task.perception)
    flat = lax.map(point, task.perception.ravel())
    return jax.tree.map(lambda leaf: leaf.reshape(task.perception.shape + leaf.shape[1:]), flat)


def _differentiable(task: Task, options: Options, regime: str) -> BestDecoder:
    constants = lax.stop_gradient(task._replace(
        pmf=without_gradient(task.pmf), encoder=without_gradient(task.encoder)))
    if regime == "any":
        result = lax.switch(
            jnp.where(constants.perception > 0, jnp.where(jnp.isinf(constants.perception), 2, 1), 0),
            [lambda: _perfect(constants, options), lambda: _constrained(constants, options),
             lambda: _free(constants, options)])
    else:
        solve = {"perfect": _perfect, "free": _free, "constrained": _constrained}[regime]
        result = solve(constants, options)
    allowed = (task.perception >= 0) & jnp.isfinite(result.distortion)
    joint = (constants.pmf[:, None] * constants.encoder) @ result.decoder
    distortion = with_gradient(
        jnp.where(allowed, result.distortion, jnp.nan),
        (task.distortion_matrix, joint), (task.perception, result.perception_slope))
    lower = jnp.where(task.perception >= 0, result.distortion_lower, jnp.nan)
    return result._replace(distortion=distortion, distortion_lower=lower)


def _greedy(scaled: Scaled) -> jax.Array:
    """The decoder of least distortion, whatever its realism; ties go to letters of the source."""
    order = jnp.where(scaled.allowed[None], scaled.cost, scaled.cost + 1e-15)
    return jax.nn.one_hot(jnp.argmin(order, 1), scaled.cost.shape[1], dtype=jnp.float64)


def _free(task: Task, options: Options) -> BestDecoder:
    scaled = scaled_task(task, options)
    decoder = _greedy(scaled)
    p = scaled.problem.pmf
    _, delta = measured(scaled, decoder, p[:, None] * (scaled.rows @ decoder)[None])
    zero = jnp.zeros(())
    return BestDecoder(
        distortion=scaled.offset, distortion_lower=scaled.offset, perception=delta * scaled.perception.scale,
        perception_slope=zero, decoder=decoder, output_pmf=scaled.rows @ decoder, critic=jnp.zeros_like(p),
        iterations=jnp.asarray(0), converged=jnp.asarray(True))


def _perfect(task: Task, options: Options) -> BestDecoder:
    scaled = scaled_task(task, options)
    p = scaled.problem.pmf
    point, steps = decoder_program.solve(
        scaled.cost, scaled.rows, scaled.allowed, blocks.fixed_output_block(p), None, gauge=True,
        tolerance=0.1 * task.tolerance, max_iterations=options.max_iterations)
    joint = marginals.match_marginals(point.joint, scaled.rows, p)
    total = joint.sum(1, keepdims=True)
    decoder = jnp.where(total > 0, joint / jnp.where(total > 0, total, 1.0), p[None])
    h = jnp.where(scaled.allowed, point.critic, 0.0)
    # A letter that the source lacks is never used: its price does not count.
    least = jnp.where(scaled.allowed[None], scaled.cost + h[None], jnp.inf).min(1)
    lower = scaled.rows @ least - p @ h
    result = report(task, scaled, decoder, jnp.diag(p), True, h, jnp.zeros(()), lower, steps)
    slope = scaled.perception.multiplier_at_zero(h) * scaled.scale / scaled.perception.scale
    return result._replace(perception_slope=-slope)


def _constrained(task: Task, options: Options) -> BestDecoder:
    scaled = scaled_task(task, options)
    p = scaled.problem.pmf
    point, steps = decoder_program.solve(
        scaled.cost, scaled.rows, scaled.allowed | ~scaled.forbidden, scaled.perception.block,
        scaled.budget * (1.0 - _MARGIN), gauge=scaled.perception.gauge, tolerance=0.1 * task.tolerance,
        max_iterations=options.max_iterations)
    total = point.joint.sum(1, keepdims=True)
    decoder = jnp.where(total > 0, point.joint / jnp.where(total > 0, total, 1.0), p[None])
    transport = options.divergence in divergences.TRANSPORT
    plan = point.block.primal if transport else jnp.zeros((0, 0))
    trivial = jnp.diag(p) if transport else plan
    found = mixable(scaled, decoder, plan, trivial)
    decoder, plan = mixed(found, p[None])
    h = jnp.where(jnp.isfinite(point.critic), point.critic, 0.0)
    own = proved(scaled, h, jnp.maximum(point.multiplier, 1e-300))
    searched = best_multiplier(scaled.perception, p, h, scaled.budget)
    other = proved(scaled, h, searched)
    t = jnp.where(other > own, searched, point.multiplier)
    constrained = report(task, scaled, decoder, plan, False, h, t, jnp.fmax(own, other), steps)
    # Where the constraint is slack the best of all decoders is the answer.
    of_free = _free(task, options)._replace(iterations=steps)
    slack = of_free.perception <= task.perception
    result = jax.tree.map(lambda a, b: jnp.where(slack, a, b), of_free, constrained)
    return lax.cond(result.converged, lambda: result, lambda: _with_perfect(task, options, scaled, result, found))


def _with_perfect(task: Task, options: Options, scaled: Scaled, result: BestDecoder, found: Mixable) -> BestDecoder:
    """The best decoder and the best proof of a result and of the optimum at P = 0, which meets every P: below the
    resolution of the arithmetic that one, or a little of it mixed in, is the answer. Where the solver was lost, the
    best decoder without realism with much of it mixed in is at least something."""
    perfect = _perfect(task._replace(perception=jnp.zeros(())), options)
    greedy = _greedy(scaled)
    p = scaled.problem.pmf
    spread = p[:, None] * (scaled.rows @ greedy)[None] if found.plan.size else found.plan
    crude = mixable(scaled, greedy, spread, found.trivial)
    crude = report(task, scaled, *mixed(crude, perfect.decoder), False, jnp.zeros_like(p), jnp.zeros(()),
                    jnp.zeros(()), result.iterations)
    h = perfect.critic / scaled.scale
    t = best_multiplier(scaled.perception, scaled.problem.pmf, h, scaled.budget)
    decoder, plan = mixed(found, perfect.decoder)
    other = report(task, scaled, decoder, plan, False, h, t, proved(scaled, h, t), result.iterations)
    best = result
    for candidate in (perfect, other, crude):
        better = ~(best.distortion <= candidate.distortion) & jnp.isfinite(candidate.distortion)
        best = jax.tree.map(lambda a, b, better=better: jnp.where(better, a, b), candidate, best)
    # A bound was cut off at its own decoder's distortion, which is no less than the optimum.
    better = jnp.isnan(result.distortion_lower) | (other.distortion_lower > result.distortion_lower)
    proof = jax.tree.map(lambda a, b: jnp.where(better, a, b), other, result)
    lower = jnp.minimum(proof.distortion_lower, best.distortion)
    return best._replace(
        distortion_lower=lower, converged=best.distortion - lower <= scaled.scale * task.tolerance,
        perception_slope=proof.perception_slope, critic=proof.critic,
        iterations=result.iterations + perfect.iterations)
