"""Which pairs to ask about next."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from rdr.evaluation.studies.active_design import (
    CRITERIA,
    expected_weight,
    gains,
    information_gain,
    next_comparisons,
    spanning_pairs,
)
from rdr.evaluation.studies.pairwise_models import fit_counts

PAIRS = np.array(list(itertools.combinations(range(5), 2)))


def test_gains_are_what_an_answer_of_that_weight_takes_off_the_variances():
    """By inverting the precision with the answer's information added."""
    counts = np.random.default_rng(0).integers(0, 5, (len(PAIRS), 3))
    fit = fit_counts(PAIRS, counts, items=5, reference=None, precision=0.2)
    covariance = fit.covariance[:5, :5]
    for (i, j), gain in zip(PAIRS, gains(PAIRS, counts, items=5, precision=0.2)):
        along = np.eye(5)[i] - np.eye(5)[j]
        weight = expected_weight(fit.scale[i] - fit.scale[j], along @ covariance @ along)
        after = np.linalg.pinv(np.linalg.pinv(covariance, rcond=1e-9) + weight * np.outer(along, along), rcond=1e-9)
        assert gain == pytest.approx(np.trace(covariance) - np.trace(after), rel=1e-6)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 0.5), (1.0, 2.0), (-3.0, 0.3)])
def test_gains_are_the_integrals_they_stand_for(mean, variance):
    def expect(function):
        density = stats.norm(mean, np.sqrt(variance)).pdf
        return integrate.quad(lambda d: density(d) * function(stats.norm.cdf(d / np.sqrt(2))), mean - 12, mean + 12,
                              points=[mean], limit=200)[0]

    def entropy(p):
        return stats.entropy([p, 1 - p], base=2)

    information = entropy(expect(lambda p: p)) - expect(entropy)
    assert information_gain(mean, variance) == pytest.approx(information, abs=1e-8)

    def weight(p):
        slope = stats.norm.pdf(stats.norm.ppf(p)) / np.sqrt(2)
        return slope**2 / (p * (1 - p)) if 0 < p < 1 else 0.0

    assert expected_weight(mean, variance) == pytest.approx(expect(weight), rel=1e-4)


def test_edges_of_gains():
    assert information_gain(0.0, 0.0) == 0 and information_gain(50.0, 0.1) == pytest.approx(0, abs=1e-12)
    assert 0.7 < information_gain(0.0, 25.0) < 1  # little is known: an answer is worth nearly a bit
    assert expected_weight(0.0, 0.0) == pytest.approx(1 / np.pi) and 0 <= expected_weight(80.0, 1.0) < 1e-100
    with pytest.raises(ValueError, match="variance must not be negative"):
        information_gain(0.0, -1.0)


def test_the_reduction_of_variance_is_that_of_the_next_fit():
    """Where it is as good as known what the next answer is worth: many answers before."""
    rng = np.random.default_rng(0)
    counts = np.concatenate([rng.integers(40, 60, (len(PAIRS), 2)), np.zeros((len(PAIRS), 1))], 1)
    predicted = gains(PAIRS, counts, items=5)

    def spread(counts):
        fit = fit_counts(PAIRS, counts, items=5, reference=None, precision=1 / 9)
        return np.trace(fit.covariance[:5, :5])

    for pair in (0, 4):
        share = counts[pair, 0] / counts[pair, :2].sum()
        more = counts.astype(float).copy()
        more[pair, :2] += [share, 1 - share]
        assert spread(counts) - spread(more) == pytest.approx(predicted[pair], rel=0.05)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_pairs_that_are_known_are_worth_less(criterion):
    counts = np.zeros((len(PAIRS), 3))
    equal = gains(PAIRS, counts, items=5, criterion=criterion)
    np.testing.assert_allclose(equal, equal[0])
    counts[0] = [20, 20, 0]
    after = gains(PAIRS, counts, items=5, criterion=criterion)
    assert after[0] == after.min() and after[0] < 0.3 * equal[0]
    with pytest.raises(ValueError, match="criterion must be one of"):
        gains(PAIRS, counts, items=5, criterion="entropy")


def test_the_tree_spans_all_items_with_the_best_pairs():
    gain = np.random.default_rng(1).random(len(PAIRS))
    tree = spanning_pairs(PAIRS, gain, items=5)

    def spans(edges):
        reached = {0}
        for _ in range(5):
            reached |= {int(i) for edge in edges for i in PAIRS[edge] if set(PAIRS[edge].tolist()) & reached}
        return len(reached) == 5

    best = max((edges for edges in itertools.combinations(range(len(PAIRS)), 4) if spans(edges)),
               key=lambda edges: gain[list(edges)].sum())
    assert sorted(tree.tolist()) == sorted(best) and (np.diff(gain[tree]) <= 0).all()
    forest = spanning_pairs(np.array([[0, 1], [2, 3]]), np.array([0.0, 1.0]), items=4)
    assert forest.tolist() == [1, 0]


def test_sources_share_the_questions_and_open_trials_are_not_asked_again():
    table = np.array([[source, *pair] for source in (0, 3) for pair in PAIRS])
    counts = np.zeros((len(table), 3))
    counts[:len(PAIRS), :2] = 30  # of the first source much is known
    chosen = next_comparisons(table, counts, number=6)
    assert (table[chosen[:4], 0] == 3).all() and len(set(chosen[:4].tolist())) == 4 and chosen.size == 6
    handed = np.zeros(len(table))
    handed[chosen[:4]] = 5
    assert not set(next_comparisons(table, counts, number=3, open_trials=handed).tolist()) & set(chosen[:4].tolist())
    assert next_comparisons(table, counts, number=20).size == 20 and (counts[:, 2] == 0).all()
    with pytest.raises(ValueError, match="must both be"):
        next_comparisons(table[:, :2], counts, number=1)
