"""Oracles: SciPy's ODE solver and matrix roots, regression on samples, 2 x 2 matrices by hand."""

import jax
import numpy as np
import pytest
from scipy import integrate, linalg

from theory.gaussian import rectified_flow, restoration

N = 4


def random_covariance(seed, n=N):
    root = np.random.default_rng(seed).normal(size=(n, n))
    return root @ root.T + 0.2 * np.eye(n)


COVARIANCE = random_covariance(0)
SEEN = restoration.estimate(COVARIANCE, np.eye(N), np.diag([0.1, 0.5, 1.0, 3.0]))  # S does not commute with C
S = np.asarray(SEEN.covariance)
SMALL = restoration.estimate(COVARIANCE, np.full((1, N), 1 / N), np.zeros((1, 1)))  # S of rank 1


def test_flows_end_where_an_ode_solver_does():
    """Oracle: SciPy's solver for dz/dt = E[X - Z0 | Z_t = z] with the moments written anew; both couplings."""
    error = COVARIANCE - S
    dependent = integrate.solve_ivp(
        lambda t, z: (t * error @ np.linalg.inv(S + t**2 * error) @ z.reshape(N, N)).ravel(), (0, 1), np.eye(N).ravel(),
        rtol=1e-10, atol=1e-12).y[:, -1].reshape(N, N)
    independent = integrate.solve_ivp(
        lambda t, z: ((t * COVARIANCE - (1 - t) * S) @ np.linalg.inv((1 - t) ** 2 * S + t**2 * COVARIANCE)
                      @ z.reshape(N, N)).ravel(), (0, 1), np.eye(N).ravel(), rtol=1e-10, atol=1e-12
    ).y[:, -1].reshape(N, N)
    found = np.asarray(rectified_flow.flow_matrix(S, COVARIANCE))
    np.testing.assert_allclose(found, dependent, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(found, independent, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(found, linalg.sqrtm(COVARIANCE @ np.linalg.inv(S)).real, rtol=1e-8, atol=1e-9)
    steps = rectified_flow.flow_steps(S, COVARIANCE, noise=0.0, steps=100, order=4)
    np.testing.assert_allclose(steps, found, rtol=1e-8, atol=1e-8)


def test_the_excess_of_a_flow_is_that_of_its_matrix_and_vanishes_where_covariances_commute():
    flow = np.asarray(rectified_flow.flow_matrix(S, COVARIANCE))
    point = restoration.linear_point(flow, np.zeros((N, N)), S, COVARIANCE)
    excess, w2sq = rectified_flow.flow_excess(S, COVARIANCE), restoration.w2_squared(S, COVARIANCE)
    np.testing.assert_allclose(point.perception, 0.0, atol=1e-10)
    np.testing.assert_allclose(point.distortion, SEEN.mse + w2sq + excess, rtol=1e-9)
    assert excess > 0.1 * w2sq
    white = restoration.estimate(COVARIANCE, np.eye(N), 0.7 * np.eye(N)).covariance
    np.testing.assert_allclose(rectified_flow.flow_excess(white, COVARIANCE), 0.0, atol=1e-10)
    best = restoration.transport(white, COVARIANCE).matrix
    np.testing.assert_allclose(rectified_flow.flow_matrix(white, COVARIANCE), best, rtol=1e-8, atol=1e-9)


def test_the_excess_of_two_components():
    """By hand: S = diag(1, e), C = [[1, c], [c, 1]]; tr of roots of 2 x 2 matrices by their traces and determinants."""
    e, c = 0.25, 0.6
    start, end = np.diag([1.0, e]), np.array([[1.0, c], [c, 1.0]])
    root_det = np.sqrt(e * (1 - c**2))
    fidelity = np.sqrt(1 + e + 2 * root_det)  # tr M^1/2 = sqrt(tr M + 2 sqrt(det M)), M = S^1/2 C S^1/2
    ratio = np.array([[1.0, c / np.sqrt(e)], [c / np.sqrt(e), 1 / e]])  # S^-1/2 C S^-1/2
    root = (ratio + np.sqrt(np.linalg.det(ratio)) * np.eye(2)) / np.sqrt(
        np.trace(ratio) + 2 * np.sqrt(np.linalg.det(ratio)))
    geometric = root[0, 0] + e * root[1, 1]
    np.testing.assert_allclose(rectified_flow.flow_excess(start, end), 2 * (fidelity - geometric), rtol=1e-10)
    np.testing.assert_allclose([fidelity, geometric], [1.43178, 1.39686], atol=5e-6)  # as the derivation says


def test_noisy_flows_reach_the_source_from_singular_estimates():
    start, noise = np.asarray(SMALL.covariance), 0.1
    velocity = rectified_flow.flow_velocity(0.3, start, COVARIANCE, noise=noise)
    rng = np.random.default_rng(2)
    x = rng.multivariate_normal(np.zeros(N), COVARIANCE, 400_000)
    z0 = x @ np.full((N, 1), 1 / N) @ np.asarray(SMALL.gain).T + noise * rng.normal(size=x.shape)
    z = 0.7 * z0 + 0.3 * x
    regression = np.linalg.lstsq(z, x - z0, rcond=None)[0].T
    np.testing.assert_allclose(velocity, regression, atol=0.03 * np.abs(regression).max())
    end = np.asarray(rectified_flow.flow_steps(start, COVARIANCE, noise=noise, steps=400, order=4))
    np.testing.assert_allclose(end @ (start + noise**2 * np.eye(N)) @ end.T, COVARIANCE, atol=1e-5)
    # White noise and an estimate that commutes: each component by itself.
    white = restoration.estimate(COVARIANCE, np.eye(N), 0.7 * np.eye(N)).covariance
    end = rectified_flow.flow_steps(white, COVARIANCE, noise=noise, steps=400, order=4)
    np.testing.assert_allclose(end, restoration.transport(white + noise**2 * np.eye(N), COVARIANCE).matrix, atol=1e-6)
    errors = [np.abs(rectified_flow.flow_steps(white, COVARIANCE, noise=noise, steps=k) - end).max() for k in (20, 40)]
    assert 1.7 < errors[0] / errors[1] < 2.3  # Euler's method


def test_gradients_match_finite_differences_also_at_repeated_eigenvalues():
    direction = random_covariance(5) - 0.5 * np.eye(N)
    for start, end in [(S, COVARIANCE), (0.5 * np.eye(N), np.eye(N))]:
        function = jax.jit(lambda e, a=start, b=end: rectified_flow.flow_matrix(a + e * direction, b)[0, 1])
        slope = jax.jvp(function, (0.0,), (1.0,))[1]
        np.testing.assert_allclose(slope, (function(1e-6) - function(-1e-6)) / 2e-6, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("call", "said"), [
    (lambda: rectified_flow.flow_matrix(np.diag([1.0, 0.0]), np.eye(2)), "start must be positive definite"),
    (lambda: rectified_flow.flow_velocity(2.0, np.eye(2), np.eye(2)), "time must be >= 0 and <= 1"),
    (lambda: rectified_flow.flow_steps(np.eye(2), np.eye(2), noise=0.0, steps=3, order=2), "order must be 1 or 4"),
])
def test_bad_arguments_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
