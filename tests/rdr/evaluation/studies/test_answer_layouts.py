"""The layouts of files of answers."""

import math

import pytest

from rdr.evaluation.studies.answer_layouts import COLUMNS, LAYOUTS, Item, item_of, read_trials
from tests.rdr.evaluation.studies.answer_files import own_row, write_own


def test_a_row_of_ours_is_a_trial_with_its_key(tmp_path):
    layout, rows = read_trials(write_own(tmp_path / "a.csv", [
        own_row(kind="catch", correct="right", level_left="2.50", response="notsure", response_ms="")]))
    ((key, trial),) = rows
    assert layout is LAYOUTS[0] and layout.columns == COLUMNS and key == ("s", "ann", "1", "1")
    assert (trial.left, trial.pivot, trial.right) == (Item("c", "2.5"), Item("reference", "0"), Item("reference", "0"))
    assert trial.kind == "catch" and trial.correct == "right" and math.isnan(trial.response_ms)


def test_levels_are_finite_numbers_or_labels(tmp_path):
    for level in ("nan", "-inf", "Infinity", "1e999"):
        _, rows = read_trials(write_own(tmp_path / "a.csv", [own_row(level_left=level)]))
        with pytest.raises(ValueError, match="row 1: a level must be a finite number or another label"):
            next(iter(rows))
    assert item_of("a", "nano") == Item("a", "nano") and item_of("a", "01.0") == Item("a", "1")


def test_an_observer_may_begin_with_a_hash(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("# title: x\nobserver,scene,condition_A,condition_B,is_A_selected\n#7,s,a,b,1\n#8,s,a,b,0\n")
    assert [trial.observer for _, trial in read_trials(path)[1]] == ["#7", "#8"]


def test_only_oddity_has_a_middle(tmp_path):
    odd = {"protocol": "3afc", "correct": "middle", "response": "middle"}
    _, rows = read_trials(write_own(tmp_path / "a.csv", [own_row(**odd)]))
    assert next(iter(rows))[1].response == "middle"
    _, rows = read_trials(write_own(tmp_path / "a.csv", [own_row(response="middle")]))
    with pytest.raises(ValueError, match="row 1: response must be one of 'left', 'right', 'notsure', 'skip'"):
        next(iter(rows))
