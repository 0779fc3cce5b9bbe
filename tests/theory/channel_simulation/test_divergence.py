import itertools

import jax
import numpy as np
import pytest
from scipy.optimize import linprog

from theory import channel_simulation as cs


def _least_mean_surprisal(q, p, sets):
    """min sum_A m_A (-log2 P(A)) over mixtures with sum_A m_A P(x | A) = q(x), by linear programming."""
    inside = np.array(sets, float)
    mass = inside @ p
    result = linprog(-np.log2(mass), A_eq=(inside * p / mass[:, None]).T, b_eq=q, bounds=(0, None), method="highs")
    assert result.status == 0
    return result.fun


def test_it_is_the_least_mean_surprisal_over_all_mixtures_of_restrictions():
    # Oracle: a linear program over all 2^7 - 1 sets of letters, which knows nothing of rearrangements.
    rng = np.random.default_rng(0)
    sets = [s for s in itertools.product([0, 1], repeat=7) if any(s)]
    for _ in range(5):
        q, p = rng.dirichlet(np.full(7, 0.7)), rng.dirichlet(np.ones(7))
        least = _least_mean_surprisal(q, p, sets)
        assert float(cs.channel_simulation_divergence(q, p)) == pytest.approx(least, abs=1e-7)


def test_it_is_between_kl_and_its_bound():
    rng = np.random.default_rng(1)
    q, p = rng.dirichlet(np.full(12, 0.3), 200), rng.dirichlet(np.ones(12), 200)
    kl = np.sum(q * np.log2(np.maximum(q, 1e-300) / p), -1)
    value = np.asarray(cs.channel_simulation_divergence(q, p))
    assert (value >= kl - 1e-12).all() and (value <= kl + np.log2(kl + 1) + 1).all()
    assert np.max(np.abs(np.asarray(cs.channel_simulation_divergence(p, p)))) < 1e-12


def test_cases_by_hand():
    # Q is P restricted to a set: D_CS = KL = -log2 P(A).
    assert float(cs.channel_simulation_divergence([0.5, 0.5, 0, 0], np.full(4, 0.25))) == pytest.approx(1, abs=1e-15)
    # Ratios 1.5 and 0.5 over halves: w = 1/2 between them, (1.5 - 0.5) (1/2) bit.
    assert float(cs.channel_simulation_divergence([0.75, 0.25], [0.5, 0.5])) == pytest.approx(0.5, abs=1e-15)
    assert float(cs.channel_simulation_divergence([0.5, 0.5], [1.0, 0.0])) == np.inf


def test_derivative():
    rng = np.random.default_rng(2)
    q, p = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6))
    direction = np.array([1, -1, 0.5, -0.5, 0.25, -0.25]) * 1e-6
    slope = np.dot(jax.jit(jax.grad(lambda q: cs.channel_simulation_divergence(q, p)))(q), direction)
    change = cs.channel_simulation_divergence(q + direction, p) - cs.channel_simulation_divergence(q - direction, p)
    assert float(change) / 2 == pytest.approx(float(slope), rel=1e-6)


def test_functional_information_of_singular_channels_is_the_mutual_information():
    m, erasure = 8, 0.25
    joint = np.c_[np.eye(m) * (1 - erasure) / m, np.full(m, erasure / m), np.zeros(m)]  # the last output never occurs
    assert float(cs.functional_information(joint)) == pytest.approx((1 - erasure) * 3, abs=1e-12)
    noisy = np.full((2, 2), 0.1) + 0.3 * np.eye(2)
    information = 1 + 0.8 * np.log2(0.8) + 0.2 * np.log2(0.2)
    assert float(cs.functional_information(noisy)) == pytest.approx((1.6 - 0.4) * 0.5, abs=1e-12)
    assert float(cs.functional_information(noisy)) > information


def test_refusals():
    with pytest.raises(ValueError, match="target must"):
        cs.channel_simulation_divergence([0.5, 0.6], [0.5, 0.5])
    with pytest.raises(ValueError, match="joint must sum to 1"):
        cs.functional_information(np.ones((2, 2)))
