"""The logistic fit: exact curves come back, scipy's optimizer finds nothing better, and direction does not matter."""

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.special import expit

from rdr.metrics.logistic_fit import LogisticFit, logistic_fit


@pytest.mark.parametrize("true", [LogisticFit(1.0, 5.0, 30.0, 4.0), LogisticFit(80.0, 10.0, -0.3, 0.05),
                                  LogisticFit(0.0, 1.0, 1e6, 1e5)])
def test_curves_come_back(true):
    x = true.center + true.scale * np.linspace(-4, 5, 60)
    fit = logistic_fit(x, true(x))
    np.testing.assert_allclose(fit(x), true(x), atol=1e-6 * abs(true.high - true.low))
    np.testing.assert_allclose(fit[:3], true[:3], rtol=1e-4, atol=1e-4 * true.scale)


@pytest.mark.parametrize("seed", range(6))
def test_no_better_fit_is_found_from_many_starts(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=50) * 10.0 ** rng.integers(-3, 4)
    y = np.tanh((1, -1)[seed % 2] * x / x.std() + rng.normal()) + rng.normal(0, 0.4, 50)
    fit = logistic_fit(x, y)
    error = np.sum((fit(x) - y) ** 2)

    def residuals(p):
        return p[0] + (p[1] - p[0]) * expit((x - p[2]) / np.exp(np.clip(p[3], -30, 30))) - y

    starts = [(y.min(), y.max(), c, np.log(s * x.std())) for c in np.quantile(x, (0.2, 0.5, 0.8)) for s in (0.1, 1, 3)]
    starts += [(b, a, *r) for a, b, *r in starts]
    best = min(2 * least_squares(residuals, s, x_scale="jac").cost for s in starts)
    assert error <= best * (1 + 1e-3)


def test_infinite_values_sit_at_the_limits():
    true = LogisticFit(1.0, 5.0, 30.0, 4.0)
    x = np.array([*np.linspace(20, 45, 30), np.inf, np.inf])
    fit = logistic_fit(x, true(x))
    np.testing.assert_allclose(fit(x), true(x), atol=1e-4)
    again = logistic_fit(x, true(x), start=fit)
    np.testing.assert_allclose(again(x), true(x), atol=1e-4)


def test_what_cannot_be_fitted_is_refused():
    for x, y, words in (([1, 2, 3], [1, 2, 3], "four or more pairs"), ([1, 1, 1, 1, np.inf], [1, 2, 3, 4, 5], "differ"),
                        ([1, 2, 3, np.nan], [1, 2, 3, 4], "must be numbers")):
        with pytest.raises(ValueError, match=words):
            logistic_fit(x, y)
