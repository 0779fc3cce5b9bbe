"""The layouts of files of answers."""

import math

import pytest

from rdr.evaluation.studies.answer_layouts import COLUMNS, LAYOUTS, Item, read_trials
from tests.rdr.evaluation.studies.answer_files import own_row, write_own


def test_a_row_of_ours_is_a_trial_with_its_key(tmp_path):
    layout, rows = read_trials(write_own(tmp_path / "a.csv", [
        own_row(kind="catch", correct="right", level_left="2.50", response="notsure", response_ms="")]))
    ((key, trial),) = rows
    assert layout is LAYOUTS[0] and layout.columns == COLUMNS and key == ("s", "ann", "1", "1")
    assert (trial.left, trial.pivot, trial.right) == (Item("c", "2.5"), Item("reference", "0"), Item("reference", "0"))
    assert trial.kind == "catch" and trial.correct == "right" and math.isnan(trial.response_ms)


def test_only_oddity_has_a_middle(tmp_path):
    odd = {"protocol": "3afc", "correct": "middle", "response": "middle"}
    _, rows = read_trials(write_own(tmp_path / "a.csv", [own_row(**odd)]))
    assert next(iter(rows))[1].response == "middle"
    _, rows = read_trials(write_own(tmp_path / "a.csv", [own_row(response="middle")]))
    with pytest.raises(ValueError, match="row 1: response must be one of 'left', 'right', 'notsure', 'skip'"):
        next(iter(rows))
