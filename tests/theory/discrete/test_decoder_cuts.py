"""Supporting planes against a problem solved by hand, and that every plane keeps the optimum."""

import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete import decoder_cuts
from theory.discrete.decoder_bounds import BestDecoder


def chi(p):
    """sum (q - p)^2 / p and its gradient."""
    return lambda q: float(((q - p) ** 2 / p).sum()), lambda q: 2 * (q - p) / p


def test_a_message_that_says_nothing():
    """Least q c over a ball of chi-square about p: q = p (1 - s (c - mean)), s by the budget, while positive."""
    p, costs, budget = np.array([0.3, 0.5, 0.2]), np.array([0.4, 0.1, 0.9]), 0.2
    value, slope = chi(p)
    mean = p @ costs
    spread = p @ (costs - mean) ** 2
    exact = mean - np.sqrt(budget * spread)
    assert (p * (1 - np.sqrt(budget / spread) * (costs - mean)) > 0).all()
    found = decoder_cuts.propose(
        np.tile(costs, (2, 1)), np.array([0.6, 0.4]), p, np.full(3, True), budget, value, slope,
        starts=[np.array([0.2, 0.7, 0.1])], tolerance=1e-10)
    q = found.joint.sum(0)
    np.testing.assert_allclose(found.joint.sum(1), [0.6, 0.4], rtol=1e-12)
    assert value(q) <= budget * (1 + 1e-12)
    np.testing.assert_allclose(q @ costs, exact, atol=1e-9)
    # The dual point proves it: min over q of q (c + h) and the largest p-centered gain, t P + t conjugate(h / t).
    h = found.critic
    gain = min(h @ p + t * (p @ ((h - h @ p) / t) ** 2 / 4 + budget) for t in np.exp(np.linspace(-4, 4, 4001)))
    np.testing.assert_allclose((costs + h).min() - gain, exact, atol=1e-5)


def test_two_letters_and_two_messages():
    """One number decides: the mass that leaves the first letter, as far as the budget goes."""
    p, rows, cost = np.array([0.7, 0.3]), np.array([0.5, 0.5]), np.array([[0.0, 1.0], [0.3, 0.0]])
    value, slope = chi(p)
    free = np.array([0.5, 0.5])  # each message to its best letter
    for budget in (0.01, 0.1, 1.0):
        found = decoder_cuts.propose(
            cost, rows, p, np.full(2, True), budget, value, slope, starts=[], tolerance=1e-10)
        reach = p[0] - np.sqrt(budget * p[0] * p[1])
        # The mass a > 1/2 of the first letter beyond its message comes from the other, at 0.3 a unit.
        best = 0.3 * max(reach - free[0], 0.0)
        np.testing.assert_allclose((found.joint * cost).sum(), best, atol=1e-8)


@pytest.mark.parametrize(("old", "new", "expected", "converged"), [
    ((3.0, 1.0), (2.0, 0.5), (2.0, 1.0), False), ((3.0, 1.0), (np.nan, 2.9), (3.0, 2.9), True),
    ((np.nan, np.nan), (2.0, 1.9), (2.0, 1.9), True), ((3.0, np.nan), (np.nan, 2.0), (3.0, 2.0), False),
    ((3.0, 1.0), (4.0, 3.1), (np.nan, np.nan), False),  # more is proved than a decoder needs: neither is believed
])
def test_of_two_results_the_better_decoder_and_the_better_proof_are_taken(old, new, expected, converged):
    def result(pair, mark):
        return BestDecoder(*map(jnp.asarray, pair), *[jnp.asarray(float(mark))] * 6, jnp.asarray(False))

    found = decoder_cuts.joined(result(old, 1), result(new, 2), scale=2.0, tolerance=0.06)
    np.testing.assert_array_equal((found.distortion, found.distortion_lower), expected)
    assert bool(found.converged) == converged
