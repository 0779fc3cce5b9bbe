"""Scales in JND with intervals."""

import itertools

import numpy as np
import pytest
from scipy import stats

from rdr.evaluation.studies.answers import Item
from rdr.evaluation.studies.comparisons import Comparisons
from rdr.evaluation.studies.pairwise_models import MODELS, fit_counts, unit
from rdr.evaluation.studies.scaling import differences, fit_scales, resample_observers, warnings_of

PAIRS = np.array(list(itertools.combinations(range(4), 2)))
PLANTED = np.array([0.0, 0.5, 1.2, 2.5])


def comparisons(observers, seed, *, repeats=1, not_sure=0.0, spread=0.0):
    """Observers of Thurstone's model, whose sensitivities may differ; not sure about small noisy differences."""
    rng = np.random.default_rng(seed)
    sensitivity = np.exp(spread * rng.standard_normal(observers))[:, None, None]
    difference = 0.9538725524 * (PLANTED[PAIRS[:, 0]] - PLANTED[PAIRS[:, 1]])
    seen = difference[None, :, None] * sensitivity + np.sqrt(2) * rng.standard_normal((observers, len(PAIRS), repeats))
    tie = np.abs(seen) < not_sure
    counts = np.stack([((seen > 0) & ~tie).sum(-1), ((seen < 0) & ~tie).sum(-1), tie.sum(-1)], -1).astype(float)
    items = tuple(Item("c" if level else "reference", str(level)) for level in range(4))
    return Comparisons("study", "s", "c", items, 0, PAIRS, counts, tuple(map(str, range(observers))))


@pytest.mark.parametrize("model", MODELS)
def test_many_answers_give_the_planted_scales(model):
    data = comparisons(60, 0, repeats=200, not_sure=0.2 if model == "davidson" else 0.0)
    found = fit_scales(data, resample_observers(60, resamples=50, seed=0), model=model)
    # Logistic and normal noise differ in their tails, which a scale of 2.5 JND feels.
    tolerance = 0.03 if model == "thurstone" else 0.2
    np.testing.assert_allclose(found.scale, PLANTED, atol=tolerance)
    assert found.scale[0] == found.lower[0] == found.upper[0] == 0 and found.answers == data.counts.sum()
    assert (found.lower[1:] < found.scale[1:]).all() and (found.upper[1:] > found.scale[1:]).all()
    assert found.samples.shape == (50, 4) and found.groups.max() == 0


def test_both_errors_agree_where_observers_do_not_differ_and_else_the_bootstrap_is_larger():
    weights = resample_observers(200, resamples=300, seed=0)
    same = fit_scales(comparisons(200, 1, repeats=4), weights)
    np.testing.assert_allclose(same.bootstrap_error[1:], same.hessian_error[1:], rtol=0.2)
    np.testing.assert_allclose(same.bootstrap_error[1:], same.observer_error[1:], rtol=0.1)
    different = fit_scales(comparisons(200, 1, repeats=40, spread=0.7), weights)
    assert (different.bootstrap_error[2:] > 1.5 * different.hessian_error[2:]).all()
    np.testing.assert_allclose(different.bootstrap_error[1:], different.observer_error[1:], rtol=0.1)
    unsure = fit_scales(comparisons(200, 1, repeats=4, not_sure=1.0), weights)  # halves vary less than answers
    assert (unsure.bootstrap_error[1:] < 0.8 * unsure.hessian_error[1:]).all()


def test_the_error_over_observers_of_one_pair_is_that_of_a_clustered_share():
    """By the delta method from the variance of a share of answers that come in clusters."""
    named, asked = np.array([3.0, 5.0, 1.0, 4.0, 2.0, 6.0]), np.array([5.0, 6.0, 4.0, 4.0, 5.0, 7.0])
    counts = np.stack([asked - named, named, 0 * named], -1)[:, None, :]
    items = (Item("reference", "0"), Item("c", "1"))
    data = Comparisons("study", "s", "c", items, 0, np.array([[0, 1]]), counts, tuple("abcdef"))
    found = fit_scales(data, np.zeros((0, 6)), precision=0.0)
    share = named.sum() / asked.sum()
    variance = 6 / 5 * np.sum((named - share * asked) ** 2) / asked.sum() ** 2
    z, unit_of_jnd = stats.norm.ppf(share), stats.norm.ppf(0.75)
    np.testing.assert_allclose(found.scale, [0.0, z / unit_of_jnd], atol=1e-9)
    np.testing.assert_allclose(found.observer_error[1], variance**0.5 / stats.norm.pdf(z) / unit_of_jnd, rtol=1e-6)


def test_errors_of_differences_are_those_of_the_samples():
    found = fit_scales(comparisons(12, 3, repeats=3), resample_observers(12, resamples=200, seed=0))
    difference, error, significant = differences(found)
    for i, j in itertools.product(range(4), repeat=2):
        assert difference[i, j] == found.scale[i] - found.scale[j]
        expected = np.std(found.samples[:, i] - found.samples[:, j], ddof=1)
        np.testing.assert_allclose(error[i, j], expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(significant, np.abs(difference) > stats.t.ppf(0.975, 11) * error)


def test_resamples_without_an_observer_of_the_source_are_none_of_it():
    data = comparisons(4, 0, repeats=5)
    counts = np.concatenate([data.counts, np.zeros((2, *data.counts.shape[1:]))])
    data = data._replace(counts=counts, observers=tuple("abcdef"))
    weights = np.array([[0, 0, 0, 0, 4, 2], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 6], [2, 2, 0, 1, 1, 0]])
    samples = fit_scales(data, weights).samples
    assert samples.shape == (4, 4) and samples[:, 1:].any(1).all()
    np.testing.assert_array_equal(samples[[1, 3]], fit_scales(data, weights[[1, 1, 1, 3]]).samples[[1, 3]])
    assert fit_scales(data, weights[[0, 2]]).samples.shape == (0, 4)  # nothing to take their place


def test_few_observers_have_intervals_by_the_hessian_and_a_note():
    data = comparisons(3, 0, repeats=20)
    weights = resample_observers(3, resamples=20, seed=0)
    auto, hessian, drawn, seen = (fit_scales(data, weights, intervals=name)
                                  for name in ("auto", "hessian", "bootstrap", "observers"))
    np.testing.assert_array_equal(auto.lower, hessian.lower)
    np.testing.assert_allclose(hessian.upper - hessian.scale, 1.959963985 * hessian.hessian_error)
    np.testing.assert_allclose(drawn.upper - drawn.scale, 4.302652730 * drawn.bootstrap_error)
    np.testing.assert_allclose(seen.upper - seen.scale, 4.302652730 * seen.observer_error)
    assert any("with 3 observers" in note for note in warnings_of([auto]))
    one = data.keep(np.array([True, False, False]))
    assert np.isnan(fit_scales(one, resample_observers(1, resamples=20, seed=0)).bootstrap_error).all()
    with pytest.raises(ValueError, match="intervals over observers need two"):
        fit_scales(one, resample_observers(1, resamples=20, seed=0), intervals="bootstrap")
    with pytest.raises(ValueError, match="intervals must be one of"):
        fit_scales(one, weights, intervals="bayes")


def test_groups_that_nobody_compared_are_told():
    data = comparisons(6, 0, repeats=3)
    apart = data._replace(counts=data.counts * np.isin(np.arange(6), (0, 5))[None, :, None])  # 0 and 1, 2 and 3
    found = fit_scales(apart, resample_observers(6, resamples=20, seed=0))
    assert found.groups.tolist() == [0, 0, 1, 1]
    assert any("2 groups" in note and "source s c" in note for note in warnings_of([found]))


def test_that_davidsons_unit_is_estimated_is_part_of_the_covariance():
    """By differences of scales over the unit, in every parameter."""
    data, step = comparisons(20, 2, repeats=3, not_sure=0.3), 1e-5
    fit = fit_counts(data.pairs, data.counts.sum(0), items=4, reference=0, model="davidson", precision=0.01)
    theta = np.append(fit.scale, fit.log_tie)
    ends = [[point[:4] / unit("davidson", point[4]) for point in (theta + step * e, theta - step * e)]
            for e in np.eye(5)]
    jacobian = np.array([(plus - minus) / (2 * step) for plus, minus in ends]).T
    found = fit_scales(data, np.zeros((0, 20)), model="davidson", precision=0.01)
    np.testing.assert_allclose(found.covariance, jacobian @ fit.covariance @ jacobian.T, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("reference", [0, None])
def test_what_everybody_named_is_not_certain_for_that(reference):
    """Observers drawn again agree again; yet six of six are named at 65 % in one study of 13, too."""
    counts = np.zeros((6, 2, 3))
    counts[:, :, 1] = [3, 1]
    items = (Item("reference", "0"), Item("c", "1"), Item("d", "1"))
    data = Comparisons("study", "s", "", items, reference, np.array([[0, 1], [0, 2]]), counts, tuple("abcdef"))
    found = fit_scales(data, resample_observers(6, resamples=400, seed=0))
    assert found.components.max() == 2 and found.groups.max() == 0
    np.testing.assert_allclose(found.bootstrap_error, found.hessian_error, rtol=0.15, atol=1e-12)
    assert (found.observer_error >= found.hessian_error - 1e-12).all()
    np.testing.assert_allclose(found.observer_error, found.hessian_error, rtol=0.1, atol=1e-12)
    difference, error, significant = differences(found)
    assert difference[1, 2] > 0.3 and not significant[1, 2] and error[1, 2] > 1
    assert any("everybody named the same between 3 groups" in note for note in warnings_of([found]))
    again = fit_scales(data, resample_observers(6, resamples=400, seed=0))
    np.testing.assert_array_equal(found.samples, again.samples)
    some = fit_scales(data._replace(counts=counts[:, :, [1, 1, 0]]), resample_observers(6, resamples=400, seed=0))
    assert some.components.max() == 0 and not any("everybody" in note for note in warnings_of([some]))


@pytest.mark.parametrize("model", MODELS)
def test_errors_over_observers_are_those_of_leaving_each_out(model):
    data = comparisons(60, 3, repeats=6, not_sure=0.3, spread=0.3)
    found = fit_scales(data, np.zeros((0, 60)), model=model)
    left = np.array([fit_scales(data.keep(np.arange(60) != observer), np.zeros((0, 59)), model=model).scale
                     for observer in range(60)])
    jackknife = np.sqrt(59 / 60 * np.sum((left - left.mean(0)) ** 2, 0))
    np.testing.assert_allclose(found.observer_error[1:], jackknife[1:], rtol=0.05)


@pytest.mark.parametrize("intervals", ["hessian", "bootstrap"])
def test_differences_are_significant_as_their_intervals_say(intervals):
    observers = 30 if intervals == "bootstrap" else 4
    data, weights = comparisons(observers, 5, repeats=5), resample_observers(observers, resamples=400, seed=0)
    found = fit_scales(data, weights)
    difference, error, significant = differences(found)
    np.testing.assert_allclose(difference[:, 0], found.scale)
    np.testing.assert_allclose(error[:, 0], getattr(found, f"{intervals}_error"), rtol=1e-9, atol=1e-12)
    same = fit_scales(data, weights, intervals=intervals)
    outside = (same.lower > 0) | (same.upper < 0)
    np.testing.assert_array_equal(significant[1:, 0], outside[1:])
    assert not significant.diagonal().any() and (significant == significant.T).all()


@pytest.mark.stress
@pytest.mark.parametrize(("observers", "repeats", "spread", "not_sure"), [
    (6, 4, 0.0, 0.0), (10, 1, 0.0, 0.0), (20, 1, 0.0, 0.0), (40, 2, 0.0, 0.0), (20, 2, 0.0, 0.4)])
def test_intervals_hold_the_truth_as_often_as_they_say(observers, repeats, spread, not_sure):
    """Coverage of 95 % within 2 %. Half answers for 'not sure' have another truth: the scales of many answers."""
    truth = PLANTED
    if not_sure:
        many = comparisons(2000, 0, repeats=200, not_sure=not_sure)
        truth = fit_scales(many, np.zeros((0, 2000))).scale
    inside = []
    for seed in range(2000):
        data = comparisons(observers, seed, repeats=repeats, spread=spread, not_sure=not_sure)
        found = fit_scales(data, np.zeros((0, observers)))
        inside.append((found.lower <= truth) & (truth <= found.upper))
    assert abs(np.mean(inside, 0)[1:].mean() - 0.95) < 0.02
