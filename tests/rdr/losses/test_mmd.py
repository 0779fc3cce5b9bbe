"""MMD and energy distance, against closed forms on Gaussians, distribution functions and loops."""

import jax
import numpy as np
import pytest

from rdr.losses.mmd import energy_distance, mmd_squared

RNG = np.random.default_rng(0)


def test_the_expected_gaussian_mmd_of_gaussians_is_its_closed_form():
    # X ~ N(0, 1), Y ~ N(1, 4): X - Y ~ N(-1, 5), and E exp(-Z^2 / (2 h^2)) for Z ~ N(m, s^2) is
    # h / sqrt(h^2 + s^2) exp(-m^2 / (2 (h^2 + s^2))).
    def kernel_mean(m, variance, h):
        return h / np.sqrt(h**2 + variance) * np.exp(-(m**2) / (2 * (h**2 + variance)))

    h = 0.7
    truth = kernel_mean(0, 2, h) - 2 * kernel_mean(1, 5, h) + kernel_mean(0, 8, h)
    samples = RNG.normal(size=(400, 60))
    reference = 1.0 + 2.0 * RNG.normal(size=(400, 50))
    estimate = jax.jit(jax.vmap(lambda x, y: mmd_squared(x, y, bandwidths=(h,), unbiased=True)))
    values = np.asarray(estimate(samples, reference))
    assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(values.size)
    assert truth > 20 * values.std() / np.sqrt(values.size)


@pytest.mark.parametrize("unbiased", [False, True])
def test_every_kernel_equals_loops_over_pairs(unbiased):
    x, y = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3)) + 0.3

    def loops(kernel):
        def mean(a, b, same):
            pairs = [
                kernel(u, v) for i, u in enumerate(a) for j, v in enumerate(b) if not (same and unbiased and i == j)
            ]
            return np.mean(pairs)

        return mean(x, x, True) - 2 * mean(x, y, False) + mean(y, y, True)

    cases = [
        ({"kernel": "energy"}, lambda u, v: -np.linalg.norm(u - v)),
        ({"kernel": "polynomial", "degree": 3}, lambda u, v: (u @ v / 3 + 1) ** 3),
        (
            {"bandwidths": (0.5, 2.0)},
            lambda u, v: 0.5 * sum(np.exp(-((u - v) @ (u - v)) / (2 * h * h)) for h in (0.5, 2.0)),
        ),
    ]
    for options, kernel in cases:
        got = jax.jit(lambda x, y, o=options: mmd_squared(x, y, unbiased=unbiased, **o))(x, y)
        np.testing.assert_allclose(got, loops(kernel), rtol=1e-12)


def test_a_kernel_may_be_a_function():
    """Oracle: the linear kernel's distance is that of the means."""
    x, y = (np.random.default_rng(i).standard_normal((n, 3)).astype(np.float32) for i, n in ((0, 5), (1, 7)))
    found = mmd_squared(x, y, kernel=lambda a, b: a @ b.T)
    np.testing.assert_allclose(found, np.sum((x.mean(0) - y.mean(0)) ** 2), rtol=1e-5)


def test_energy_distance_of_numbers_is_twice_the_integrated_squared_gap_of_distribution_functions():
    x, y = RNG.normal(size=7), RNG.normal(size=11) * 1.5
    points = np.sort(np.concatenate([x, y]))
    gaps = np.diff(points)
    f, g = ((points[:-1, None] >= z[None]).mean(1) for z in (x, y))
    np.testing.assert_allclose(jax.jit(energy_distance)(x, y), 2 * (gaps * (f - g) ** 2).sum(), rtol=1e-12)


def test_equal_sets_are_at_distance_zero_with_zero_gradient():
    x = RNG.normal(size=(6, 2))
    value, gradient = jax.jit(jax.value_and_grad(energy_distance))(x, x[::-1])
    np.testing.assert_allclose(value, 0.0, atol=1e-15)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-15)


def test_arguments_that_do_not_fit_are_refused():
    x = np.zeros((3, 2))
    with pytest.raises(ValueError, match="kernel must be one of"):
        mmd_squared(x, x, kernel="laplace")
    with pytest.raises(ValueError, match="needs two samples each, got 3 and 1"):
        mmd_squared(x, x[:1], unbiased=True)
    with pytest.raises(ValueError, match=r"reference must have vectors of shape \(2,\), got \(3, 4\)"):
        energy_distance(x, np.zeros((3, 4)))
    with pytest.raises(ValueError, match="samples must have shape"):
        energy_distance(x[:0], x)
    with pytest.raises(ValueError, match="bandwidths must be"):
        mmd_squared(x, x, bandwidths=())


@pytest.mark.parametrize("options, said", [
    ({"bandwidths": (1.0, 0.0)}, "bandwidths must be"), ({"bandwidths": ()}, "bandwidths must be"),
    ({"kernel": "polynomial", "degree": 0}, "degree must be >= 1"),
])
def test_hyperparameters_that_make_no_kernel_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        mmd_squared(np.zeros((3, 2)), np.ones((3, 2)), **options)
