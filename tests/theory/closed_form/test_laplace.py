import jax
import numpy as np
import pytest
from scipy import integrate

from theory.closed_form import laplace, shannon_lower_bound


def test_absolute_error_value():
    # Oracle: ln 4 nats, b = 1, D = 1/4.
    assert float(laplace.absolute_error_rate_distortion(0.25)) * np.log(2) == pytest.approx(1.3862943611, abs=0.6e-10)


@pytest.mark.parametrize("distortion, scale", [(0.25, 1.0), (0.6, 0.9), (0.05, 2.0)])
def test_the_absolute_error_curve_carries_its_full_optimality_certificate(distortion, scale):
    # Second route: with the claimed distribution of Y and slope 1/D, Z(x) = E_Y e^{-|x - Y| / D} must be
    # (D / b) e^{-|x| / b} at every x, and then c(y) = E_X e^{-|X - y| / D} / Z(X) = 1 at every y.
    distribution = laplace.absolute_error_reproduction_distribution(distortion, scale)
    atom = float(distribution.mass_at_zero)

    def integrand(y, x):
        return np.exp(-abs(y) / scale) / (2 * scale) * np.exp(-abs(x - y) / distortion)

    for x in (0.0, 0.3, 1.7, 6.0):
        pieces = [(-60 * scale, 0), (0, x), (x, x + 60 * distortion)]
        smooth = sum(integrate.quad(integrand, *piece, args=(x,), epsabs=1e-13)[0] for piece in pieces)
        z = atom * np.exp(-x / distortion) + (1 - atom) * smooth
        assert z == pytest.approx(distortion / scale * np.exp(-x / scale), abs=1e-12)
    # R = -E ln Z - slope D, with E|X| = b.
    rate = (np.log(scale / distortion) + 1) - distortion / distortion
    found = laplace.absolute_error_rate_distortion(distortion, scale)
    assert float(found) == pytest.approx(rate / np.log(2), rel=1e-14)


def test_absolute_error_meets_the_shannon_lower_bound_and_its_inverse():
    d = np.geomspace(1e-6, 0.69, 10)
    rate = laplace.absolute_error_rate_distortion(d, 0.7)
    bound = shannon_lower_bound.norm_power_error(d, laplace.differential_entropy(0.7), power=1.0)
    np.testing.assert_allclose(rate, bound, rtol=0, atol=1e-13)
    np.testing.assert_allclose(laplace.absolute_error_distortion_rate(rate, 0.7), d, rtol=1e-13)


def test_squared_error_bounds_lie_below_certified_intervals_and_realism_values():
    # Oracles: Blahut-Arimoto intervals of the unit-variance Laplacian (nats; upper ends), and Sinkhorn at P = 0.
    b = 0.5**0.5
    distortion = np.array([0.2474154, 0.1247076, 0.0624624, 0.0249968])
    upper = np.array([0.6284910, 0.9691993, 1.3144488, 1.7722102])
    bound = np.asarray(laplace.squared_error_lower_bound(distortion, b)) * np.log(2)
    assert np.all(bound < upper) and np.all(upper - bound < 0.01)
    np.testing.assert_allclose(bound, 1 + np.log(2**0.5) - 0.5 * np.log(2 * np.pi * np.e * distortion), rtol=1e-13)
    distortion, rate, printed = np.array([(0.716123, 0.243353, 0.193222), (0.226293, 0.720364, 0.699716)]).T
    bound = np.asarray(laplace.perfect_realism_lower_bound(distortion, b)) * np.log(2)
    np.testing.assert_allclose(bound, printed, rtol=0, atol=1.5e-6)  # D is printed to six digits
    assert np.all(bound < rate)


def test_edges_and_refusals():
    d = np.array([0.0, 1.0, 3.0])
    np.testing.assert_array_equal(laplace.absolute_error_rate_distortion(d), [np.inf, 0.0, 0.0])
    slope = jax.vmap(jax.grad(laplace.absolute_error_rate_distortion))(np.array([0.0, 0.5, 3.0]))
    np.testing.assert_allclose(slope, [-np.inf, -2 / np.log(2), 0.0], rtol=1e-14)
    distribution = laplace.absolute_error_reproduction_distribution(np.array([0.0, 1.0]))
    np.testing.assert_array_equal(distribution.mass_at_zero, [0.0, 1.0])
    assert np.isnan(jax.jit(laplace.absolute_error_rate_distortion)(-1.0))
    for call in (laplace.absolute_error_rate_distortion, laplace.squared_error_lower_bound):
        with pytest.raises(ValueError, match="distortion must be >= 0"):
            call(-0.1)
        with pytest.raises(ValueError, match="scale must be > 0"):
            call(0.1, 0.0)
    with pytest.raises(ValueError, match="distortion / scale must be <= 1"):
        laplace.absolute_error_reproduction_distribution(2.0)
    with pytest.raises(ValueError, match="rate must be >= 0"):
        laplace.absolute_error_distortion_rate(-1.0)
