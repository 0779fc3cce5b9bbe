"""Opinions: the files of two data sets, their faults, and agreement with metrics."""

import numpy as np
import pytest

from rdr.evaluation import subjective_scores
from rdr.evaluation.subjective_scores import Opinion, agreement, find_file, read_scores


def test_kadid_and_tid_files_are_read(tmp_path):
    kadid = tmp_path / "dmos.csv"
    kadid.write_text("dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,4.57,0.496\nI01_01_02.png,I01.png,4.33,0.869\n")
    assert read_scores(kadid)[1] == Opinion("I01_01_02.png", "I01.png", 4.33)
    tid = tmp_path / "mos_with_names.txt"
    tid.write_text("5.51429 I01_01_1.bmp\n5.56757 i02_01_2.bmp\n")
    assert read_scores(tid) == [
        Opinion("I01_01_1.bmp", "I01.BMP", 5.51429), Opinion("i02_01_2.bmp", "I02.BMP", 5.56757)
    ]
    table = tmp_path / "tid.csv"
    table.write_text("Image,Reference,MOS\na.bmp,r.bmp,1\nb.bmp,r.bmp,2\n")
    assert read_scores(table)[0] == Opinion("a.bmp", "r.bmp", 1.0)


def test_the_direction_is_stated_or_asked_for(tmp_path):
    """Fault 25: every "dmos" was read as higher-is-better, although of most data sets it is the other way round."""
    file = tmp_path / "live.csv"
    file.write_text("dist_img,ref_img,dmos\na,r,10\nb,r,60\n")
    with pytest.raises(ValueError, match=r"degradations \(dmos\).* say which"):
        read_scores(file)
    assert [o.score for o in read_scores(file, higher_is_better=False)] == [-10, -60]
    assert [o.score for o in read_scores(file, higher_is_better=True)] == [10, 60]
    file.write_text("\ufeffdist_img,ref_img,mos\n\"a, b.png\",r,10\nb,r,60\n", encoding="utf-8")
    assert read_scores(file)[0] == Opinion("a, b.png", "r", 10.0)


def test_faults_are_told(tmp_path):
    file = tmp_path / "x.csv"
    for text, message in (
        ("", "is empty"),
        ("dist_img,dmos\na,1\nb,2\n", r"must have a column for the reference \(ref_img"),
        ("dist_img,ref_img,mos\na,r,good\nb,r,2\n", "must hold a number for every opinion"),
        ("dist_img,ref_img,mos\na,r,1\n", "must hold at least two opinions, got 1"),
        ("good a.bmp\n", "lines must hold a score and a file name"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_scores(file)
    with pytest.raises(ValueError, match="cannot be read"):
        read_scores(tmp_path / "none.csv")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "I01.BMP").write_bytes(b"1")
    assert find_file(tmp_path, "i01.bmp").name == "I01.BMP"
    with pytest.raises(ValueError, match="--images: there is no z.png in"):
        find_file(tmp_path, "z.png")


def test_an_original_that_is_drawn_twice_counts_as_two(monkeypatch):
    # One original of six has 5 distortions, all ordered wrongly; the others have 2, ordered rightly.
    opinions = [Opinion(f"{r}_{d}", f"{r}", -d) for r in range(6) for d in range(5 if r == 0 else 2)]
    values = np.array([float(o.score) if o.reference != "0" else -float(o.score) for o in opinions])
    drawn = []

    def resample(statistic, count, **options):
        drawn.append(statistic(np.array([0, 0, 0, 1, 2, 2])))
        return (statistic(np.arange(count)), 0.0, 1.0, 0.0, np.zeros(1))

    monkeypatch.setattr(subjective_scores, "bootstrap_interval", resample)
    (row,) = agreement({"m": values}, {"m": True}, opinions, seed=0)
    # Pairs within an original: 10 wrong ones of the first, one right one of each other.
    np.testing.assert_allclose(row["forced_choice"], 5 / 15)
    np.testing.assert_allclose(drawn[subjective_scores.STATISTICS.index("forced_choice")], 3 / 33)


def test_a_metric_that_is_constant_has_no_correlation_and_does_not_end_the_run():
    opinions = [Opinion(f"{r}_{d}", f"{r}", -d) for r in range(6) for d in range(3)]
    scores = {"constant": np.ones(18), "good": np.array([o.score for o in opinions])}
    constant, good = agreement(scores, {"constant": True, "good": True}, opinions, seed=0, resamples=20)
    assert np.isnan([constant["spearman"], constant["kendall_low"]]).all() and constant["forced_choice"] == 0.5
    assert good["spearman"] == 1.0
    assert np.isnan(constant["pearson"]) and np.isnan(constant["rmse_high"]) and good["pearson"] > 0.99


def test_a_metric_that_agrees_beats_one_that_does_not_beyond_their_intervals():
    rng = np.random.default_rng(0)
    opinions = [Opinion(f"{r}_{d}", f"{r}", -d + rng.normal(0, 0.3)) for r in range(12) for d in range(5)]
    strength = np.array([d for _ in range(12) for d in range(5)], float)
    scores = {"good": strength + rng.normal(0, 0.2, 60), "random": rng.normal(size=60), "reversed": strength}
    directions = {"good": False, "random": False, "reversed": True}
    good, random, reverse = agreement(scores, directions, opinions, seed=0, resamples=100)
    for name in ("pearson", "spearman", "kendall", "forced_choice"):
        assert good[f"{name}_low"] <= good[name] <= good[f"{name}_high"]
        assert good[f"{name}_low"] > random[f"{name}_high"]
    assert good["spearman"] > 0.9 and reverse["spearman"] < -0.9 and reverse["forced_choice"] < 0.05
    assert good["rmse_high"] < random["rmse_low"] and reverse["pearson"] < -0.9
    assert random["spearman_low"] < 0 < random["spearman_high"]


def test_rows_that_are_longer_than_the_heading_do_no_harm(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("dist_img,ref_img,mos\na.png,r.png,3,,5\nb.png,r.png,2\n")
    assert [opinion.score for opinion in read_scores(path)] == [3.0, 2.0]
