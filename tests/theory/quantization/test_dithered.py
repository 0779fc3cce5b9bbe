import jax
import numpy as np
import pytest
from scipy import integrate, stats

from theory import gaussian
from theory.quantization import dithered, lattices
from theory.quantization import tabulated_density as sd

STEPS = np.array([0.5, 1.0, 2.0, 3.0, 4.0])
# Oracle: quadrature with scipy's normal distribution, digits as printed there: rate, Wiener, MMSE, realism.
GAUSSIAN = np.array([
    (3.061969249, 0.020408163, 0.020408122, 0.020513345),
    (2.104832660, 0.076923077, 0.076915184, 0.078458575),
    (1.254426914, 0.25, 0.249184859, 0.267551242),
    (0.863906369, 0.428571429, 0.421841030, 0.484558520),
    (0.651143546, 0.571428571, 0.551209860, 0.678847859),
])


@pytest.fixture(scope="module")
def found():
    return dithered.dithered_scalar_quantizer(sd.gaussian_density(), STEPS)


def test_the_gaussian_values_are_reproduced_to_their_digits(found):
    ours = np.stack([found.rate, found.distortion_wiener, found.distortion_mmse, found.distortion_realism], 1)
    np.testing.assert_allclose(ours, GAUSSIAN, rtol=0, atol=0.6e-9)


def test_adaptive_quadrature_of_the_closed_gaussian_form_agrees(found):
    # Second route: scipy's adaptive quadrature of h(X + N) and E[X T(Z)], T by scipy's quantile function.
    step = 2.0

    def height(z):
        return (stats.norm.cdf(z + step / 2) - stats.norm.cdf(z - step / 2)) / step

    def below(z):  # integral of the distribution function over the window
        def antiderivative(x):
            return x * stats.norm.cdf(x) + stats.norm.pdf(x)

        return (antiderivative(z + step / 2) - antiderivative(z - step / 2)) / step

    def estimate(z):
        return (stats.norm.pdf(z - step / 2) - stats.norm.pdf(z + step / 2)) / step  # times height

    entropy = 2 * integrate.quad(lambda z: -height(z) * np.log2(height(z)), 0, 8, epsabs=1e-13)[0]
    correlation = 2 * integrate.quad(lambda z: -estimate(-z) * stats.norm.ppf(below(-z)) * -1, 0, 8, epsabs=1e-13)[0]
    assert float(found.rate[2]) == pytest.approx(entropy - np.log2(step), abs=1e-11)
    assert float(found.distortion_realism[2]) == pytest.approx(2 - 2 * correlation, abs=1e-10)


def test_the_gaussian_excess_is_below_a_quarter_bit_with_and_without_realism(found):
    plain = np.asarray(found.rate - gaussian.rate_distortion(found.distortion_wiener))
    realistic = np.asarray(found.rate - gaussian.rate_distortion_perception(found.distortion_realism, 0.0))
    limit = float(lattices.space_filling_loss(1 / 12))
    for excess in (plain, realistic):
        # At the smallest step both are the limit up to rounding of the quadrature.
        assert np.all(excess > 0) and np.all(excess < limit + 1e-9) and np.all(np.diff(excess) < 1e-9)
    np.testing.assert_allclose(plain[[0, -1]], [0.2546, 0.2475], rtol=0, atol=6e-5)
    np.testing.assert_allclose(realistic, [0.2546, 0.2546, 0.2534, 0.2481, 0.2376], rtol=0, atol=6e-5)
    np.testing.assert_allclose(found.distortion, STEPS**2 / 12, rtol=1e-14)
    assert np.all(found.distortion_mmse < found.distortion_wiener)
    assert np.all(found.distortion_wiener < found.distortion)
    assert np.all(found.distortion_realism <= 2 * found.distortion_mmse)


def test_simulation_of_a_laplacian_agrees_within_its_error():
    # Oracle: Monte Carlo, 5 standard errors. T by the empirical coupling of sorted samples: bias below 1e-4.
    rng = np.random.default_rng(0)
    n, step = 400_000, 1.5
    x = rng.laplace(size=n)
    u = rng.uniform(-0.5, 0.5, n) * step
    z = np.round((x + u) / step) * step - u
    exact = dithered.dithered_scalar_quantizer(sd.laplace_density(), np.full(5, step))
    error = (z - x) ** 2
    assert np.mean(error) == pytest.approx(float(exact.distortion[0]), abs=5 * np.std(error) / np.sqrt(n))
    matched = np.empty(n)
    matched[np.argsort(z)] = stats.laplace.ppf((np.arange(n) + 0.5) / n)
    error = (matched - x) ** 2
    realism = float(exact.distortion_realism[0])
    assert np.mean(error) == pytest.approx(realism, abs=5 * np.std(error) / np.sqrt(n) + 1e-4)
    index = np.round((x + u) / step)
    # H(Q | U) from the index's distribution given U: mass of the windows.
    edges = (np.arange(-40, 41) + 0.5) * step
    mass = np.diff(stats.laplace.cdf(edges[None, :] - u[:2000, None]), axis=1)
    conditional = -np.sum(mass * np.log2(np.maximum(mass, 1e-300)), 1)
    assert np.mean(conditional) == pytest.approx(float(exact.rate[0]), abs=5 * np.std(conditional) / np.sqrt(2000))
    assert index.dtype == float


def test_a_uniform_source_whose_step_is_its_width_needs_no_index():
    # Z = X + N on [-1, 1] with N as wide as X: h(Z) is that of a triangle, (1/2) log2 e, and I(X; Z) the same.
    found = dithered.dithered_scalar_quantizer(sd.uniform_density(), np.full(5, 1.0))
    assert float(found.rate[0]) == pytest.approx(0.5 * np.log2(np.e), abs=1e-6)  # -p ln p has a root at the ends
    # E[X | Z] = Z / 2 there, uniform on an interval of length 1 - |Z|: error E (1 - |Z|)^2 / 12 = 1/24.
    assert float(found.distortion_mmse[0]) == pytest.approx(1 / 24, abs=1e-12)


def test_bad_steps():
    with pytest.raises(ValueError, match="step must be > 0"):
        dithered.dithered_scalar_quantizer(sd.uniform_density(), 0.0)
    density = sd.uniform_density()
    traced = jax.jit(lambda s: dithered.dithered_scalar_quantizer(density, s).rate)(np.r_[-1.0, 1.0, 1, 1, 1])
    assert np.isnan(traced[0]) and np.all(np.isfinite(traced[1:]))
