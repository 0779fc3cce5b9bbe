"""Simulated observers with planted scales."""

import itertools

import numpy as np
import pytest

from rdr.evaluation.studies.simulation import Population, answer, draw_observers, simulate_counts, simulate_design


def test_one_jnd_is_three_of_four_less_lapses_and_guesses():
    rng, number = np.random.default_rng(0), 200_000
    error = 4 * np.sqrt(0.25 / number)
    assert np.mean(answer(np.ones(number), 1.0, Population(), rng) == 0) == pytest.approx(0.75, abs=error)
    assert np.mean(answer(np.ones(number), 0.0, Population(), rng) == 0) == pytest.approx(0.5, abs=error)
    lapsing = answer(np.ones(number), 1.0, Population(lapses=0.2), rng)
    assert np.mean(lapsing == 0) == pytest.approx(0.8 * 0.75 + 0.1, abs=error)
    unsure = answer(np.zeros(number), 1.0, Population(not_sure=1.0), rng)
    assert np.mean(unsure == 2) == pytest.approx(0.5, abs=error)  # noise within one JND: 75 % less 25 %


def test_observers_differ_as_asked():
    sensitivity = draw_observers(Population(guessers=0.25, spread=0.5), 20_000, np.random.default_rng(1))
    assert np.mean(sensitivity == 0) == pytest.approx(0.25, abs=0.02)
    assert np.log(sensitivity[sensitivity > 0]).std() == pytest.approx(0.5, abs=0.02)


def test_counts_have_all_answers_and_one_seed_gives_one_study():
    scale, pairs = np.array([0.0, 4.0]), [[0, 1]]
    counts = simulate_counts(scale, pairs, observers=50, repeats=20, population=Population(guessers=0.5), seed=2)
    assert counts.shape == (50, 1, 3) and (counts.sum(-1) == 20).all()
    guessing = counts[:, 0, 0] > 4
    assert 10 < guessing.sum() < 40 and counts[~guessing, 0, 1].mean() > 19
    again = simulate_counts(scale, pairs, observers=50, repeats=20, population=Population(guessers=0.5), seed=2)
    np.testing.assert_array_equal(counts, again)


@pytest.mark.parametrize("design", ["random", "balanced", "active", "information"])
def test_errors_fall_with_the_number_of_trials(design):
    scale = np.array([0.0, 0.5, 1.0, 2.0, 3.0])
    pairs = np.array(list(itertools.combinations(range(5), 2)))
    numbers, errors = simulate_design(scale, pairs, design=design, trials=300, seed=0)
    assert numbers[0] == 4 and numbers[-1] == 300 and errors.shape == numbers.shape
    assert errors[-5:].mean() < 0.5 * errors[:5].mean()


def test_an_unknown_design_is_refused():
    with pytest.raises(ValueError, match="design must be one of"):
        simulate_design(np.zeros(2), np.array([[0, 1]]), design="clever", trials=1, seed=0)


@pytest.mark.stress
def test_the_active_design_needs_at_most_three_of_five_trials():
    """30 conditions, scales normal with a standard deviation of 2 JND, observers who lapse and guess now and then."""
    pairs = np.array(list(itertools.combinations(range(30), 2)))
    population, errors = Population(lapses=0.03, guessers=0.05), {}
    for design in ("random", "active"):
        runs = []
        for seed in range(16):
            scale = np.random.default_rng(seed).normal(0, 2, 30)
            numbers, error = simulate_design(scale, pairs, design=design, trials=1450, population=population, seed=seed)
            runs.append(error)
        errors[design] = np.sqrt(np.mean(np.square(runs), 0))
    needed = numbers[np.argmax(errors["active"] <= errors["random"][-1])]
    assert errors["active"].min() <= errors["random"][-1] and needed <= 0.6 * numbers[-1]
