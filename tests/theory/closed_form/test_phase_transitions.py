import jax
import numpy as np
import pytest

from theory.closed_form import phase_transitions as pt

LOG2E = np.log2(np.e)
SKEWED = (np.array([0.0, 10.0, -10.0]), np.array([0.98, 0.01, 0.01]))


def test_the_local_slope_is_half_the_inverse_variance():
    # Oracle: beta_c = 1 / (2 lambda_max) nats; 6 for the unit interval, 1/4 for the skewed source (variance 2).
    assert float(pt.local_critical_slope(1 / 12)) == pytest.approx(6 * LOG2E, rel=1e-14)
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
    covariance = rotation @ np.diag([4.0, 0.25]) @ rotation.T
    assert float(pt.local_critical_slope(covariance)) == pytest.approx(LOG2E / 8, rel=1e-13)
    np.testing.assert_allclose(pt.gaussian_critical_slopes([0.25, 4.0, 1.0]), LOG2E / np.array([8, 2, 0.5]), rtol=1e-14)


def test_a_uniform_source_leaves_zero_rate_at_the_local_slope():
    points = np.linspace(-0.5, 0.5, 201)
    pmf = np.full(201, 1 / 201)
    found = pt.critical_slope(points, pmf)
    assert float(found.slope) == pytest.approx(float(found.local_slope), rel=1e-5)
    assert float(found.local_slope) == pytest.approx(LOG2E / (2 * points.var()), rel=1e-12)
    assert pt.single_point_excess(points, pmf, 5.9 * LOG2E) < 1e-12
    assert pt.single_point_excess(points, pmf, 6.5 * LOG2E) > 1e-4


def test_a_skewed_source_leaves_it_earlier():
    # Oracle: beta_c = 0.25 locally, yet R = 0.0318 nats > 0 already at beta = 0.05. Second route: the condition
    # E e^{2 beta x y - beta y^2} <= 1 scanned over y and beta.
    found = pt.critical_slope(*SKEWED)
    assert float(found.local_slope) == pytest.approx(0.25 * LOG2E, rel=1e-14)
    assert float(found.slope) < 0.05 * LOG2E
    x, p = SKEWED
    y = np.linspace(-12, 12, 24001)

    def excess(beta):
        return np.log2(np.max(np.exp(2 * beta * np.multiply.outer(y, x) - beta * y[:, None] ** 2) @ p))

    slope = float(found.slope) / LOG2E
    assert excess(slope * (1 - 1e-4)) <= 1e-13 < excess(slope * (1 + 1e-4))
    assert abs(float(found.point)) == pytest.approx(abs(y[np.argmax(
        np.exp(2 * slope * np.multiply.outer(y, x) - slope * y[:, None] ** 2) @ p
        * (np.abs(y) > 1))]), abs=2e-3)
    assert float(pt.single_point_excess(*SKEWED, 0.05 * LOG2E)) == pytest.approx(excess(0.05), abs=1e-6)


def test_below_the_critical_slope_blahut_arimoto_finds_zero_rate_and_above_it_does_not():
    # Second route: Blahut-Arimoto on the skewed source with y on a grid, from a uniform start.
    x, p = SKEWED
    y = np.linspace(-11, 11, 221)
    critical = float(pt.critical_slope(x, p).slope) / LOG2E
    for beta, positive in ((0.8 * critical, False), (1.2 * critical, True)):
        kernel = np.exp(-beta * (x[:, None] - y[None]) ** 2)
        q = np.full(y.size, 1 / y.size)
        for _ in range(4000):
            z = kernel @ q
            q = q * (p / z @ kernel)
        channel = kernel * q / z[:, None]
        rate = p @ np.sum(channel * np.log(np.maximum(kernel / z[:, None], 1e-300)), 1)
        assert (rate > 5e-3) == positive


def test_refusals():
    with pytest.raises(ValueError, match="pmf must sum to 1"):
        pt.critical_slope([0.0, 1.0], [0.5, 0.4])
    with pytest.raises(ValueError, match="the variance of points must be > 0"):
        pt.critical_slope([1.0, 1.0], [0.5, 0.5])
    with pytest.raises(ValueError, match="slope must be >= 0"):
        pt.single_point_excess([0.0, 1.0], [0.5, 0.5], -1.0)
    with pytest.raises(ValueError, match="covariance must be a scalar or have shape"):
        pt.local_critical_slope(np.ones(3))
    with pytest.raises(ValueError, match="eigenvalues must be > 0"):
        pt.gaussian_critical_slopes([0.0])


def test_a_matrix_that_is_no_covariance_is_refused():
    with pytest.raises(ValueError, match="symmetric"):
        pt.local_critical_slope(np.array([[1.0, 0.5], [0.0, 1.0]]))


def test_traced_variances_outside_of_the_domain_give_nan():
    local = jax.jit(pt.local_critical_slope)
    assert np.isnan(local(-1.0)) and np.isnan(local(0.0)) and np.isfinite(local(2.0))
    found = jax.jit(pt.gaussian_critical_slopes)(np.array([1.0, -1.0]))
    np.testing.assert_allclose(found, [0.5 / np.log(2), np.nan], rtol=1e-14)


def test_values_of_probability_zero_do_not_matter():
    """Fault 8: they were refused."""
    points, pmf = np.array([-1.0, 0.2, 1.0]), np.array([0.3, 0.5, 0.2])
    plain = pt.critical_slope(points, pmf)
    wide = pt.critical_slope(np.r_[points, 9.0], np.r_[pmf, 0.0])
    np.testing.assert_array_equal(plain, wide)
    np.testing.assert_array_equal(
        pt.single_point_excess(np.r_[points, 9.0], np.r_[pmf, 0.0], 3.0),
        pt.single_point_excess(points, pmf, 3.0))
