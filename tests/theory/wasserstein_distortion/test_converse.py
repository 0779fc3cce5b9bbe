"""Oracles: the spectrum of circulant matrices, the test channel by Monte Carlo, rdr's losses, brute-force features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.losses import wasserstein_distortion
from rdr.losses.wasserstein_distortion import exact as exact_loss
from theory import wasserstein_distortion as wd
from theory.gaussian import process


def _periodic_line(size, sigma):
    """Circulant windows [size, size] and |Q|^2 at the frequencies of the fast Fourier transform."""
    distance = np.minimum(np.arange(size), size - np.arange(size))
    window = np.exp(-(distance**2) / (2 * sigma**2))
    window /= window.sum()
    return np.stack([np.roll(window, shift) for shift in range(size)]), np.abs(np.fft.fft(window)) ** 2


@pytest.mark.parametrize("coefficient", [0.0, 0.7])
def test_periodic_images_have_the_spectrum_of_the_window_times_that_of_the_source(coefficient):
    size, sigma = 48, 2.5
    windows, power = _periodic_line(size, sigma)
    spectrum = np.array(process.autoregressive_spectrum(np.fft.fftfreq(size), coefficient))
    correlation = np.fft.ifft(spectrum).real
    covariance = np.stack([np.roll(correlation, shift) for shift in range(size)])
    matrix = wd.mean_matrix(windows, np.full(size, 1 / size))
    found = wd.pooled_eigenvalues(matrix, covariance)
    np.testing.assert_allclose(found, np.sort(power * spectrum) / size, atol=1e-12)
    if coefficient == 0.0:
        np.testing.assert_allclose(found, wd.pooled_eigenvalues(matrix), atol=1e-14)
    distortion = np.array([0.02, 0.1, 0.2])
    np.testing.assert_allclose(
        wd.converse_rate(distortion, found) / size, process.rate_distortion(distortion, power * spectrum), rtol=1e-9)


def test_single_pixels_are_the_rate_distortion_function_and_the_whole_image_one_degree_of_freedom():
    distortion = np.array([0.1, 0.5])
    lam = wd.pooled_eigenvalues(wd.pyramid_mean_matrix(np.zeros((4, 6))))
    np.testing.assert_allclose(
        wd.converse_rate(distortion, lam), 24 * process.rate_distortion(distortion, np.ones(2)), rtol=1e-12)
    for matrix in (wd.pyramid_mean_matrix(np.full((4, 6), np.inf)),
                   wd.mean_matrix(wd.gaussian_windows(np.full((4, 6), np.inf)), np.full(24, 1 / 24))):
        lam = wd.pooled_eigenvalues(matrix)
        np.testing.assert_allclose(lam, np.eye(24)[-1] / 24, atol=1e-15)
        np.testing.assert_allclose(wd.converse_rate(0.01, lam), 0.5 * np.log2(1 / 0.24), rtol=1e-10)


@pytest.fixture(scope="module")
def random_map():
    sigma = np.random.default_rng(0).uniform(0.0, 4.0, (8, 8))
    sigma[0, 0], sigma[7, 7] = 0.0, np.inf
    return sigma


def test_the_test_channel_meets_the_bound_and_no_loss_is_below(random_map):
    """X' from the forward channel of M: E (X - X')^T M (X - X') = D; true losses exceed it by their second term."""
    matrix = np.array(wd.pyramid_mean_matrix(random_map))
    values, vectors = np.linalg.eigh(matrix)
    theta = 0.3 * values[-1]
    share = np.minimum(theta / np.maximum(values, 1e-300), 1.0)
    distortion = np.minimum(values, theta).sum()
    rng = np.random.default_rng(1)
    source, noise = rng.standard_normal((2, 1000, 64))
    inner = source @ vectors
    image = ((1 - share) * inner + np.sqrt(share * (1 - share)) * noise) @ vectors.T
    error = np.einsum("bi,ij,bj->b", source - image, matrix, source - image)
    assert abs(error.mean() - distortion) < 4 * error.std() / 1000**0.5
    maps = [x.reshape(-1, 8, 8, 1).astype(np.float32) for x in (source, image)]
    proxy = jax.jit(lambda a, b: wasserstein_distortion.wasserstein_distortion(a, b, random_map))(*maps)
    exact = jax.jit(lambda a, b: wasserstein_distortion.wasserstein_distortion(a, b, random_map, exact=True))(
        *(x[:60] for x in maps))
    proxy, exact = np.array(proxy, np.float64), np.array(exact, np.float64)
    # Image by image: |m - m'|^2 <= proxy <= exact.
    assert (proxy >= error * (1 - 1e-4)).all() and (exact >= proxy[:60] * (1 - 1e-4)).all()
    assert proxy.mean() > 1.02 * distortion


def test_gaussian_windows_are_those_of_the_exact_loss(random_map):
    """An image times a constant keeps its order: in every window W2^2 is a multiple of the local mean of squares."""
    windows = np.array(wd.gaussian_windows(random_map))
    np.testing.assert_allclose(windows.sum(1), 1.0, rtol=1e-13)
    x = np.random.default_rng(2).uniform(1.0, 2.0, (64,))
    moved = x * 1.3
    expected = 0.09 * np.mean(windows @ x**2)
    found = wasserstein_distortion.wasserstein_distortion(
        jnp.asarray(x.reshape(1, 8, 8, 1)), jnp.asarray(moved.reshape(1, 8, 8, 1)), random_map, exact=True,
        kernel=exact_loss.gaussian_kernel)
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_the_matrix_is_the_sum_of_squared_local_means(random_map):
    """x^T M x is the weighted sum of squared local means, level by level; weights sum to 1."""
    x = np.random.default_rng(3).standard_normal(64)
    levels = wd.pyramid_levels(random_map)
    by_levels = sum(
        float(jnp.sum(weights * jnp.square(rows @ x.reshape(8, 8) @ columns.T))) for rows, columns, weights in levels)
    np.testing.assert_allclose(x @ np.array(wd.pyramid_mean_matrix(random_map)) @ x, by_levels, rtol=1e-12)
    np.testing.assert_allclose(sum(float(jnp.sum(level.weights)) for level in levels), 1.0, rtol=1e-13)


def test_features_are_one_joint_source():
    rng = np.random.default_rng(4)
    features, weights = rng.standard_normal((3, 10, 16)), np.array([0.5, 0.3, 0.2])
    windows = rng.uniform(size=(5, 10))
    windows /= windows.sum(1, keepdims=True)
    matrix = wd.mean_matrix(windows, np.full(5, 0.2))
    joint = wd.feature_matrix(matrix, features, weights)
    x = rng.standard_normal(16)
    expected = sum(a * np.mean((windows @ (f @ x)) ** 2) for a, f in zip(weights, features))
    np.testing.assert_allclose(x @ np.array(joint) @ x, expected, rtol=1e-12)
    # Never more bits than the features need one by one, at the same slope.
    lam, theta = np.array(wd.pooled_eigenvalues(joint)), 0.01
    apart = sum(np.log2(np.maximum(np.array(wd.pooled_eigenvalues(
        wd.feature_matrix(matrix, f[None], a[None]))) / theta, 1)).sum() for a, f in zip(weights, features))
    assert np.log2(np.maximum(lam / theta, 1)).sum() <= apart + 1e-9


def test_rates_are_monotone_and_convex_and_have_derivatives():
    def rate(distortion, sigma):
        return wd.converse_rate(distortion, wd.pooled_eigenvalues(wd.pyramid_mean_matrix(sigma)))

    sigma = np.full((5, 5), 1.3)
    distortion = np.geomspace(1e-4, 0.2, 40)
    rates = np.array(rate(distortion, sigma))
    slopes = np.diff(rates) / np.diff(distortion)
    assert (slopes <= 0).all() and (np.diff(slopes) >= -1e-9 * np.abs(slopes[1:])).all()
    wide = np.array(rate(distortion, sigma + 0.5))
    assert (wide <= rates).all()
    direction, h = np.random.default_rng(5).uniform(size=(5, 5)), 1e-5
    slope = jnp.sum(jax.grad(rate, 1)(0.02, sigma) * direction)
    difference = (rate(0.02, sigma + h * direction) - rate(0.02, sigma - h * direction)) / (2 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(rate)(0.02, sigma), rate(0.02, sigma), rtol=1e-10)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"windows must have shape \[c, N\]"):
        wd.mean_matrix(np.ones((2, 3)), np.ones(3))
    with pytest.raises(ValueError, match="weights must be >= 0"):
        wd.mean_matrix(np.ones((2, 3)), -np.ones(2))
    with pytest.raises(ValueError, match="covariance must be positive definite"):
        wd.pooled_eigenvalues(np.eye(2), np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(ValueError, match="covariance must have the shape"):
        wd.pooled_eigenvalues(np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match="matrix must have shape"):
        wd.pooled_eigenvalues(np.ones((2, 3)))
    with pytest.raises(ValueError, match="must fit"):
        wd.feature_matrix(np.eye(3), np.ones((1, 2, 4)), np.ones(1))
    assert np.isnan(jax.jit(wd.pooled_eigenvalues)(np.eye(2), np.array([[1.0, 2.0], [2.0, 1.0]]))).any()


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_eigenvalues_from_windows_are_those_of_the_whole_matrix(correlation):
    rows, columns = np.mgrid[:10, :13]
    sigma = 0.5 * np.maximum(np.hypot(rows - 3, columns - 8) - 1, 0)
    assert sum(int((np.asarray(level.weights) > 0).sum()) for level in wd.pyramid_levels(sigma)) > 130
    wide = 1.5 + sigma  # asks for fewer windows than there are pixels
    assert sum(int((np.asarray(level.weights) > 0).sum()) for level in wd.pyramid_levels(wide)) < 100
    lines = [correlation ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))) for n in sigma.shape]
    covariance = np.kron(*lines) if correlation else None
    for chosen in (sigma, wide):
        found = wd.pyramid_eigenvalues(chosen, covariance)
        expected = wd.pooled_eigenvalues(wd.pyramid_mean_matrix(chosen), covariance)
        np.testing.assert_allclose(found, expected, atol=1e-14)
        np.testing.assert_allclose(jax.jit(wd.pyramid_eigenvalues)(chosen, covariance), expected, atol=1e-14)
    with pytest.raises(ValueError, match=r"covariance must have the shape \(130, 130\)"):
        wd.pyramid_eigenvalues(wide, np.eye(129))
    with pytest.raises(ValueError, match="covariance must be positive definite"):
        wd.pyramid_eigenvalues(wide, -np.eye(130))


@pytest.mark.stress
def test_a_foveated_map_of_64_by_64_pixels():
    rows, columns = np.mgrid[:64, :64] - 31.5
    sigma = 0.2 * np.maximum(np.hypot(rows, columns) - 8, 0)
    lam, matrix = np.array(wd.pyramid_eigenvalues(sigma)), wd.pyramid_mean_matrix(sigma)
    np.testing.assert_allclose(lam.sum(), np.trace(matrix), rtol=1e-10)
    np.testing.assert_allclose(np.square(lam).sum(), np.square(matrix).sum(), rtol=1e-10)
    # Pixels count alike in a map of one sigma only: here some constant-like image costs a little more.
    assert 1 < lam[-1] * 4096 < 1.1
