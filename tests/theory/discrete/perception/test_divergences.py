"""Each divergence against its definition, its derivatives against automatic ones, its conjugate against a search."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from theory.discrete.perception import divergences

P = np.array([0.1, 0.35, 0.25, 0.3])
Q = np.array([0.4, 0.05, 0.3, 0.25])
DEFINITIONS = {
    "kl": lambda p, q: (q * np.log(q / p)).sum(),
    "reverse_kl": lambda p, q: (p * np.log(p / q)).sum(),
    "js": lambda p, q: 0.5 * (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))).sum(),
    "chi2": lambda p, q: ((p - q) ** 2 / q).sum(),
    "hellinger2": lambda p, q: 1 - np.sqrt(p * q).sum(),
}


@pytest.mark.parametrize("name", list(DEFINITIONS))
def test_value_slope_and_curvature(name):
    divergence = divergences.SEPARABLE[name]
    first = jax.grad(lambda q: divergence.terms(P, q).sum())

    @jax.jit
    def found(q):
        return (divergences.separable_value(name, P, q), divergence.slope(P, q), divergence.curvature(P, q), first(q),
                jnp.diag(jax.jacobian(first)(q)))

    value, slope, curvature, first_derivative, second_derivative = found(Q)
    np.testing.assert_allclose(value, DEFINITIONS[name](P, Q), rtol=1e-13)
    np.testing.assert_allclose(slope, first_derivative, rtol=1e-12)
    np.testing.assert_allclose(curvature, second_derivative, rtol=1e-12)
    value, slope, *_ = found(P)
    np.testing.assert_allclose(value, 0.0, atol=1e-16)
    np.testing.assert_allclose(slope, 0.0, atol=1e-15)


@pytest.mark.parametrize("name, infinite", [("kl", False), ("reverse_kl", True), ("js", False), ("chi2", True),
                                            ("hellinger2", False)])
def test_an_output_letter_of_probability_zero(name, infinite):
    value = divergences.separable_value(name, P, np.array([0.0, 0.5, 0.2, 0.3]))
    assert np.isinf(value) == infinite and value > 0


@pytest.mark.parametrize("name", [*DEFINITIONS, "tv"])
@pytest.mark.parametrize("scale", [pytest.param(0.1, marks=pytest.mark.stress), 1.0, 30.0])
def test_conjugate_is_the_maximum_over_pmfs(name, scale):
    critic = scale * np.array([0.3, -0.5, 0.8, 0.1])
    if name == "tv":
        conjugate = divergences.total_variation_conjugate(P, critic)
        np.testing.assert_allclose(divergences.total_variation(P, Q), 0.5 * np.abs(P - Q).sum(), rtol=1e-14)

        def value(p, q):
            return 0.5 * np.abs(p - q).sum()
    else:
        conjugate, value = divergences.separable_conjugate(name, P, critic), DEFINITIONS[name]
    # Every pmf gives at most the conjugate; the best found by a search nearly that.
    rng = np.random.default_rng(0)
    for q in rng.dirichlet(np.ones(4), 200):
        assert q @ critic - value(P, q) <= conjugate + 1e-12

    def loss(logits):
        q = np.exp(logits - logits.max())
        q /= q.sum()
        return value(P, q) - q @ critic

    starts = [np.zeros(4), np.log(P), critic]
    options = {"xatol": 1e-11, "fatol": 1e-14, "maxiter": 20_000, "maxfev": 20_000}
    best = min(minimize(loss, start, method="Nelder-Mead", options=options).fun for start in starts)
    np.testing.assert_allclose(-best, conjugate, atol=1e-6 * max(1.0, scale))


def test_conjugate_with_letters_that_never_occur():
    p, critic = np.array([0.5, 0.5, 0.0]), np.array([0.1, -0.2, 5.0])
    # KL(q || p) forbids the third letter; the others may use it.
    np.testing.assert_allclose(divergences.separable_conjugate("kl", p, critic), np.log(p @ np.exp(critic)), atol=1e-12)
    assert divergences.separable_conjugate("hellinger2", p, critic) >= critic[2] - 1.0 - 1e-9


def test_transport_conjugate_and_line_transport_against_linear_programming():
    rng = np.random.default_rng(1)
    n = 6
    for power in (1, 2):
        points = rng.standard_normal(n)
        cost = np.abs(points[:, None] - points) ** power
        p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n))
        rows, columns = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
        found = linprog(cost.ravel(), A_eq=np.vstack([rows, columns[:-1]]), b_eq=np.r_[p, q[:-1]])
        np.testing.assert_allclose(divergences.line_transport(points, p, q, power), found.fun, atol=1e-9)
        critic = rng.standard_normal(n)
        best = linprog((cost - critic[None]).ravel(), A_eq=rows, b_eq=p)
        np.testing.assert_allclose(divergences.transport_conjugate(p, critic, cost), -best.fun, atol=1e-9)
