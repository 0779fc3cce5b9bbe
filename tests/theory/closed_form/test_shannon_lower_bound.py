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


def test_bounds_under_perception_are_exact_for_a_gaussian():
    d, p = np.array([0.0, 0.2, 0.7, 1.0, 1.5, 5.0])[:, None], np.array([0.0, 1e-6, 0.01, 0.1, 0.7, 3.0, np.inf])
    nodes = np.linspace(-13, 13, 2001)
    weights = stats.norm.pdf(nodes, scale=np.sqrt(2.0))
    moments = {"w2sq": np.maximum(np.sqrt(2.0) - np.sqrt(p), 0.0) ** 2,
               "kl": slb.least_second_moment(p, nodes, weights / weights.sum())}
    for divergence, moment in moments.items():
        found = slb.perception_squared_error(d, moment, GAUSSIAN_ENTROPY + 0.5, 2.0)
        truth = gaussian.rate_distortion_perception(d, p, 2.0, divergence=divergence)
        # A moment known to 1e-12 of the variance; the rate moves with it, divided by what is left at high rates.
        np.testing.assert_allclose(found, truth, rtol=1e-9, atol=1e-11)
    # Coarse nodes make it weaker, never stronger.
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    coarse = slb.least_second_moment(p, np.sqrt(2.0) * nodes, weights / weights.sum())
    assert (coarse <= moments["kl"] * (1 + 1e-9) + 1e-12).all() and coarse[5] < moments["kl"][5]


def test_the_least_second_moment_is_that_of_a_tilted_density():
    x = np.linspace(-1, 1, 2001)
    p = np.full(x.size, 1 / x.size)
    for tilt in (0.1, 2.0, 30.0):
        q = p * np.exp(-tilt * x**2)
        q /= q.sum()
        kl = (q * np.log2(q / p)).sum()
        np.testing.assert_allclose(slb.least_second_moment(kl, x, p), q @ x**2, rtol=1e-10)
    # Others of the same divergence have more.
    rng = np.random.default_rng(0)
    laws = [p * np.exp(rng.normal(0, 2, 3) @ [x, np.abs(x), np.cos(5 * x)]) for _ in range(30)]
    laws = [q / q.sum() for q in laws]
    least = slb.least_second_moment([(q * np.log2(q / p)).sum() for q in laws], x, p)
    assert (np.asarray(least) <= np.array([q @ x**2 for q in laws]) + 1e-12).all()
    np.testing.assert_allclose(slb.least_second_moment([0.0, np.inf], x, p), [p @ x**2, 0.0], rtol=1e-11)


def test_feasible_channels_of_a_uniform_source_lie_above_the_bounds_under_perception():
    # X and, within its bin, Y are uniform on bins, so that rates and KL are those of the bins, distortions known.
    n = 60
    width = 2 * np.sqrt(3.0) / n
    x = width * (np.arange(n) - (n - 1) / 2)
    p, entropy = np.full(n, 1 / n), np.log2(2 * np.sqrt(3.0))
    distance = (x[:, None] - x) ** 2
    levels = (np.arange(20_000) + 0.5) / 20_000
    for tilt in (0.05, 0.3):
        q = np.exp(-tilt * x**2)
        q /= q.sum()
        for slope in (3.0, 10.0):
            kernel, u = np.exp(-slope * distance), np.ones(n)
            for _ in range(300):
                v = q / (u @ kernel)
                u = p / (kernel @ v)
            joint = u[:, None] * kernel * v
            output = joint.sum(0)
            rate = (joint * np.log2(joint / np.outer(p, output))).sum()
            d = (joint * distance).sum() + width**2 / 6
            edges = np.r_[x - width / 2, x[-1] + width / 2]
            quantiles = [np.interp(levels, np.r_[0, np.cumsum(law)], edges) for law in (p, output / output.sum())]
            w2sq = np.mean((quantiles[0] - quantiles[1]) ** 2)
            kl = (output * np.log2(output / p)).sum()
            for moment in ((1 - np.sqrt(w2sq)) ** 2, slb.least_second_moment(kl, x, p)):
                bound = slb.perception_squared_error(d, moment, entropy, 1.0)
                assert slb.squared_error(d, entropy) <= bound + 1e-12 and bound <= rate


def test_perception_bounds_at_their_edges():
    d = np.array([0.1, 0.5, 1.5, 2.5])
    np.testing.assert_allclose(slb.perception_squared_error(d, 1.0, 1.9, 1.0),
                               slb.perfect_realism_squared_error(d, 1.9, 1.0), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(slb.perception_squared_error(d, 0.0, 1.9, 1.0), np.where(
        d < 1, slb.squared_error(d, 1.9), 0.0), rtol=1e-12, atol=1e-15)
    assert slb.perception_squared_error(0.0, 0.5, 1.0, 1.0) == np.inf
    assert slb.perception_squared_error(0.2, 0.5, -np.inf, 1.0) == 0.0
    gradient = jax.jit(jax.grad(slb.perception_squared_error, argnums=(0, 1, 2, 3)))(0.5, 0.8, 1.9, 1.1)
    for i in range(4):
        up, down = ([v + e * (i == j) for j, v in enumerate((0.5, 0.8, 1.9, 1.1))] for e in (1e-6, -1e-6))
        difference = (slb.perception_squared_error(*up) - slb.perception_squared_error(*down)) / 2e-6
        np.testing.assert_allclose(gradient[i], difference, rtol=1e-6)
    for call, said in [
        (lambda: slb.perception_squared_error(0.1, -0.5, 1.0, 1.0), "second_moment"),
        (lambda: slb.perception_squared_error(-0.1, 0.5, 1.0, 1.0), "distortion"),
        (lambda: slb.least_second_moment(-0.1, [0.0], [1.0]), "perception"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
