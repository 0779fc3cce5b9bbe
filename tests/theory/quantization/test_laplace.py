import jax
import numpy as np
import pytest

from theory.quantization import laplace

# Oracle: the two scalar equations solved by an independent program; D over variance agrees with Lloyd's iteration.
TABLE = np.array([  # rate (bits), D / variance, step, dead zone, offset
    (0.1, 0.830760435110344, 5.675119754981412, 4.494446622497922, 0.9804658670256458),
    (0.25, 0.6707377867493877, 4.504514265993082, 3.3868107193796058, 0.9496276888252122),
    (0.5, 0.48599339361606225, 3.546212455426478, 2.519666968333376, 0.8947140015392262),
    (0.75, 0.3564656583829007, 2.9403283206374558, 1.9997406059841576, 0.8359380181485736),
    (1.0, 0.26177641556981296, 2.484099341217797, 1.6272920166081086, 0.7739738061650412),
    (1.5, 0.13961652268439637, 1.8033351855113293, 1.1086375415662961, 0.6443026134721),
    (2.0, 0.07292765174117719, 1.308392258929921, 0.7637850931598315, 0.5154497441165125),
    (2.5, 0.03741592868828607, 0.9414830961775528, 0.5274453587550928, 0.3979443822209331),
    (3.0, 0.018970156535655404, 0.6724494357561591, 0.3650529998964702, 0.29882333280326057),
    (4.0, 0.004793685094386818, 0.33890601566356043, 0.17671855704420475, 0.15989983974279653),
])
RATES, RELATIVE, STEPS, DEAD_ZONES, OFFSETS = TABLE.T
SCALE = 0.7


@pytest.fixture(scope="module")
def curve():
    return np.asarray(laplace.entropy_coded_distortion_rate(RATES, SCALE))


def test_the_table_is_reproduced(curve):
    np.testing.assert_allclose(curve, 2 * SCALE**2 * RELATIVE, rtol=2e-12)
    quantizer = laplace.entropy_coded_scalar_quantizer(SCALE * STEPS, SCALE)
    np.testing.assert_allclose(quantizer.dead_zone, SCALE * DEAD_ZONES, rtol=1e-13)
    np.testing.assert_allclose(quantizer.offset, SCALE * OFFSETS, rtol=1e-13)
    np.testing.assert_allclose(quantizer.rate, RATES, rtol=1e-11)
    np.testing.assert_allclose(quantizer.distortion, curve, rtol=1e-11)


def test_rate_and_distortion_are_those_of_the_cells():
    # Second route: sums over the cells themselves, by the exponential distribution's moments.
    steps = np.r_[0.02, 0.9, 1.1, 5.0, np.ones(6)]
    found = laplace.entropy_coded_scalar_quantizer(steps)
    for i, step in enumerate(steps[:4]):
        quantizer = laplace.LaplaceQuantizer(*(field[i] for field in found))
        ends = float(quantizer.dead_zone) + step * np.arange(int(60 / step) + 2)

        def antiderivative(x, k):  # of x^k e^{-x} / 2
            return -0.5 * np.exp(-x) * [1, x + 1, x**2 + 2 * x + 2][k]

        mass, first, second = (np.diff(antiderivative(ends, k)) for k in range(3))
        center = 1 - np.exp(-ends[0])
        c = ends[:-1] + float(quantizer.offset)
        np.testing.assert_allclose(first[:10] / mass[:10], c[:10], rtol=1e-10)
        inside = 2 * (antiderivative(ends[0], 2) - antiderivative(0.0, 2))
        distortion = inside + 2 * np.sum(second - 2 * c * first + c**2 * mass)
        rate = -center * np.log2(center) - 2 * np.sum(mass * np.log2(mass))
        assert float(quantizer.distortion) == pytest.approx(distortion, rel=1e-9)
        assert float(quantizer.rate) == pytest.approx(rate, rel=1e-12)


def gradient(function, at):
    return np.asarray(jax.grad(lambda v: function(v, SCALE).sum())(at))


def test_the_derivative_is_the_lagrangian_slope(curve):
    # Second route: optimality. If the quantizer is stationary, dD/dR along the family is minus its slope.
    derivative = gradient(laplace.entropy_coded_distortion_rate, RATES)
    slope = laplace.entropy_coded_scalar_quantizer(SCALE * STEPS, SCALE).slope
    np.testing.assert_allclose(derivative, -np.asarray(slope), rtol=1e-11)
    inverse = gradient(laplace.entropy_coded_rate_distortion, curve)
    np.testing.assert_allclose(inverse * derivative, 1.0, rtol=1e-11)
    h = 1e-4
    above, below = (laplace.entropy_coded_distortion_rate(RATES + s, SCALE) for s in (h, -h))
    # The third derivative over the first times h^2 / 6 is below 1e-6.
    np.testing.assert_allclose(derivative, (above - below) / (2 * h), rtol=1e-6)


def test_functions_are_inverse_monotone_and_convex(curve):
    np.testing.assert_allclose(laplace.entropy_coded_rate_distortion(curve, SCALE), RATES, rtol=1e-12)
    rates = np.linspace(0.0, 12.0, 10)
    values = np.asarray(laplace.entropy_coded_distortion_rate(rates, SCALE))
    assert np.all(np.diff(values) < 0) and np.all(np.diff(values, 2) > 0)
    # Above the Shannon lower bound, by a quarter bit at high rate (Gish and Pierce 1968).
    bound = SCALE**2 * 2 * np.e / np.pi * 2.0 ** (-2 * rates)
    assert np.all(values > bound)
    assert values[-1] / bound[-1] == pytest.approx(2 * np.pi * np.e / 12, rel=1e-5)


def test_edges():
    rates = np.r_[0.0, 1e-12, 20.0, np.ones(7)]
    distortions = laplace.entropy_coded_distortion_rate(rates, SCALE)
    assert distortions[0] == 2 * SCALE**2 and distortions[1] < 2 * SCALE**2
    assert gradient(laplace.entropy_coded_distortion_rate, rates)[0] == -np.inf
    at = np.r_[0.0, 2 * SCALE**2, 9.0, np.asarray(distortions)[2:9]]
    found = np.asarray(laplace.entropy_coded_rate_distortion(at, SCALE))
    np.testing.assert_array_equal(found[:3], [np.inf, 0, 0])
    assert found[3] == pytest.approx(20.0, rel=1e-13)
    np.testing.assert_array_equal(gradient(laplace.entropy_coded_rate_distortion, at)[:3], [-np.inf, 0.0, 0.0])
    outside = np.r_[-1.0, np.ones(9)]
    assert np.isnan(jax.jit(lambda r: laplace.entropy_coded_distortion_rate(r, SCALE))(outside)[0])
    with pytest.raises(ValueError, match="rate must be >= 0"):
        laplace.entropy_coded_distortion_rate(-1.0)
    with pytest.raises(ValueError, match="step must be > 0"):
        laplace.entropy_coded_scalar_quantizer(0.0)
    with pytest.raises(ValueError, match="scale must be > 0"):
        laplace.entropy_coded_rate_distortion(1.0, 0.0)


def test_tiny_distortions_follow_the_high_rate_law():
    # h(X) - (1/2) log2(12 D), with h = log2(2 e b); the switch to it is at 1e-12.
    d = np.array([1.01e-12, 0.99e-12, 1e-19, 1e-30])
    distribution = np.log2(2 * np.e) - 0.5 * np.log2(12 * d)
    np.testing.assert_allclose(laplace.entropy_coded_rate_distortion(d), distribution, rtol=1e-12)
