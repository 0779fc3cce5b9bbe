"""R(D, P) on finite alphabets: certificates re-derived in NumPy, closed forms, recorded optima, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from scipy.special import logsumexp, rel_entr

from theory.discrete import Divergence, rate_distortion, rate_distortion_perception

LN2 = np.log(2.0)
LINE = np.arange(5.0)
PMF = np.array([0.1, 0.15, 0.3, 0.25, 0.2])
SQUARED = (LINE[:, None] - LINE) ** 2


def information(pmf, channel):
    joint = pmf[:, None] * channel
    return rel_entr(joint, np.outer(pmf, joint.sum(0))).sum() / LN2


def transport(p, q, cost):
    n = len(p)
    rows = np.kron(np.eye(n), np.ones(n))
    columns = np.kron(np.ones(n), np.eye(n))
    found = linprog(cost.ravel(), A_eq=np.vstack([rows, columns[:-1]]), b_eq=np.r_[p, q[:-1]])
    assert found.success
    return found.fun


VALUES = {
    "tv": lambda p, q: 0.5 * np.abs(p - q).sum(),
    "kl": lambda p, q: rel_entr(q, p).sum() / LN2,
    "reverse_kl": lambda p, q: rel_entr(p, q).sum() / LN2,
    "js": lambda p, q: 0.5 * (rel_entr(p, (p + q) / 2) + rel_entr(q, (p + q) / 2)).sum() / LN2,
    "chi2": lambda p, q: ((p - q) ** 2 / q).sum(),
    "hellinger2": lambda p, q: 1.0 - np.sqrt(p * q).sum(),
    "w1": lambda p, q: transport(p, q, np.abs(LINE[:, None] - LINE)[: len(p), : len(p)]),
    "w2sq": lambda p, q: transport(p, q, SQUARED[: len(p), : len(p)]),
}
ACTIVE = {"tv": 0.05, "kl": 0.03, "reverse_kl": 0.03, "js": 0.01, "chi2": 0.03, "hellinger2": 0.008, "w1": 0.1,
          "w2sq": 0.08}
# One of each kind; each divergence is programs of its own, which take seconds to compile: `make stress` has them all.
KINDS = [n if n in ("tv", "kl", "w2sq") else pytest.param(n, marks=pytest.mark.stress) for n in VALUES]


def assert_certified(pmf, matrix, answer, name, distortion, perception, tolerance):
    """Recomputes rate, distortion, perception and the dual response of the answer outside of the library."""
    channel = np.asarray(answer.channel)
    assert bool(answer.converged)
    np.testing.assert_allclose(channel.sum(1), 1.0, atol=1e-13)
    assert (channel >= 0).all()
    np.testing.assert_allclose(information(pmf, channel), answer.rate, atol=1e-12)
    mean = (pmf[:, None] * channel * matrix).sum()
    np.testing.assert_allclose(mean, answer.distortion, rtol=1e-12, atol=1e-15)
    delta = VALUES[name](pmf, pmf @ channel)
    np.testing.assert_allclose(delta, answer.perception, atol=1e-9)
    assert answer.distortion <= distortion and answer.perception <= perception
    # Rounding aside, the recomputed divergence also meets the constraint (linprog is good to about 1e-9).
    assert delta <= perception + (1e-9 if name in ("w1", "w2sq") else 1e-14)
    assert -1e-13 <= answer.rate - answer.rate_lower <= tolerance
    s, nu = float(answer.slope) * LN2, np.asarray(answer.multiplier) * LN2
    h = logsumexp(np.log(pmf)[:, None] + nu[:, None] - s * matrix, axis=0) / LN2
    np.testing.assert_allclose(h, answer.critic, atol=1e-9)


# Optima of a generic cone solver (nats), for the five-letter source on 0..4 under squared error.
@pytest.mark.parametrize("name, distortion, perception, nats", [
    ("w2sq", 0.5, 0.0, 0.56514689), ("w2sq", 0.5, 0.05, 0.55084652), ("w2sq", 0.5, 0.2, 0.53528208),
    ("w2sq", 0.8, 0.0, 0.37254537), ("w2sq", 0.8, 0.1, 0.33961320), ("tv", 0.5, 0.02, 0.55564112),
    ("tv", 0.5, 0.1, 0.53980692), ("tv", 0.8, 0.05, 0.34936437), ("tv", 0.8, np.inf, 0.29558327),
])
def test_recorded_optima(name, distortion, perception, nats):
    answer = rate_distortion_perception(
        PMF, SQUARED, distortion=distortion, perception=perception, divergence=name)
    assert_certified(PMF, SQUARED, answer, name, distortion, perception, 1e-8)
    assert abs(answer.rate * LN2 - nats) < 2e-8


def bernoulli(p, distortion, perception):
    """The closed form for Hamming distortion and total variation (Blau and Michaeli 2019), in bits."""
    def entropy(*probabilities):
        q = np.array([*probabilities, 1.0 - sum(probabilities)])
        return -(q[q > 1e-300] * np.log2(q[q > 1e-300])).sum()

    if perception >= p:
        return entropy(p) - entropy(distortion) if distortion < p else 0.0
    first = perception / (1 - 2 * p + 2 * perception)
    last = 2 * p * (1 - p) - (1 - 2 * p) * perception
    if distortion <= first:
        return entropy(p) - entropy(distortion)
    if distortion >= last:
        return 0.0
    return (2 * entropy(p) + entropy(p - perception) - entropy((distortion - perception) / 2, p)
            - entropy((distortion + perception) / 2, 1 - p))


@pytest.mark.parametrize("p", [0.1, 0.25, 0.4])
def test_bernoulli_closed_form(p):
    pmf, matrix = np.array([1 - p, p]), 1.0 - np.eye(2)
    for distortion in (0.02, 0.05, 0.1, 0.2, 0.3):
        for perception in (0.0, 0.02, 0.05, 0.1):
            answer = rate_distortion_perception(
                pmf, matrix, distortion=distortion, perception=perception, divergence="tv")
            assert_certified(pmf, matrix, answer, "tv", distortion, perception, 1e-8)
            truth = bernoulli(p, distortion, perception)
            assert answer.rate_lower - 1e-13 <= truth <= answer.rate + 1e-13


# The same by a generic cone solver: p, D, P and nats to nine decimals.
@pytest.mark.parametrize("p, distortion, perception, nats", [
    (0.25, 0.1, 0.0, 0.253537019), (0.25, 0.1, 0.05, 0.238077789), (0.25, 0.1, 0.1, 0.237252171),
    (0.25, 0.2, 0.0, 0.099576377), (0.25, 0.2, 0.05, 0.083303398), (0.25, 0.3, 0.0, 0.018780410),
    (0.1, 0.05, 0.02, 0.137735240), (0.1, 0.15, 0.02, 0.003083839), (0.4, 0.3, 0.1, 0.063268705),
])
def test_recorded_bernoulli_values(p, distortion, perception, nats):
    answer = rate_distortion_perception(
        [1 - p, p], 1.0 - np.eye(2), distortion=distortion, perception=perception, divergence="tv")
    assert answer.rate_lower * LN2 - 6e-10 <= nats <= answer.rate * LN2 + 6e-10


def test_recorded_point_of_the_lagrangian():
    answer = rate_distortion_perception(
        [0.85, 0.15], 1.0 - np.eye(2), slope=2.0 / LN2, perception_slope=0.5, divergence="reverse_kl")
    found = np.array([answer.distortion, answer.perception * LN2, answer.rate * LN2])
    np.testing.assert_allclose(found, [0.08892655, 0.01615736, 0.12642777], atol=6e-9)


@pytest.mark.stress
def test_recorded_point_of_the_lagrangian_of_transport():
    s, t = 0.8 / LN2, 0.5 / LN2
    answer = rate_distortion_perception(PMF, SQUARED, slope=s, perception_slope=t, divergence="w2sq")
    price = s * answer.distortion + t * answer.perception
    assert (answer.rate_lower + price) * LN2 - 6e-9 <= 0.96473200 <= (answer.rate + price) * LN2 + 6e-9
    # Entropic regularization of the transport plan (0.3, .., 0.01) ends at feasible points: none is below.
    assert (answer.rate_lower + price) * LN2 < min(1.07632068, 0.97410840, 0.96498183, 0.96473221)


# min I + s E[d] + t delta in nats by a generic cone solver: p = (.85, .15), Hamming, s = 2, t = 1/2 and 3; and the
# five-letter source with s = .8, t = 2.
@pytest.mark.parametrize("name, half, three, five", [
    ("reverse_kl", 0.312359540, 0.326161493, 0.958250951), *(pytest.param(*row, marks=pytest.mark.stress) for row in (
        ("kl", 0.311173344, 0.325883675, 0.958145572), ("js", 0.302338606, 0.315189378, 0.949623787),
        ("chi2", 0.318859146, 0.329729622, 0.961001651), ("hellinger2", 0.302402335, 0.315215114, 0.949633468))),
])
def test_lagrangian_form(name, half, three, five):
    in_bits = name in ("kl", "reverse_kl", "js")
    binary = np.array([0.85, 0.15]), 1.0 - np.eye(2)
    cases = ((binary, 2.0, 0.5, half), (binary, 2.0, 3.0, three), ((PMF, SQUARED), 0.8, 2.0, five))
    for (pmf, matrix), s, t, truth in cases:
        price = t if in_bits else t / LN2
        answer = rate_distortion_perception(pmf, matrix, slope=s / LN2, perception_slope=price, divergence=name)
        value = answer.rate + s / LN2 * answer.distortion + price * answer.perception
        assert abs(value * LN2 - truth) < 2e-9
        assert bool(answer.converged) and abs(answer.rate - answer.rate_lower) < 1e-8


@pytest.mark.parametrize("name", KINDS)
def test_every_divergence_is_certified_active_and_inactive(name):
    tolerance = 1e-8
    slack = rate_distortion(PMF, SQUARED, distortion=0.6)
    # The classical optimum leaves a letter out (nearly): its chi-squared divergence is beyond 10.
    inactive = VALUES[name](PMF, np.maximum(slack.output_pmf, 1e-30)) <= 10.0
    assert inactive == (name != "chi2")
    for perception in (1e-4 * ACTIVE[name], ACTIVE[name], 10.0):
        answer = rate_distortion_perception(
            PMF, SQUARED, distortion=0.6, perception=perception, divergence=name)
        assert_certified(PMF, SQUARED, answer, name, 0.6, perception, tolerance)
        if perception == 10.0 and inactive:
            np.testing.assert_allclose(answer.rate, slack.rate, atol=1e-8)
            assert answer.perception_slope < 1e-6
        else:
            assert answer.rate_lower > slack.rate


@pytest.mark.parametrize("name", KINDS)
def test_degenerate_sources(name):
    # Almost perfect realism, where the price of a smooth divergence goes like 1 / sqrt(P).
    perfect = rate_distortion_perception(PMF, SQUARED, distortion=0.6, perception=0.0, divergence=name)
    for perception in (1e-6, 1e-9):
        answer = rate_distortion_perception(PMF, SQUARED, distortion=0.6, perception=perception, divergence=name)
        assert bool(answer.converged) and answer.perception <= perception and answer.distortion <= 0.6
        assert perfect.rate_lower - 1e-3 < answer.rate_lower and answer.rate <= perfect.rate + 1e-8
        assert int(answer.iterations) <= 40
    # Letters that never occur or hardly ever, forbidden pairs, fine reproduction.
    pmf = np.array([0.6, 1e-9, 0.0, 0.3, 0.1 - 1e-9])
    matrix = np.where(np.abs(LINE[:, None] - LINE) > 2, np.inf, SQUARED)
    for distortion, perception in ((2e-3, 0.01), (0.1, 0.01), (0.1, 10.0)):
        answer = rate_distortion_perception(
            pmf, matrix, distortion=distortion, perception=perception, divergence=name)
        assert bool(answer.converged) and -1e-13 <= answer.rate - answer.rate_lower <= 1e-8
        channel = np.asarray(answer.channel)
        np.testing.assert_allclose(channel.sum(1), 1.0, atol=1e-13)
        assert (channel[(pmf > 0)[:, None] & np.isinf(matrix)] == 0).all()
        np.testing.assert_allclose(information(pmf, channel), answer.rate, atol=1e-12)
        assert answer.distortion <= distortion and answer.perception <= perception


@pytest.mark.parametrize("name", ["tv", *(pytest.param(name, marks=pytest.mark.stress) for name in ("kl", "w2sq"))])
def test_one_letter_has_nothing_to_say(name):
    for perception in (0.0, 0.1):
        answer = rate_distortion_perception([1.0], [[0.3]], distortion=0.4, perception=perception, divergence=name)
        np.testing.assert_allclose([answer.rate, answer.rate_lower, answer.perception], 0.0, atol=1e-14)
        np.testing.assert_allclose(answer.distortion, 0.3, rtol=1e-14)


@pytest.mark.parametrize("name", [n if n == "kl" else pytest.param(n, marks=pytest.mark.stress) for n in VALUES])
def test_the_bound_holds_for_whatever_a_generic_solver_finds(name):
    rng = np.random.default_rng(0)
    n = 5  # the programs of the others'
    pmf = 0.8 * rng.dirichlet(np.ones(n)) + 0.2 / n
    matrix = (LINE[:n, None] - LINE[:n]) ** 2
    target, allowed = 0.5 * (pmf @ matrix).min(), 0.3 * ACTIVE[name]

    # Absolute values are not smooth: with u - v = q - p (flows between neighbors for w1) the problem is. Transport
    # on the line is paid per unit of distance crossed, or for the square by a plan.
    size = {"tv": 2 * n, "w1": 2 * (n - 1), "w2sq": n * n}.get(name, 0)

    def perception(f):
        q, rest = pmf @ f[: n * n].reshape(n, n), f[n * n :]
        if name == "w2sq":
            return (rest.reshape(n, n) * matrix).sum()
        return {"tv": 0.5, "w1": 1.0}[name] * rest.sum() if size else VALUES[name](pmf, q)

    def balance(f):
        q, rest = pmf @ f[: n * n].reshape(n, n), f[n * n :]
        if name == "tv":
            return q - pmf - rest[:n] + rest[n:]
        if name == "w1":
            return np.cumsum(q - pmf)[:-1] - rest[: n - 1] + rest[n - 1 :]
        return np.r_[rest.reshape(n, n).sum(1) - pmf, (rest.reshape(n, n).sum(0) - q)[1:]]

    constraints = [
        {"type": "eq", "fun": lambda f: f[: n * n].reshape(n, n).sum(1) - 1.0},
        {"type": "ineq", "fun": lambda f: target - (pmf[:, None] * f[: n * n].reshape(n, n) * matrix).sum()},
        {"type": "ineq", "fun": lambda f: allowed - perception(f)},
    ] + ([{"type": "eq", "fun": balance}] if size else [])
    channel = 0.9 * np.eye(n) + 0.1 / n
    rest = (pmf[:, None] * channel).ravel() if name == "w2sq" else np.full(size, 0.1)
    start = np.r_[channel.ravel(), rest]
    found = minimize(lambda f: information(pmf, np.maximum(f[: n * n].reshape(n, n), 1e-300)), start,
                     bounds=[(1e-12, 1.0)] * start.size, constraints=constraints, method="SLSQP",
                     options={"ftol": 1e-13, "maxiter": 1000})
    answer = rate_distortion_perception(pmf, matrix, distortion=target, perception=allowed, divergence=name)
    # SLSQP stops near the optimum, up to its constraint tolerance: not below the lower bound, not far above.
    assert answer.rate_lower - 1e-6 <= found.fun <= answer.rate + 1e-4


def test_freeing_the_coding_distribution_would_give_less():
    # min over r and W of KL(W || p r) with r = p but the channel's own output free: 0.244182047 nat at D = .1.
    answer = rate_distortion_perception([0.75, 0.25], 1.0 - np.eye(2), distortion=0.1, perception=0.0, divergence="tv")
    np.testing.assert_allclose(answer.rate * LN2, 0.253537019, atol=1e-8)
    np.testing.assert_allclose(answer.output_pmf, [0.75, 0.25], atol=1e-15)


def test_a_divergence_of_ones_own():
    def value(p, q):
        return jnp.sum((p - q) ** 2)

    def conjugate(p, critic):
        # max over q of <q, phi> - |p - q|^2 over all q that sum to one: at least the maximum over pmfs.
        centered = critic - critic.mean()
        return p @ critic + 0.25 * jnp.sum(centered**2)

    own = Divergence(value, conjugate)
    # Not padded: eight letters share with those of other sources, padded, what does not know the divergence.
    pmf, matrix = np.r_[PMF, 0.1, 0.15, 0.2] / 1.45, (np.arange(8.0)[:, None] - np.arange(8.0)) ** 2
    answer = rate_distortion_perception(pmf, matrix, distortion=0.6, perception=1e-3, divergence=own)
    assert bool(answer.converged) and answer.distortion <= 0.6 and answer.perception <= 1e-3
    free = rate_distortion(pmf, matrix, distortion=0.6)
    perfect = rate_distortion_perception(pmf, matrix, distortion=0.6, perception=0.0, divergence=own)
    assert free.rate < answer.rate_lower and answer.rate < perfect.rate_lower


def test_transport_cost_of_the_line_is_that_of_points():
    by_points = rate_distortion_perception(
        PMF, SQUARED, distortion=0.6, perception=0.08, divergence="w2sq", points=LINE)
    by_cost = rate_distortion_perception(
        PMF, SQUARED, distortion=0.6, perception=0.08, divergence="w2sq", transport_cost=SQUARED)
    np.testing.assert_allclose(by_points.rate, by_cost.rate, atol=1e-8)
    assert by_cost.perception <= 0.08
    np.testing.assert_allclose(by_cost.perception, transport(PMF, np.asarray(by_cost.output_pmf), SQUARED), atol=1e-8)


def test_infinite_distortion_is_never_used():
    matrix = np.where(np.abs(LINE[:, None] - LINE) > 1, np.inf, SQUARED)
    answer = rate_distortion_perception(PMF, matrix, distortion=0.5, perception=0.02, divergence="tv")
    assert bool(answer.converged) and (np.asarray(answer.channel)[np.isinf(matrix)] == 0).all()
    plain = rate_distortion_perception(PMF, SQUARED, distortion=0.5, perception=0.02, divergence="tv")
    assert answer.rate > plain.rate_lower


@pytest.mark.parametrize("name, perception", [
    ("kl", 0.01),
    *(pytest.param(*case, marks=pytest.mark.stress) for case in (
        ("kl", 0.0), ("w2sq", 0.0), ("w2sq", 0.01), ("tv", 0.01), ("js", 0.01), ("tv", 0.0), ("js", 0.0)))])
def test_gradient_is_that_of_finite_differences(name, perception):
    rng = np.random.default_rng(2)
    along, around = rng.standard_normal(5), rng.standard_normal((5, 5)) * (1.0 - np.eye(5))
    along -= along.mean()
    step = 1e-4

    def rate(pmf, matrix, distortion, perception):
        return rate_distortion_perception(
            pmf, matrix, distortion=distortion, perception=perception, divergence=name, tolerance=1e-11).rate

    arguments = (PMF, SQUARED, 0.5, perception)
    by_pmf, by_matrix, by_distortion, by_perception = jax.grad(rate, argnums=(0, 1, 2, 3))(*arguments)

    def difference(*moves):
        up, down = (rate(*(a + sign * step * m for a, m in zip(arguments, moves))) for sign in (1, -1))
        return (up - down) / (2 * step)

    # Errors: step^2 times a third derivative, and twice the tolerance / (2 step) = 1e-7.
    np.testing.assert_allclose(by_pmf @ along, difference(along, 0.0, 0.0, 0.0), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose((by_matrix * around).sum(), difference(0.0, around, 0.0, 0.0), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(by_distortion, difference(0.0, 0.0, 1.0, 0.0), rtol=2e-5)
    if perception:
        np.testing.assert_allclose(by_perception, difference(0.0, 0.0, 0.0, 1.0), rtol=2e-3)
    elif name in ("tv", "w2sq"):
        # One-sided at perfect realism, with an error of order step.
        forward = (rate(*arguments[:3], 1e-5) - rate(*arguments)) / 1e-5
        np.testing.assert_allclose(by_perception, forward, rtol=1e-2)
    else:
        assert by_perception == -np.inf


@pytest.mark.parametrize("change, said", [
    ({"divergence": "fid"}, "divergence must be one of"),
    ({"perception": -0.1}, "perception must be >= 0"),
    ({"perception": None}, "perception_slope and perception"),
    ({"distortion": None}, "slope and distortion"),
    ({"points": np.arange(2.0)}, "points and transport_cost belong"),
    ({"divergence": "w1", "points": np.arange(3.0)}, "points must have shape"),
    ({"divergence": "w1", "transport_cost": np.ones((2, 2))}, "zero on the diagonal"),
    ({"divergence": "w1", "transport_cost": np.ones((2, 3))}, "transport_cost must have shape"),
    ({"distortion_matrix": np.ones((2, 3))}, "distortion_matrix must have shape"),
])
def test_bad_input_is_refused_in_words(change, said):
    arguments = {"pmf": [0.75, 0.25], "distortion_matrix": 1.0 - np.eye(2), "distortion": 0.1, "perception": 0.05,
                 "divergence": "tv", **change}
    with pytest.raises(ValueError, match=said):
        rate_distortion_perception(arguments.pop("pmf"), arguments.pop("distortion_matrix"), **arguments)
