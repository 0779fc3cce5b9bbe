"""Observers who are named: guessers, and those who fail catch trials."""

import numpy as np
import pytest

from rdr.evaluation.studies import observers
from rdr.evaluation.studies.answers import read_answers
from rdr.evaluation.studies.comparisons import count_answers
from rdr.evaluation.studies.observers import screen_observers, standardized_likelihood
from rdr.evaluation.studies.scaling import fit_scales, resample_observers
from tests.rdr.evaluation.studies.answer_files import aic3_rows, write_aic3

SCALES = [0.0, 0.6, 1.5, 2.6]


def fitted(folder, guessers):
    rows = aic3_rows(SCALES, observers=30, seed=3, repeats=8, guessers=guessers)
    (answers,) = read_answers([write_aic3(folder / "a.csv", rows)])
    weights = resample_observers(30, resamples=2, seed=0)
    return answers, [(one, fit_scales(one, weights)) for one in count_answers(answers)]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("study"), (4, 17))


def test_guessers_are_named_and_nearly_nobody_else(study):
    found = {one.name: one for one in screen_observers(*study)}
    named = {name for name, one in found.items() if one.reasons}
    assert {"4", "17"} <= named and len(named) <= 4
    assert any("catch trials right" in reason for reason in found["4"].reasons)
    assert any("less likely" in reason for reason in found["17"].reasons)
    careful = found["0"]
    assert (careful.catch_trials, careful.catch_right, careful.answers) == (16, 16, 116)
    assert 0.35 < careful.left < 0.65


def test_likelihoods_are_standardized(tmp_path):
    _, fits = fitted(tmp_path, ())
    values = standardized_likelihood(fits, 30)
    assert abs(values.mean()) < 3 / np.sqrt(30) and 0.7 < values.std() < 1.3
    nobody = [(one._replace(counts=0 * one.counts), scales) for one, scales in fits]
    assert np.isnan(standardized_likelihood(nobody, 30)).all()


def test_nobody_is_named_for_being_a_little_less_likely_than_others_who_agree(study, monkeypatch):
    """What lies outside of the quartiles must be unlikely under the model, too."""
    for last, named in ((-1.9, False), (-2.1, True)):
        monkeypatch.setattr(observers, "standardized_likelihood",
                            lambda _, count, last=last: np.append(np.linspace(0.0, 0.1, count - 1), last))
        found = screen_observers(*study, min_catch=0.0)
        assert [bool(one.reasons) for one in found] == [False] * 29 + [named]


def test_skipped_catch_trials_are_not_answered_ones(study):
    answers, fits = study
    (mine,) = np.flatnonzero(np.array(answers.observers) == "0")
    catch = np.flatnonzero((answers.kind == "catch") & (answers.observer == mine) & (answers.correct != "notsure"))
    for skipped, trials in ((10, 6), (16, 0)):
        response = answers.response.copy()
        response[catch[:skipped]] = "skip"
        found = screen_observers(answers._replace(response=response), fits)[mine]
        assert (found.catch_trials, found.catch_right) == (trials, trials)
        assert not any("catch" in reason for reason in found.reasons)


def test_thresholds_are_arguments_and_checked(study):
    answers, fits = study
    lenient = screen_observers(answers, fits, min_catch=0.0)
    assert not any("catch" in reason for one in lenient for reason in one.reasons)
    with pytest.raises(ValueError, match="from 0 to 1"):
        screen_observers(answers, fits, min_catch=2.0)
    with pytest.raises(ValueError, match="observers of the answers"):
        screen_observers(answers, [(fits[0][0].keep(np.arange(30) > 0), fits[0][1])])
