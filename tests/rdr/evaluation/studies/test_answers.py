"""Files of answers brought to one form."""

import gzip

import numpy as np
import pytest

from rdr.evaluation.studies.answers import Item, merge_trials, natural_order, read_answers
from tests.rdr.evaluation.studies.answer_files import aic3_rows, own_row, write_aic3, write_own


def test_files_of_one_study_are_one_and_a_trial_counts_once(tmp_path):
    a = write_own(tmp_path / "a.csv", [own_row(trial=1), own_row(trial=2, level_left="10")])
    b = write_own(tmp_path / "b.csv", [own_row(trial=2, level_left="10.0"), own_row(trial=1, observer="bob"),
                                       own_row(trial=3, protocol="2afc", codec_pivot="", level_pivot="")])
    triplets, choices = read_answers([a, b])
    assert triplets.observers == ("ann", "bob") and triplets.observer.tolist() == [0, 0, 1]
    assert triplets.items == (Item("reference", "0"), Item("c", "1"), Item("c", "10"))
    assert triplets.question == "distortion" and triplets.pivot.tolist() == [0, 0, 0]
    assert choices.protocol == "2afc" and choices.question == "preference" and choices.pivot.tolist() == [-1]
    write_own(tmp_path / "c.csv", [own_row(trial=1, response="right")])
    with pytest.raises(ValueError, match=r"a\.csv has another answer of observer ann, session 1, trial 1, of study s"):
        read_answers([a, tmp_path / "c.csv"])


def test_files_of_other_layouts_are_studies_of_their_own(tmp_path):
    rows = aic3_rows([0, 1, 2], observers=2, seed=0)
    (tmp_path / "again").mkdir()
    paths = [write_aic3(tmp_path / "a.csv.gz", rows), write_aic3(tmp_path / "again" / "a.csv", rows)]
    first, second = read_answers(paths)
    assert (first.study, second.study, first.sources, first.reference) == ("a", "a'", ("2", "10"), "0")
    np.testing.assert_array_equal(first.left, second.left)
    traps = first.select((first.kind == "catch") & (first.correct != "notsure"))
    assert traps.left.size == 32 and set(traps.correct) <= {"left", "right"}
    codec = [first.items[i].condition for i in np.where(traps.correct == "left", traps.left, traps.right)]
    assert set(codec) == {"6"}  # the heavy distortion is the answer, not the source
    assert np.sum(first.correct == "notsure") == 4 and first.response_ms.min() == 10


def test_a_file_that_is_named_like_a_study_is_another_one(tmp_path):
    own = write_own(tmp_path / "own.csv", [own_row(protocol="2afc")])
    pairs = tmp_path / "s.csv"
    pairs.write_text("observer,scene,condition_A,condition_B,is_A_selected\nx,s,a,b,1\n")
    for paths in ([own, pairs], [pairs, own]):
        first, second = read_answers(paths)
        assert (first.study, first.reference, first.observers) == ("s", "reference", ("ann",))
        assert (second.study, second.reference, second.observers) == ("s'", "", ("x",))


def test_pairs_are_preferences_without_a_source(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text('"observer","scene","condition_A","condition_B","is_A_selected","other"\nx,s,a,b,1,?\nx,s,b,c,0,?\n')
    (answers,) = read_answers([path])
    assert answers.reference == "" and answers.question == "preference"
    assert answers.response.tolist() == ["left", "right"] and [i.condition for i in answers.items] == ["a", "b", "c"]


def test_damage_is_refused_in_a_sentence(tmp_path):
    whole = gzip.compress(("\n".join([own_row()] * 100)).encode())
    cases = {
        "cut.csv.gz": (whole[:60], "damaged gzip file"), "bytes.csv": (b"a,b\n\xff\xfe\n", "UTF-8"),
        "few.csv": (b"observer,scene\nx,y\n", "lacks the columns condition_A, condition_B, is_A_selected"),
        "empty.csv": (b"", "no rows"), "twice.csv": (b"observer,observer\nx,y\n", "a column twice"),
        "short.csv": (b"observer,scene,condition_A,condition_B,is_A_selected\nx,y,a,b\n", "row 1 has 4 cells"),
    }  # fmt: skip
    for name, (data, message) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=message):
            read_answers([tmp_path / name])
    for cells, message in (({"response": "up"}, "row 2: response must be one of"), ({"kind": ""}, "row 2: kind must"),
                           ({"observer": ""}, "row 2: observer must not be empty"), ({"level_left": ""}, "level must"),
                           ({"response_ms": "soon"}, "response_ms must be a number"), ({"protocol": "x"}, "protocol"),
                           ({"protocol": "3afc"}, "correct must be given"), ({"correct": "up"}, "correct must be")):
        path = write_own(tmp_path / "own.csv", [own_row(), own_row(trial=2, **cells)])
        with pytest.raises(ValueError, match=message):
            read_answers([path])


def test_labels_have_their_order_and_studies_a_protocol():
    assert sorted(["b", "10", "9", "a", "1.5"], key=natural_order) == ["1.5", "9", "10", "a", "b"]
    with pytest.raises(ValueError, match="protocol must be one of"):
        merge_trials("s", "4afc", "", [])
    with pytest.raises(ValueError, match="at least one trial"):
        merge_trials("s", "2afc", "", [])
