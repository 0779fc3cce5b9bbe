"""The exact form: against sorted repeated samples, SciPy, and closed forms; the Gaussian proxy lies below."""

import functools

import jax
import numpy as np
import pytest
import scipy.stats

from rdr.losses.wasserstein_distortion import wasserstein_distortion
from rdr.losses.wasserstein_distortion.exact import exact_wasserstein_distortion, gaussian_kernel, geometric_kernel

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(1, 4, 6, 1)), 0.4 + 1.3 * RNG.normal(size=(1, 4, 6, 1))


@functools.partial(jax.jit, static_argnames=("sigma", "p", "kernel", "gaussianized"))
def exact(a, b, sigma, p=2.0, kernel=None, gaussianized=False):
    return exact_wasserstein_distortion(a, b, sigma, p=p, kernel=kernel, gaussianized=gaussianized)


@pytest.mark.parametrize("p", [1.0, pytest.param(1.5, marks=pytest.mark.stress), 2.0])
def test_pyramid_windows_equal_sorted_repeated_samples(p):
    # Level 1 has integer weights (1, 3, 3, 1) x (1, 3, 3, 1) over 64: repeat each pixel as often and sort.
    # There is a window on every edge between pixels; those at the ends count half.
    def mirrored(i, size):
        return -1 - i if i < 0 else 2 * size - 1 - i if i >= size else i

    total, count = 0.0, 0.0
    for row in range(5):
        for column in range(7):
            samples = [[], []]
            for i, m in zip(range(row - 2, row + 2), (1, 3, 3, 1)):
                for j, n in zip(range(column - 2, column + 2), (1, 3, 3, 1)):
                    for image, values in zip((A, B), samples):
                        values += [image[0, mirrored(i, 4), mirrored(j, 6), 0]] * (m * n)
            share = (0.5 if row in (0, 4) else 1.0) * (0.5 if column in (0, 6) else 1.0)
            total += share * np.mean(np.abs(np.sort(samples[0]) - np.sort(samples[1])) ** p)
            count += share
    sigma = np.sqrt(3) / 2  # the width of level 1
    np.testing.assert_allclose(exact(A, B, sigma, p=p), total / count, rtol=1e-12)


def test_global_windows_compare_sorted_values():
    for p in (1.0, 3.0):
        want = np.mean(np.abs(np.sort(A.ravel()) - np.sort(B.ravel())) ** p)
        np.testing.assert_allclose(exact(A, B, np.inf, p=p), want, rtol=1e-12)
        np.testing.assert_allclose(exact(A, B, np.inf, p=p, kernel=geometric_kernel), want, rtol=1e-12)


@pytest.mark.parametrize("kernel", [geometric_kernel, gaussian_kernel])
def test_any_kernel_equals_scipys_distance_window_by_window(kernel):
    y, x = (c.ravel() for c in np.indices((4, 6)))
    total = 0.0
    for i, j in zip(y, x):
        weights = np.asarray(kernel(y - i, x - j, np.float64(1.2)))
        total += scipy.stats.wasserstein_distance(A.ravel(), B.ravel(), weights, weights)
    np.testing.assert_allclose(exact(A, B, 1.2, p=1.0, kernel=kernel), total / 24, rtol=1e-12)


def test_geometric_window_has_the_standard_deviation_asked_for():
    # The tail beyond 2000 is below e^(-1000).
    place = np.arange(-2000, 2001)
    for sigma in (0.05, 1.0, 3.0):
        weights = np.asarray(geometric_kernel(place, 0, np.float64(sigma)))
        assert weights @ place**2 / weights.sum() == pytest.approx(sigma**2, rel=1e-10)


@pytest.mark.parametrize("kernel", [None, geometric_kernel])
def test_sigma_zero_is_the_mean_difference_to_the_p(kernel):
    np.testing.assert_allclose(exact(A, B, 0.0, p=3.0, kernel=kernel), np.mean(np.abs(A - B) ** 3), rtol=1e-12)


def test_the_gaussian_proxy_never_exceeds_the_exact_distance_and_both_forms_of_it_agree():
    sigma = RNG.exponential(1.5, (4, 6))
    sigma[0, 0], sigma[1, 1] = 0, np.inf
    true = jax.jit(lambda a, b: wasserstein_distortion(a, b, sigma, exact=True))(A, B)
    proxy = jax.jit(lambda a, b: wasserstein_distortion(a, b, sigma))(A, B)
    assert proxy[0] < true[0]
    dense = jax.jit(lambda a, b: exact_wasserstein_distortion(a, b, sigma, gaussianized=True))(A, B)
    np.testing.assert_allclose(dense, proxy, rtol=1e-12)
    for s in (0.5, 2.0):
        low, high = exact(A, B, s, kernel=gaussian_kernel, gaussianized=True), exact(A, B, s, kernel=gaussian_kernel)
        assert low[0] < high[0]


def test_proxy_is_exact_for_shifted_and_scaled_copies():
    # y = 0.3 + 1.7 x is the monotone map between the distributions, which then differ by location and scale alone.
    b = 0.3 + 1.7 * A
    for sigma in (0.8, np.inf):
        want = jax.jit(lambda a, b, s=sigma: wasserstein_distortion(a, b, s))(A, b)
        np.testing.assert_allclose(exact(A, b, sigma), want, rtol=1e-12)


def test_gradient_matches_finite_differences():
    direction, step = RNG.normal(size=A.shape), 1e-6
    slope = np.sum(jax.jit(jax.grad(lambda x: exact(x, B, 1.0).sum()))(A) * direction)
    ends = [exact(A + s * step * direction, B, 1.0)[0] for s in (1, -1)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-7)


def test_sigma_maps_and_batches_with_a_kernel_go_image_by_image():
    a, b = np.concatenate([A, B]), np.concatenate([B, A + 1])
    sigma = RNG.exponential(1.0, (2, 4, 6))
    call = jax.jit(lambda a, b, s: exact_wasserstein_distortion(a, b, s, kernel=gaussian_kernel))
    np.testing.assert_allclose(call(a, b, sigma)[1:], call(a[1:], b[1:], sigma[1:]), rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 0.5}, "p must be finite and >= 1"),
        ({"p": 1.0, "gaussianized": True}, "2 if gaussianized"),
        ({"kernel": gaussian_kernel, "num_levels": 2}, "num_levels must be None with a kernel"),
    ],
)
def test_bad_options_are_refused_in_words(options, message):
    with pytest.raises(ValueError, match=message):
        exact_wasserstein_distortion(A, B, 1.0, **options)
    with pytest.raises(ValueError, match="image must have maps of the reference's shapes"):
        exact_wasserstein_distortion(A, B[:, :2], 1.0)
    with pytest.raises(ValueError, match="at least one feature map"):
        exact_wasserstein_distortion((), (), 1.0)


def test_infinite_sigma_is_the_whole_map_at_every_resolution_of_odd_images():
    # 33 x 35 pixels, and maps of 16 x 17: sigma scaled to the map falls just short of its longer side.
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 1, 4, 5, 1))
    value = jax.jit(lambda a, b: exact_wasserstein_distortion(
        a, b, np.inf, kernel=gaussian_kernel, image_shape=(9, 11)))(a, b)
    truth = np.mean((np.sort(a.ravel()) - np.sort(b.ravel())) ** 2)
    np.testing.assert_allclose(value[0], truth, rtol=1e-12)
    # A map of sigmas that is infinite over some features only.
    sigma = np.where(np.arange(10) < 4, 0.0, np.inf) * np.ones((8, 1))
    mixed = jax.jit(lambda a, b: exact_wasserstein_distortion(a, b, sigma, kernel=gaussian_kernel))(a, b)
    local = np.mean((a[0, :, :2] - b[0, :, :2]) ** 2)
    np.testing.assert_allclose(mixed[0], 0.4 * local + 0.6 * truth, rtol=1e-12)


def test_gradient_is_zero_at_equal_images_for_the_absolute_distance():
    a = np.random.default_rng(5).normal(size=(1, 4, 4, 1))
    gradient = jax.jit(jax.grad(lambda x: exact_wasserstein_distortion(a, x, 2.0, p=1.0).sum()))(a)
    np.testing.assert_array_equal(gradient, 0.0)
