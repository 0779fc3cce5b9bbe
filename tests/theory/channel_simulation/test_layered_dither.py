import jax
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linprog

from theory import channel_simulation as cs
from theory.quantization import tabulated_density

MIXTURE = ([0.4, 0.6], [-1.5, 1.0], [0.1, 0.5])
SOURCES = {
    "laplace": (lambda: tabulated_density.laplace_density(panels=64), stats.laplace.cdf, (-18, 18)),
    "mixture": (lambda: tabulated_density.gaussian_mixture_density(*MIXTURE, panels=96),
                lambda x: sum(w * stats.norm.cdf(x, m, np.sqrt(v)) for w, m, v in zip(*MIXTURE)), (-6, 7.5)),
}
NOISES = {"gaussian": (cs.gaussian_noise, stats.norm.pdf), "laplace": (cs.laplace_noise, stats.laplace.pdf),
          "student": (lambda: cs.student_t_noise(4.0), stats.t(4).pdf)}


def _ratios(source, noise, scale, cells, y, support=None):
    """Cell masses of X, and for each y on a grid the ratio dP_{X|y}/dP_X in every cell and the mass of Y around it."""
    _, cdf, whole = SOURCES[source]
    edges = np.linspace(*(support or whole), cells + 1)
    p = np.diff(cdf(edges))
    p /= p.sum()
    centers = (edges[1:] + edges[:-1]) / 2
    likelihood = NOISES[noise][1]((y[:, None] - centers) / scale) / scale
    density = likelihood @ p
    return p, likelihood / density[:, None], density * (y[1] - y[0])


@pytest.mark.parametrize("source, noise", [
    ("laplace", "gaussian"), *(pytest.param(*pair, marks=pytest.mark.stress) for pair in (
        ("mixture", "laplace"), ("laplace", "laplace"), ("mixture", "gaussian")))])
def test_the_layered_dither_attains_the_lower_bound(source, noise):
    # Oracle: E_Y D_CS(P_{X|Y} || P_X) on a fine grid, with no layers in it.
    scale = 0.8
    p, ratio, weight = _ratios(source, noise, scale, 4800, np.linspace(-22, 22, 500))
    divergence = np.asarray(cs.channel_simulation_divergence(ratio * p, p))
    bound = np.sum(weight * divergence)
    rate = float(cs.layered_dither_rate(SOURCES[source][0](), NOISES[noise][0](), scale))
    assert rate == pytest.approx(bound, abs=3e-5)


@pytest.mark.parametrize("source, noise", [("laplace", "gaussian"), ("mixture", "laplace")])
def test_the_lower_bound_is_a_minimum_over_sets(source, noise):
    # Oracle: for each y a linear program over all intervals of a grid, nested or not, minimizes the mean surprisal of
    # the set that X is known to lie in; intervals around y are what the layered dither uses.
    p, ratio, _ = _ratios(source, noise, 0.8, 40, np.linspace(-2.5, 2.5, 9), (-3, 3))
    first, last = np.triu_indices(40)
    inside = (np.arange(40) >= first[:, None]) & (np.arange(40) <= last[:, None])
    mass = inside @ p
    divergence = np.asarray(cs.channel_simulation_divergence(ratio * p, p))
    for q, expected in zip(ratio, divergence):
        result = linprog(-np.log2(mass), A_eq=(inside / mass[:, None]).T, b_eq=q, method="highs")
        assert result.status == 0
        assert result.fun == pytest.approx(expected, abs=1e-6 * max(1.0, np.max(q)))


def test_gaussian_pairs_agree_with_the_closed_integral():
    information = np.array([0.01, 0.25, 1.0, 4.0])
    scale = 1 / np.sqrt(np.expm1(2 * np.log(2) * information))
    rate = cs.layered_dither_rate(tabulated_density.gaussian_density(panels=32), cs.gaussian_noise(), scale)
    np.testing.assert_allclose(rate, cs.gaussian_functional_information(information), atol=1e-10, rtol=0)


def test_the_entropy_of_k_is_the_rate_for_heavy_tails():
    # Oracle: draw layers and dithers, and average the entropy of k given them.
    rng = np.random.default_rng(0)
    n, scale = 5_000, 0.5
    half = scale * np.sqrt(3 * stats.f(3, 4).rvs(n, random_state=rng))  # A^2 / 3 ~ F(3, nu) for Student-t noise
    u = rng.uniform(-0.5, 0.5, n)
    reach = np.ceil(20 / half / 2).astype(int)
    keep = reach < 2000
    entropy = np.zeros(n)
    for i in np.flatnonzero(keep):
        edges = 2 * half[i] * (np.arange(-reach[i], reach[i] + 2) - 0.5 - u[i])
        mass = np.maximum(np.diff(stats.laplace.cdf(edges)), 1e-300)
        entropy[i] = -np.sum(mass * np.log2(mass))
    assert keep.mean() > 0.9999
    rate = float(cs.layered_dither_rate(tabulated_density.laplace_density(panels=64), cs.student_t_noise(4.0), scale))
    assert np.mean(entropy[keep]) == pytest.approx(rate, abs=4 * np.std(entropy) / np.sqrt(n))


def test_laplace_and_uniform_pairs():
    value = np.asarray(cs.laplace_functional_information([0.3, 1.0, 3.0]))
    np.testing.assert_allclose(value, [2.6539166087, 1.2852785818, 0.5336575614], atol=1e-9)  # 512 panels
    # Uniform on uniform: h(Y) - log2 2a with the trapezoidal density of Y, and the same by quadrature.
    for a in (0.1, 0.5, 0.8, 3.0):
        y = np.linspace(-a, 1 + a, 2_000_001)
        density = (np.minimum(1, y + a) - np.maximum(0, y - a)).clip(0) / (2 * a)
        entropy = -np.trapezoid(density * np.log2(np.maximum(density, 1e-300)), y)
        assert float(cs.uniform_functional_information(a)) == pytest.approx(entropy - np.log2(2 * a), abs=1e-6)
        rate = cs.layered_dither_rate(tabulated_density.uniform_density(0.0, 1.0, panels=64), cs.uniform_noise(), a)
        assert float(rate) == pytest.approx(float(cs.uniform_functional_information(a)), abs=1e-6)


def test_derivatives_and_refusals():
    density, step = tabulated_density.gaussian_density(panels=16), 1e-4

    def rate(scale):
        return cs.layered_dither_rate(density, cs.laplace_noise(), scale)

    traced = jax.jit(jax.value_and_grad(rate))
    difference = float(traced(0.7 + step)[0] - traced(0.7 - step)[0]) / (2 * step)
    assert float(traced(0.7)[1]) == pytest.approx(difference, rel=1e-5)
    assert np.isnan(traced(-1.0)[0])
    slope = float(jax.grad(cs.uniform_functional_information)(0.5))
    assert slope == pytest.approx(-1 / np.log(2), rel=1e-12)  # the same from both sides
    for function in (rate, cs.uniform_functional_information):
        with pytest.raises(ValueError, match="must be > 0"):
            function(0.0)
    with pytest.raises(ValueError, match="degrees must be > 0"):
        cs.student_t_noise(0.0)
