"""Certified points of the rate-distortion-perception function, made of a solver's iterate.

Everything here is traced; the public function is in `theory.discrete.perception`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from theory.discrete import channels
from theory.discrete.classical import solver as classical
from theory.discrete.perception import blocks as perception_blocks
from theory.discrete.perception import interior_point as perception_interior_point
from theory.discrete.perception.divergences import SEPARABLE
from theory.discrete.perception.duals import Options, bind, lower_bound, perfect_lower_bound
from theory.numerics.units import bits_to_nats, nats_to_bits

# Constraints are solved for with this relative margin, so that the channel meets them in spite of rounding.
# By convexity slope * D <= 2 R(D / 2) <= 2 H(X), so the margin costs at most 2 H(X) times itself.
_MARGIN = 2e-11


class RateDistortionPerception(NamedTuple):
    """A point of a rate-distortion-perception function and its certificate.

    With s = `slope`, t = `perception_slope`, nu = `multiplier`, phi = `critic` and the distortion D and
    perception P asked for, `rate_lower` is sum_x p nu - s D - t P - t conjugate(phi / t), where
    phi(y) = log2 sum_x p(x) 2^(nu(x) - s d(x, y)): it can be checked without trusting the solver.

    Attributes:
      rate: I(X; Y) of `channel`, bits; scalar.
      rate_lower: no channel with at most this distortion and perception has a smaller rate, bits; scalar.
      distortion: E[d(X, Y)] of `channel`; at most the distortion asked for; scalar.
      perception: delta(p_X, p_Y) of `channel`; at most the perception asked for; scalar; bits for "kl",
        "reverse_kl" and "js". With `transport_cost`, the cost of an explicit coupling, an upper bound.
      slope: -dR/dD, bits per unit of distortion; scalar.
      perception_slope: -dR/dP, bits per unit of perception; scalar. At perfect realism the one-sided slope: finite
        for "tv", "w1" and "w2sq", else inf; NaN for a divergence of your own.
      channel: W(y|x), [n, n].
      output_pmf: distribution of Y, [n].
      multiplier: nu(x), bits, [n].
      critic: phi(y), bits, [n].
      iterations: Newton steps made; scalar integer.
      converged: whether the certified gap is at most the tolerance; scalar bool.
    """

    rate: jax.Array
    rate_lower: jax.Array
    distortion: jax.Array
    perception: jax.Array
    slope: jax.Array
    perception_slope: jax.Array
    channel: jax.Array
    output_pmf: jax.Array
    multiplier: jax.Array
    critic: jax.Array
    iterations: jax.Array
    converged: jax.Array


def solve_regime(
    pmf: jax.Array,
    distortion_matrix: jax.Array,
    trade: jax.Array,
    level: jax.Array,
    cost: tuple[jax.Array, ...],
    tolerance: jax.Array,
    options: Options,
    regime: str,
) -> tuple[RateDistortionPerception, jax.Array]:
    """Solves in one regime and certifies.

    Args:
      pmf: the source, [n].
      distortion_matrix: d, [n, n].
      trade: the distortion, or the slope if `options.fixed_slope`; bits.
      level: the perception, or its slope if `options.fixed_price`; bits.
      cost: transport cost and positions, or empty.
      tolerance: certified gap to reach, bits.
      options: what is fixed at compile time.
      regime: "constrained" (0 < P < inf), "perfect" (P = 0), "free" (P = inf) or "positive" (either of the first and
        the third, whichever applies).

    Returns:
      The result, and dR/dp along the simplex up to a constant, bits, [n].
    """
    arguments = (pmf, distortion_matrix, trade, cost, tolerance, options)
    if regime == "free":
        return _solve_free(*arguments)
    if regime == "positive" and not options.fixed_price:
        # Where the classical optimum is realistic enough, it is the answer. The system below has it as a limit
        # of vanishing price, where rounding may keep the last digits from settling.
        free = _solve_free(*arguments)
        enough = (free[0].perception <= level) & (free[0].converged | jnp.isinf(level))
        return lax.cond(enough, lambda: free, lambda: _solve_bound(*arguments, level, regime))
    return _solve_bound(*arguments, level, regime)


def _solve_bound(pmf, distortion_matrix, trade, cost, tolerance, options, level, regime):
    """A positive price of perception, a given one, or perfect realism."""
    problem = channels.normalize(pmf, distortion_matrix)
    p = problem.pmf
    perception = bind(p, options, cost)
    perfect = regime == "perfect"
    block = perception_blocks.perfect_realism_block(p) if perfect else perception.block
    fixed_price = perfect or options.fixed_price

    if options.fixed_slope:
        s, target = bits_to_nats(trade) * problem.scale, jnp.ones(())
        lossless, reachable = jnp.asarray(False), trade >= 0
    else:
        s = 2.0 * jnp.ones(())
        target, lossless, reachable = channels.normalized_target(problem, trade)
        problem = channels.keep_only_minima(problem, lossless)
        # No channel exceeds the largest distortion: beyond it the constraint is void.
        target = jnp.minimum(target, 2.0 * channels.finite_part(problem.distortion).max() + 1.0)
    if fixed_price:
        price, allowance = jnp.ones(()) if perfect else bits_to_nats(level) * perception.scale, jnp.zeros(())
    else:
        allowance = level / perception.scale
        # Near perfect realism a smooth divergence is quadratic: q - p goes like sqrt(P), the price like 1 / sqrt(P).
        price = jnp.ones(()) if block.linear else jnp.maximum(1.0, 0.3 / jnp.sqrt(allowance))

    point, iterations = perception_interior_point.solve(
        problem,
        block,
        slope=s,
        price=price,
        target=target * (1.0 - _MARGIN),
        allowance=allowance * (1.0 - _MARGIN),
        fixed_slope=options.fixed_slope,
        fixed_price=fixed_price,
        tolerance=0.1 * bits_to_nats(tolerance),
        max_iterations=options.max_iterations,
        gauge=perfect or perception.gauge,
    )
    nu, s = point.log_multiplier, point.slope
    _, h = perception_interior_point.posteriors(problem, nu, s)
    q = block.output_pmf(point.block)
    log_weights = jnp.where(q > 0, jnp.log(jnp.where(q > 0, q, 1.0)) - h, -jnp.inf)
    channel = channels.tilted_channel(log_weights, problem.distortion, s)
    if perfect:
        # A rank-one correction would use forbidden pairs.
        joint = lax.cond(
            jnp.any(jnp.isinf(problem.distortion)), channels.match_marginals_on_support, channels.match_marginals,
            p[:, None] * channel, p, p)
        # Rounding of a joint pmf is large beside a rare letter's row: its row is made to sum to one by itself.
        rows = joint.sum(-1, keepdims=True)
        channel = jnp.where(rows > 0, joint / jnp.where(rows > 0, rows, 1.0), p)

    # Where the constraints are missed by more than the margin, mix in the identity: it has neither distortion
    # nor divergence, if every letter is its own best reproduction.
    limit = jnp.inf if options.fixed_slope else target
    ceiling = jnp.inf if fixed_price else allowance
    state = point.block

    def measure(channel, state):
        achieved = channels.mean_distortion(p, channel, problem.distortion)
        delta = jnp.zeros(()) if perfect else perception.value(p @ channel, state)
        return achieved, delta

    achieved, delta = measure(channel, state)
    missed = jnp.maximum(_excess(achieved, limit), _excess(delta, ceiling))
    own_best = jnp.all(jnp.where(p > 0, jnp.diag(problem.distortion), 0.0) == 0)
    # A little more, because the cost of a coupling is only nearly linear in it; that costs 1e-3 missed H(X).
    share = jnp.where(own_best & (missed > 0), jnp.minimum(missed * (1 + 1e-3) + 1e-13, 1.0), 0.0)
    channel = (1 - share) * channel + share * jnp.eye(channel.shape[0])
    if perception.gauge and not perfect:
        # The transport plan moves along with the channel.
        state = state._replace(primal=(1 - share) * state.primal + share * jnp.diag(p))
    # At a distortion that independent samples of the source meet, they do: at rate zero.
    independent = jnp.broadcast_to(p, channel.shape)
    loose = channels.mean_distortion(p, independent, problem.distortion) <= limit
    loose = jnp.asarray(False) if options.fixed_slope else loose
    channel = jnp.where(loose, independent, channel)
    achieved, delta = measure(channel, state)
    delta = jnp.where(loose, 0.0, delta)
    met = reachable & (achieved <= limit) & (delta <= ceiling * (1 + 4e-16))

    needed = achieved if options.fixed_slope else jnp.where(lossless, 0.0, target)
    allowed = delta if options.fixed_price else allowance
    nu, s = jnp.where(loose, 0.0, nu), jnp.where(loose, 0.0, s)
    price = jnp.where(loose, 0.0, perception.price_at_zero(h) if perfect else point.price)
    if perfect:
        lower = perfect_lower_bound(problem, nu, s, needed)
    else:
        lower = lower_bound(problem, perception, nu, s, price, needed, allowed)
    slope = nats_to_bits(jnp.where(lossless, jnp.inf, s) / problem.scale)
    price_bits = nats_to_bits(price) / perception.scale
    # nu of the distortion before its row minima were subtracted.
    shift = jnp.where((problem.offset > 0) & jnp.isfinite(slope), slope * problem.offset, 0.0)
    multiplier = nats_to_bits(nu) + shift
    critic = nats_to_bits(channels.log_responses(p, nu, problem.distortion, s))
    rate = nats_to_bits(channels.mutual_information(p, channel))
    reported = achieved * problem.scale + problem.mean_offset
    if not options.fixed_slope:
        reported = jnp.where((achieved <= limit) & (reported > trade) & ~lossless, trade, reported)
    reported_delta = delta * perception.scale
    if not fixed_price:
        reported_delta = jnp.where(
            delta <= ceiling * (1 + 4e-16), jnp.minimum(reported_delta, level), reported_delta
        )
    valid = reachable & (level >= 0)
    lower = jnp.where(valid, nats_to_bits(lower), jnp.nan)
    rate = jnp.where(valid & met, rate, jnp.nan)
    result = RateDistortionPerception(
        rate=rate,
        rate_lower=lower,
        distortion=jnp.where(valid, reported, jnp.nan),
        perception=jnp.where(valid, reported_delta, jnp.nan),
        slope=slope,
        perception_slope=price_bits,
        channel=channel,
        output_pmf=p @ channel,
        multiplier=multiplier,
        critic=critic,
        iterations=iterations,
        converged=rate - lower <= tolerance,
    )
    by_source = -h if perfect else perception.source_derivative(p @ channel, state, h, point.price)
    # The smallest reachable distortion moves with the pmf.
    moving = lossless & (problem.offset > 0)
    return result, jnp.where(loose, 0.0, multiplier + nats_to_bits(by_source) + jnp.where(moving, jnp.inf, 0.0))


def _excess(value, limit):
    """By which share a value must shrink to meet its limit."""
    return jnp.where(value > limit, 1.0 - limit / jnp.where(value > 0, value, 1.0), 0.0)


def _solve_free(pmf, distortion_matrix, trade, cost, tolerance, options):
    """P = inf: the classical function, its divergence evaluated at the channel found."""
    solve = classical.solve_at_slope if options.fixed_slope else classical.solve_at_distortion
    found = solve(pmf, distortion_matrix, trade, tolerance, "interior_point", options.max_iterations)
    p = pmf / pmf.sum()
    perception = bind(p, options, cost)
    state = perception.block.start()
    if perception.gauge:
        # The channel itself couples source and reconstruction.
        state = state._replace(primal=p[:, None] * found.channel)
    q = found.output_pmf
    delta = perception.value(q, state)
    if isinstance(options.divergence, str) and options.divergence in SEPARABLE:
        forbidden = SEPARABLE[options.divergence].forbids_new_letters & jnp.any((p == 0) & (q > 0))
        delta = jnp.where(forbidden, jnp.inf, delta)
    # At slope inf only pairs at the minimum of their row are left.
    lossless = jnp.isinf(found.slope)
    forbidden = lossless & (distortion_matrix > distortion_matrix.min(-1, keepdims=True))
    allowed = jnp.where(forbidden, jnp.inf, distortion_matrix)
    slope = bits_to_nats(jnp.where(lossless, 0.0, found.slope))
    critic = channels.log_responses(p, bits_to_nats(found.multiplier), allowed, slope)
    result = RateDistortionPerception(
        rate=found.rate,
        rate_lower=found.rate_lower,
        distortion=found.distortion,
        perception=delta * perception.scale,
        slope=found.slope,
        perception_slope=jnp.zeros(()),
        channel=found.channel,
        output_pmf=q,
        multiplier=found.multiplier,
        critic=nats_to_bits(critic),
        iterations=found.iterations,
        converged=found.converged,
    )
    return result, found.multiplier
