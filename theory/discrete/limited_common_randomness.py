"""Perfect realism with a limited rate of common randomness, for finite alphabets.

Encoder and decoder share C bits per symbol, the decoder may draw private randomness, and the output block must be
i.i.d. like the source. A rate R suffices for a distortion D iff some U with X - U - Y has p_Y = p_X, E d(X, Y) <= D,

    I(X; U) <= R   and   I(Y; U) <= R + C.

Minimizing R over U is not convex. What is computed is an **upper bound**, achieved by the returned U, and a **lower
bound** that is proved separately; only at C = 0 with squared error (where R(D) = R_classical(D/2)) and at C = infinity
are the two known to meet.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike

from theory.continuous.densities import from_points
from theory.continuous.rate_distortion import rate_distortion_curve
from theory.discrete.perception import rate_distortion_perception
from theory.numerics.checks import check_domain, normalized_pmf
from theory.numerics.elementwise import squared_distances
from theory.numerics.units import bits_to_nats, nats_to_bits

_SCALINGS = 30  # steps of iterative scaling per projection
_STEEPEST = 2e4  # supporting lines of the classical curve, in bits per variance
_WEIGHTS = 14  # bisections of the weight between the two rates


class LimitedCommonRandomness(NamedTuple):
    """Bounds on the least rate for perfect realism with C bits of common randomness.

    Attributes:
      rate: [] bits, an upper bound: max(I(X;U), I(Y;U) - C) of the returned channels.
      rate_lower: [] bits, a lower bound for every scheme of that distortion.
      lower_bound: which bound gave `rate_lower`: "unlimited common randomness" or "estimation".
      distortion: [] E d(X, Y) of the returned channels.
      slope: [] bits per unit of distortion, of the Lagrangian that was descended.
      common_randomness: [] bits, C.
      information_input: [] I(X; U), bits.
      information_output: [] I(Y; U), bits.
      encoder: [n, k] p(u | x).
      decoder: [k, n] p(y | u).
    """

    rate: jax.Array
    rate_lower: jax.Array
    lower_bound: str
    distortion: jax.Array
    slope: jax.Array
    common_randomness: jax.Array
    information_input: jax.Array
    information_output: jax.Array
    encoder: jax.Array
    decoder: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`rate - rate_lower`, bits; it does not vanish for every C where the search succeeds."""
        return self.rate - self.rate_lower

    @property
    def certified(self) -> jax.Array:
        """Whether the channels were verified, whatever the gap: both bounds hold."""
        return jnp.isfinite(self.rate)

    @property
    def tilted_information(self) -> jax.Array:
        """NaN, [n]: what the spread of costs means for blocks under perfect realism is not known."""
        return jnp.full(self.encoder.shape[:-1], jnp.nan)

    @property
    def dispersion(self) -> jax.Array:
        """NaN; scalar: no dispersion is known under perfect realism, whose blocks are judged as a whole."""
        return jnp.full(jnp.shape(self.rate), jnp.nan)


def _information(log_joint: jax.Array, log_pmf: jax.Array) -> jax.Array:
    """I in nats of a joint [n, k] with row marginal p."""
    joint = jnp.exp(log_joint)
    return jnp.sum(joint * (log_joint - log_pmf[:, None] - logsumexp(log_joint, axis=0)[None]))


def _distortion(log_a: jax.Array, log_b: jax.Array, cost: jax.Array) -> jax.Array:
    """E d(X, Y) when X and Y are independent given U."""
    decoder = jnp.exp(log_b - logsumexp(log_b, axis=0)[None])
    return jnp.sum(jnp.exp(log_a) * (cost @ decoder))


def _project(log_a: jax.Array, log_b: jax.Array, log_pmf: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Nearest (in KL) pair of joints with both row marginals p and one common marginal of U."""

    def body(_, pair):
        a, b = pair
        a = a + (log_pmf - logsumexp(a, axis=1))[:, None]
        b = b + (log_pmf - logsumexp(b, axis=1))[:, None]
        half = 0.5 * (logsumexp(b, axis=0) - logsumexp(a, axis=0))
        return a + half[None], b - half[None]

    return jax.lax.fori_loop(0, _SCALINGS, body, (log_a, log_b))


def _repair(log_a: jax.Array, log_b: jax.Array, pmf: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Channels p(u|x) [n, k] and p(y|u) [k, n] whose output distribution is exactly p."""
    encoder = jnp.exp(log_a - logsumexp(log_a, axis=1)[:, None])
    of_u = pmf @ encoder
    b = jnp.exp(log_b - logsumexp(log_b, axis=0)[None]) * of_u[None]
    rows = b.sum(axis=1)
    b = b * jnp.minimum(1.0, pmf / jnp.where(rows > 0.0, rows, 1.0))[:, None]
    row_lack, column_lack = jnp.maximum(pmf - b.sum(axis=1), 0.0), jnp.maximum(of_u - b.sum(axis=0), 0.0)
    total = row_lack.sum()
    b = b + row_lack[:, None] * column_lack[None] / jnp.where(total > 0.0, total, 1.0)
    used = of_u > 0.0
    decoder = jnp.where(used[:, None], b.T / jnp.where(used, of_u, 1.0)[:, None], pmf[None])
    return encoder, decoder / decoder.sum(axis=1, keepdims=True)  # rare auxiliary letters were rounded


def _safe_log(x: jax.Array) -> jax.Array:
    return jnp.log(jnp.maximum(x, 1e-300))


def _descend(start: tuple[jax.Array, jax.Array], weight, slope, log_pmf, cost, steps: int):
    """Mirror descent of weight I(X;U) + (1 - weight) I(Y;U) + slope E d, exact projections, halving on ascent."""

    def value(pair):
        a, b = pair
        information = weight * _information(a, log_pmf) + (1.0 - weight) * _information(b, log_pmf)
        return information + slope * _distortion(a, b, cost)

    def body(_, state):
        (a, b), step, best = state
        log_u = logsumexp(a, axis=0)[None]
        conditional_a, conditional_b = jnp.exp(a - log_u), jnp.exp(b - logsumexp(b, axis=0)[None])
        seen_a = cost @ conditional_b
        per_symbol = jnp.sum(conditional_a * seen_a, axis=0)
        gradient_a = weight * (a - log_pmf[:, None] - log_u) + slope * (seen_a - per_symbol[None])
        gradient_b = (1.0 - weight) * (b - log_pmf[:, None] - log_u) + slope * (cost.T @ conditional_a)
        moved = _project(a - step * gradient_a, b - step * gradient_b, log_pmf)
        reached = value(moved)
        down = reached <= best
        pair = jax.tree.map(lambda new, old: jnp.where(down, new, old), moved, (a, b))
        return pair, jnp.where(down, jnp.minimum(step * 1.2, 2.0), step * 0.5), jnp.where(down, reached, best)

    start = _project(*start, log_pmf)
    return jax.lax.fori_loop(0, steps, body, (start, jnp.asarray(0.5), value(start)))[0]


class _Rates(NamedTuple):
    """Both rates in nats and the distortion of a pair of channels."""

    input: jax.Array
    output: jax.Array
    distortion: jax.Array


def _rates(pair: tuple[jax.Array, jax.Array], pmf: jax.Array, cost: jax.Array) -> _Rates:
    encoder, decoder = _repair(*pair, pmf)
    log_pmf = jnp.log(pmf)
    information_x = _information(_safe_log(pmf[:, None] * encoder), log_pmf)
    information_y = _information(_safe_log(((pmf @ encoder)[:, None] * decoder).T), log_pmf)
    return _Rates(information_x, information_y, jnp.sum(pmf[:, None] * cost * (encoder @ decoder)))


def _random_pair(key: jax.Array, log_pmf: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Logarithms of joints of (X, U) and (Y, U), each [n, size]."""
    first, second, scale = jax.random.split(key, 3)
    n = log_pmf.shape[0]
    spread = jax.random.uniform(scale, minval=0.5, maxval=4.0, dtype=jnp.float64)
    logits = spread * jax.random.normal(first, (n * size,), jnp.float64).reshape(n, size)
    # X and Y should see about the same U: the second joint is a perturbed copy of the first.
    other = logits + 0.3 * jax.random.normal(second, (n * size,), jnp.float64).reshape(n, size)
    return _project(log_pmf[:, None] + logits, log_pmf[:, None] + other, log_pmf)


def _realism_pair(channel: jax.Array, pmf: jax.Array, size: int, blur: float) -> tuple[jax.Array, jax.Array]:
    """The channel X -> Y of perfect realism as a pair with U = Y, a share `blur` of it independent of U."""
    n = pmf.shape[0]
    more = ((0, 0), (0, size - n))
    encoder = (1 - blur) * jnp.pad(channel, more) + blur / size
    output = (1 - blur) * jnp.pad(jnp.eye(n), more) + blur / size
    return _safe_log(pmf[:, None] * encoder), _safe_log(pmf[:, None] * output)


@partial(jax.jit, static_argnames=("size", "restarts", "steps"))
def _search(pmf, cost, realism, slope, shared, key, size: int, restarts: int, steps: int):
    """The best (rate + slope distortion) over starts and weights; its channels and rates."""
    log_pmf = jnp.log(pmf)

    def score(pair):
        rates = _rates(pair, pmf, cost)
        return jnp.maximum(rates.input, rates.output - shared) + slope * rates.distortion, rates

    def descend(pair):
        def body(_, state):
            low, high, pair, best, best_score = state
            weight = 0.5 * (low + high)
            pair = _descend(pair, weight, slope, log_pmf, cost, steps)
            reached, rates = score(pair)
            # The larger of the two rates deserves more weight.
            more = rates.input > rates.output - shared
            better = reached < best_score
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), pair, best)
            low, high = jnp.where(more, weight, low), jnp.where(more, high, weight)
            return low, high, pair, best, jnp.minimum(reached, best_score)

        start = (jnp.asarray(0.0), jnp.asarray(1.0), pair, pair, score(pair)[0])
        *_, best, best_score = jax.lax.fori_loop(0, _WEIGHTS, body, start)
        return best, best_score

    starts = jax.vmap(lambda key: _random_pair(key, log_pmf, size))(jax.random.split(key, restarts))
    if size >= pmf.shape[0]:
        # With all randomness shared it is the answer; blurred, a descent can leave it.
        known = [_realism_pair(realism, pmf, size, blur) for blur in (0.0, 0.02)]
        starts = jax.tree.map(lambda *leaves: jnp.concatenate([leaves[0], jnp.stack(leaves[1:])]), starts, *known)
    pairs, scores = jax.lax.map(descend, starts)
    winner = jax.tree.map(lambda leaf: leaf[jnp.argmin(scores)], pairs)
    return *_repair(*winner, pmf=pmf), _rates(winner, pmf, cost)


def _supporting_slopes(places, pmf, variance, distortion, num_slopes) -> np.ndarray:
    """Slopes of the lines that the bound needs at a distortion, bits per unit."""
    gaps = np.asarray(squared_distances(jnp.asarray(places), jnp.asarray(places)))
    closest = float(np.min(gaps[gaps > 0.0], initial=4.0 * variance))
    used = pmf[pmf > 0]
    entropy = float(nats_to_bits(-np.sum(used * np.log(used))))
    # Convexity gives slope * D <= R(0) at every point: from the second slope on the curve is below an eighth of the
    # distortion asked for. Letters that nothing can tell apart at that distortion need no line of their own.
    steepest = min(12.0 / closest, 8.0 * entropy / max(distortion, 1e-300), _STEEPEST / variance)
    return np.geomspace(0.5 / variance, max(steepest, 2.0 / variance), num_slopes)


def estimation_bound(
    points: ArrayLike, pmf: ArrayLike, distortion: float, common_randomness: float, *, num_slopes: int = 12
) -> jax.Array:
    """A lower bound on the rate with limited common randomness, for squared error.

    With centered X and Y, E<X, Y> = E<E[X|U], E[Y|U]> <= sqrt(E|E[X|U]|^2 E|E[Y|U]|^2), and E[X|U] is a
    reproduction of X at rate I(X;U) <= R, E[Y|U] one of Y at rate I(Y;U) <= R + C. With the distortion-rate
    function D of the source *reproduced anywhere*, and variance v,

        E|X - Y|^2 >= 2 v - 2 sqrt((v - D(R)) (v - D(R + C))),

    equal to 2 D(R) at C = 0 (which posterior sampling achieves). D is replaced by its supporting lines.

    Args:
      points: [n] or [n, 2] places of the letters.
      pmf: [n].
      distortion: D, squared error.
      common_randomness: C in bits, >= 0; may be inf.
      num_slopes: supporting lines to compute.

    Returns:
      [] bits.

    Raises:
      ValueError: if an argument is out of its domain.

    Reference:
      [saldi2015output] N. Saldi, T. Linder and S. Yuksel, Output constrained lossy source coding with limited common
      randomness, IEEE Trans. Inform. Theory 61(9), 2015, arXiv 1411.5767 (the region; rates in nats there are bits
      here).
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("common_randomness", common_randomness, minimum=0.0)
    pmf, points = normalized_pmf("pmf", pmf), np.asarray(points, np.float64)
    places = points[:, None] if points.ndim == 1 else points
    variance = float(np.sum(pmf[:, None] * (places - pmf @ places) ** 2))
    if variance == 0.0:
        return jnp.asarray(0.0)
    slopes = _supporting_slopes(places, pmf, variance, float(distortion), num_slopes)
    curve = rate_distortion_curve(from_points("letters", points, pmf), slopes, rounds=6)

    def distortion_rate(rate):
        lines = (curve.intercept_lower - rate) / curve.slope
        return jnp.clip(jnp.max(lines), 0.0, variance)

    def least(rate):
        with_seed = jnp.where(jnp.isinf(common_randomness), 0.0, distortion_rate(rate + common_randomness))
        return 2.0 * variance - 2.0 * jnp.sqrt((variance - distortion_rate(rate)) * (variance - with_seed))

    def bisect(_, bracket):
        low, high = bracket
        middle = 0.5 * (low + high)
        impossible = least(middle) > distortion
        return jnp.where(impossible, middle, low), jnp.where(impossible, high, middle)

    top = float(np.log2(len(pmf)))
    low, _ = jax.lax.fori_loop(0, 60, bisect, (jnp.asarray(0.0), jnp.asarray(top)))
    return low


def _check_source(pmf: ArrayLike, distortion_matrix: ArrayLike, points: ArrayLike | None):
    """Refuses what is no source with positive probabilities, or no distortion that fits."""
    pmf, cost = normalized_pmf("pmf", pmf), np.asarray(distortion_matrix, np.float64)
    check_domain("pmf", pmf, minimum=0.0, open_minimum=True)
    n = pmf.shape[0]
    if pmf.ndim != 1 or cost.shape != (n, n):
        raise ValueError(f"distortion_matrix must have shape [n, n] with pmf [n], got {cost.shape} and {pmf.shape}")
    check_domain("distortion_matrix", cost, minimum=0.0, finite=True)
    if points is not None:
        places = np.asarray(points, np.float64)
        places = jnp.asarray(places[:, None] if places.ndim == 1 else places)
        squared = squared_distances(places, places)
        if squared.shape != cost.shape or not np.allclose(squared, cost, rtol=1e-9, atol=1e-12):
            raise ValueError("distortion_matrix must be the squared distance between the points, got another matrix")
    return pmf, cost


def limited_common_randomness(
    pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    common_randomness: float,
    slope: float,
    points: ArrayLike | None = None,
    auxiliary_size: int | None = None,
    restarts: int = 8,
    steps: int = 150,
    key: jax.Array | None = None,
) -> LimitedCommonRandomness:
    """Bounds on the rate for perfect realism given C bits of common randomness.

    Upper bound: minimize max(I(X;U), I(Y;U) - C) + slope E d(X, Y) over X - U - Y with p_Y = p_X. For each weight w
    in [0, 1], w I(X;U) + (1 - w) I(Y;U) + slope E d is descended by alternating a mirror (multiplicative) step with the
    KL projection onto {p_X = p_Y = p, one distribution of U}; w is bisected until the two rates balance; the best of
    several random starts, and of the optimum with unlimited common randomness, is kept. The channels returned have
    p_Y = p_X to rounding. This is a local search: the value is achieved, but a better U may exist.

    Lower bound, at the distortion achieved: the larger of R(D, P=0) with unlimited common randomness, certified by
    `rate_distortion_perception`, and, when `points` are given, `estimation_bound`.

    Args:
      pmf: [n] > 0.
      distortion_matrix: [n, n] d(x, y) >= 0, finite.
      common_randomness: C in bits per symbol, >= 0, may be inf.
      slope: bits per unit of distortion, > 0.
      points: [n] or [n, 2]; says that the distortion is the squared distance between them.
      auxiliary_size: letters of U; 2 n when None.
      restarts: random starts.
      steps: descent steps per weight.
      key: JAX key for the starts; `jax.random.key(0)` when None.

    Returns:
      A `LimitedCommonRandomness`.

    Raises:
      ValueError: if an argument is out of its domain, shapes disagree, or the matrix is not what `points` say.

    Reference:
      [saldi2015output, wagner2022role] N. Saldi, T. Linder and S. Yuksel, IEEE Trans. Inform. Theory 61(9), 2015,
      arXiv 1411.5767; A. B. Wagner, The rate-distortion-perception tradeoff: the role of common randomness, arXiv
      2202.04147.
    """
    pmf, cost = _check_source(pmf, distortion_matrix, points)
    check_domain("common_randomness", common_randomness, minimum=0.0)
    check_domain("slope", slope, minimum=0.0, open_minimum=True, finite=True)
    size = 2 * pmf.shape[0] if auxiliary_size is None else auxiliary_size
    for name, number in (("auxiliary_size", size), ("restarts", restarts), ("steps", steps)):
        check_domain(name, number, minimum=1)

    realism = rate_distortion_perception(pmf, cost, slope=slope, perception=0.0, divergence="tv")
    encoder, decoder, rates = _search(
        jnp.asarray(pmf), jnp.asarray(cost), realism.channel, bits_to_nats(slope), bits_to_nats(common_randomness),
        jax.random.key(0) if key is None else key, int(size), int(restarts), int(steps),
    )  # fmt: skip
    information_x, information_y = nats_to_bits(rates.input), nats_to_bits(rates.output)
    distortion = rates.distortion
    rate = jnp.maximum(jnp.maximum(information_x, information_y - common_randomness), 0.0)
    unlimited = rate_distortion_perception(
        pmf, cost, distortion=distortion, perception=0.0, divergence="tv"
    ).rate_lower
    lower, kind = unlimited, "unlimited common randomness"
    if points is not None:
        estimation = estimation_bound(points, pmf, float(distortion), common_randomness)
        if float(estimation) > float(unlimited):
            lower, kind = estimation, "estimation"
    return LimitedCommonRandomness(
        rate=rate,
        rate_lower=jnp.clip(lower, 0.0),
        lower_bound=kind,
        distortion=distortion,
        slope=jnp.asarray(slope, jnp.float64),
        common_randomness=jnp.asarray(common_randomness, jnp.float64),
        information_input=information_x,
        information_output=information_y,
        encoder=encoder,
        decoder=decoder,
    )
