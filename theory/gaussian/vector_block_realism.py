"""Gaussian vectors under realism of blocks up to W2 squared, with limited common randomness: a concave dual.

The extension of `theory.gaussian.vector_common_randomness` to P > 0, and of `theory.gaussian.strong_realism_distortion`
to vectors. docs/derivations/vector_common_randomness.md proves that the minimum below is the least distortion.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.gaussian import vector, vector_common_randomness
from theory.gaussian.block_realism_derivatives import errors, explained, moving, slope_by_rate
from theory.gaussian.vector import broadcast_arguments
from theory.gaussian.vector_common_randomness import decreasing_zero
from theory.numerics.checks import check_domain
from theory.numerics.units import bits_to_nats, nats_to_bits

_STEPS = 60
_HALVINGS = 34  # of half a bit per component: finer than what the bounds on distortions leave open
_FAR = 300.0  # nats


class BlockRealism(NamedTuple):
    """Bounds on the least distortion of a Gaussian vector under block realism, and the code that reaches the upper one.

    Attributes:
      lower: no code has a smaller squared error, summed over components; [...].
      upper: squared error of the code that the fields below describe; [...].
      rates: bits sent about each component, before weighting; [..., n].
      known: bits of message and seed together that each component's reconstruction depends on, before weighting;
        [..., n]; inf where common randomness is not limited.
    """

    lower: jax.Array
    upper: jax.Array
    rates: jax.Array
    known: jax.Array


def block_realism(
    rate: ArrayLike,
    common_randomness: ArrayLike,
    perception: ArrayLike,
    eigenvalues: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> BlockRealism:
    """Least distortion of a Gaussian vector whose blocks are within W2 squared P of the source (certified).

    D = min E + [sqrt(G) - sqrt(P)]_+^2 over sum r_i <= R, sum t_i <= R + C, in nats, with E = sum lam_i e^{-2 r_i} and
    G = sum lam_i (1 + A_i - 2 sqrt(A_i B_i)), A_i = 1 - e^{-2 r_i}, B_i = 1 - e^{-2 t_i}. The square is the maximum of
    s G - P s/(1 - s) over s in [0, 1), and E + s G is convex in the split, so that for every s and every two prices
    min_{r, t} E + s G + 2 mu (sum r - R) + 2 nu (sum t - R - C) - P s/(1 - s) is a lower bound: it is maximized by
    damped Newton steps, each component's minimum being the root of a cubic equation.

    Args:
      rate: R >= 0, bits per vector; shape [...].
      common_randomness: C >= 0, bits per vector, may be inf; shape [...], broadcast with `rate`.
      perception: P >= 0, W2 squared per vector of the block; shape [...], broadcast with `rate`.
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      A `BlockRealism`. `lower` and `upper` have the derivatives of the least distortion between them, by rate,
      randomness, perception, each eigenvalue and weight (those of the Lagrangian at the split that was found): by P
      -inf at P = 0; at R = 0 from the right, -inf by R where seeds are shared and P binds. The other fields are
      constants. NaN inside a trace for arguments outside of the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: [qu2025limited] for one component; docs/derivations/vector_common_randomness.md for vectors.
    """
    check_domain("common_randomness", common_randomness, minimum=0.0)
    check_domain("perception", perception, minimum=0.0)
    first, shared, p = jnp.broadcast_arrays(*(
        jnp.asarray(x, jnp.float64) for x in (rate, common_randomness, perception)))
    first, eigenvalues, weights = broadcast_arguments(first, eigenvalues, weights, name="rate")
    shared, p = jnp.broadcast_to(shared, first.shape), jnp.broadcast_to(p, first.shape)
    return _differentiable(first, shared, p, eigenvalues, weights)


class RateBounds(NamedTuple):
    """Bounds on the least rate, bits per vector.

    Attributes:
      lower: no code has a smaller rate; [...].
      upper: a code has this rate; [...].
    """

    lower: jax.Array
    upper: jax.Array


def block_realism_rate(
    distortion: ArrayLike,
    common_randomness: ArrayLike,
    perception: ArrayLike,
    eigenvalues: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> RateBounds:
    """Least rate of a Gaussian vector whose blocks are within W2 squared P of the source (certified).

    R is between R(D), without realism, and R(D/2), which serves P = 0 with nothing shared; halving looks in between for
    the rates at which the two bounds of `block_realism` are D. The lower bound is a rate whose distortion is proved to
    exceed D, the upper one a rate at which a code has at most D. As numbers they are steps, 2^-34 of the interval wide;
    their derivatives are those of the least rate, by the implicit function theorem.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...].
      common_randomness: C >= 0, bits per vector, may be inf; shape [...], broadcast with `distortion`.
      perception: P >= 0, W2 squared per vector of the block; shape [...], broadcast with `distortion`.
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      `RateBounds`; inf, and without derivatives, at D = 0. NaN inside a trace for arguments outside of the
      domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: as `block_realism`.
    """
    check_domain("common_randomness", common_randomness, minimum=0.0)
    check_domain("perception", perception, minimum=0.0)
    first, shared, p = jnp.broadcast_arrays(*(
        jnp.asarray(x, jnp.float64) for x in (distortion, common_randomness, perception)))
    first, eigenvalues, weights = broadcast_arguments(first, eigenvalues, weights)
    shared, p = jnp.broadcast_to(shared, first.shape), jnp.broadcast_to(p, first.shape)
    return _differentiable_rate(first, shared, p, eigenvalues, weights)


@jax.jit
def _differentiable(rate, shared, p, eigenvalues, weights) -> BlockRealism:
    arguments = (rate, shared, p, eigenvalues, weights)
    found = lax.stop_gradient(_solution(*lax.stop_gradient(arguments)))
    lagrangian = moving((found.rates, found.known), *arguments)
    change = jnp.where(jnp.isfinite(lax.stop_gradient(lagrangian)), lagrangian - lax.stop_gradient(lagrangian), 0.0)
    return found._replace(lower=found.lower + change, upper=found.upper + change)


@jax.jit
def _differentiable_rate(distortion, shared, p, eigenvalues, weights) -> RateBounds:
    held = lax.stop_gradient((distortion, shared, p, eigenvalues, weights))
    bounds, rate, split = lax.stop_gradient(_rate_bounds(*held))
    smooth = jnp.isfinite(bounds.upper) & (bounds.upper > 0)
    slope = lax.stop_gradient(slope_by_rate(split, rate, *held[1:]))
    over = moving(split, rate, shared, p, eigenvalues, weights) - distortion
    change = jnp.where(smooth, (lax.stop_gradient(over) - over) / jnp.where(smooth & (slope < 0), slope, -1.0), 0.0)
    return RateBounds(*(x + change for x in bounds))


def _rate_bounds(distortion, shared, p, eigenvalues, weights):
    """`RateBounds`, and a rate with the split that is best at it: the upper bound's, one bit where that is no rate."""
    valid = (distortion >= 0) & (shared >= 0) & (p >= 0)
    coded = valid & (distortion > 0)
    d, shared, p = (jnp.where(coded, x, 1.0) for x in (distortion, shared, p))
    least, most = (vector.rate_distortion(share * d, eigenvalues, weights=weights) for share in (1.0, 0.5))
    variance = jnp.sum(weights * eigenvalues, -1)
    free = variance + jnp.maximum(jnp.sqrt(variance) - jnp.sqrt(p), 0.0) ** 2 <= d

    # At equal distortions rounding may put either end of the first interval on the wrong side.
    def outward(low, high):
        return jnp.where(free, 0.0, low * (1.0 - 1e-14)), jnp.where(free, 0.0, high * (1.0 + 1e-14))

    def halve(count, state):
        low, high, proved, _, _ = state
        end = outward(proved, high)[1]
        rate = jnp.where(count < _HALVINGS, 0.5 * (low + high), jnp.where(coded & (end > 0), end, 1.0))
        found = _solution(rate, shared, p, eigenvalues, weights)
        enough, going = found.upper <= d, count < _HALVINGS
        proved = jnp.where(going & (found.lower > d), jnp.maximum(proved, rate), proved)
        low, high = jnp.where(going & ~enough, rate, low), jnp.where(going & enough, rate, high)
        return low, high, proved, rate, (found.rates, found.known)

    # The last pass looks at the end that was found; as a part of the loop it needs no program of its own.
    spare = jnp.zeros(least.shape + eigenvalues.shape[-1:])
    _, upper, lower, rate, split = lax.fori_loop(
        0, _HALVINGS + 1, halve, (least, most, least, jnp.ones_like(least), (spare, spare)))
    lower, upper = outward(lower, upper)
    infinite = jnp.where(jnp.sum(jnp.where(eigenvalues > 0, weights, 0.0), -1) > 0, jnp.inf, 0.0)
    bounds = RateBounds(*(jnp.where(coded, x, jnp.where(valid, infinite, jnp.nan)) for x in (lower, upper)))
    return bounds, rate, split


def _reached(sent: jax.Array, known: jax.Array, p: jax.Array, lam: jax.Array, w: jax.Array) -> jax.Array:
    error, gap = errors(sent, known, lam, w)
    return error + jnp.maximum(jnp.sqrt(gap) - jnp.sqrt(p), 0.0) ** 2


def _best(s: jax.Array, mu: jax.Array, nu: jax.Array, lam: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Minimizes lam ((1 - s) a + 2 s (1 - f)) + 2 mu r + 2 nu t for each component: nats r and t, [n].

    With rho = sqrt(B/A), stationarity says a = m/(c + s rho), b = n rho/s, m = mu/lam, n = nu/lam, c = 1 - s, and rho
    is the one root of (1 - n rho/s)(c + s rho) = rho^2 (c + s rho - m) between (m - c)/s and s/n. Where (m - c) n is at
    least s^2, nothing is coded.
    """
    m, n, c = mu / lam, nu / lam, 1.0 - s
    active = (m - c) * n < s**2
    m, n = jnp.where(active, m, 0.25), jnp.where(active, n, 0.25 * s)
    low = jnp.maximum((m - c) / s, 0.0)
    high = jnp.minimum(s / n, 2.0 * m / s + 2.0)

    def cubic(rho):
        value = (1.0 - n * rho / s) * (c + s * rho) - rho**2 * (c + s * rho - m)
        slope = -n / s * (c + s * rho) + (1.0 - n * rho / s) * s - 2.0 * rho * (c + s * rho - m) - s * rho**2
        return value, slope

    rho = decreasing_zero(cubic, low, high, jnp.clip(jnp.ones_like(m), low, high), rounding=1e-14)
    sent = 0.5 * jnp.log(jnp.maximum((c + s * rho) / m, 1.0))
    known = 0.5 * jnp.log(jnp.maximum(s / (n * rho), 1.0))
    # Without a seed's worth a message can still lower E, which is what the limit n -> s/rho of `known` = 0 says.
    alone = (~active) & (mu / lam < c)
    return (jnp.where(active, sent, jnp.where(alone, 0.5 * jnp.log(c * lam / mu), 0.0)),
            jnp.where(active, known, 0.0))


class _Task(NamedTuple):
    """One problem in nats, with the variances' largest as the unit: all that the dual needs."""

    nats: jax.Array
    known: jax.Array
    p: jax.Array
    lam: jax.Array
    w: jax.Array
    limited: jax.Array


def _response(point: jax.Array, task: _Task) -> tuple[jax.Array, jax.Array]:
    s, mu, nu = point
    sent, known = _best(s, mu, jnp.where(task.limited, nu, 0.0), task.lam)
    return sent, jnp.where(task.limited, known, jnp.inf)


def _dual(point: jax.Array, task: _Task) -> tuple[jax.Array, jax.Array, jax.Array, tuple[jax.Array, jax.Array]]:
    """The dual, its gradient in (s, mu, nu), the sum of what it adds up, to bound its rounding, and the response."""
    s, mu, nu = point
    sent, known = _response(point, task)
    error, gap = errors(sent, known, task.lam, task.w)
    over = jnp.sum(task.w * sent) - task.nats
    seed = jnp.where(task.limited, jnp.sum(task.w * jnp.where(task.limited, known, 0.0)) - task.known, 0.0)
    price = task.p / (1.0 - s)
    value = error + s * gap + 2.0 * mu * over + 2.0 * nu * seed - s * price
    terms = error + gap + 2.0 * mu * task.nats + jnp.where(task.limited, 2.0 * nu * task.known, 0.0) + price
    return value, jnp.stack([gap - price / (1.0 - s), 2.0 * over, 2.0 * seed]), terms, (sent, known)


def _climb(start: jax.Array, task: _Task) -> jax.Array:
    """Damped Newton steps on the concave dual, in (logit s, log mu, log nu); the Hessian by differences."""
    unit = jnp.eye(3)

    def point_of(z):
        return jnp.stack([jax.nn.sigmoid(z[0]), jnp.exp(z[1]), jnp.exp(z[2])])

    def gradient(z):
        point = point_of(z)
        scale = jnp.stack([point[0] * (1.0 - point[0]), point[1], point[2]])
        value, slope, *_ = _dual(point, task)
        return value, slope * scale

    def going(state):
        return state[2] & (state[3] < _STEPS)

    def step(state):
        z, damping, _, count = state
        around, slopes = jax.vmap(gradient)(z[None] + 1e-5 * jnp.concatenate([jnp.zeros((1, 3)), unit, -unit]))
        value, slope, sides = around[0], slopes[0], (slopes[1:4] - slopes[4:]) / 2e-5
        hessian = 0.5 * (sides + sides.T)
        # Where the function is not concave in these coordinates its curvatures are reflected.
        curvature, axes = jnp.linalg.eigh(-hessian)
        floor = 1e-13 * jnp.max(jnp.abs(curvature)) + 1e-300
        move = axes @ ((axes.T @ slope) / (jnp.abs(curvature) + damping * jnp.max(jnp.abs(curvature)) + floor))
        move = move * jnp.minimum(1.0, 3.0 / (jnp.max(jnp.abs(move)) + 1e-300))
        trials = z[None] + move[None] * (0.25 ** jnp.arange(4))[:, None]
        values = jax.vmap(lambda trial: _dual(point_of(trial), task)[0])(trials)
        best = jnp.argmax(values)
        up = values[best] > value
        damping = jnp.where(up, damping * 0.1, damping * 30.0 + 1e-6)
        going_on = (slope @ move > 1e-14 * value) & (damping < 1e6)
        return jnp.where(up, trials[best], z), damping, going_on, count + 1

    z0 = jnp.stack([jnp.log(start[0]) - jnp.log1p(-start[0]), jnp.log(start[1]), jnp.log(start[2])])
    state = (z0, jnp.asarray(1e-8), jnp.asarray(True), jnp.zeros((), jnp.int32))
    z = lax.while_loop(going, step, state)[0]
    return point_of(z)


def _known_for(sent: jax.Array, task: _Task) -> jax.Array:
    """The best t for a given r: the largest sum lam sqrt(A B) under sum t = R + C."""
    strength = task.lam * jnp.sqrt(explained(sent, sent)[0])
    used = strength > 1e-150

    def nats(log_nu):
        u = jnp.where(used, strength, 0.0) * jnp.exp(-log_nu)
        root = jnp.hypot(1.0, 2.0 * u)
        return 0.5 * jnp.log1p(u * (2.0 * u / (1.0 + root))), 2.0 * u / (1.0 + root) * (u / root)

    def excess(log_nu):
        values, slopes = nats(log_nu)
        return jnp.sum(task.w * values) - task.known, -jnp.sum(task.w * slopes)

    top = jnp.log(jnp.max(jnp.where(used, strength, 1e-150)))
    low = top - 1.0 - 2.0 * task.known / jnp.min(jnp.where(used & (strength >= jnp.exp(top)), task.w, jnp.inf))
    low = jnp.maximum(low, top - 2.0 * _FAR)
    high = top + 1.0 + jnp.maximum(0.5 * jnp.log(jnp.sum(task.w) / (2.0 * task.known)), 0.0)
    log_nu = decreasing_zero(excess, low, high, jnp.clip(top - 1.0, low, high))
    return nats(log_nu)[0]


def _within(values: jax.Array, budget: jax.Array, w: jax.Array) -> jax.Array:
    total = jnp.sum(w * values)
    return values * jnp.minimum(budget / jnp.where(total > 0, total, 1.0), 1.0)


def _solve(task: _Task, split: tuple[jax.Array, jax.Array, jax.Array, jax.Array], plain: jax.Array):
    """Bounds, and the nats of the best of three codes: the dual's, one that ignores realism, and that of P = 0."""
    sent0, known0, mu0, nu0 = split
    _, gap0 = errors(sent0, known0, task.lam, task.w)
    s0 = jnp.clip(1.0 - jnp.sqrt(task.p / gap0), 0.02, 1.0 - 1e-9)
    point = _climb(jnp.stack([s0, mu0, jnp.where(task.limited, jnp.maximum(s0 * nu0, 1e-280), 1.0)]), task)
    value, _, terms, (sent, known) = _dual(point, task)
    dual = value - 64.0 * jnp.finfo(jnp.float64).eps * terms
    sent = _within(sent, task.nats, task.w)
    known = jnp.where(task.limited, _within(jnp.where(task.limited, known, 0.0), task.known, task.w), jnp.inf)
    plain_known = jnp.where(task.limited, _within(_known_for(plain, task), task.known, task.w), jnp.inf)
    options = [(sent, known), (plain, plain_known), (sent0, known0)]
    reached = jnp.stack([_reached(*pair, task.p, task.lam, task.w) for pair in options])
    winner = jnp.argmin(reached)
    lower = jnp.maximum(dual, jnp.sum(task.w * task.lam * jnp.exp(-2.0 * plain)) * (1.0 - 1e-13))
    pick = [jnp.stack(parts)[winner] for parts in zip(*options)]
    return jnp.minimum(lower, reached[winner]), reached[winner], pick[0], pick[1]


def _solution(rate, shared, p, eigenvalues, weights) -> BlockRealism:
    nats, seed = bits_to_nats(rate), bits_to_nats(shared)
    positive = (eigenvalues > 0) & (weights > 0)
    w = jnp.where(positive, weights, 0.0)
    dimension, variance = jnp.sum(w, -1), jnp.sum(w * eigenvalues, -1)
    lossless = (nats > 0.5 * _FAR * dimension) & (nats > 0)
    coded = (nats > 0) & ~lossless & (dimension > 0)
    unit = jnp.where(coded, jnp.max(jnp.where(positive, eigenvalues, 0.0), -1), 1.0)
    lam = jnp.where(positive & coded[..., None], eigenvalues / unit[..., None], 1.0)
    lam = jnp.maximum(lam, 1e-140)
    w = jnp.where(coded[..., None], w, 1.0)
    nats = jnp.where(coded, nats, 1.0)
    limited = coded & (seed < _FAR * dimension)
    bits, shared_bits = nats_to_bits(nats), jnp.where(limited, shared, jnp.inf)
    split = vector_common_randomness.strong_realism_split(bits, shared_bits, lam, weights=w)
    sent0 = bits_to_nats(split.rates)
    known0 = jnp.where(limited[..., None], sent0 + jnp.where(
        limited[..., None], bits_to_nats(split.common_randomness), 0.0), jnp.inf)
    nu0 = nats_to_bits(0.5 * split.randomness_price)
    mu0 = nats_to_bits(0.5 * split.rate_price) - nu0
    level = vector.water_filling(vector.distortion_rate(bits, lam, weights=w), lam, weights=w)
    plain = jax.vmap(_within)(*(x.reshape(-1, *x.shape[nats.ndim:]) for x in (bits_to_nats(level.rates), nats, w)))
    task = _Task(nats, nats + jnp.where(limited, seed, 0.0), jnp.minimum(p / unit, 1e100), lam, w, limited)
    flat_task, flat_split = jax.tree.map(
        lambda x: x.reshape(-1, *x.shape[nats.ndim:]), (task, (sent0, known0, mu0, nu0)))
    found = jax.vmap(_solve)(flat_task, flat_split, plain)
    lower, upper, sent, known = (x.reshape(*nats.shape, *x.shape[1:]) for x in found)
    idle = jnp.where(lossless, 0.0, variance + jnp.maximum(jnp.sqrt(variance) - jnp.sqrt(p), 0.0) ** 2)
    valid = (rate >= 0) & (shared >= 0) & (p >= 0)
    full, used = jnp.where(lossless, jnp.inf, 0.0)[..., None], coded[..., None] & positive
    fields = BlockRealism(
        jnp.where(coded, lower * unit, idle), jnp.where(coded, upper * unit, idle),
        jnp.where(used, nats_to_bits(sent), jnp.where(positive, full, 0.0)),
        jnp.where(used, nats_to_bits(known), jnp.where(positive, full, 0.0)))
    return jax.tree.map(lambda x: jnp.where(valid if x.ndim == valid.ndim else valid[..., None], x, jnp.nan), fields)
