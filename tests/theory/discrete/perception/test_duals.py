"""The dual value bounds the rate of every feasible channel, whatever the dual point: tried on random ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import rel_entr

from theory.discrete.common import channels, marginals
from theory.discrete.perception import duals as perception_duals
from theory.discrete.perception.problem import Options
from theory.discrete.perception.rdp import transport_costs

N = 4
PMF = np.array([0.1, 0.35, 0.2, 0.35])
MATRIX = (np.arange(N)[:, None] - np.arange(N)) ** 2.0


def transport(p, q, power):
    cost = np.abs(np.arange(N)[:, None] - np.arange(N)) ** float(power)
    rows, columns = np.kron(np.eye(N), np.ones(N)), np.kron(np.ones(N), np.eye(N))
    return linprog(cost.ravel(), A_eq=np.vstack([rows, columns[:-1]]), b_eq=np.r_[p, q[:-1]]).fun


# In nats where they are information.
VALUES = {
    "tv": lambda p, q: 0.5 * np.abs(p - q).sum(),
    "kl": lambda p, q: rel_entr(q, p).sum(),
    "reverse_kl": lambda p, q: rel_entr(p, q).sum(),
    "js": lambda p, q: 0.5 * (rel_entr(p, (p + q) / 2) + rel_entr(q, (p + q) / 2)).sum(),
    "chi2": lambda p, q: ((p - q) ** 2 / q).sum(),
    "hellinger2": lambda p, q: 1.0 - np.sqrt(p * q).sum(),
    "w1": lambda p, q: transport(p, q, 1),
    "w2sq": lambda p, q: transport(p, q, 2),
}


# One of each kind; each is a program of its own.
@pytest.mark.parametrize("name", [
    n if n in ("tv", "kl", "w2sq") else pytest.param(n, marks=pytest.mark.stress) for n in VALUES])
def test_no_feasible_channel_is_below_any_dual_point(name):
    rng = np.random.default_rng(0)
    problem = channels.normalize(jnp.asarray(PMF), jnp.asarray(MATRIX))
    cost, on_line = transport_costs(N, name, None, None)
    bound = perception_duals.bind_divergence(problem, Options(name, on_line, False, False, 1), cost)
    lower_bound = jax.jit(lambda *point: perception_duals.lower_bound(problem, bound, *point).value)
    scale = float(bound.scale) if name in ("w1", "w2sq") else 1.0
    tightest = np.inf
    for trial in range(30):
        channel = rng.dirichlet(np.full(N, 0.4), N) * 0.5 + 0.5 * np.eye(N)
        q = PMF @ channel
        joint = PMF[:, None] * channel
        rate = rel_entr(joint, np.outer(PMF, q)).sum()
        target = (joint * np.asarray(problem.distortion)).sum()
        budget = VALUES[name](PMF, q) / scale
        # Random dual points, and one made from the channel itself, which is nearly as good as they come.
        nu = rng.standard_normal(N) * 0.3 if trial % 2 else -np.log(q)
        slope, multiplier = rng.uniform(0.0, 4.0), rng.uniform(0.01, 3.0)
        lower = lower_bound(nu, slope, multiplier, target, budget)
        assert lower <= rate + 1e-12
        tightest = min(tightest, rate - float(lower))
    assert tightest < rate


def test_at_perfect_realism_no_channel_with_the_sources_marginal_is_below():
    rng = np.random.default_rng(1)
    problem = channels.normalize(jnp.asarray(PMF), jnp.asarray(MATRIX))
    for _ in range(30):
        joint = np.asarray(marginals.match_marginals(
            jnp.asarray(rng.dirichlet(np.ones(N * N)).reshape(N, N) + np.diag(PMF)) / 2, problem.pmf, problem.pmf))
        rate = rel_entr(joint, np.outer(PMF, PMF)).sum()
        target = (joint * np.asarray(problem.distortion)).sum()
        lower = perception_duals.perfect_lower_bound(
            problem, jnp.asarray(rng.standard_normal(N)), jnp.asarray(rng.uniform(0.0, 4.0)), jnp.asarray(target))
        assert lower <= rate + 1e-12


def test_multiplier_at_perfect_realism_is_the_steepest_gain():
    # Moving mass m from x to y gains m (h(y) - h(x)) and costs m |x - y|, or m in total variation.
    h = np.array([0.0, 0.3, 1.1, 1.2])
    problem = channels.normalize(jnp.asarray(PMF), jnp.asarray(MATRIX))
    cost, on_line = transport_costs(N, "w1", None, None)
    bound = perception_duals.bind_divergence(problem, Options("w1", on_line, False, False, 1), cost)
    np.testing.assert_allclose(bound.multiplier_at_zero(jnp.asarray(h)) / bound.scale, 0.8, rtol=1e-14)
    bound = perception_duals.bind_divergence(problem, Options("tv", False, False, False, 1), ())
    np.testing.assert_allclose(bound.multiplier_at_zero(jnp.asarray(h)), 1.2, rtol=1e-14)
