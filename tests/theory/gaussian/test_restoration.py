"""Oracles: simulation, joint distributions, Kantorovich's dual, other closed forms."""

import jax
import numpy as np
import pytest

from theory.closed_form.fixed_representation import distortion_perception
from theory.gaussian import restoration
from theory.gaussian.diffusion import diffusion_compression

N = 4


def random_covariance(seed, n=N):
    root = np.random.default_rng(seed).normal(size=(n, n))
    return root @ root.T + 0.2 * np.eye(n)


COVARIANCE = random_covariance(0)
SEEN = restoration.estimate(COVARIANCE, np.eye(N), np.diag([0.1, 0.5, 1.0, 3.0]))  # S does not commute with C
S = np.asarray(SEEN.covariance)
SMALL = restoration.estimate(COVARIANCE, np.full((1, N), 1 / N), np.zeros((1, 1)))  # S of rank 1


def test_the_estimate_is_that_of_the_joint_distribution():
    """Oracle: the Schur complement of the joint covariance of (X, Y), and a single number's formula."""
    operator, noise = np.random.default_rng(1).normal(size=(2, N)), np.array([[0.3, 0.1], [0.1, 0.2]])
    found = restoration.estimate(COVARIANCE, operator, noise)
    precision = np.linalg.inv(np.block([
        [COVARIANCE, COVARIANCE @ operator.T], [operator @ COVARIANCE, operator @ COVARIANCE @ operator.T + noise]]))
    np.testing.assert_allclose(found.error_covariance, np.linalg.inv(precision[:N, :N]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.gain, -np.linalg.inv(precision[:N, :N]) @ precision[:N, N:], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.mse, np.trace(found.error_covariance), rtol=1e-12)
    np.testing.assert_allclose(restoration.estimate([[4.0]], [[1.0]], [[1.0]]).mse, 0.8, rtol=1e-14)


def test_transport_costs_what_the_dual_proves():
    """Oracle: Kantorovich's dual, whose potentials x'(I - T)x and y'(I - T^-1)y are feasible for any positive T."""
    plan = restoration.transport(S, COVARIANCE)
    t = np.asarray(plan.matrix)
    np.testing.assert_allclose(t @ S @ t.T, COVARIANCE, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(t, t.T, rtol=1e-8, atol=1e-12)
    assert np.linalg.eigvalsh(t)[0] > 0
    dual = np.trace((np.eye(N) - t) @ S) + np.trace((np.eye(N) - np.linalg.inv(t)) @ COVARIANCE)
    np.testing.assert_allclose(plan.w2sq, dual, rtol=1e-9)
    np.testing.assert_allclose(plan.w2sq, np.trace((t - np.eye(N)) @ S @ (t - np.eye(N)).T), rtol=1e-9)
    np.testing.assert_allclose(restoration.w2_squared(S, COVARIANCE), plan.w2sq, rtol=1e-9)
    np.testing.assert_array_equal(plan.noise_covariance, 0.0)


def test_transport_from_a_singular_covariance_draws_what_is_missing():
    start = np.asarray(SMALL.covariance)
    plan = restoration.transport(start, COVARIANCE)
    m, noise = np.asarray(plan.matrix), np.asarray(plan.noise_covariance)
    assert np.linalg.matrix_rank(start) == 1 and np.linalg.matrix_rank(noise, tol=1e-9) == N - 1
    np.testing.assert_allclose(m @ start @ m.T + noise, COVARIANCE, rtol=1e-9, atol=1e-12)
    cost = np.trace((m - np.eye(N)) @ start @ (m - np.eye(N)).T) + np.trace(noise)
    np.testing.assert_allclose(plan.w2sq, cost, rtol=1e-9)
    # W2 from a full covariance nearby, by the other formula.
    near = restoration.w2_squared(start + 1e-9 * np.eye(N), COVARIANCE)
    np.testing.assert_allclose(plan.w2sq, near, rtol=1e-3)


def test_transport_from_nothing_and_from_rounding_is_a_draw():
    nothing = restoration.transport(np.zeros((N, N)), COVARIANCE)
    np.testing.assert_allclose(nothing.noise_covariance, COVARIANCE, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(nothing.matrix, 0.0)
    np.testing.assert_allclose(nothing.w2sq, np.trace(COVARIANCE), rtol=1e-12)
    start = np.diag([1.0, 1.0, 1.0, 3e-14])  # the last is rounding, for the matrix as for the noise
    plan = restoration.transport(start, np.diag([4.0, 1.0, 0.25, 1.0]))
    np.testing.assert_allclose(plan.matrix, np.diag([2.0, 1.0, 0.5, 0.0]), rtol=1e-12)
    np.testing.assert_allclose(plan.noise_covariance, np.diag([0.0, 0.0, 0.0, 1.0]), rtol=1e-12)


@pytest.mark.parametrize("seen", [SEEN, SMALL])
def test_transport_interpolates_along_the_exact_line(seen):
    plan = restoration.transport(seen.covariance, COVARIANCE)
    alpha = np.array([0.0, 0.3, 1.0, 1.2])
    point = restoration.interpolation_point(alpha, seen.mse, plan.w2sq)
    within = alpha <= 1
    np.testing.assert_allclose(np.asarray(point.distortion)[within], distortion_perception(
        np.asarray(point.perception)[within], seen.mse, plan.w2sq), rtol=1e-12)
    for i, a in enumerate(alpha):
        found = restoration.linear_point((1 - a) * np.eye(N) + a * plan.matrix, a**2 * plan.noise_covariance,
                                         seen.covariance, COVARIANCE)
        np.testing.assert_allclose(found.distortion, point.distortion[i], rtol=1e-9)
        np.testing.assert_allclose(found.perception, point.perception[i], rtol=1e-6, atol=1e-9)


def test_posterior_samples_cost_twice_and_lie_above_the_line():
    found = restoration.posterior_point(np.array([0.0, 0.5, 1.0]), COVARIANCE, S)
    w2sq = restoration.w2_squared(S, COVARIANCE)
    np.testing.assert_allclose(found.distortion, np.array([1.0, 1.25, 2.0]) * SEEN.mse, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(found.perception)[[0, 2]], [w2sq, 0.0], rtol=1e-9, atol=1e-9)
    rng = np.random.default_rng(0)
    x = rng.multivariate_normal(np.zeros(N), COVARIANCE, 200_000)
    y = x + rng.normal(size=x.shape) * np.sqrt([0.1, 0.5, 1.0, 3.0])
    mean = y @ np.asarray(SEEN.gain).T
    out = mean + 0.5 * rng.multivariate_normal(np.zeros(N), SEEN.error_covariance, len(x))
    np.testing.assert_allclose(np.square(x - out).sum(1).mean(), found.distortion[1], rtol=0.01)
    np.testing.assert_allclose(restoration.w2_squared(np.cov(out.T), COVARIANCE), found.perception[1], rtol=0.03)
    line = distortion_perception(found.perception, SEEN.mse, w2sq)
    assert (np.asarray(found.distortion) - line)[1:].min() > 0.05 * SEEN.mse


def test_denoising_by_transport_is_the_flow_of_diffusion_compression():
    """The decoder of probability flows, sqrt(lam / w) z, is the transport map: D_F = D* + W^2."""
    noise, eigenvalues = 0.2, np.array([4.0, 1.0, 0.25])
    c = np.diag(eigenvalues)
    seen = restoration.estimate(c, np.sqrt(1 - noise) * np.eye(3), noise * np.eye(3))
    found = diffusion_compression(noise, eigenvalues)
    np.testing.assert_allclose(seen.mse + restoration.w2_squared(seen.covariance, c), found.flow_distortion, rtol=1e-10)
    np.testing.assert_allclose(restoration.posterior_point(1.0, c, seen.covariance).distortion,
                               found.ancestral_distortion, rtol=1e-12)


def test_gradients_match_finite_differences_also_at_repeated_eigenvalues():
    direction = random_covariance(5) - 0.5 * np.eye(N)
    for start, end in [(S, COVARIANCE), (0.5 * np.eye(N), np.eye(N))]:
        for function in (restoration.w2_squared, lambda a, b: restoration.transport(a, b).matrix[0, 1]):
            slope = jax.jvp(lambda e, f=function, a=start, b=end: f(a + e * direction, b), (0.0,), (1.0,))[1]
            finite = (function(start + 1e-6 * direction, end) - function(start - 1e-6 * direction, end)) / 2e-6
            np.testing.assert_allclose(slope, finite, rtol=1e-5, atol=1e-7)


def test_batches_are_one_call():
    both = restoration.transport(np.stack([S, 0.5 * S]), COVARIANCE)
    np.testing.assert_allclose(both.matrix[1], restoration.transport(0.5 * S, COVARIANCE).matrix, rtol=1e-9)
    assert restoration.posterior_point(np.array([0.0, 1.0]), COVARIANCE, S).perception.shape == (2,)


@pytest.mark.parametrize(("call", "said"), [
    (lambda: restoration.estimate(-np.eye(2), np.eye(2), np.eye(2)), "covariance must be positive definite"),
    (lambda: restoration.estimate(np.eye(2), np.eye(3), np.eye(3)), r"operator must have shape \[..., 3, 2\]"),
    (lambda: restoration.w2_squared([[1.0, 2.0], [0.0, 1.0]], np.eye(2)), "covariance must be symmetric"),
    (lambda: restoration.w2_squared(np.ones(3), np.eye(2)), r"covariance must have shape \[..., n, n\]"),
    (lambda: restoration.transport(np.eye(2), np.zeros((2, 2))), "end must be positive definite"),
    (lambda: restoration.interpolation_point(-0.1, 1.0, 1.0), "alpha must be >= 0"),
    (lambda: restoration.posterior_point(1.1, np.eye(2), np.eye(2)), "weight must be >= 0 and <= 1"),
    (lambda: restoration.linear_point(np.full((2, 2), np.inf), np.eye(2), np.eye(2), np.eye(2)), "matrix must be"),
])
def test_bad_arguments_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
