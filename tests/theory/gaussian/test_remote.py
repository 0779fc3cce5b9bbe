"""Remote Gaussian sources: against a search over joint Gaussians, the output-constrained problem, and a simulation of
covariances."""

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from theory import gaussian
from theory.gaussian import common_randomness, remote, vector


def test_known_cases():
    """No noise: R(D) and R(D, P) themselves. Variance 1 in noise 1/3: e^2 = 3/4, mmse = 1/4, and R(7/16) = 1 bit."""
    d = np.array([0.05, 0.3, 0.9, 1.5])
    np.testing.assert_allclose(remote.remote_rate_distortion(d, 2.0), gaussian.rate_distortion(d, 2.0), rtol=1e-14)
    for divergence in ("w2sq", "kl"):
        np.testing.assert_allclose(
            remote.remote_rate_distortion_perception(d, 0.1, 2.0, divergence=divergence),
            gaussian.rate_distortion_perception(d, 0.1, 2.0, divergence=divergence), rtol=1e-12)
    np.testing.assert_allclose(remote.remote_rate_distortion(7 / 16, 1.0, 1 / 3), 1.0, rtol=1e-14)
    found = remote.remote_rate_distortion([0.1, 0.25, 1.0, 2.0], 1.0, 1 / 3)
    np.testing.assert_array_equal(found, [np.inf, np.inf, 0, 0])


def searched(d, least, source, noise):
    """Least rate over jointly Gaussian (X, Y): over the deviation t of Y, with E(S - Y)^2 = s^2 + t^2 - 2 r t s g."""
    observed = source + noise

    def rate(t):
        # corr(S, Y) = corr(S, X) corr(X, Y), since Y depends on S through X.
        needed = (source + t * t - d) / (2 * t * np.sqrt(source) * np.sqrt(source / observed))
        return 50.0 if needed >= 1 else 0.0 if needed <= 0 else -0.5 * np.log2(1 - needed**2)

    grid = np.linspace(max(least, 1e-6), 2 * np.sqrt(source), 4001)
    best = grid[np.argmin([rate(t) for t in grid])]
    step = grid[1] - grid[0]
    found = minimize_scalar(rate, bounds=(max(best - step, least, 1e-9), best + step), method="bounded",
                            options={"xatol": 1e-12})
    return min(found.fun, rate(max(least, 1e-6)))


@pytest.mark.parametrize("source, noise", [(1.0, 0.3), (2.0, 1.5), (1.0, 0.0)])
def test_realism_is_a_search_over_joint_gaussians(source, noise):
    mmse, estimate = source * noise / (source + noise), source**2 / (source + noise)
    s = np.sqrt(source)
    for perception in (0.0, 0.02, 0.3, 5.0):
        least = s - min(np.sqrt(perception), s)
        floor = max(least - np.sqrt(estimate), 0.0) ** 2
        for share in (0.05, 0.3, 0.7, 1.2):
            d = mmse + floor + share * estimate
            found = remote.remote_rate_distortion_perception(d, perception, source, noise)
            np.testing.assert_allclose(found, searched(d, least, source, noise), atol=2e-8)
        # At P = 0 the output's law is given: the problem of the estimate and an output of the source's variance.
        if perception == 0:
            d = mmse + floor + np.array([0.0, 0.1, 0.4, 3.0]) * estimate
            np.testing.assert_allclose(
                remote.remote_rate_distortion_perception(d[1:], 0.0, source, noise),
                common_randomness.output_constrained_rate(
                    d[1:] - mmse, np.inf, source_variance=estimate, output_variance=source), rtol=1e-9, atol=1e-12)
            assert np.isinf(remote.remote_rate_distortion_perception(0.999 * d[0], 0.0, source, noise))


def test_gradients_and_edges():
    def rate(d, p, s, n):
        return remote.remote_rate_distortion_perception(d, p, s, n, divergence="kl")

    step = 1e-6
    for at in ([0.5, 0.05, 1.0, 0.3], [0.5, 2.0, 1.0, 0.3]):
        for k, by_gradient in enumerate(jax.grad(rate, argnums=(0, 1, 2, 3))(*at)):
            up, down = (np.array(at) + sign * step * np.eye(4)[k] for sign in (1, -1))
            numeric = (rate(*up) - rate(*down)) / (2 * step)
            np.testing.assert_allclose(by_gradient, numeric, rtol=1e-6, atol=1e-8)
    assert jax.grad(remote.remote_rate_distortion)(2.0, 1.0, 0.5) == 0.0
    assert jax.grad(remote.remote_rate_distortion)(0.0, 1.0, 0.0) == -np.inf
    assert np.isnan(jax.jit(remote.remote_rate_distortion)(-1.0, 1.0, 1.0))


@pytest.mark.parametrize("call, word", [
    (lambda: remote.remote_rate_distortion(-1.0), "distortion"),
    (lambda: remote.remote_rate_distortion(0.5, 0.0), "source_variance"),
    (lambda: remote.remote_rate_distortion(0.5, 1.0, -1.0), "noise_variance"),
    (lambda: remote.remote_rate_distortion_perception(0.5, -1.0), "perception"),
    (lambda: remote.remote_rate_distortion_perception(0.5, 0.1, divergence="tv"), "divergence"),
    (lambda: remote.noisy_source_codecs(-1.0, [1.0], [1.0]), "rate"),
    (lambda: remote.noisy_source_codecs(1.0, [-1.0], [1.0]), "source_variances"),
    (lambda: remote.noisy_source_codecs(1.0, [1.0], [-1.0]), "noise_variances"),
])
def test_refusals(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_codecs_of_noisy_components_from_their_covariances():
    """Test channels written as linear maps of (S, X, fresh noise), errors from the covariance of S and Y."""
    source, noise = np.array([4.0, 1.0, 0.3, 0.02]), np.array([0.2, 0.2, 0.2, 0.4])
    rates = np.array([0.0, 0.7, 2.5, 6.0])
    found = remote.noisy_source_codecs(rates, source, noise)
    observed = source + noise
    for i, rate in enumerate(rates):
        total = vector.distortion_rate(rate, observed)
        left = np.asarray(vector.water_filling(total, observed).distortions)
        a = 1 - left / observed  # Y = a X + W, var W = a left
        with_source, variance = a * source, a**2 * observed + a * left
        np.testing.assert_allclose(found.as_is[i], (source - 2 * with_source + variance).sum(), rtol=1e-9)
        used = variance > 1e-12
        after = source.sum() - (with_source[used] ** 2 / variance[used]).sum()
        np.testing.assert_allclose(found.denoised_after[i], after, rtol=1e-9)
    assert (found.denoised_before <= found.denoised_after + 1e-12).all()
    assert (found.denoised_after <= found.as_is + 1e-12).all()
    assert found.denoised_before[2] < found.denoised_after[2] - 1e-3
    one = remote.noisy_source_codecs(rates, [1.0], [0.5])
    np.testing.assert_allclose(one.denoised_after, one.denoised_before, rtol=1e-12)
    np.testing.assert_allclose(remote.remote_rate_distortion(one.denoised_before, 1.0, 0.5), rates, atol=1e-10)
