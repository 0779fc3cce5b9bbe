import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from theory import gaussian
from theory.closed_form import shannon_lower_bound as slb

GAUSSIAN_ENTROPY = 0.5 * np.log2(2 * np.pi * np.e)


@pytest.mark.parametrize("power, dimension", [(1.0, 1), (2.0, 1), (3.5, 1), (1.0, 2), (2.0, 3)])
def test_the_maximum_entropy_is_that_of_the_exponential_family(power, dimension):
    # Second route: entropy and moment of exp(-|x|^r / c) by radial quadrature.
    c = 0.7
    surface = 2 * np.pi ** (dimension / 2) / special.gamma(dimension / 2)

    def radial(f):
        return surface * integrate.quad(lambda t: f(t) * t ** (dimension - 1), 0, 60, epsabs=1e-13)[0]

    mass = radial(lambda t: np.exp(-(t**power) / c))
    moment = radial(lambda t: t**power * np.exp(-(t**power) / c)) / mass
    entropy = np.log2(mass) + moment / c / np.log(2)
    found = slb.maximum_entropy(moment, power=power, dimension=dimension)
    assert float(found) == pytest.approx(entropy, abs=1e-9)


def test_squared_error_is_exact_for_a_gaussian():
    d = np.array([0.01, 0.3, 0.9, 1.0, 2.0])
    np.testing.assert_allclose(slb.squared_error(d, GAUSSIAN_ENTROPY), gaussian.rate_distortion(d), atol=1e-14)
    # n equal components: n times the bound of one.
    np.testing.assert_allclose(
        slb.squared_error(3 * d, 3 * GAUSSIAN_ENTROPY, dimension=3), 3 * gaussian.rate_distortion(d), atol=1e-13)


def test_difference_distortion_agrees_with_the_closed_forms():
    # Second route: the Legendre transform on a grid against the gamma-function formula. The grid's edges are 100
    # scales out; trapezoid rules are spectrally accurate for the square and of order h^2 / (12 D^2) for |x|.
    x = jnp.linspace(-100.0, 100.0, 20_001)
    h = float(x[1] - x[0])
    weights = jnp.full(x.shape, h)
    d = np.array([0.3, 1.0, 1.7])
    square = slb.difference_distortion(d, 5.0, jnp.square, x, weights)
    np.testing.assert_allclose(square, slb.squared_error(d, 5.0), rtol=0, atol=1e-10)
    absolute = slb.difference_distortion(d, 5.0, jnp.abs, x, weights)
    np.testing.assert_allclose(absolute, slb.norm_power_error(d, 5.0, power=1.0), rtol=0, atol=h**2 / 12 / 0.3**2 * 2)
    # A measure without closed form: a bound for |x| + x^2 lies below those for each part at its own share.
    both = slb.difference_distortion(d, 5.0, lambda t: jnp.abs(t) + t**2, x, weights)
    parts = np.maximum(slb.norm_power_error(d, 5.0, power=1.0), slb.squared_error(d, 5.0))
    assert np.all(np.asarray(both) >= parts - 1e-9)


def test_perfect_realism_is_exact_for_a_gaussian_and_sound_for_couplings():
    d = np.array([0.05, 0.5, 1.0, 1.9, 2.0, 3.0])
    exact = gaussian.rate_distortion_perception(d, 0.0)
    np.testing.assert_allclose(slb.perfect_realism_squared_error(d, GAUSSIAN_ENTROPY, 1.0), exact, atol=1e-13)
    # Soundness on a feasible channel: a Gaussian copula between two exponentials has I = -1/2 log2(1 - r^2).
    for r in (0.3, 0.8, 0.99):
        z, w = np.polynomial.hermite_e.hermegauss(80)
        w = w / w.sum()
        x = -stats.norm.logsf(z)
        y = -stats.norm.logsf(r * z[:, None] + np.sqrt(1 - r**2) * z[None, :])
        distortion = w @ ((x[:, None] - y) ** 2) @ w
        bound = slb.perfect_realism_squared_error(distortion, np.log2(np.e), 1.0)
        assert float(bound) <= -0.5 * np.log2(1 - r**2)


def test_realism_never_lowers_the_bound():
    rng = np.random.default_rng(0)
    d, variance = rng.uniform(0.01, 1.9, 50), rng.uniform(0.5, 2.0, 50)
    entropy = 0.5 * np.log2(2 * np.pi * np.e * variance) - rng.uniform(0, 1, 50)  # below the Gaussian's
    free = np.asarray(slb.squared_error(d, entropy))
    real = np.asarray(slb.perfect_realism_squared_error(d, entropy, variance))
    # Beyond 2 Var both are zero; below, D - D^2 / 4V <= D.
    assert np.all(real >= free - 1e-13)


def test_edges_gradients_and_refusals():
    assert slb.squared_error(0.0, 1.0) == np.inf and slb.squared_error(100.0, 1.0) == 0.0
    assert slb.squared_error(0.5, -np.inf) == 0.0
    assert slb.perfect_realism_squared_error(0.0, 1.0, 1.0) == np.inf
    assert slb.perfect_realism_squared_error(2.0, 9.0, 1.0) == 0.0
    # d/dD of -1/2 log2 D; zero where clipped; and finite differences at perfect realism.
    assert float(jax.grad(slb.squared_error)(0.1, 1.0)) == pytest.approx(-5 / np.log(2), rel=1e-13)
    assert jax.grad(slb.squared_error)(100.0, 1.0) == 0.0
    h = 1e-6
    difference = (slb.perfect_realism_squared_error(0.3 + h, 2.0, 1.0)
                  - slb.perfect_realism_squared_error(0.3 - h, 2.0, 1.0)) / (2 * h)
    gradient = jax.grad(slb.perfect_realism_squared_error)(0.3, 2.0, 1.0)
    assert float(gradient) == pytest.approx(float(difference), rel=1e-8)
    assert np.isnan(jax.jit(slb.squared_error)(-1.0, 1.0))
    with pytest.raises(ValueError, match="distortion must be >= 0"):
        slb.squared_error(-1.0, 1.0)
    with pytest.raises(ValueError, match="variance must be > 0"):
        slb.perfect_realism_squared_error(1.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="power must be > 0"):
        slb.norm_power_error(1.0, 1.0, power=0.0)
    with pytest.raises(ValueError, match="entropy must be not NaN"):
        slb.squared_error(1.0, np.nan)


def test_without_a_density_there_is_no_bound_even_at_zero_distortion():
    d = np.array([0.0, 0.1])
    np.testing.assert_array_equal(slb.squared_error(d, -np.inf), 0.0)
    np.testing.assert_array_equal(slb.perfect_realism_squared_error(d, -np.inf, 1.0), 0.0)


def test_difference_distortion_of_a_sum_of_two_measures():
    # rho = |x| + x^2: maximum entropy by direct minimization of ln int exp(-beta rho) + beta D over beta.
    x = np.linspace(-30.0, 30.0, 60_001)
    weights = np.full(x.size, x[1] - x[0])
    rho = np.abs(x) + x**2
    distortion = np.array([0.05, 0.7, 3.0])
    bounds = slb.difference_distortion(distortion, 5.0, lambda t: jnp.abs(t) + t**2, x, weights)
    for d, bound in zip(distortion, bounds):
        found = optimize.minimize_scalar(
            lambda b, d=d: special.logsumexp(-np.exp(b) * rho, b=weights) + np.exp(b) * d, bounds=(-8.0, 8.0),
            method="bounded", options={"xatol": 1e-10})
        np.testing.assert_allclose(bound, 5.0 - found.fun / np.log(2), rtol=1e-9)
        # Each part alone is a weaker constraint, so its error may have more entropy.
        assert bound >= slb.norm_power_error(d, 5.0, power=1.0) - 1e-6
        assert bound >= slb.norm_power_error(d, 5.0, power=2.0) - 1e-6
