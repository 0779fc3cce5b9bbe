"""R(D) on finite alphabets: certificates re-derived in NumPy, closed forms, degenerate sources, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import norm

from theory.discrete import rate_distortion

LN2 = np.log(2.0)


def information(pmf, channel):
    joint = np.asarray(pmf)[:, None] * np.asarray(channel)
    output = joint.sum(0)
    ratio = np.log(joint, where=joint > 0, out=np.zeros_like(joint))
    ratio -= np.log(np.outer(pmf, output), where=joint > 0, out=np.zeros_like(joint))
    return (joint * ratio)[joint > 0].sum() / LN2


def dual_bound(pmf, matrix, answer, target):
    """What the answer's slope and multiplier prove, by the docstring's formula, and the size of its terms; bits."""
    occurs = pmf > 0
    p, nu = pmf[occurs], np.asarray(answer.multiplier)[occurs]
    matrix = np.asarray(matrix)[occurs]
    if np.isinf(answer.slope):
        cost, paid = np.where(matrix > matrix.min(1, keepdims=True), np.inf, 0.0), 0.0
    else:
        cost, paid = matrix.copy(), float(answer.slope) * target
        cost[np.isfinite(matrix)] *= float(answer.slope)
    h = logsumexp((np.log2(p) + nu)[:, None] * LN2 - cost * LN2, axis=0) / LN2
    return max(p @ nu - paid - h.max(), 0.0), abs(p) @ abs(nu) + paid


def assert_certified(pmf, matrix, answer, tolerance=1e-9, distortion=None):
    """Recomputes rate, distortion and gap of the returned channel outside of the library."""
    pmf, channel = np.asarray(pmf), np.asarray(answer.channel)
    assert bool(answer.converged)
    np.testing.assert_allclose(channel.sum(1), 1.0, atol=1e-13)
    assert (channel >= 0).all()
    np.testing.assert_allclose(information(pmf, channel), answer.rate, atol=1e-12)
    joint = pmf[:, None] * channel
    mean = (joint * np.where(joint > 0, matrix, 0.0)).sum()
    np.testing.assert_allclose(mean, answer.distortion, rtol=1e-12, atol=1e-14)
    if distortion is not None:
        assert answer.distortion <= distortion
    proved, size = dual_bound(pmf, matrix, answer, float(answer.distortion if distortion is None else distortion))
    np.testing.assert_allclose(proved, answer.rate_lower, atol=1e-12 + 1e-15 * size)
    assert -1e-13 <= answer.rate - answer.rate_lower <= tolerance


def gaussian_bins():
    x = np.arange(-10, 11.0)
    pmf = norm.cdf(x + 0.5) - norm.cdf(x - 0.5)
    return pmf / pmf.sum(), (x[:, None] - x) ** 2


# Binned Gaussian of the reference implementation of arXiv:2212.10098, values in nats agreed on by two algorithms.
@pytest.mark.parametrize("distortion, nats", [
    (0.1, 1.0645440220), (0.2, 0.8195434863), (0.3, 0.6374455897), (0.5, 0.3865175502), (0.8, 0.1516603209),
    (1.0, 0.0400912379),
])
def test_binned_gaussian(distortion, nats):
    pmf, matrix = gaussian_bins()
    answer = rate_distortion(pmf, matrix, distortion=distortion)
    assert_certified(pmf, matrix, answer, distortion=distortion)
    # The reference is rounded to ten decimals.
    assert answer.rate_lower * LN2 - 6e-11 <= nats <= answer.rate * LN2 + 6e-11


@pytest.mark.parametrize("method", ["interior_point", "constrained_blahut_arimoto"])
def test_all_methods_agree_at_a_distortion(method):
    pmf, matrix = np.array([0.2, 0.3, 0.5]), np.random.default_rng(1).random((3, 3))
    np.fill_diagonal(matrix, 0.0)
    answer = rate_distortion(pmf, matrix, distortion=0.1, method=method)
    assert_certified(pmf, matrix, answer, distortion=0.1)
    assert abs(answer.rate * LN2 - 0.1637883342) < 1e-9
    assert abs(answer.slope * LN2 - 3.7867374839) < 1e-4


@pytest.mark.parametrize("method", ["interior_point", "blahut_arimoto"])
def test_all_methods_agree_at_a_slope(method):
    pmf, matrix = np.array([0.2, 0.3, 0.5]), np.random.default_rng(1).random((3, 3))
    np.fill_diagonal(matrix, 0.0)
    answer = rate_distortion(pmf, matrix, slope=3.7867374839 / LN2, method=method)
    assert_certified(pmf, matrix, answer)
    assert abs(answer.rate * LN2 - 0.1637883342) < 1e-7 and abs(answer.distortion - 0.1) < 1e-7


def entropy(p):
    p = np.asarray(p)
    return -(p[p > 0] * np.log2(p[p > 0])).sum()


@pytest.mark.parametrize("p, distortion", [(0.3, 0.1), (0.25, 0.1), (0.5, 0.3), (0.1, 0.02)])
def test_bernoulli(p, distortion):
    answer = rate_distortion([1 - p, p], 1.0 - np.eye(2), distortion=distortion)
    truth = entropy([p, 1 - p]) - entropy([distortion, 1 - distortion])
    assert answer.rate_lower - 1e-13 <= truth <= answer.rate + 1e-13
    np.testing.assert_allclose(answer.slope, np.log2((1 - distortion) / distortion), rtol=1e-4)


def test_four_uniform_letters():
    answer = rate_distortion(np.full(4, 0.25), 1.0 - np.eye(4), distortion=0.2)
    assert_certified(np.full(4, 0.25), 1.0 - np.eye(4), answer, distortion=0.2)
    truth = 2.0 - entropy([0.2, 0.8]) - 0.2 * np.log2(3.0)
    np.testing.assert_allclose(truth * LN2, 0.6661694798, atol=6e-11)
    assert answer.rate_lower - 1e-13 <= truth <= answer.rate + 1e-13


# A hundred points from -8 to 8; values in nats that two programs agree on, to the digits given.
@pytest.mark.parametrize("density, distortion, nats, digits", [
    ("gauss", 0.1, 1.15129255, 5e-9),
    *(pytest.param(*case, marks=pytest.mark.stress) for case in (
        ("laplace", 0.25, 1.352614351, 5e-10), ("gauss", 0.5, 0.34657359, 5e-9), ("gauss", 0.25, 0.69314718, 5e-9))),
])
def test_recorded_values_on_a_grid(density, distortion, nats, digits):
    x = np.linspace(-8.0, 8.0, 100)
    apart = np.abs(x[:, None] - x)
    pmf, matrix = (np.exp(-0.5 * x**2), apart**2) if density == "gauss" else (np.exp(-np.abs(x)), apart)
    pmf = pmf / pmf.sum()
    answer = rate_distortion(pmf, matrix, distortion=distortion)
    assert_certified(pmf, matrix, answer, distortion=distortion)
    assert answer.rate_lower * LN2 - digits <= nats <= answer.rate * LN2 + digits


def test_erasure_distortion_is_infinite_somewhere():
    matrix = np.array([[0.0, 1.0, np.inf], [np.inf, 1.0, 0.0]])
    answer = rate_distortion([0.5, 0.5], matrix, distortion=0.3)
    assert_certified(np.array([0.5, 0.5]), matrix, answer, distortion=0.3)
    np.testing.assert_allclose(answer.rate, 0.7, atol=1e-9)
    assert (np.asarray(answer.channel)[np.isinf(matrix)] == 0).all()


@pytest.mark.parametrize("n, m", [
    (2, 2), (2, 40),
    *(pytest.param(*sizes, marks=pytest.mark.stress)
      for sizes in ((40, 40), (40, 2), (300, 300), (2, 300), (300, 2), (117, 211))),
])
def test_random_sources_are_certified(n, m):
    rng = np.random.default_rng(n + m)
    for share in (1e-3, 0.1, 0.5, 0.95, 1.3):
        pmf = rng.dirichlet(np.full(n, 0.4))
        matrix = rng.random((n, m)) * np.exp(rng.standard_normal((n, m)))
        smallest, largest = pmf @ matrix.min(1), (pmf @ matrix).min()
        target = smallest + share * (largest - smallest)
        assert_certified(pmf, matrix, rate_distortion(pmf, matrix, distortion=target), distortion=target)


@pytest.mark.parametrize("slope", [1e-3, 1e6, *(pytest.param(s, marks=pytest.mark.stress) for s in (1.0, 1e3))])
def test_extreme_slopes(slope):
    rng = np.random.default_rng(3)
    pmf, matrix = rng.dirichlet(np.ones(40)), rng.random((40, 40))
    assert_certified(pmf, matrix, rate_distortion(pmf, matrix, slope=slope))
    # The same with forbidden pairs, letters that never occur and repeated columns.
    pmf[:5] = 0.0
    matrix[rng.random((40, 40)) < 0.3] = np.inf
    matrix[:, 0], matrix[:, 30:] = rng.random(40), matrix[:, :10]
    pmf = pmf / pmf.sum()
    assert_certified(pmf, matrix, rate_distortion(pmf, matrix, slope=slope))


def test_repeated_columns_and_letters_that_never_occur_change_nothing():
    rng = np.random.default_rng(4)
    pmf, matrix = rng.dirichlet(np.ones(5)), rng.random((5, 5))
    plain = rate_distortion(pmf, matrix, distortion=0.25)
    wide = np.concatenate([matrix, matrix[:, :3]], 1)
    wide = np.concatenate([wide, rng.random((1, 8)), np.full((1, 8), np.inf)])
    padded = np.concatenate([pmf, [0.0, 0.0]])
    repeated = rate_distortion(padded, wide, distortion=0.25)
    assert_certified(padded, wide, repeated, distortion=0.25)
    assert abs(plain.rate - repeated.rate) < 2e-9


def test_ends_of_the_curve():
    pmf, matrix = np.array([0.2, 0.3, 0.5]), 1.0 - np.eye(3)
    finest = rate_distortion(pmf, matrix, distortion=0.0)
    np.testing.assert_allclose([finest.rate, finest.rate_lower], entropy(pmf), atol=1e-9)
    assert finest.distortion == 0.0 and np.isinf(finest.slope)
    for answer in (rate_distortion(pmf, matrix, distortion=0.5), rate_distortion(pmf, matrix, distortion=np.inf),
                   rate_distortion(pmf, matrix, slope=0.0)):
        assert answer.rate == 0.0 and answer.rate_lower == 0.0 and answer.slope == 0.0
        np.testing.assert_allclose(answer.distortion, 0.5, rtol=1e-15)
    for n, m in ((1, 1), (1, 3), (3, 1)):
        matrix = np.full((n, m), 0.3)
        single = rate_distortion(np.full(n, 1.0 / n), matrix, distortion=0.4)
        assert_certified(np.full(n, 1.0 / n), matrix, single, distortion=0.4)
        np.testing.assert_allclose([single.rate, single.distortion], [0.0, 0.3], atol=1e-15)


def test_the_distortion_of_the_best_letter_is_reached_whatever_the_rounding():
    rng = np.random.default_rng(0)
    pmfs, matrices = rng.dirichlet(np.ones(4), 600), rng.random((600, 4, 4))
    best = np.einsum("ix,ixy->iy", pmfs, matrices).min(1)
    ask = jax.jit(jax.vmap(lambda p, d, most: rate_distortion(p, d, distortion=most).rate))
    for beside in (-1, 0, 1):
        rates = ask(pmfs, matrices, best * (1 + beside * 2.3e-16))
        assert np.all(rates <= 1e-8), beside  # the gap that is asked for; a NaN is not


def test_a_shift_of_a_row_shifts_the_distortion():
    rng = np.random.default_rng(5)
    pmf, matrix, shift = rng.dirichlet(np.ones(5)), rng.random((5, 5)), 10.0 * rng.random(5)
    plain = rate_distortion(pmf, matrix, distortion=0.3)
    moved = rate_distortion(pmf, matrix + shift[:, None], distortion=0.3 + pmf @ shift)
    np.testing.assert_allclose(moved.rate, plain.rate, atol=2e-9)


@pytest.mark.stress
@pytest.mark.parametrize("rate", [0.1, 1.0, 5.0])
def test_gaussian_grid_of_a_thousand_points(rate):
    # Blahut-Arimoto is still 7e-5 bit off here after ten thousand iterations.
    x = np.linspace(-8.0, 8.0, 1000)
    pmf = np.exp(-0.5 * x**2)
    pmf, matrix = pmf / pmf.sum(), (x[:, None] - x) ** 2
    distortion = 4.0**-rate
    answer = rate_distortion(pmf, matrix, distortion=distortion)
    assert_certified(pmf, matrix, answer, distortion=distortion)
    # The density's value, up to its tail outside of the grid and the grid's step (0.016 against sqrt(D) >= 0.031).
    np.testing.assert_allclose(answer.rate, rate, atol=1e-7)


def test_a_generic_convex_solver_agrees():
    rng = np.random.default_rng(6)
    for n in (3, 4):
        pmf, matrix = rng.dirichlet(np.ones(n)), rng.random((n, n))
        smallest, largest = pmf @ matrix.min(1), (pmf @ matrix).min()
        target = smallest + 0.4 * (largest - smallest)

        def rate(flat, pmf=pmf, n=n):
            return information(pmf, np.maximum(flat.reshape(n, n), 1e-300))

        constraints = [
            {"type": "eq", "fun": lambda flat, n=n: flat.reshape(n, n).sum(1) - 1.0},
            {"type": "ineq",
             "fun": lambda f, n=n, p=pmf, d=matrix, t=target: t - (p[:, None] * f.reshape(n, n) * d).sum()},
        ]
        found = minimize(rate, np.full(n * n, 1.0 / n), bounds=[(1e-12, 1.0)] * n**2, constraints=constraints,
                         method="SLSQP", options={"ftol": 1e-13, "maxiter": 500})
        answer = rate_distortion(pmf, matrix, distortion=target)
        # SLSQP stops at a feasible point near the optimum: never below the lower bound, and not far above.
        assert answer.rate_lower - 1e-7 <= found.fun <= answer.rate + 1e-5


def test_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(7)
    pmf, matrix, target = rng.dirichlet(np.ones(5)), rng.random((5, 5)), 0.25

    def rate(pmf, matrix, distortion):
        return rate_distortion(pmf, matrix, distortion=distortion, tolerance=1e-12).rate

    by_pmf, by_matrix, by_distortion = jax.grad(rate, argnums=(0, 1, 2))(pmf, matrix, target)
    step, along = 1e-4, rng.standard_normal(5)
    along -= along.mean()
    around = rng.standard_normal((5, 5))

    def difference(*moves):
        arguments = (pmf, matrix, target)
        up, down = (rate(*(a + sign * step * m for a, m in zip(arguments, moves))) for sign in (1, -1))
        return (up - down) / (2 * step)

    # Central differences: errors of order step^2 times a third derivative, and tolerance / step = 1e-8.
    np.testing.assert_allclose(by_pmf @ along, difference(along, 0.0, 0.0), rtol=1e-5)
    np.testing.assert_allclose((by_matrix * around).sum(), difference(0.0, around, 0.0), rtol=1e-5)
    np.testing.assert_allclose(by_distortion, difference(0.0, 0.0, 1.0), rtol=1e-5)
    answer = rate_distortion(pmf, matrix, distortion=target)
    np.testing.assert_allclose(by_distortion, -answer.slope, rtol=1e-6)
    assert jax.grad(rate, argnums=2)(pmf, matrix, 10.0) == 0.0


def test_a_solution_at_a_slope_refuses_to_be_differentiated():
    with pytest.raises(ValueError, match="given slope"):
        jax.grad(lambda s: rate_distortion([0.5, 0.5], 1.0 - np.eye(2), slope=s).rate)(1.0)


@pytest.mark.parametrize("change, said", [
    ({"pmf": [0.5, 0.6]}, "pmf must sum to 1"),
    ({"pmf": [1.5, -0.5]}, "pmf must be >= 0"),
    ({"pmf": [[0.5, 0.5]]}, "pmf must have shape"),
    ({"distortion_matrix": np.ones((3, 2))}, "distortion_matrix must have shape"),
    ({"distortion_matrix": [[0, -1.0], [1, 0]]}, "distortion_matrix must be >= 0"),
    ({"distortion_matrix": [[0, np.nan], [1, 0]]}, "distortion_matrix"),
    ({"distortion_matrix": [[np.inf, np.inf], [1, 0]]}, "finite entry"),
    ({"distortion": None}, "slope and distortion"),
    ({"slope": 1.0}, "slope and distortion"),
    ({"distortion": -0.1}, "distortion must be >= 0"),
    ({"distortion_matrix": [[1.0, 2.0], [2.0, 1.0]]}, "smallest mean"),
    ({"method": "newton"}, "method must be one of"),
    ({"method": "blahut_arimoto"}, "needs a slope"),
    ({"method": "constrained_blahut_arimoto", "distortion": None, "slope": 1.0}, "needs a distortion"),
    ({"tolerance": 0.0}, "tolerance must be > 0"),
])
def test_bad_input_is_refused_in_words(change, said):
    arguments = {"pmf": [0.5, 0.5], "distortion_matrix": 1.0 - np.eye(2), "distortion": 0.1, **change}
    with pytest.raises(ValueError, match=said):
        rate_distortion(arguments.pop("pmf"), arguments.pop("distortion_matrix"), **arguments)


def test_inside_a_trace_the_unreachable_is_nan():
    solve = jax.jit(lambda d: rate_distortion([0.5, 0.5], np.ones((2, 2)), distortion=d).rate)
    assert jnp.isnan(solve(0.5)) and solve(1.0) == 0.0
