import numpy as np
import pytest
from scipy import integrate, stats

from rdr.codecs.channel import survival


@pytest.mark.parametrize("norm, deviation, ratio", [
    (0.0, 1.7, 1.7), (0.4, 0.5, 0.9), (1.9, 1.7, 1.7),
    *(pytest.param(*case, marks=pytest.mark.stress) for case in ((0.0, 0.5, 0.9), (0.4, 1.7, 1.7), (1.9, 0.5, 0.9)))])
def test_against_quadrature_in_one_dimension(norm, deviation, ratio):
    """Oracle: S(h) as the integral of (r - h)_+ dP and t by adaptive quadrature of 1 / S, both in float64."""
    tables = survival.survival_tables(ratio, 1, deviation)
    spread = ratio**2 + 1
    top = np.log(spread) / 2 + norm**2 / (2 * ratio**2)
    assert survival.log_largest_ratio(norm, ratio, 1) == pytest.approx(top, rel=1e-12)

    def left(level):
        w = np.log(top - np.log(level))
        center, reach = norm * spread / ratio**2, np.sqrt(2 * spread / ratio**2 * np.exp(w))
        q, p = (stats.norm(m, s) for m, s in ((norm, 1.0), (0.0, spread**0.5)))
        return (q.cdf(center + reach) - q.cdf(center - reach)
                - level * (p.cdf(center + reach) - p.cdf(center - reach)))

    curves = [survival.curves(table, tables, np.array([norm]))[0] for table in (tables.log_survival, tables.log_time)]
    for share in (0.05, 0.4, 0.9):
        level = share * np.exp(top)
        w = np.log(top - np.log(level))
        found = [float(survival.look_up(curve, w, *tables.places)) for curve in curves]
        assert np.exp(found[0] + top) == pytest.approx(left(level), rel=2e-5)
        time = integrate.quad(lambda h: 1 / left(h), 1e-12, level, epsabs=0, epsrel=1e-8, limit=200)[0]
        assert np.exp(found[1]) == pytest.approx(time, rel=2e-5)


@pytest.mark.parametrize("dimension, deviation, ratio", [(2, 15.0, 17.0), (8, 1.7, 2.2), (64, 0.1, 0.2)])
def test_in_more_dimensions(dimension, deviation, ratio):
    """Oracle: S by Monte Carlo with candidates drawn from P. Tolerance: five standard errors."""
    tables = survival.survival_tables(ratio, dimension, deviation)
    assert all(np.isfinite(part).all() for part in tables)
    rng, norm = np.random.default_rng(0), 0.5 * tables.norms[1]
    z = np.zeros(dimension)
    z[0] = norm
    y = z + rng.standard_normal((400_000, dimension))
    log_ratio = (dimension * np.log1p(ratio**2) - ((y - z) ** 2).sum(1) + (y**2).sum(1) / (1 + ratio**2)) / 2
    top = survival.log_largest_ratio(norm, ratio, dimension)
    curve = survival.curves(tables.log_survival, tables, np.array([norm]))[0]
    for quantile in (0.1, 0.5, 0.9):
        level = np.exp(np.quantile(log_ratio, quantile))
        left = np.maximum(1 - level * np.exp(-log_ratio), 0)  # S = E_Q (1 - h / r)_+
        found = np.exp(float(survival.look_up(curve, np.log(top - np.log(level)), *tables.places)) + top)
        assert found == pytest.approx(left.mean(), abs=5 * left.std() / len(left) ** 0.5)


def test_time_reaches_every_number_of_candidates():
    for dimension, deviation, ratio in ((1, 255.0, 300.0), (4, 3.8, 4.5), (32, 0.2, 0.4)):
        tables = survival.survival_tables(ratio, dimension, deviation)
        assert tables.log_time[:, 0].min() > np.log(survival.MAX_CANDIDATES)
        assert tables.log_time[:, -1].max() < -10
        assert (np.diff(tables.log_time, axis=1) < 0).all()


def test_cubic_interpolation():
    curve = np.linspace(-1, 2, 31) ** 3
    w = np.array([-1.5, -1.0, -0.93, 0.123, 1.99, 2.0, 5.0])
    np.testing.assert_allclose(survival.look_up(curve, w, -1.0, 2.0), np.clip(w, -1, 2) ** 3, atol=1e-6)
