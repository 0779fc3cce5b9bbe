"""Oracles: R(D) of Gaussian vectors, which lies between what is made from it, and bisection for water-filling."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import brentq

import rdr.estimators
import theory.estimation
from rdr.evaluation import estimate_tables


class Estimate(NamedTuple):
    rate: np.ndarray
    distortion: np.ndarray
    rate_se: object
    distortion_se: object
    kind: str
    held_out: int


def truth(d):
    return 0.5 * np.log2(1.0 / d)


def points(name, kind, d, excess, se=0.0, d_se=0.0):
    d = np.asarray(d)
    return estimate_tables.estimate_rows(name, Estimate(truth(d) + excess, d, se, d_se, kind, 7))


D = np.geomspace(0.01, 1.0, 12)
FINE = np.geomspace(0.011, 0.99, 50)


def test_rows_are_ordered_and_of_one_shape():
    rows = points("a", "upper", [0.5, 0.1], 0.2, se=0.01)
    assert list(rows) == list(estimate_tables.COLUMNS)
    assert rows["distortion"] == [0.1, 0.5] and rows["rate_se"] == [0.01, 0.01] and rows["held_out"] == [7, 7]
    scalar = estimate_tables.estimate_rows("b", Estimate(1.0, 2.0, 0.1, 0.2, "lower", 0))
    assert estimate_tables.joined([rows, scalar])["estimator"] == ["a", "a", "b"]


def test_curves_bracket_the_truth_that_their_points_bracket():
    table = estimate_tables.joined([points("u", "upper", D, 0.1, se=0.02, d_se=0.001), points("l", "lower", D, -0.1),
                                    points("x", "asymptotic", D, -3.0)])
    upper, lower = estimate_tables.upper_curve(table, FINE), estimate_tables.lower_curve(table, FINE)
    assert (upper.rate >= truth(FINE)).all() and (upper.rate <= truth(FINE) + 0.2).all()
    assert (lower.rate <= truth(FINE)).all() and (lower.rate[:-5] >= truth(FINE * (100 ** (1 / 11)))[:-5] - 0.11).all()
    assert np.isnan(estimate_tables.upper_curve(table, 0.009).rate)  # nothing is known below the least distortion
    assert estimate_tables.upper_curve(table, 5.0).rate == pytest.approx(0.1)  # R(D) falls
    assert estimate_tables.lower_curve(table, 5.0).rate == 0.0
    slope = 0.5 / np.log(2) / 0.1
    assert estimate_tables.upper_curve(table, 0.1).se == pytest.approx(0.02 + 0.001 * slope, rel=0.1)
    assert estimate_tables.contradictions(table) == []


def test_errors_of_a_lower_bound_s_distortion_count_by_its_own_slope():
    lower = points("l", "lower", D, -0.3, d_se=0.001)
    table = estimate_tables.joined([points("u", "upper", D, 4.0 * truth(D)), lower])  # five times as steep
    here = 0.1 * 100 ** (0.5 / 11)
    at = D[np.searchsorted(D, here)]
    slope = (truth(at / 100 ** (1 / 11)) - truth(at)) / (at - at / 100 ** (1 / 11))
    assert estimate_tables.lower_curve(table, here).se == pytest.approx(0.001 * slope, rel=1e-6)
    single = estimate_tables.joined([points("u", "upper", D, 0.0), points("l", "lower", [0.1], -1.0, d_se=0.001)])
    assert estimate_tables.lower_curve(single, 0.1).se == pytest.approx(0.001 * 0.5 / np.log(2) / 0.1, rel=0.1)


def test_a_lower_bound_above_an_upper_one_is_found_between_points_too():
    upper = points("u", "upper", [0.01, 0.3], 0.0)

    def found(*lower, **errors):
        return estimate_tables.contradictions(estimate_tables.joined([upper, points("l", "lower", *lower, **errors)]))

    assert found([0.05, 0.1], [2.0, 0.0]) == [2]
    assert found([0.05], 2.0, se=0.7) == [] and found([0.05], 2.0, se=0.3) == [2]
    assert found([0.05], 2.0, d_se=0.1) == []  # a slope of 6 bits a unit
    assert estimate_tables.contradictions(points("l", "lower", D, 9.0)) == []  # nothing above


def test_a_point_with_a_large_error_does_not_win():
    table = estimate_tables.joined([points("u", "upper", [0.01, 0.3], 0.0), points("v", "upper", [0.05], -0.5, se=9.0)])
    alone = estimate_tables.upper_curve(points("u", "upper", [0.01, 0.3], 0.0), 0.05)
    assert estimate_tables.upper_curve(table, 0.05) == alone and alone.se == 0.0


def test_estimators_that_ran_are_not_run_again(tmp_path):
    calls, lines = [], []

    def estimator(name):
        calls.append(name)
        return Estimate(np.array([2.0, 1.0]), np.array([0.1, 0.2]), 0.0, 0.0, "upper", 5)

    def run(names, mark="m"):
        estimators = {name: lambda name=name: estimator(name) for name in names}
        return estimate_tables.run_estimators(estimators, tmp_path / "e", header={"mark": mark}, tell=lines.append)

    first = run(["a"])
    both = run(["a", "b"])
    assert calls == ["a", "b"] and both["estimator"] == ["a", "a", "b", "b"]
    assert {name: column[:2] for name, column in both.items()} == first
    assert lines == ["[1/1] a ..", "[1/2] a: kept from before", "[2/2] b .."]
    run(["a"], mark="other")
    assert calls == ["a", "b", "a"]


def test_several_estimates_of_one_estimator_are_its_rows(tmp_path):
    two = [Estimate(1.0, 2.0, 0.0, 0.0, "upper", 5), Estimate(0.5, 2.0, 0.0, 0.0, "lower", 5)]
    rows = estimate_tables.run_estimators({"both": lambda: two}, tmp_path, header={})
    assert rows["kind"] == ["upper", "lower"] and rows["rate_bits"] == [1.0, 0.5]
    _, again = estimate_tables.read_table(tmp_path / "both.csv")
    assert again == rows


@pytest.mark.parametrize(("text", "message"), [("a,b\n1,2\n", "lacks the columns"), (
    ",".join(estimate_tables.COLUMNS) + "\nx,upper,?,1,1,1,1\n", "no number")])
def test_other_tables_are_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        estimate_tables.read_table(tmp_path / "t.csv")


def test_slopes_are_those_of_water_filling():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 6)) * [3.0, 2.0, 1.0, 0.5, 0.1, 0.0] + 5.0
    eigenvalues = np.maximum(np.linalg.eigvalsh(np.cov(x.T, bias=True)), 1e-300)
    rates = np.array([0.01, 0.5, 3.0, 12.0, 40.0])
    slopes, distortions = estimate_tables.vector_slopes(x, rates)
    for rate, slope, distortion in zip(rates, slopes, distortions):
        level = np.exp(brentq(
            lambda t, r=rate: 0.5 * np.log2(np.maximum(eigenvalues[1:] / np.exp(t), 1)).sum() - r, -90, 9))
        assert slope == pytest.approx(0.5 / level / np.log(2), rel=1e-6)
        assert distortion == pytest.approx(np.minimum(eigenvalues, level).sum(), rel=1e-6)
    with pytest.raises(ValueError, match="rates must be positive"):
        estimate_tables.vector_slopes(x, [1.0, 0.0])


def test_estimates_of_both_floors_are_one():
    values = (*[[2.0, 0.1]] * 3, *[[0.5, 0.2]] * 3, "upper", 9)
    trained, computed = rdr.estimators.Estimate(*values), theory.estimation.Estimate(*values)
    assert trained._fields == computed._fields and tuple(trained[6:]) == tuple(computed[6:])
    for quantity in ("rate", "distortion", "perception"):
        expected = computed.interval(quantity, level=0.9)
        np.testing.assert_allclose(trained.interval(quantity, level=0.9), expected, rtol=1e-9)
