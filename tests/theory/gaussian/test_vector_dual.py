"""Oracles: brute force over each component's reply, and central differences of the dual function."""

import jax.numpy as jnp
import numpy as np
import pytest

from theory.gaussian import vector_dual as dual_problem

PROBLEM = dual_problem.Problem(jnp.asarray(1.2), jnp.asarray(0.1), jnp.array([4.0, 1.0, 0.25]), jnp.ones(3))


@pytest.mark.parametrize("divergence", ["w2sq", "kl"])
@pytest.mark.parametrize("beta, mu", [(0.3, 0.2), (2.0, 0.01), (0.05, 3.0)])
def test_no_reply_on_a_grid_beats_the_stated_one(divergence, beta, mu):
    value, _, _ = dual_problem.dual(
        dual_problem.Multipliers(jnp.asarray(beta), jnp.asarray(mu)), PROBLEM, divergence)
    x, rho = np.meshgrid(np.linspace(1e-3, 1.0, 1000), np.linspace(0, 1 - 1e-6, 1001), indexing="ij")
    best = 0.0
    for lam in np.asarray(PROBLEM.eigenvalues):
        perception = lam * (1 - x) ** 2 if divergence == "w2sq" else 0.5 * (x**2 - 1) - np.log(x)
        lagrangian = -0.5 * np.log(1 - rho**2) + beta * lam * (1 + x**2 - 2 * rho * x) + mu * perception
        best += lagrangian.min()
    best -= beta * 1.2 + mu * 0.1
    # Never above the minimum; below by the grid's step squared times the curvature (at most 30 here).
    assert 0.0 <= best - float(value) < 30 * 1e-6 + 1e-6


@pytest.mark.parametrize("divergence", ["w2sq", "kl"])
def test_the_gradient_of_the_dual_is_the_constraints_violation(divergence):
    def value(beta, mu):
        point = dual_problem.Multipliers(jnp.asarray(beta), jnp.asarray(mu))
        return dual_problem.dual(point, PROBLEM, divergence)

    _, (over_d, over_p), _ = value(0.4, 0.3)
    step = 1e-5
    np.testing.assert_allclose((value(0.4 + step, 0.3)[0] - value(0.4 - step, 0.3)[0]) / (2 * step), over_d, rtol=1e-7)
    np.testing.assert_allclose((value(0.4, 0.3 + step)[0] - value(0.4, 0.3 - step)[0]) / (2 * step), over_p, rtol=1e-7)


def test_the_boxed_step_is_the_best_point_of_the_model_in_the_box():
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, c = -rng.uniform(0.01, 2, 2)
        b = rng.uniform(-0.99, 0.99) * np.sqrt(a * c)
        g, h = rng.normal(size=2) * 3
        curvature = dual_problem.Curvature(*map(jnp.asarray, (a, b, c, a * c - b * b)))
        step = curvature.solve_in_box(dual_problem.Multipliers(jnp.asarray(g), jnp.asarray(h)))

        def model(x, y, a=a, b=b, c=c, g=g, h=h):
            return g * x + h * y + 0.5 * (a * x * x + c * y * y) + b * x * y

        x, y = np.meshgrid(np.linspace(-0.9, 9, 100), np.linspace(-0.9, 9, 100))
        assert model(x, y).max() <= model(float(step.distortion), float(step.perception)) + 1e-9
        assert -0.9 <= step.distortion <= 9 and -0.9 <= step.perception <= 9


def test_feasible_rate_repairs_what_breaks_a_constraint_and_keeps_what_does_not():
    reply = dual_problem.BestResponse(*(jnp.full(3, v) for v in (0.9, 0.1, 0.2, -0.5 * np.log(1 - 0.64))))
    spent = dual_problem.total_perception(reply, PROBLEM.eigenvalues, PROBLEM.weights, "w2sq")
    cost = dual_problem.distortions(reply, PROBLEM.eigenvalues).sum()
    loose = PROBLEM._replace(distortion=cost * 1.01, perception=spent * 1.01)
    np.testing.assert_allclose(dual_problem.feasible_rate(reply, loose, "w2sq"), reply.nats.sum(), rtol=1e-14)
    tight = PROBLEM._replace(distortion=cost * 0.9, perception=spent * 0.5)
    assert dual_problem.feasible_rate(reply, tight, "w2sq") > reply.nats.sum() + 0.05
