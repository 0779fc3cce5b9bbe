"""A primal-dual interior-point method for the rate-distortion function of a finite alphabet.

The problem: max over s >= 0 of min over q >= 0 of

    L(q, s) = -sum_x p(x) ln (K q)(x) + sum_y q(y) - 1 - s D,    K = exp(-s d),

convex in the output weights q, concave in the slope s. With c = K'(p / Kq), its optimality conditions are
c <= 1, q >= 0, q (1 - c) = 0 and E[d] <= D, s >= 0, s (D - E[d]) = 0 (sum q = 1 follows). Mehrotra's
predictor-corrector steps follow the path q z = s w = mu with z = 1 - c, w = D - E[d].

Reference: S. Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optim. 2(4),
1992; the optimality conditions are those of R. Blahut, IEEE T-IT 18(4), 1972. The paper's problem is linear;
here each step linearizes c and E[d] anew.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve

from theory.discrete.channels import Problem, finite_part, kernel


class Iterate(NamedTuple):
    """Where a solver of the rate-distortion problem stands.

    Attributes:
      weights: output weights q, [m], positive (not normalized inside the interior-point method).
      slope: s, nats per unit of normalized distortion; scalar.
      gap: what the certificate is off by, in nats, as estimated in the iteration; scalar.
      iterations: how many steps were made.
    """

    weights: jax.Array
    slope: jax.Array
    gap: jax.Array
    iterations: jax.Array


class _State(NamedTuple):
    weights: jax.Array
    reduced_costs: jax.Array
    slope: jax.Array
    slack: jax.Array
    best: Iterate
    iterations: jax.Array
    stalled: jax.Array


def largest_step(value: jax.Array, direction: jax.Array) -> jax.Array:
    """The largest step along a direction that keeps a positive array non-negative; scalar, may be inf."""
    shrinking = direction < 0
    return jnp.min(jnp.where(shrinking, -value / jnp.where(shrinking, direction, -1.0), jnp.inf))


def solve(
    problem: Problem,
    *,
    slope: jax.Array,
    target: jax.Array,
    fixed_slope: bool,
    tolerance: jax.Array,
    max_iterations: int,
) -> Iterate:
    """Follows the central path until the certificate's estimate is below the tolerance.

    Args:
      problem: the normalized problem.
      slope: the slope if `fixed_slope`, else a first guess of it; nats per unit, > 0; scalar.
      target: the distortion to meet, normalized; not used if `fixed_slope`.
      fixed_slope: whether the slope is given, else the distortion.
      tolerance: gap to stop at, nats.
      max_iterations: bound on the number of Newton steps.

    Returns:
      The best `Iterate` seen.
    """
    pmf, distortion = problem.pmf, problem.distortion
    m = distortion.shape[1]
    finite = finite_part(distortion)
    moving = 0.0 if fixed_slope else 1.0
    pairs = m + moving

    def step(state: _State) -> _State:
        q, z, s, w = state.weights, state.reduced_costs, state.slope, state.slack
        k = kernel(distortion, s)
        kd = k * finite
        total = k @ q
        ratio = pmf / total
        c = ratio @ k
        mean = (kd @ q) / total
        variance = ((kd * finite) @ q) / total - mean**2
        achieved = pmf @ mean
        # Cross derivative of L in q and s, and minus its second derivative in s.
        cross = ratio @ kd - (ratio * mean) @ k
        curvature = pmf @ jnp.maximum(variance, 0.0)

        gap = jnp.log(c.max() * q.sum()) + moving * s * jnp.abs(achieved - target)
        here = Iterate(q, s, gap, state.iterations)
        best = jax.tree.map(lambda new, old: jnp.where(gap < state.best.gap, new, old), here, state.best)

        # Newton matrix diag(z/q) + B'B, scaled to identity + positive semidefinite: Cholesky does not break
        # down, except for the rounding of entries near 1/eps, which the ridge absorbs.
        scaling = jnp.sqrt(q / z)
        scaled = k * (jnp.sqrt(pmf) / total)[:, None] * scaling[None]
        matrix = scaled.T @ scaled
        ridge = 1.0 + 1e-15 * jnp.trace(matrix)
        factor = jnp.linalg.cholesky(matrix + ridge * jnp.eye(m))

        def apply_inverse(vector):
            return scaling * cho_solve((factor, True), scaling * vector)

        inverse_cross = apply_inverse(cross) * moving

        def direction(pair_target, slack_target):
            residual = apply_inverse(c - 1.0 + pair_target / q)
            if fixed_slope:
                ds = dw = jnp.zeros(())
            else:
                ds = cross @ residual - (target - achieved - slack_target / s)
                ds = ds / (cross @ inverse_cross + curvature + w / s)
                dw = (slack_target - s * w - w * ds) / s
            dq = residual - inverse_cross * ds
            dz = (pair_target - q * z - z * dq) / q
            return dq, dz, ds, dw

        def reach(dq, dz, ds, dw):
            inner = jnp.minimum(largest_step(q, dq), largest_step(z, dz))
            outer = jnp.minimum(largest_step(s, ds), largest_step(w, dw))
            return jnp.minimum(inner, outer if moving else jnp.inf)

        mu = (q @ z + moving * s * w) / pairs
        dq, dz, ds, dw = direction(jnp.zeros(m), jnp.zeros(()))
        a = jnp.minimum(reach(dq, dz, ds, dw), 1.0)
        predicted = ((q + a * dq) @ (z + a * dz) + moving * (s + a * ds) * (w + a * dw)) / pairs
        # Products far below what the tolerance needs only spoil the conditioning.
        center = jnp.maximum(jnp.clip((predicted / mu) ** 3, 1e-6, 1.0) * mu, 0.2 * tolerance / pairs)
        dq, dz, ds, dw = direction(center - a**2 * dq * dz, center - a**2 * ds * dw)
        a = jnp.minimum(1.0, 0.99 * reach(dq, dz, ds, dw))
        a = jnp.where(reach(dq, dz, ds, dw) >= 1.0, jnp.maximum(a, 0.99), a)

        new = (q + a * dq, z + a * dz, s + a * ds, w + a * dw)
        stalled = ~(jnp.isfinite(a) & jnp.all(jnp.isfinite(dq)) & jnp.isfinite(ds)) | (a < 1e-12)
        return _State(*new, best, state.iterations + 1, stalled)

    def unfinished(state: _State):
        return (state.iterations < max_iterations) & ~state.stalled & (state.best.gap > tolerance)

    weights = jnp.full(m, 1.0 / m)
    slack = jnp.zeros(()) if fixed_slope else target
    best = Iterate(weights, slope, jnp.asarray(jnp.inf), jnp.asarray(0))
    start = _State(weights, jnp.ones(m), slope, slack, best, jnp.asarray(0), jnp.asarray(False))
    return lax.while_loop(unfinished, step, start).best
