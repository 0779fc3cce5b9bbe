"""Schedules of studies: everything equally often, on either side, with known answers that are right."""

import collections

import numpy as np
import pytest
from scipy import stats

from rdr.evaluation.studies import design
from rdr.evaluation.studies.design import REFERENCE, Comparison, Condition, Plan, Tally

CONDITIONS = (REFERENCE, *(Condition(codec, level) for codec in ("a", "b") for level in (1.0, 2.0, 3.0)))


def make(protocol="2afc", name="balanced", *, test=40, observers=13, catch=4, training=3, seed=0, sources=3, **more):
    comparisons = design.list_comparisons(CONDITIONS, sources, protocol, **more)
    plan = Plan(protocol, len(CONDITIONS), sources, test, catch, training)
    return comparisons, design.schedule(plan, comparisons, observers, design=name, seed=seed)


def pairs(trials):
    """Which comparison each trial is, whatever its sides."""
    return [(t.source, *sorted({t.left, t.pivot, t.right} if t.left == t.right or t.pivot != 0 else {t.left, t.right}))
            for t in trials if t.kind == "test"]


def test_comparisons_are_those_that_were_asked_for():
    everything = design.list_comparisons(CONDITIONS, 2, "triplet")
    assert len(everything) == len(set(everything)) == 2 * 7 * 6 // 2
    within = design.list_comparisons(CONDITIONS, 1, "triplet", compare="codec")
    assert len(within) == 2 * (3 + 3) and not any(i and (i <= 3) != (j <= 3) for _, i, j in within)
    for found in (design.list_comparisons(CONDITIONS, 1, "2afc", compare="reference"),
                  design.list_comparisons(CONDITIONS, 1, "3afc"), design.list_comparisons(CONDITIONS, 1, "foveated")):
        assert found == [Comparison(0, 0, j) for j in range(1, 7)]


@pytest.mark.parametrize("protocol", ["2afc", "3afc", "triplet", "foveated"])
def test_balanced_schedules_give_everything_equally_often(protocol):
    comparisons, schedule = make(protocol, test=12)
    counts = collections.Counter(pair for trials in schedule for pair in pairs(trials))
    assert set(counts) <= {tuple(c) for c in comparisons}
    assert max(counts.values()) - min(counts[tuple(c)] for c in comparisons) <= 1
    for trials in schedule:  # nobody is asked the same again before everything was asked
        assert max(collections.Counter(pairs(trials)).values()) == -(-12 // len(comparisons))


def test_an_observer_sees_all_conditions_and_sources():
    _, schedule = make(test=42)
    for trials in schedule:
        conditions = collections.Counter(c for t in trials if t.kind == "test" for c in (t.left, t.right))
        sources = collections.Counter(t.source for t in trials if t.kind == "test")
        assert max(conditions.values()) - min(conditions[c] for c in range(7)) <= 4  # of 12 on average
        assert max(sources.values()) - min(sources.values()) <= 4  # of 14


@pytest.mark.parametrize("protocol", ["2afc", "triplet", "foveated"])
def test_balanced_sides(protocol):
    """Each comparison is on either side equally often, in the study; to each observer nearly."""
    comparisons, schedule = make(protocol, test=18, observers=24)
    left = collections.Counter((t.source, t.left, t.right) for trials in schedule for t in trials if t.kind == "test")
    assert len(left) == 2 * len(comparisons)
    for source, i, j in comparisons:
        assert abs(left[source, i, j] - left[source, j, i]) <= 1
    for trials in schedule:
        sides = [t.left < t.right for t in trials if t.kind == "test"]
        assert abs(2 * sum(sides) - len(sides)) <= 6


def test_the_odd_image_is_everywhere_and_either_of_the_two():
    _, schedule = make("3afc", test=18, observers=12)
    trials = [t for one in schedule for t in one if t.kind == "test"]
    shown = collections.Counter((t.correct, [t.left, t.pivot, t.right].count(0)) for t in trials)
    assert len(shown) == 6 and max(shown.values()) - min(shown.values()) <= len(trials) * .1
    for t in trials:
        images = {"left": t.left, "middle": t.pivot, "right": t.right}
        odd = images.pop(t.correct)
        assert len(set(images.values())) == 1 and odd not in images.values()


@pytest.mark.parametrize("protocol", ["2afc", "3afc", "triplet", "flicker", "foveated"])
@pytest.mark.parametrize("name", ["balanced", "random"])
def test_no_side_is_favored(protocol, name):
    """Over many observers: sides of the less distorted image, known answers and places, each by a binomial test."""
    _, schedule = make(protocol, name, test=12, observers=150, seed=5)
    trials = [t for one in schedule for t in one]
    known = collections.Counter(t.correct for t in trials if t.correct)
    places = ("left", "right", "middle") if protocol == "3afc" else ("left", "right")
    assert set(known) == set(places)
    assert stats.chisquare([known[place] for place in places]).pvalue > 1e-3
    if protocol != "3afc":
        first = sum(t.left < t.right for t in trials if t.kind == "test")
        assert stats.binomtest(first, sum(t.kind == "test" for t in trials)).pvalue > 1e-3
        # nor can the next side be told from the last one
        sides = [[t.left < t.right for t in one if t.kind == "test"] for one in schedule]
        same = sum(a == b for one in sides for a, b in zip(one, one[1:]))
        assert abs(same / (150 * 11) - .5) < (.1 if name == "balanced" else .05)


def test_random_schedules_repeat_nothing_before_everything_was_shown():
    comparisons, schedule = make(name="random", test=63)
    assert all(len(set(pairs(trials))) == len(comparisons) == 63 for trials in schedule)


def test_catch_trials_are_spread_and_their_answers_known():
    for protocol in design.PROTOCOLS:
        _, schedule = make(protocol, test=18, catch=3, training=2, observers=5)
        for trials in schedule:
            kinds = [t.kind for t in trials]
            assert kinds[:2] == ["training"] * 2 and kinds.count("catch") == 3 and kinds.count("test") == 18
            places = [place for place, kind in enumerate(kinds[2:]) if kind == "catch"]
            assert [place // 7 for place in places] == [0, 1, 2]
            for t in trials:
                if t.kind == "test":
                    assert bool(t.correct) == (protocol in design.ODDITY)
                    continue
                images = {"left": t.left, "right": t.right, "middle": t.pivot}
                if protocol == "2afc":
                    assert images[t.correct] == 0 and {t.left, t.right} == {0, len(CONDITIONS)}
                elif protocol != "3afc":
                    assert images[t.correct] == len(CONDITIONS) and t.pivot == 0


def test_no_pivot_where_it_is_not_shown():
    trial = design.arrange("2afc", Comparison(0, 1, 2), 1, pivot=False)
    assert (trial.left, trial.pivot, trial.right, trial.correct) == (2, design.NOTHING, 1, "")
    assert design.arrange("triplet", Comparison(0, 1, 2), 0, pivot=False).pivot == 0


def test_schedules_are_those_of_their_seed():
    assert make(seed=3) == make(seed=3) and make(seed=3)[1] != make(seed=4)[1]
    one, two = make(seed=3)[1][:2]
    assert one != two


def test_the_least_used_comparison_is_next():
    comparisons = np.array([(0, 0, 1), (0, 0, 2), (1, 0, 1)])
    tally = Tally(np.array([[1, 1], [1, 0], [1, 1]]), np.zeros((3, 2), np.int64))
    rng = np.random.default_rng(0)
    assert design.choose_least_used(comparisons, tally, rng) == 1
    assert design.choose_arrangement(1, tally, rng) == 1
    tally.add(1, 1)
    assert design.choose_least_used(comparisons, tally, rng) == 2  # shares neither source nor condition with it
    assert {design.choose_unseen(tally, rng) for _ in range(30)} == {0, 2}


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: design.list_comparisons(CONDITIONS, 1, "4afc"), "protocol must be one of"),
    (lambda: design.list_comparisons(CONDITIONS, 1, "2afc", compare="some"), "compare must be one of"),
    (lambda: design.list_comparisons(CONDITIONS[1:], 1, "2afc"), "must begin with"),
    (lambda: design.list_comparisons(CONDITIONS[:1], 1, "2afc"), "needs a source and a codec"),
    (lambda: design.arrange("2afc", Comparison(0, 0, 1), 2), "arrangement must be"),
    (lambda: make(name="active"), "design must be one of"),
    (lambda: make(observers=0), "must be observers and trials"),
    (lambda: make(test=3, catch=4), "at most as many catch trials"),
])
def test_refusals(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
