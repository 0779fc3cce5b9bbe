"""Matrices of covariances: roots against SciPy's and their derivatives, checks, broadcasting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg

from theory.numerics import matrices

A = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 3.0]])


def test_roots_and_their_derivatives():
    np.testing.assert_allclose(matrices.root(A), linalg.sqrtm(A), rtol=1e-12, atol=1e-14)
    change = np.array([[0.0, 1.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    for at in (A, np.eye(3)):
        slope = jax.jvp(matrices.root, (jnp.asarray(at),), (jnp.asarray(change),))[1]
        finite = (linalg.sqrtm(at + 1e-6 * change) - linalg.sqrtm(at - 1e-6 * change)) / 2e-6
        np.testing.assert_allclose(slope, finite, atol=1e-9)


def test_roots_of_singular_matrices_have_no_dust():
    v = np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(matrices.root(v @ v.T), v @ v.T / np.sqrt(14.0), atol=1e-13)
    np.testing.assert_array_equal(matrices.root(np.diag([1.0, 1e-16])), np.diag([1.0, 0.0]))
    np.testing.assert_allclose(matrices.root(np.diag([1.0, 1e-12])), np.diag([1.0, 1e-6]))


def test_leading_axes_are_shared():
    a, b = matrices.aligned(np.zeros((2, 1, 3, 3)), np.zeros((4, 2, 3)))
    assert a.shape == (2, 4, 3, 3) and b.shape == (2, 4, 2, 3) and a.dtype == jnp.float64
    lower = np.array([[1.0, 4.0], [0.0, 2.0]])
    np.testing.assert_array_equal(matrices.symmetric(jnp.asarray(lower)), [[1.0, 2.0], [2.0, 2.0]])
    np.testing.assert_array_equal(matrices.trace(jnp.stack([lower, 2 * lower])), [3.0, 6.0])


@pytest.mark.parametrize(("value", "said"), [
    (np.ones((2, 3)), "shape"), ([[1.0, 2.0], [0.0, 1.0]], "symmetric"), (-np.eye(2), "semidefinite"),
    (np.full((2, 2), np.nan), "finite"),
])
def test_what_is_no_covariance_is_refused(value, said):
    with pytest.raises(ValueError, match=said):
        matrices.check_covariance("matrix", value, definite=False)
    with pytest.raises(ValueError, match="matrix must be positive definite"):
        matrices.check_covariance("matrix", np.diag([1.0, 0.0]), definite=True)
    matrices.check_covariance("matrix", np.diag([1.0, 0.0]), definite=False)
