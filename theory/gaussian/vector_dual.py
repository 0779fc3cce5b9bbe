"""The Lagrange dual of the Gaussian vector's rate-distortion-perception problem, in nats.

With multipliers beta for distortion and mu for perception the problem falls apart into components. Each
has a best reply (x, rho): the ratio x of the reconstruction's deviation to the source's and their
correlation. What is left, a smooth concave function of (beta, mu), is maximized by Newton's method.
`docs/derivations/gaussian_vector_perception.md` derives the replies.

Arrays: multipliers, distortion and perception have shape [...], eigenvalues and weights [..., n].
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class Problem(NamedTuple):
    """Constraints and source: D [...], P [...] (W2 squared or KL in nats), lam [..., n], weights [..., n]."""

    distortion: jax.Array
    perception: jax.Array
    eigenvalues: jax.Array
    weights: jax.Array


class Multipliers(NamedTuple):
    """beta = -dR/dD and mu = -dR/dP in nats; or a number for each of the two constraints; shape [...]."""

    distortion: jax.Array
    perception: jax.Array


class Curvature(NamedTuple):
    """Hessian [[a, b], [b, c]] of the dual function in units of the multipliers, and its determinant; [...]."""

    a: jax.Array
    b: jax.Array
    c: jax.Array
    determinant: jax.Array

    def solve(self, slopes: Multipliers) -> Multipliers:
        """The Newton step -H^{-1} slopes."""
        g, h = slopes
        return Multipliers(
            -(self.c * g - self.b * h) / self.determinant, -(self.a * h - self.b * g) / self.determinant)

    def solve_in_box(self, slopes: Multipliers) -> Multipliers:
        """The Newton step, or the best point of the quadratic model that keeps the multipliers positive.

        Shortening the step as a whole would stall: where the constraint on perception is nearly idle, a
        Newton step sends mu far below 0 and beta would hardly move. Where the step leaves the box, the best
        point lies on one of its four edges.
        """
        low, high = -0.9, 9.0
        (g, h), step = slopes, self.solve(slopes)
        best, limit = step, jnp.full_like(g, -jnp.inf)
        for edge in (low, high):
            edge = jnp.full_like(g, edge)
            along_mu = Multipliers(edge, jnp.clip(-(h + self.b * edge) / self.c, low, high))
            along_beta = Multipliers(jnp.clip(-(g + self.b * edge) / self.a, low, high), edge)
            for beta, mu in (along_mu, along_beta):
                gain = g * beta + h * mu + 0.5 * (self.a * beta**2 + self.c * mu**2) + self.b * beta * mu
                best = Multipliers(*(jnp.where(gain > limit, new, old) for new, old in zip((beta, mu), best)))
                limit = jnp.maximum(gain, limit)
        inside = (jnp.minimum(*step) >= low) & (jnp.maximum(*step) <= high)
        return Multipliers(*(jnp.where(inside, new, old) for new, old in zip(step, best)))


class BestResponse(NamedTuple):
    """How each component is coded; shapes [..., n].

    Attributes:
      x: reconstruction deviation / source deviation.
      one_minus_x: 1 - x.
      one_minus_rho: 1 - rho, with rho the correlation of source and reconstruction.
      nats: rate of the component, -1/2 ln(1 - rho^2).
    """

    x: jax.Array
    one_minus_x: jax.Array
    one_minus_rho: jax.Array
    nats: jax.Array


def log_excess(d: jax.Array, log: jax.Array) -> jax.Array:
    """Computes d - ln(1 + d) >= 0 given ln(1 + d), by its series where the difference would lose digits.

    Args:
      d: > -1, any shape.
      log: ln(1 + d), same shape.

    Returns:
      The excess, same shape.
    """
    near = jnp.abs(d) < 0.01
    small, series = jnp.where(near, d, 0.0), 0.0
    for k in range(9, 1, -1):
        series = 1.0 / k - small * series
    return jnp.where(near, small**2 * series, d - log)


def perceptions(reply: BestResponse, lam: jax.Array, divergence: str) -> jax.Array:
    """Computes the perception of each component.

    Args:
      reply, lam: how components are coded, and their variances; [..., n].
      divergence: "w2sq" or "kl".

    Returns:
      W2 squared, or KL in nats, [..., n].
    """
    if divergence == "w2sq":
        return lam * reply.one_minus_x**2
    gap = reply.one_minus_x * (1.0 + reply.x)  # 1 - v/lam
    finite = reply.x > 0
    terms = 0.5 * log_excess(-gap, 2.0 * jnp.log(jnp.where(finite, reply.x, 1.0)))
    return jnp.where(finite, terms, jnp.where(lam > 0, jnp.inf, 0.0))


def total_perception(reply: BestResponse, lam: jax.Array, w: jax.Array, divergence: str) -> jax.Array:
    """Computes the perception of the vector; a component of weight 0 does not count.

    Args:
      reply, lam, w: how components are coded, their variances and weights; [..., n].
      divergence: "w2sq" or "kl".

    Returns:
      W2 squared, or KL in nats, [...].
    """
    terms = perceptions(reply, lam, divergence)
    return jnp.sum(jnp.where(w > 0, w * terms, 0.0), -1)


def distortions(reply: BestResponse, lam: jax.Array) -> jax.Array:
    """Computes lam (1 + x^2 - 2 rho x), without cancellation.

    Args:
      reply, lam: how components are coded, and their variances; [..., n].

    Returns:
      Squared error of each component, [..., n].
    """
    return lam * (reply.one_minus_x**2 + 2.0 * reply.x * reply.one_minus_rho)


def _coded(k: jax.Array) -> tuple[jax.Array, jax.Array]:
    """1 - rho and -1/2 ln(1 - rho^2) for rho/(1 - rho^2) = k >= 0."""
    root = jnp.sqrt(1.0 + 4.0 * k**2)
    rho = 2.0 * k / (1.0 + root)
    return 2.0 / ((1.0 + root) * (1.0 + rho)), 0.5 * jnp.log1p(k * rho)


def _w2_reply(beta: jax.Array, mu: jax.Array, lam: jax.Array) -> BestResponse:
    """argmin of nats + beta D_i + mu lam (1-x)^2.

    Stationarity in rho is rho/(1 - rho^2) = b x with b = 2 beta lam, and in x it is
    G(x) = x - r - (1 - r) rho = 0 with r = mu/(beta + mu). rho is concave in b x, so that G is convex, and
    Newton's iteration descends from x = 1 to its one positive root. One more step carries the derivatives.
    """
    b, r, c = 2.0 * beta * lam, mu / (beta + mu), beta / (beta + mu)

    def residual(x: jax.Array, b: jax.Array, r: jax.Array, c: jax.Array) -> jax.Array:
        return x - r - c * 2.0 * b * x / (1.0 + jnp.sqrt(1.0 + 4.0 * (b * x) ** 2))

    def slope(x: jax.Array, b: jax.Array, r: jax.Array, c: jax.Array) -> jax.Array:
        root = jnp.sqrt(1.0 + 4.0 * (b * x) ** 2)
        return jnp.maximum(1.0 - c * b * 2.0 / (root * (1.0 + root)), 1e-300)

    frozen = lax.stop_gradient((b, r, c))

    def descend(state: tuple) -> tuple:
        x, _, count = state
        following = jnp.clip(x - residual(x, *frozen) / slope(x, *frozen), 0.0, x)
        return following, following < x * (1.0 - 1e-15), count + 1

    x, _, _ = lax.while_loop(
        lambda state: jnp.any(state[1]) & (state[2] < 200),
        descend,
        (jnp.ones_like(b), jnp.ones(b.shape, bool), jnp.zeros((), jnp.int32)),
    )
    x = x - residual(x, b, r, c) / slope(x, *frozen)
    one_minus_rho, nats = _coded(b * x)
    return BestResponse(x, c * one_minus_rho, one_minus_rho, nats)


def _kl_reply(beta: jax.Array, mu: jax.Array, lam: jax.Array) -> BestResponse:
    """argmin of nats + beta D_i + mu KL(N(0, x^2 lam) || N(0, lam)), in closed form.

    With b = 2 beta lam, c = b/(b + mu) and S = sqrt(1 + 4 b^2 x^2), stationarity in x is the quadratic
    S^2 - 2 b c S - 1 - 4 b^2 (1 - c) + 2 b c = 0.
    """
    b = 2.0 * beta * lam
    c, rest = b / (b + mu), mu / (b + mu)
    lack = 1.0 - b * c
    root = jnp.sqrt(lack**2 + 4.0 * b**2 * rest)
    low = lack > 0
    # S - 1 = root - lack, in the form that does not cancel; y = x^2 = (S - 1)(S + 1)/(4 b^2).
    safe = jnp.where(low, lack, 1.0) + jnp.where(low, root, 0.0)
    s_less = jnp.where(low, 4.0 * b**2 * rest / safe, root - lack)
    y_low = rest * (s_less + 2.0) / safe
    y_high = s_less * (s_less + 2.0) / (4.0 * jnp.where(low, 1.0, b) ** 2)
    x = jnp.sqrt(jnp.where(low, y_low, y_high))
    one_minus_rho, nats = _coded(b * x)
    return BestResponse(x, c * one_minus_rho / (1.0 + x - c * (1.0 - one_minus_rho)), one_minus_rho, nats)


_REPLIES = {"w2sq": _w2_reply, "kl": _kl_reply}


def dual(
    multipliers: Multipliers, problem: Problem, divergence: str
) -> tuple[jax.Array, tuple[jax.Array, jax.Array], BestResponse]:
    """Computes the dual function, its gradient (the two constraints) and the reply that attains it.

    Args:
      multipliers: beta and mu > 0, nats; [...].
      problem: constraints and source.
      divergence: "w2sq" or "kl".

    Returns:
      The value in nats, [...]; distortion and perception beyond what is allowed, [...]; the reply.
    """
    beta, mu = multipliers
    distortion, perception, lam, w = problem
    reply = _REPLIES[divergence](beta[..., None], mu[..., None], lam)
    over_d = jnp.sum(w * distortions(reply, lam), -1) - distortion
    over_p = total_perception(reply, lam, w, divergence) - perception
    value = jnp.sum(w * reply.nats, -1) + beta * over_d + mu * over_p
    return value, (over_d, over_p), reply


def _newton_step(
    multipliers: Multipliers, problem: Problem, divergence: str
) -> tuple[jax.Array, Multipliers, Multipliers, Curvature]:
    """The Newton step of the dual function in units of the multipliers, with value, slopes and curvature.

    In these units neither multiplier's scale matters; the Hessian of a concave function is <= 0.
    """

    def gradient(beta: jax.Array, mu: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        value, over, _ = dual(Multipliers(beta, mu), problem, divergence)
        return over, value

    beta, mu = multipliers
    along = jnp.stack([jnp.ones_like(beta), jnp.zeros_like(beta)])
    (over_d, over_p), push, value = jax.linearize(gradient, beta, mu, has_aux=True)
    (dd, dp), (pd, pp) = jax.vmap(push)(along, along[::-1])
    a, c = jnp.minimum(dd * beta**2, -1e-300), jnp.minimum(pp * mu**2, -1e-300)
    b = 0.5 * (dp + pd) * beta * mu
    curvature = Curvature(a, b, c, jnp.maximum(a * c - b * b, 1e-15 * a * c))
    slopes = Multipliers(over_d * beta, over_p * mu)
    return value, slopes, curvature.solve_in_box(slopes), curvature


def maximize(start: Multipliers, problem: Problem, divergence: str) -> tuple[Multipliers, Curvature]:
    """Damped Newton ascent, until it no longer helps.

    Args:
      start: multipliers > 0.
      problem: with an interior solution (both constraints active, rate > 0).
      divergence: "w2sq" or "kl".

    Returns:
      The multipliers, and the curvature of the dual function at the last step.
    """

    def ascend(state: tuple) -> tuple:
        multipliers, _, _, count = state
        value, slopes, step, curvature = _newton_step(multipliers, problem, divergence)
        longest = jnp.maximum(jnp.abs(step.distortion), jnp.abs(step.perception))
        rise = slopes.distortion * step.distortion + slopes.perception * step.perception
        # What rounding may take from the value; below it the Newton step is trusted as it is.
        budget = multipliers.distortion * problem.distortion + multipliers.perception * problem.perception
        noise = 1e-14 * (jnp.abs(value) + budget)

        def moved(length: jax.Array) -> Multipliers:
            return Multipliers(*(m * (1.0 + length * s) for m, s in zip(multipliers, step)))

        def halve(inner: tuple) -> tuple:
            length, accepted = inner
            length = jnp.where(accepted, length, 0.5 * length)
            reached, over, _ = dual(moved(length), problem, divergence)
            pushes = (m * s * o for m, s, o in zip(multipliers, step, over))
            # Neither lower nor far beyond the top of the ridge: near the apex at 0 the dual is almost a
            # cone, and steps across it would zigzag into the apex.
            enough = reached >= value + 1e-4 * length * rise - noise
            return length, enough & (sum(pushes) >= -0.5 * rise - noise)

        def refused(inner: tuple) -> jax.Array:
            return jnp.any(~inner[1] & (inner[0] > 1e-9))

        length, _ = lax.while_loop(
            refused, halve, (jnp.full_like(longest, 2.0), jnp.zeros(longest.shape, bool)))
        return moved(length), curvature, longest > 1e-13, count + 1

    def ascending(state: tuple) -> jax.Array:
        return jnp.any(state[2]) & (state[3] < 100)

    shape = problem.distortion.shape
    flat = Curvature(*(jnp.full(shape, value) for value in (-1.0, 0.0, -1.0, 1.0)))
    state = (start, flat, jnp.ones(shape, bool), jnp.zeros((), jnp.int32))
    return lax.while_loop(ascending, ascend, state)[:2]


def refine(
    multipliers: Multipliers, curvature: Curvature, problem: Problem, divergence: str
) -> Multipliers:
    """One Newton step with a fixed curvature: at a solution it carries the derivatives of the multipliers.

    Args:
      multipliers: at the solution.
      curvature: there.
      problem: what the result is to be differentiated with respect to.
      divergence: "w2sq" or "kl".

    Returns:
      The same multipliers, with the derivatives that the implicit function theorem gives them.
    """
    multipliers, curvature = lax.stop_gradient((multipliers, curvature))
    _, over, _ = dual(multipliers, problem, divergence)
    step = curvature.solve(Multipliers(*(m * o for m, o in zip(multipliers, over))))
    return Multipliers(*(m * (1.0 + s) for m, s in zip(multipliers, step)))


def feasible_rate(reply: BestResponse, problem: Problem, divergence: str) -> jax.Array:
    """Computes the rate of a reply after it is moved, by a hair, to where it keeps both constraints.

    Args:
      reply: how components are coded; [..., n].
      problem: constraints and source.
      divergence: "w2sq" or "kl".

    Returns:
      Rate in nats, [...].
    """
    distortion, perception, lam, w = problem
    spent = total_perception(reply, lam, w, divergence)
    excess = jnp.where(spent > perception, perception, 1.0) / jnp.where(spent > perception, spent, 1.0)
    # W2 squared is quadratic in 1 - x; KL is convex in 1 - x^2 and 0 at 0.
    if divergence == "w2sq":
        one_minus_x = reply.one_minus_x * jnp.sqrt(excess)[..., None]
    else:
        gap = reply.one_minus_x * (1.0 + reply.x) * excess[..., None]
        one_minus_x = gap / (1.0 + jnp.sqrt(1.0 - gap))
    fixed = jnp.sum(w * lam * one_minus_x**2, -1)
    movable = jnp.sum(w * lam * 2.0 * (1.0 - one_minus_x) * reply.one_minus_rho, -1)
    over = fixed + movable > distortion
    cut = jnp.where(over, (distortion - fixed) / jnp.where(over, movable, 1.0), 1.0)[..., None]
    one_minus_rho = reply.one_minus_rho * cut
    # The rate of the reply itself where nothing was cut: recomputing it would lose digits near rate 0.
    nats = jnp.where(cut < 1.0, -0.5 * jnp.log(one_minus_rho * (2.0 - one_minus_rho)), reply.nats)
    return jnp.sum(jnp.where(w * lam > 0, w * nats, 0.0), -1)


def kkt_residual(
    reply: BestResponse, multipliers: Multipliers, problem: Problem, divergence: str
) -> jax.Array:
    """Measures how far a reply and its multipliers are from the Karush-Kuhn-Tucker conditions.

    Args:
      reply, multipliers: how components are coded, [..., n]; beta and mu, nats, [...].
      problem: constraints and source.
      divergence: "w2sq" or "kl".

    Returns:
      The largest of relative violation, slackness in nats and relative stationarity; >= 0, [...].
    """
    (beta, mu), (distortion, perception, lam, w) = multipliers, problem
    over_d = jnp.sum(w * distortions(reply, lam), -1) - distortion
    over_p = total_perception(reply, lam, w, divergence) - perception

    def relative(over: jax.Array, budget: jax.Array) -> jax.Array:
        # An infinite budget cannot be overdrawn; inf/inf would be nan.
        over = jnp.where(jnp.isfinite(budget), over, 0.0)
        return over / jnp.where((budget > 0) & jnp.isfinite(budget), budget, 1.0)

    violation = jnp.maximum(relative(over_d, distortion), relative(over_p, perception))

    # A multiplier of 0 leaves its constraint free; an infinite one (D = 0 or P = 0) holds it exactly.
    def slackness(multiplier: jax.Array, over: jax.Array) -> jax.Array:
        used = (multiplier > 0) & jnp.isfinite(multiplier)
        return jnp.where(used, jnp.abs(multiplier * jnp.where(used, over, 0.0)), 0.0)

    b, m, x = 2.0 * beta[..., None] * lam, mu[..., None], reply.x
    best_one_minus_rho, _ = _coded(b * x)
    rho = 2.0 * b * x / (1.0 + jnp.sqrt(1.0 + 4.0 * (b * x) ** 2))
    pull = 2.0 * lam * x * reply.one_minus_x if divergence == "w2sq" else reply.one_minus_x * (1.0 + x)
    # d/dx of the Lagrangian times x, relative to the larger of its parts.
    parts = b * x**2 + m * pull
    in_x = (b * x * (x - rho) - m * pull) / jnp.where(parts > 0, parts, 1.0)
    checked = (lam > 0) & jnp.isfinite(b) & jnp.isfinite(m) & (m > 0)
    in_rho = jnp.abs(reply.one_minus_rho - best_one_minus_rho)
    stationarity = jnp.where(checked, jnp.maximum(in_rho, jnp.abs(in_x)), 0.0)
    worst = jnp.maximum(slackness(beta, over_d), slackness(mu, over_p))
    return jnp.maximum(jnp.maximum(jnp.maximum(violation, worst), jnp.max(stationarity, -1)), 0.0)
