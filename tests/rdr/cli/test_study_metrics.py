"""Metrics and rates beside the scales of `rdr study analyze`."""

import csv
import json

import pytest

from tests.rdr.evaluation.studies.answer_files import own_row, write_own


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two codecs at three levels, two sources, six observers who mostly name the higher level."""
    folder, rows = tmp_path_factory.mktemp("study"), []
    for observer in range(6):
        trial = 0
        for source in ("kodim01", "kodim02"):
            for codec in ("a", "b"):
                for low in range(3):
                    for high in range(low + 1, 4):
                        for repeat in range(4):
                            trial += 1
                            left = {"codec_left": codec if high else "reference", "level_left": high}
                            right = {"codec_right": codec if low else "reference", "level_right": low}
                            wrong = (observer + trial + repeat) % 5 == 0
                            rows.append(own_row(observer=observer, trial=trial, source=source, **left, **right,
                                                response="right" if wrong else "left"))
    table = ["# higher_is_better: quality", "source,condition,level,quality,psnr,rate_bpp"]
    table += [f"{source}.png,{codec},{level},{10 - level},{level},{factor / level}" for source in ("kodim01", "kodim02")
              for codec, factor in (("a", 1.0), ("b", 0.5)) for level in (1, 2, 3)]
    (folder / "metrics.csv").write_text("\n".join(table) + "\n")
    return write_own(folder / "answers.csv", rows), folder / "metrics.csv"


def test_metrics_and_rates_are_compared_with_the_scales(study, tmp_path, rdr, capsys):
    answers, metrics = study
    call = ("study", "analyze", answers, f"--out={tmp_path / 'out'}", f"--metrics={metrics}", "--resamples=40")
    assert rdr(*call) == 0
    shown = capsys.readouterr().out
    assert "at equal scales b needs, beside a, -" in shown and "metrics.csv" in shown
    with (tmp_path / "out" / "metrics.csv").open() as stream:
        rows = {row["metric"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"quality", "psnr"}  # the rate is none
    assert float(rows["quality"]["spearman"]) > 0.7 and float(rows["psnr"]["spearman"]) < -0.7
    document = json.loads((tmp_path / "out" / "study.json").read_text())
    (delta,) = document["bd_rates"]
    assert -70 < delta["bd_rate_percent"] < -25 and delta["bd_rate_low"] < delta["bd_rate_high"]
    assert {"curves.png", "curves.csv", "bd_rates.csv"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_tables_that_fit_nothing_are_refused_before_anything_is_written(study, tmp_path, rdr, capsys):
    answers, metrics = study
    other = tmp_path / "other.csv"
    other.write_text(metrics.read_text().replace("kodim", "photo"))
    for options, message in (((f"--metrics={other}",), "the names that they have in the answers"),
                             ((f"--rates={other}",), "rates at two levels"),
                             ((f"--rates={metrics}", "--anchor=c"), "no curve of codec 'c'"),
                             ((f"--rates={tmp_path / 'none.csv'}",), "No such file")):
        assert rdr("study", "analyze", answers, f"--out={tmp_path / 'out'}", "--resamples=20", *options) == 1
        assert message in capsys.readouterr().err
    other.write_text("source,condition,level,psnr\nkodim01,a,1,3\n")
    assert rdr("study", "analyze", answers, f"--out={tmp_path / 'out'}", f"--rates={other}") == 1
    assert "must have a column rate_bpp" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_ratings_have_mean_opinions(tmp_path, rdr, capsys):
    table = tmp_path / "ratings.csv"
    lines = [f"{i},kodim01,c,{level},{5 - level + (i % 2)}" for i in range(8) for level in (1, 2, 3)]
    table.write_text("observer,source,condition,level,score\n" + "\n".join(lines) + "\n")
    assert rdr("study", "analyze", f"--ratings={table}", f"--out={tmp_path / 'out'}") == 0
    assert "BT.500 rejects nobody of 8" in capsys.readouterr().out
    with (tmp_path / "out" / "opinions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["mos"]) for row in rows] == [4.5, 3.5, 2.5] and rows[0]["ratings"] == "8"
    assert float(rows[0]["p910"]) == pytest.approx(4.5) and float(rows[0]["bt500_low"]) < 4.5
