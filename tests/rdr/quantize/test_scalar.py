import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr import quantize
from rdr.randomness import shared_key

POINTS = np.linspace(-2.9, 2.9, 59).astype(np.float32)


def test_straight_through_rounds_and_passes_gradients():
    np.testing.assert_array_equal(quantize.straight_through_round(POINTS), np.round(POINTS))
    np.testing.assert_array_equal(jax.vmap(jax.grad(quantize.straight_through_round))(POINTS), np.ones_like(POINTS))


@pytest.mark.parametrize("temperature", [0.1, 0.3, 1.0, 10.0])
def test_soft_round_fixes_integers_and_half_integers(temperature):
    integers = np.arange(-3.0, 4.0, dtype=np.float32)
    np.testing.assert_allclose(quantize.soft_round(integers, temperature), integers, atol=2e-6)
    np.testing.assert_allclose(quantize.soft_round(integers + 0.5, temperature), integers + 0.5, atol=1e-6)


def test_soft_round_lies_between_the_identity_and_rounding():
    np.testing.assert_allclose(quantize.soft_round(POINTS, 100.0), POINTS, atol=1e-4)
    away = np.abs(POINTS - np.floor(POINTS) - 0.5) > 0.1
    np.testing.assert_allclose(quantize.soft_round(POINTS, 0.01)[away], np.round(POINTS)[away], atol=1e-6)


@pytest.mark.parametrize("temperature", [0.2, 0.5, 2.0])
def test_soft_round_inverse_inverts(temperature):
    x = POINTS.astype(np.float64)
    back = quantize.soft_round_inverse(quantize.soft_round(x, temperature), temperature)
    np.testing.assert_allclose(back, x, atol=1e-9)


@pytest.mark.parametrize("temperature", [0.2, 0.5, 2.0])
def test_conditional_mean_against_quadrature(temperature):
    """Oracle: E[X | soft_round(X) + U = y] with X flat on a wide interval, by brute force."""
    x = np.linspace(-6, 6, 240_001)
    soft = np.asarray(quantize.soft_round(x, temperature))
    for y in (-0.8, -0.25, 0.1, 0.5, 1.3):
        expected = x[np.abs(soft - y) <= 0.5].mean()
        np.testing.assert_allclose(quantize.soft_round_conditional_mean(y, temperature), expected, atol=1e-4)


@pytest.mark.parametrize("function", [quantize.soft_round, quantize.soft_round_inverse,
                                      quantize.soft_round_conditional_mean])
def test_gradients_are_finite_everywhere_and_equal_finite_differences(function):
    slope, value = jax.jit(jax.vmap(jax.grad(function), (0, None))), jax.jit(function)
    for temperature in (1e-6, 0.1, 0.5, 1e6):
        assert np.isfinite(slope(np.linspace(-2, 2, 81).astype(np.float32), np.float32(temperature))).all()
    x = np.array([-1.3, -0.2, 0.15, 0.4, 1.8])
    numeric = (value(x + 1e-6, 0.5) - value(x - 1e-6, 0.5)) / 2e-6
    np.testing.assert_allclose(slope(x, 0.5), numeric, rtol=1e-6)


@pytest.mark.parametrize("draw", [quantize.uniform_noise, quantize.low_discrepancy_noise])
def test_noise_is_uniform(draw):
    noise = np.asarray(draw(jax.random.key(0), (4096, 3)))
    chex.assert_type(noise, jnp.float32)
    assert noise.min() >= -0.5 and noise.max() < 0.5
    # Kolmogorov-Smirnov at 1e-6 for each column.
    levels = np.sort(noise, axis=0) + 0.5
    ranks = (np.arange(4096) + 0.5)[:, None] / 4096
    assert np.abs(levels - ranks).max() < 2.7 / np.sqrt(4096)
    assert np.abs(np.corrcoef(noise.T)[~np.eye(3, dtype=bool)]).max() < 1.0  # columns have shifts of their own


def test_spread_noise_beats_independent_noise_by_far():
    """Errors of means over a batch of n go as log(n) / n instead of 1 / sqrt(n): 8 times less at n = 512."""
    def error(draw):
        means = [np.mean(np.exp(np.asarray(draw(jax.random.key(s), (512, 1))))) for s in range(20)]
        return np.abs(np.array(means) - 2 * np.sinh(0.5)).mean()

    assert error(quantize.low_discrepancy_noise) < 0.2 * error(quantize.uniform_noise)


def test_the_two_dimensions_of_spread_noise_are_uncorrelated_and_exact():
    a, b = (np.asarray(quantize.low_discrepancy_noise(jax.random.key(1), (8192, 1), k))[:, 0] for k in (0, 1))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.01
    rho = np.roots([1, 0, -1, -1]).real.max()
    for noise, alpha in ((a, 1 / rho), (b, 1 / rho**2)):
        steps = np.mod(np.diff(noise.astype(np.float64)), 1.0)
        np.testing.assert_allclose(steps, alpha, atol=2.0**-23)


@pytest.mark.parametrize("levels", [2, 256])
def test_universal_quantization_adds_noise_that_is_uniform_and_independent_of_x(levels):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.laplace(size=100_000) * 3, jnp.float32)
    k, y = quantize.universal_quantize(x, shared_key(3), levels=levels)
    assert k.dtype == jnp.int32 and y.dtype == jnp.float32
    error = np.asarray(y - x, np.float64)
    assert np.abs(error).max() <= 0.5 + 1e-5
    # The second moment of a grid of midpoints, less than that of the interval, is made up by rounding: 1/12 in all.
    np.testing.assert_allclose(np.mean(error**2), 1 / 12, atol=5 * np.sqrt(1 / 180 / x.size))
    assert abs(np.corrcoef(error, x)[0, 1]) < 5 / np.sqrt(x.size)
    if levels == 256:  # the distribution of the error is the same wherever x lies within a step
        part = np.asarray(x) % 1.0 < 0.2
        assert abs(error[part].mean()) < 5 / np.sqrt(12 * part.sum()) + 1 / 256
    offsets = np.unique(np.round((np.asarray(y, np.float64) - np.asarray(k)) * levels, 3))
    np.testing.assert_allclose(offsets, np.arange(levels) + 0.5 - levels / 2)


def test_kumaraswamy_noise_has_its_distribution():
    """Oracle: P(V <= v) = 1 - (1 - v^a)^b, at a = 1 uniform; the mode (a grid search) is in the middle."""
    for a in (1.0, 1.5, 2.0):
        noise = np.asarray(quantize.kumaraswamy_noise(jax.random.key(0), (100_000,), a), np.float64)
        assert noise.min() > -0.5 and noise.max() < 0.5
        b = (2**a * (a - 1) + 1) / a
        points = np.array([-0.4, -0.1, 0.0, 0.2, 0.4])
        cdf = 1 - (1 - (points + 0.5) ** a) ** b
        np.testing.assert_allclose((noise[:, None] <= points).mean(0), cdf, atol=5 * 0.5 / np.sqrt(noise.size))
        if a > 1:
            v = np.linspace(0.01, 0.99, 981)
            density = a * b * v ** (a - 1) * (1 - v**a) ** (b - 1)
            assert abs(v[np.argmax(density)] - 0.5) < 2e-3
    assert quantize.kumaraswamy_noise(jax.random.key(0), (2,), 2.0).dtype == jnp.float32


def test_expected_gradients_are_those_of_the_mean():
    """Oracle: central differences of the mean over a fine grid of noise, for rounding and for a smooth function."""
    u = (np.arange(4000) + 0.5) / 4000 - 0.5
    x = jnp.asarray([-1.3, 0.2, 0.0, 1.0])  # integers, too: rounding meets ties there
    for f in (jnp.round, jnp.sin):
        noisy = quantize.expected_gradient(f)
        np.testing.assert_array_equal(noisy(x, jnp.full(4, 0.1)), f(x + 0.1))
        slope = jax.grad(lambda v, f=noisy: f(v, jnp.full(4, 0.1)).sum())(x)
        step = 0.01
        mean = [np.asarray(f(np.asarray(x)[:, None] + s * step + u[None])).mean(1) for s in (-1, 1)]
        np.testing.assert_allclose(slope, (mean[1] - mean[0]) / (2 * step), atol=0.03)
    # Rounding at a point and its noise: nothing flows to the noise.
    to_noise = jax.grad(lambda w: quantize.expected_gradient(jnp.round)(x, w).sum())(jnp.zeros(4))
    np.testing.assert_array_equal(to_noise, 0.0)
