"""Best decoders of one encoder on a finite alphabet: distortion against perception, from both sides."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.discrete import decoder_program
from theory.discrete.common import channels
from theory.discrete.common.channels import NormalizedProblem
from theory.discrete.common.gradients import with_gradient, without_gradient
from theory.discrete.perception import blocks, divergences, rdp
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.duals import Perception, best_multiplier, bind_divergence, separable_of
from theory.discrete.perception.power_divergence import PowerDivergence
from theory.discrete.perception.problem import Options
from theory.numerics.checks import check_domain, check_pmf, is_concrete

_MARGIN = 1e-11


class BestDecoder(NamedTuple):
    """The best decoder of an encoder under a constraint on realism, and its certificate.

    With h = `critic`, t = -`perception_slope` > 0 and c(z, y) = E[d(X, y) | z], `distortion_lower` is
    sum_z p(z) min_y (c(z, y) + h(y)) - t P - t conjugate(h / t), up to the units of P; at perfect realism -sum p h
    replaces the last two terms. It is rounded outwards.

    Attributes:
      distortion: E[d(X, Y)] of `decoder`; scalar. NaN if none was found that meets the perception.
      distortion_lower: no decoder of that perception has less; scalar.
      perception: delta(p_X, p_Y) of `decoder`; scalar.
      perception_slope: dD/dP <= 0, units of the distortion per unit of perception; scalar. At perfect realism one s
        with D(P) >= D(0) + s P for all P: -inf where there is none, NaN for a divergence of your own.
      decoder: Q(y|z), [k, n].
      output_pmf: distribution of Y, [n].
      critic: h(y), units of the distortion, [n].
      iterations: Newton steps made; scalar integer.
      converged: whether the certified gap is at most the tolerance; scalar bool.
    """

    distortion: jax.Array
    distortion_lower: jax.Array
    perception: jax.Array
    perception_slope: jax.Array
    decoder: jax.Array
    output_pmf: jax.Array
    critic: jax.Array
    iterations: jax.Array
    converged: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`distortion - distortion_lower`: how far from the optimum the decoder is at most."""
        return self.distortion - self.distortion_lower


class _Task(NamedTuple):
    pmf: jax.Array
    encoder: jax.Array
    distortion_matrix: jax.Array
    perception: jax.Array
    transport: tuple[jax.Array, ...]
    tolerance: jax.Array


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
    task = _Task(pmf, encoder, distortion_matrix, level, transport, jnp.asarray(tolerance, jnp.float64))
    return _solved(task, options, regime)


@partial(jax.jit, static_argnames=("options", "regime"))
def _solved(task: _Task, options: Options, regime: str) -> BestDecoder:
    def point(level):
        return _differentiable(task._replace(perception=level), options, regime)

    if task.perception.ndim == 0:
        return point(task.perception)
    flat = lax.map(point, task.perception.ravel())
    return jax.tree.map(lambda leaf: leaf.reshape(task.perception.shape + leaf.shape[1:]), flat)


class _Scaled(NamedTuple):
    """The task as the program sees it: costs of order 1, the message's pmf, the divergence bound to the source.

    `allowed` letters occur in the source; others may be used unless the divergence forbids them.
    """

    cost: jax.Array
    rows: jax.Array
    offset: jax.Array
    scale: jax.Array
    problem: NormalizedProblem
    perception: Perception
    budget: jax.Array
    allowed: jax.Array
    forbidden: jax.Array


def _scaled(task: _Task, options: Options) -> _Scaled:
    p = task.pmf / task.pmf.sum()
    encoder = task.encoder / task.encoder.sum(1, keepdims=True)
    rows = p @ encoder
    joint = p[:, None] * encoder
    cost = (joint.T @ task.distortion_matrix) / jnp.where(rows > 0, rows, 1.0)[:, None]
    offset = jnp.where(rows > 0, cost.min(1), 0.0)
    excess = jnp.where((rows > 0)[:, None], cost - offset[:, None], 0.0)
    scale = rows @ (excess @ p)
    scale = jnp.where(scale > 0, scale, 1.0)
    # Every output letter may be used, as far as the distortion is concerned.
    zeros = jnp.zeros_like(p)
    problem = NormalizedProblem(p, jnp.zeros((p.size, p.size)), zeros, jnp.zeros(()), jnp.ones(()))
    perception = bind_divergence(problem, options, task.transport)
    separable = separable_of(options, task.transport)
    forbids = jnp.asarray(False if separable is None else separable.forbids_new_letters)
    return _Scaled(excess / scale, rows, rows @ offset, scale, problem, perception, task.perception / perception.scale,
                   p > 0, forbids)


def _measured(scaled: _Scaled, decoder: jax.Array, plan: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Normalized distortion and divergence of a decoder."""
    q = scaled.rows @ decoder
    return (scaled.rows[:, None] * decoder * scaled.cost).sum(), scaled.perception.value(q, plan)


def _differentiable(task: _Task, options: Options, regime: str) -> BestDecoder:
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


def _report(task, scaled: _Scaled, decoder, plan, realistic, critic, t, lower, iterations) -> BestDecoder:
    """Measures the decoder, rounds the lower bound outwards and undoes the scaling."""
    distortion, delta = _measured(scaled, decoder, plan)
    if realistic:
        near = jnp.abs(scaled.rows @ decoder - scaled.problem.pmf).sum() <= 1e-14 * (4 + scaled.problem.pmf.size)
        delta = jnp.where(near, 0.0, jnp.nan)
    rows_met = jnp.all(decoder >= 0) & jnp.all(jnp.abs(decoder.sum(1) - 1.0) <= 1e-12)
    valid = rows_met & (delta <= scaled.budget * (1 + 4e-16)) & jnp.isfinite(distortion)
    size = jnp.abs(critic).max() + scaled.offset / scaled.scale + t * scaled.budget
    lower = lower - 16 * jnp.finfo(jnp.float64).eps * (1.0 + size)
    lower = jnp.maximum(jnp.where(jnp.isnan(lower), -jnp.inf, lower), 0.0)  # costs are >= 0
    consistent = ~valid | (lower <= distortion + 1e-12)
    upper = jnp.where(valid & consistent, distortion, jnp.nan)
    lower = jnp.where(consistent, jnp.fmin(lower, upper), jnp.nan)
    unscaled = [scaled.offset + scaled.scale * value for value in (upper, lower)]
    delta = jnp.minimum(delta * scaled.perception.scale, task.perception)
    return BestDecoder(
        distortion=unscaled[0], distortion_lower=unscaled[1], perception=jnp.where(valid, delta, jnp.nan),
        perception_slope=-t * scaled.scale / scaled.perception.scale, decoder=decoder, output_pmf=scaled.rows @ decoder,
        critic=critic * scaled.scale, iterations=iterations, converged=upper - lower <= task.tolerance)


def _greedy(scaled: _Scaled) -> jax.Array:
    """The decoder of least distortion, whatever its realism; ties go to letters of the source."""
    order = jnp.where(scaled.allowed[None], scaled.cost, scaled.cost + 1e-15)
    return jax.nn.one_hot(jnp.argmin(order, 1), scaled.cost.shape[1], dtype=jnp.float64)


def _free(task: _Task, options: Options) -> BestDecoder:
    scaled = _scaled(task, options)
    decoder = _greedy(scaled)
    p = scaled.problem.pmf
    _, delta = _measured(scaled, decoder, p[:, None] * (scaled.rows @ decoder)[None])
    zero = jnp.zeros(())
    return BestDecoder(
        distortion=scaled.offset, distortion_lower=scaled.offset, perception=delta * scaled.perception.scale,
        perception_slope=zero, decoder=decoder, output_pmf=scaled.rows @ decoder, critic=jnp.zeros_like(p),
        iterations=jnp.asarray(0), converged=jnp.asarray(True))


def _perfect(task: _Task, options: Options) -> BestDecoder:
    scaled = _scaled(task, options)
    p = scaled.problem.pmf
    point, steps = decoder_program.solve(
        scaled.cost, scaled.rows, scaled.allowed, blocks.fixed_output_block(p), None, gauge=True,
        tolerance=0.1 * task.tolerance, max_iterations=options.max_iterations)
    joint = channels.match_marginals(point.joint, scaled.rows, p)
    total = joint.sum(1, keepdims=True)
    decoder = jnp.where(total > 0, joint / jnp.where(total > 0, total, 1.0), p[None])
    h = jnp.where(scaled.allowed, point.critic, 0.0)
    # A letter that the source lacks is never used: its price does not count.
    least = jnp.where(scaled.allowed[None], scaled.cost + h[None], jnp.inf).min(1)
    lower = scaled.rows @ least - p @ h
    result = _report(task, scaled, decoder, jnp.diag(p), True, h, jnp.zeros(()), lower, steps)
    slope = scaled.perception.multiplier_at_zero(h) * scaled.scale / scaled.perception.scale
    return result._replace(perception_slope=-slope)


def _proved(scaled: _Scaled, h: jax.Array, t: jax.Array) -> jax.Array:
    """The lower bound by a critic and a multiplier, normalized."""
    p = scaled.problem.pmf
    usable = scaled.allowed | ~scaled.forbidden
    least = jnp.where(usable[None], scaled.cost + h[None], jnp.inf).min(1)
    mean = p @ h
    conjugate = scaled.perception.conjugate((h - mean) / t)
    return scaled.rows @ least - mean - t * (scaled.budget + conjugate)


def _constrained(task: _Task, options: Options) -> BestDecoder:
    scaled = _scaled(task, options)
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
    found = _mixable(scaled, decoder, plan, trivial)
    decoder, plan = _mixed(found, p[None])
    h = jnp.where(jnp.isfinite(point.critic), point.critic, 0.0)
    own = _proved(scaled, h, jnp.maximum(point.multiplier, 1e-300))
    searched = best_multiplier(scaled.perception, p, h, scaled.budget)
    other = _proved(scaled, h, searched)
    t = jnp.where(other > own, searched, point.multiplier)
    constrained = _report(task, scaled, decoder, plan, False, h, t, jnp.fmax(own, other), steps)
    # Where the constraint is slack the best of all decoders is the answer.
    of_free = _free(task, options)._replace(iterations=steps)
    slack = of_free.perception <= task.perception
    result = jax.tree.map(lambda a, b: jnp.where(slack, a, b), of_free, constrained)
    return lax.cond(result.converged, lambda: result, lambda: _with_perfect(task, options, scaled, result, found))


class _Mixable(NamedTuple):
    """A decoder that may miss the perception a little, its plan, that of perfect realism, the share of it to mix in."""

    decoder: jax.Array
    plan: jax.Array
    trivial: jax.Array
    share: jax.Array


def _mixable(scaled: _Scaled, decoder: jax.Array, plan: jax.Array, trivial: jax.Array) -> _Mixable:
    """Finds how much of a draw from the source brings a decoder within the perception, which is convex in that."""
    sound = jnp.all(jnp.isfinite(decoder)) & jnp.all(jnp.isfinite(plan))
    decoder, plan = (jnp.where(sound, x, 0.0) for x in (decoder, plan))
    p = scaled.problem.pmf

    def missed(share):
        return ~(_measured(scaled, *_mixed(_Mixable(decoder, plan, trivial, share), p[None]))[1] <= scaled.budget)

    def halve(_, ends):
        middle = 0.5 * (ends[0] + ends[1])
        far = missed(middle)
        return jnp.where(far, middle, ends[0]), jnp.where(far, ends[1], middle)

    _, share = lax.fori_loop(0, 50, halve, (jnp.zeros(()), jnp.ones(())))
    # A little more, because what is reported is measured again, with rounding.
    share = jnp.where(missed(jnp.zeros(())), jnp.minimum(jnp.minimum(share * 1.001, share + 1e-9) + 1e-11, 1.0), 0.0)
    share = jnp.where(sound, share, 1.0)
    return _Mixable(decoder, plan, trivial, share)


def _mixed(found: _Mixable, realistic: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The decoder with that share of one of perfect realism, and the plan."""
    decoder = (1 - found.share) * found.decoder + found.share * realistic
    return decoder, (1 - found.share) * found.plan + found.share * found.trivial


def _with_perfect(task: _Task, options: Options, scaled: _Scaled, result: BestDecoder, found: _Mixable) -> BestDecoder:
    """The best decoder and the best proof of a result and of the optimum at P = 0, which meets every P: below the
    resolution of the arithmetic that one, or a little of it mixed in, is the answer. Where the solver was lost, the
    best decoder without realism with much of it mixed in is at least something."""
    perfect = _perfect(task._replace(perception=jnp.zeros(())), options)
    greedy = _greedy(scaled)
    p = scaled.problem.pmf
    spread = p[:, None] * (scaled.rows @ greedy)[None] if found.plan.size else found.plan
    crude = _mixable(scaled, greedy, spread, found.trivial)
    crude = _report(task, scaled, *_mixed(crude, perfect.decoder), False, jnp.zeros_like(p), jnp.zeros(()),
                    jnp.zeros(()), result.iterations)
    h = perfect.critic / scaled.scale
    t = best_multiplier(scaled.perception, scaled.problem.pmf, h, scaled.budget)
    decoder, plan = _mixed(found, perfect.decoder)
    other = _report(task, scaled, decoder, plan, False, h, t, _proved(scaled, h, t), result.iterations)
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
