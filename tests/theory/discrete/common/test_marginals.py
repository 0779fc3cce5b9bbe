"""Marginals against sums in NumPy, and how little a correction changes."""

import jax.numpy as jnp
import numpy as np

from theory.discrete.common import marginals

RNG = np.random.default_rng(0)


def test_matching_marginals_is_exact_and_close():
    rows, columns = RNG.dirichlet(np.ones(5)), RNG.dirichlet(np.ones(7))
    joint = np.outer(rows, columns) * (1.0 + 1e-3 * RNG.standard_normal((5, 7)))
    error = np.abs(joint.sum(1) - rows).sum() + np.abs(joint.sum(0) - columns).sum()
    fixed = np.asarray(marginals.match_marginals(jnp.asarray(joint), jnp.asarray(rows), jnp.asarray(columns)))
    np.testing.assert_allclose(fixed.sum(1), rows, rtol=1e-14)
    np.testing.assert_allclose(fixed.sum(0), columns, rtol=1e-14)
    assert (fixed >= 0).all()
    # Algorithm 2's guarantee: the correction is at most twice the marginals' error.
    assert np.abs(fixed - joint).sum() <= 2.0 * error


def test_matching_marginals_on_a_support_leaves_forbidden_pairs_empty():
    exact = RNG.random((6, 6)) * (RNG.random((6, 6)) < 0.6) + np.eye(6)
    exact /= exact.sum()
    joint = exact * (1.0 + 1e-3 * RNG.standard_normal((6, 6)))
    fixed = np.asarray(marginals.match_marginals_on_support(
        jnp.asarray(joint), jnp.asarray(exact.sum(1)), jnp.asarray(exact.sum(0))))
    np.testing.assert_allclose(fixed.sum(1), exact.sum(1), rtol=1e-13)
    np.testing.assert_allclose(fixed.sum(0), exact.sum(0), rtol=1e-13)
    assert (fixed >= 0).all() and (fixed[exact == 0] == 0).all()
    assert np.abs(fixed - joint).sum() < 2e-2
