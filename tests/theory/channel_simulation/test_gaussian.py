import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats
from scipy.special import ndtr

from theory import channel_simulation as cs

INFORMATION = np.array([0.1, 0.25, 0.5, 1.0, 2.0, 4.0])


def _of_blocks(information, dimension):
    """Functional information of up to four blocks at a time: one shape is one compilation."""
    given = np.atleast_1d(np.asarray(information, float))
    value = cs.gaussian_functional_information(np.r_[given, np.zeros(4 - given.size)], dimension)
    return np.asarray(value)[: given.size].reshape(np.shape(information))


def _entropy_route(information, offsets=64, layers=200):
    """E_{A, u} H(k | A, u), a sum over k for every half-width and dither: no density of Y, no ball masses."""
    s = 1 / np.sqrt(np.expm1(2 * np.log(2) * information))
    nodes, weights = np.polynomial.legendre.leggauss(layers)
    t = (nodes + 1) / 2
    a = s * 9.5 * t**2
    weight = weights / 2 * 2 * 9.5 * t * stats.chi(3).pdf(9.5 * t**2)
    u = (np.arange(offsets) + 0.5) / offsets - 0.5  # the entropy is periodic and smooth in u: midpoints are exact
    total = 0.0
    for half, w in zip(a, weight):
        if half < 0.02:  # fine quantization: h(X) - log2(2 a) + a^2 J / 6 + O(a^4), on 1e-6 of the layers
            total += w * (0.5 * np.log(2 * np.pi * np.e) - np.log(2 * half) + half**2 / 6) / np.log(2)
            continue
        edges = 2 * half * (np.arange(-int(9.5 / half / 2) - 2, int(9.5 / half / 2) + 3)[:, None] - u - 0.5)
        upper = np.where(edges > 0, ndtr(-edges), 1 - ndtr(edges))
        mass = np.where(edges[1:] > 0, upper[:-1] - upper[1:], ndtr(edges[1:]) - ndtr(edges[:-1]))
        mass = np.maximum(mass, 1e-300)
        total += w * np.mean(-np.sum(mass * np.log2(mass), 0))
    return total


def test_the_functional_information_of_a_gaussian_has_the_known_values():
    # Known values, computed independently of this package by quadrature.
    expected = [0.3958393245, 0.6468580926, 0.9649085629, 1.5071564227, 2.5198745094, 4.5207699765]
    value = np.asarray(cs.gaussian_functional_information(INFORMATION))
    np.testing.assert_allclose(value, expected, atol=1e-10, rtol=0)
    np.testing.assert_allclose(value - INFORMATION, [0.29583932, 0.39685809, 0.46490856, 0.50715642, 0.51987451,
                                                     0.52076998], atol=1e-8, rtol=0)
    np.testing.assert_allclose(cs.gaussian_functional_information([0.001, 0.01]), [0.03871885, 0.12268715], atol=1e-8)


@pytest.mark.parametrize("information", [0.25, 1.0])
def test_the_entropy_of_the_message_given_layer_and_dither_is_the_functional_information(information):
    expected = float(cs.gaussian_functional_information(information))
    assert _entropy_route(information) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("dimension, expected", [(2, [1.1353997, 1.7447273, 2.8116668, 4.8313825]),
                                                 pytest.param(8, [3.3053006, 5.5091339, 9.6284870, 17.6620416],
                                                              marks=pytest.mark.stress)])
def test_blocks_have_the_known_values(dimension, expected):
    information = dimension * np.array([0.25, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(cs.gaussian_functional_information(information, dimension), expected, atol=6e-8, rtol=0)


@pytest.mark.parametrize("dimension", [2, pytest.param(3, marks=pytest.mark.stress), 8])
def test_blocks_agree_with_the_averaged_divergence(dimension):
    # Second route: E_Y D_CS(P_{X|Y} || P_X), superlevel sets of the ratio being balls around y, with scipy's
    # noncentral chi-square for their masses and w(h) integrated over h.
    information = 0.5 * dimension
    s = 1 / np.sqrt(np.expm1(2 * np.log(2) * information / dimension))
    rho, rho_weight = np.polynomial.legendre.leggauss(60)
    high = np.sqrt(1 + s**2) * (np.sqrt(dimension) + 8)
    rho, rho_weight = high * (rho + 1) / 2, high * rho_weight / 2
    rho_weight = rho_weight * stats.chi(dimension, scale=np.sqrt(1 + s**2)).pdf(rho)
    r, r_weight = np.polynomial.legendre.leggauss(160)
    r, r_weight = 5.5 * s * (r + 1), 5.5 * s * r_weight
    mass = stats.ncx2.cdf(r[None] ** 2, dimension, rho[:, None] ** 2)
    # h = f(y - x) / f_Y(y) = h_0(y) exp(-r^2 / 2 s^2), so -dh = h r / s^2 dr.
    log_h0 = 0.5 * rho**2 / (1 + s**2) - dimension / 2 * np.log(s**2 / (1 + s**2))
    integrand = -mass * np.log2(np.maximum(mass, 1e-300)) * r / s**2 * np.exp(log_h0[:, None] - r**2 / (2 * s**2))
    value = np.sum(rho_weight[:, None] * r_weight * integrand)
    assert float(_of_blocks(information, dimension)) == pytest.approx(value, abs=1e-8)


def test_the_excess_at_high_rate_has_the_known_values_and_is_approached():
    n = np.array([1, 2, 3, 4, 8, 16, 24, 64, 256])
    expected = [0.520773633, 0.832746177, 1.053092229, 1.222797314, 1.664268699, 2.134425589, 2.416909977, 3.111914092,
                4.106279046]
    excess = np.asarray(cs.high_rate_excess(n))
    np.testing.assert_allclose(excess, expected, atol=6e-10, rtol=0)
    expansion = 0.5 * np.log2(np.pi * n / np.e) + 1 / (3 * n * np.log(2))
    assert np.all(np.abs(excess - expansion) < 0.07 / n**2)
    assert excess[-1] - 0.5 * np.log2(256) == pytest.approx(0.5 * np.log2(np.pi / np.e), abs=3e-3)
    for dimension in (1, 2, 8):
        value = _of_blocks(7.5 * dimension, dimension)
        assert float(value - 7.5 * dimension) == pytest.approx(float(cs.high_rate_excess(dimension)), abs=1e-7)
        step = _of_blocks(dimension * np.array([8.0, 8.0 + 1e-9]), dimension)
        assert step[1] - step[0] == pytest.approx(0, abs=2e-8)  # where quadrature hands over to the limit


def test_rejection_sampled_lattices_at_high_rate():
    n, name = np.array([1, 2, 4, 8, 16, 24]), ("Z", "A2", "D4", "E8", "BW16", "Leech")
    # Densities of Conway and Sloane, table 1.2, as volumes of balls of half the least distance, over volumes of cells.
    ball = np.pi ** (n / 2) / special.gamma(n / 2 + 1)
    density = ball * 0.25 ** (n / 2) * np.array([1, 2 / 3**0.5, 2 ** (4 / 2) / 2, 2 ** (8 / 2), 8 ** (16 / 4), 4.0**12])
    np.testing.assert_allclose(density, [1, .906899682, .616850275, .253669508, .014708164, .001929574], atol=1e-9)
    excess = np.asarray(cs.rejection_sampled_lattice_excess(n, density))
    overhead = excess - np.asarray(cs.high_rate_excess(n))
    np.testing.assert_allclose(overhead, [0, .35161013, .85966860, 1.24191572, 1.43203294, 1.44130225], atol=1e-8)
    np.testing.assert_allclose(excess / n, [.52077363, .59217815, .52061648, .36327305, .22290366, .16075884],
                               atol=1e-8, err_msg=str(name))
    # Second route: the entropy of the geometric number of trials, less what the dither says of the point.
    for p in density[1:]:
        mass = p * (1 - p) ** np.arange(20_000)
        trials = stats.entropy(mass[mass > 0], base=2) + np.log2(p)
        assert trials == pytest.approx(float(cs.rejection_sampled_lattice_excess(3, p) - cs.high_rate_excess(3)))
    assert (overhead < np.log2(np.e)).all()
    slope = jax.grad(lambda p: cs.rejection_sampled_lattice_excess(8, p))(0.25)
    step = cs.rejection_sampled_lattice_excess(8, 0.25 + 1e-6) - cs.rejection_sampled_lattice_excess(8, 0.25 - 1e-6)
    assert float(slope) == pytest.approx(float(step) / 2e-6, rel=1e-6)
    for wrong in (0.0, -0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="packing_density must be"):
            cs.rejection_sampled_lattice_excess(8, wrong)
        assert np.isnan(jax.jit(cs.rejection_sampled_lattice_excess)(8.0, wrong))


def test_at_low_rate_the_price_is_a_square_root():
    constant = float(cs.low_rate_constant())
    assert constant == pytest.approx(1.224122703, abs=1e-9)
    # Second route for the constant: adaptive quadrature of h_b(Phi(t)).
    entropy = integrate.quad(lambda t: stats.bernoulli(ndtr(t)).entropy(), -8, 8, limit=200)[0] / np.log(2)
    assert entropy == pytest.approx(2.606076490, abs=1e-8)
    assert constant == pytest.approx(np.sqrt(np.log(2) / np.pi) * entropy, abs=1e-8)
    information = np.array([1e-4, 1e-6])
    ratio = np.asarray(cs.gaussian_functional_information(information)) / np.sqrt(information)
    assert np.all(np.abs(ratio - constant) < 2 * information)  # the next term is of relative order I


def test_it_lies_between_the_mutual_information_and_the_upper_bounds():
    information = np.geomspace(1e-3, 30, 4)
    for dimension in (1, 2):
        value = np.asarray(cs.gaussian_functional_information(information, dimension))
        assert (value > information).all() and (np.diff(value) > 0).all()
        assert (value < information + np.log2(information + 1) + 1).all()


def test_edges_and_derivatives():
    step = 1e-4
    for dimension in (1, 2):
        np.testing.assert_array_equal(_of_blocks([0.0, np.inf], dimension), [0.0, np.inf])

        def function(information, dimension=dimension):
            return cs.gaussian_functional_information(information, dimension)

        slope = jax.jit(jax.grad(function))
        above, below = _of_blocks([1 + step, 1 - step], dimension)
        assert float(slope(1.0)) == pytest.approx((above - below) / (2 * step), rel=1e-6)
        assert float(slope(0.0)) == np.inf
    assert np.isnan(jax.jit(cs.gaussian_functional_information)(-1.0))
    mapped = jax.vmap(cs.gaussian_functional_information)(jnp.array([0.5, 1.0]))
    np.testing.assert_allclose(mapped, cs.gaussian_functional_information([0.5, 1.0]), rtol=1e-14)


@pytest.mark.parametrize("information, dimension, match", [
    (-1.0, 1, "mutual_information must be >= 0"), (np.nan, 1, "mutual_information"), (1.0, 0, "dimension"),
    (1.0, 65, "dimension"), (1.0, 1.5, "dimension"), (1.0, True, "dimension")])
def test_refusals(information, dimension, match):
    with pytest.raises(ValueError, match=match):
        cs.gaussian_functional_information(information, dimension)
    with pytest.raises(ValueError, match="dimension must be >= 1"):
        cs.high_rate_excess(0)
