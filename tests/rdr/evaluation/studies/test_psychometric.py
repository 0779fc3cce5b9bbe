"""Psychometric functions: closed forms, simulated observers, another optimizer."""

import numpy as np
import pytest
from scipy import optimize, special

from rdr.evaluation.studies import psychometric
from rdr.evaluation.studies.psychometric import TASKS, fit_threshold, metamer_sensitivity, percent_correct


@pytest.mark.parametrize("task", TASKS)
def test_shares_are_those_of_observers_who_follow_the_rule(task):
    """Percepts are drawn and compared: of three the closest two are alike; X is on either side."""
    rng, number = np.random.default_rng(0), 400_000
    for d in (0.0, 0.8, 2.0):
        noise = rng.standard_normal((3, number))
        if task == "2afc":
            right = noise[0] + d > noise[1]
        elif task == "abx":
            right = (noise[1] + d > noise[0]) == (noise[2] < d / 2)  # X is like the first, and below the middle of both
        else:
            x = noise + d * np.array([[0], [0], [1]])
            apart = np.abs(np.stack([x[1] - x[2], x[0] - x[2], x[0] - x[1]]))
            right = np.argmin(apart, 0) == 2  # the closest two are alike
        expected = float(percent_correct(d, task))
        assert right.mean() == pytest.approx(expected, abs=5 * np.sqrt(0.25 / number))


@pytest.mark.parametrize("task", TASKS)
def test_sensitivity_inverts_the_share(task):
    d = np.array([0.0, 0.3, 1.0, 3.0])
    np.testing.assert_allclose(psychometric.sensitivity_of(percent_correct(d, task), task), d, atol=1e-6)
    assert psychometric.sensitivity_of(0.1, task) == 0 and psychometric.sensitivity_of(1.0, task) == np.inf
    assert percent_correct(0.0, task) == pytest.approx(psychometric.CHANCE[task], abs=1e-12)
    with pytest.raises(ValueError, match="task must be one of"):
        percent_correct(1.0, "same")


@pytest.mark.parametrize(("task", "rising"), [("2afc", True), ("oddity", True), ("oddity", False)])
def test_the_planted_critical_level_is_found(task, rising):
    rng, levels = np.random.default_rng(1), np.array([1.0, 2.0, 3.0, 4.0, 6.0, 9.0])
    p = percent_correct(metamer_sensitivity(levels, 2.5 if rising else 5.0, 9.0, rising=rising), task)
    total = np.full((20, 6), 60.0)
    right = rng.binomial(60, p, (20, 6)).astype(float)
    weights = rng.multinomial(20, np.full(20, 0.05), 200)
    found = fit_threshold(levels, right, total, weights, task=task, lapse=0.0)
    truth = 2.5 if rising else 5.0
    assert found.rising == rising and found.critical == pytest.approx(truth, rel=0.1)
    assert found.lower < truth < found.upper and found.lower < found.critical < found.upper
    assert found.gain == pytest.approx(9.0, rel=0.3)


def test_the_fit_is_that_of_another_optimizer():
    levels, right, total = np.array([1.0, 2.0, 4.0, 8.0]), np.array([[21.0, 25, 33, 38]]), np.full((1, 4), 40.0)
    found = fit_threshold(levels, right, total, np.zeros((0, 1)), task="2afc", lapse=0.02)

    def objective(theta):
        d2 = np.exp(theta[1]) * np.maximum(0, 1 - (np.exp(theta[0]) / levels) ** 2)
        p = 0.98 * special.ndtr(np.sqrt(d2 / 2)) + 0.01
        return -np.sum(right * np.log(p) + (total - right) * np.log(1 - p))

    best = optimize.differential_evolution(objective, [(-2, 2), (-3, 4)], seed=0, tol=1e-12)
    assert found.critical == pytest.approx(np.exp(best.x[0]), rel=1e-3)
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-4) and np.isnan(found.lower)


def test_what_is_never_seen_has_no_upper_end():
    right, total = np.full((8, 3), 20.0), np.full((8, 3), 40.0)
    weights = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), 50)
    found = fit_threshold([1.0, 2.0, 4.0], right, total, weights, task="2afc")
    assert metamer_sensitivity(4.0, found.critical, found.gain, rising=found.rising) < 0.2


def test_an_interval_holds_its_estimate_where_all_is_seen_or_nothing():
    """Between the levels the likelihood is flat."""
    right = np.array([[0.0, 0.0, 5.0]] * 6)
    weights = np.random.default_rng(0).multinomial(6, np.full(6, 1 / 6), 50)
    found = fit_threshold([1.0, 2.0, 3.0], right, np.full((6, 3), 5.0), weights, task="oddity")
    assert 2 <= found.critical < 3 and found.lower <= found.critical <= found.upper


def test_intervals_of_shares_are_wilsons_unless_observers_differ():
    p, low, high = psychometric.share_interval([80.0], [100.0])
    assert p == 0.8 and (low, high) == pytest.approx((0.7112, 0.8666), abs=1e-4)
    _, wider, _ = psychometric.share_interval([50.0, 30.0], [50.0, 50.0])
    assert wider < low - 0.1
    # Observers of ten equal answers each are as good as one answer less than there are of them.
    clusters = psychometric.share_interval([10.0] * 30 + [0.0] * 20, [10.0] * 50)
    assert clusters == pytest.approx(psychometric.share_interval([0.6 * 49], [49.0]), rel=1e-9)
    assert psychometric.share_interval([10.0], [10.0])[2] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="must be answers"):
        psychometric.share_interval([0.0], [0.0])


def test_bad_levels_are_refused():
    for levels, lapse in (([1.0], 0.0), ([0.0, 1.0], 0.0), ([1.0, 1.0], 0.0), ([1.0, 2.0], 1.0)):
        counts = np.ones((1, len(levels)))
        with pytest.raises(ValueError, match="must be"):
            fit_threshold(levels, counts, counts, np.zeros((0, 1)), task="2afc", lapse=lapse)
