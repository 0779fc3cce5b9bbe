"""The command `rdr study analyze`."""

import csv
import json

import numpy as np
import pytest

from rdr.cli import study_results
from rdr.cli.study_analyze import Config
from rdr.evaluation.studies.answers import read_answers
from rdr.evaluation.studies.scale_tables import scale_rows
from tests.rdr.evaluation.studies.answer_files import aic3_rows, own_row, write_aic3, write_own
from tests.rdr.evaluation.studies.test_thresholds import oddity_rows

SCALES = [0.0, 0.6, 1.5, 2.6]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    rows = aic3_rows(SCALES, observers=25, seed=1, repeats=6, not_sure=0.1, guessers=(7,))
    return write_aic3(tmp_path_factory.mktemp("answers") / "lab.csv.gz", rows)


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_scales_of_an_aic3_file_are_written_and_printed(answers, tmp_path, rdr, capsys):
    assert rdr("study", "analyze", answers, f"--out={tmp_path / 'out'}", "--resamples=100") == 0
    shown = capsys.readouterr()
    assert "25 observers" in shown.out and "named, not left out" in shown.out and shown.err == ""
    rows = table(tmp_path / "out" / "scales.csv")
    assert list(rows[0]) == ["source", "condition", "level", "scale", "lower", "upper"]
    assert [(row["source"], row["condition"], row["level"]) for row in rows[:4]] == [
        ("2", "0", "0"), ("2", "6", "1"), ("2", "6", "2"), ("2", "6", "3")]
    found = np.array([float(row["scale"]) for row in rows]).reshape(2, 4)
    # What is 'not sure' at random, and the guesser, shrink them.
    np.testing.assert_allclose(found.mean(0), np.array(SCALES) * 0.85, atol=0.35)
    for row in rows[1:4]:
        assert float(row["lower"]) < float(row["scale"]) < float(row["upper"])
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"scales.csv", "errors.csv", "observers.csv", "study.json", "scales.png", "run.json"}
    observers = {row["observer"]: row for row in table(tmp_path / "out" / "observers.csv")}
    assert len(observers) == 25 and observers["7"]["reasons"]


def test_rejection_leaves_named_observers_out_and_json_says_what_the_file_says(answers, tmp_path, rdr, capsys):
    before, after = tmp_path / "before", tmp_path / "after"
    assert rdr("study", "analyze", answers, f"--out={before}", "--json", "--resamples=20") == 0
    first = json.loads(capsys.readouterr().out)
    assert first["studies"][0]["rejected"] == [] and "7" in first["studies"][0]["named"]
    assert rdr("study", "analyze", answers, f"--out={after}", "--json", "--reject", "--resamples=20") == 0
    second = json.loads(capsys.readouterr().out)
    assert "7" in second["studies"][0]["rejected"] and second["seconds"] > 0
    assert second["scales"] == json.loads((after / "study.json").read_text())["scales"]
    assert second["scales"][3]["scale"] > first["scales"][3]["scale"] + 0.02  # guessing hides what is visible
    assert int(table(after / "errors.csv")[1]["observers"]) == 25 - len(second["studies"][0]["rejected"])


def test_options_change_what_they_say(answers):
    (study,) = read_answers([answers])

    def scales(**options):
        result = study_results.analyze(study, Config(resamples=20, **options))
        return {(row["source"], row["condition"], row["level"]): row for row in scale_rows(result.scales)}

    default = scales()
    assert scales(ties="drop")["2", "6", "3"]["scale"] > default["2", "6", "3"]["scale"]
    assert scales(prior=100.0)["2", "6", "3"]["scale"] < default["2", "6", "3"]["scale"] - 0.1
    assert ("2", "3", "5") in scales(scope="source") and ("2", "3", "5") not in default
    assert scales(model="bradley_terry")["2", "6", "3"]["scale"] != default["2", "6", "3"]["scale"]
    assert scales(model="davidson")["2", "6", "1"]["scale"] == pytest.approx(default["2", "6", "1"]["scale"], abs=0.2)
    assert scales(intervals="hessian")["2", "6", "3"]["lower"] != default["2", "6", "3"]["lower"]


def test_several_files_are_several_studies(answers, tmp_path, rdr, capsys):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("observer,scene,condition_A,condition_B,is_A_selected\n" + "".join(
        f"{observer},s,{a},{b},{int(a < b)}\n" for observer in range(6) for a, b in ("ab", "bc", "ca")))
    assert rdr("study", "analyze", answers, pairs, f"--out={tmp_path / 'out'}", "--resamples=20") == 0
    rows = table(tmp_path / "out" / "scales.csv")
    assert {row["source"] for row in rows} == {"lab/2", "lab/10", "pairs/s"}
    scale = {row["condition"]: float(row["scale"]) for row in rows if row["source"] == "pairs/s"}
    assert scale["a"] > scale["b"] > scale["c"] and sum(scale.values()) == pytest.approx(0, abs=1e-8)
    assert (tmp_path / "out" / "scales_pairs_2afc.png").stat().st_size > 1000
    assert "pairs: 18 answers" in capsys.readouterr().out


def test_wrong_calls_and_damaged_files_write_nothing(tmp_path, rdr, capsys):
    out = tmp_path / "out"
    damaged = tmp_path / "a.csv"
    damaged.write_text("observer,scene\nx,y\n")
    trained = write_own(tmp_path / "b.csv", [own_row(kind="training")])
    for words, status, message in (
            ((damaged,), 1, "lacks the columns"), ((), 2, "say which answers"),
            ((tmp_path / "no.csv",), 1, "No such file"),
            ((damaged, "--model=elo"), 2, "--model must be one of"), ((damaged, "--catch=2"), 2, "from 0 to 1"),
            ((damaged, "--resamples=1"), 2, "at least 2"), ((damaged, "--prior=-1"), 2, "at least 0"),
            ((trained,), 1, "has no answer that compares two images")):
        assert rdr("study", "analyze", *words, f"--out={out}") == status
        error = capsys.readouterr().err
        assert message in error and error.startswith("error: ") and error.count("\n") == 1
        assert not out.exists()
    assert rdr("study", "analyze", damaged, f"--out={damaged}") == 2
    with pytest.raises(ValueError, match="--scope must be one of"):
        Config(scope="all")


def test_right_and_wrong_answers_have_thresholds(tmp_path, rdr, capsys):
    path, out = write_own(tmp_path / "odd.csv", oddity_rows(observers=8, repeats=6)), tmp_path / "out"
    assert rdr("study", "analyze", path, f"--out={out}", "--resamples=50") == 0
    assert "critical level" in capsys.readouterr().out
    names = {file.name for file in out.iterdir()}
    assert {"shares.csv", "thresholds.csv", "thresholds.png"} <= names and "scales.png" not in names
    rows = table(out / "thresholds.csv")
    assert [row["source"] for row in rows] == ["all", "a", "b"] and float(rows[0]["critical"]) > 0
    assert len(table(out / "scales.csv")) == 0
    assert rdr("study", "analyze", path, f"--out={out}", "--resamples=20", "--json", "--task=2afc", "--reject") == 0
    assert json.loads(capsys.readouterr().out)["thresholds"][0]["critical"] != float(rows[0]["critical"])
    assert rdr("study", "analyze", path, f"--out={out}", "--lapse=1") == 2
