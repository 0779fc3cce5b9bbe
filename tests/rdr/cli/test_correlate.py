"""`rdr correlate`: agreement of metrics with people, by SciPy's statistics, and what is refused."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from scipy import stats


def read(path):
    return list(csv.DictReader(line for line in path.read_text().splitlines() if line[0] != "#"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Six originals, three strengths of noise each, and opinions that mostly follow it."""
    folder, rng = tmp_path_factory.mktemp("study"), np.random.default_rng(0)
    rows = []
    for r in range(6):
        reference = rng.integers(60, 190, (24, 24, 3))
        Image.fromarray(np.uint8(reference)).save(folder / f"r{r}.png")
        for strength in (3, 12, 50):
            name = f"r{r}_{strength}.png"
            noisy = np.clip(reference + rng.integers(-strength, strength + 1, reference.shape), 0, 255)
            Image.fromarray(np.uint8(noisy)).save(folder / name)
            rows.append((name, f"r{r}.png", 5.0 - strength / 15 + rng.normal() / 2))
    for column, sign in (("mos", 1), ("dmos", -1)):
        lines = [f"distorted,reference,{column}", *(f"{n},{r},{sign * s:.4f}" for n, r, s in rows)]
        (folder / f"{column}.csv").write_text("\n".join(lines) + "\n")
    return folder, np.array([round(s, 4) for *_, s in rows])


def test_statistics_are_those_of_scipy_and_a_second_call_scores_nothing(study, tmp_path, rdr, capsys):
    """Fault 25: opinions were compared only behind a study of minutes, and nothing was printed."""
    folder, opinions = study
    words = ("correlate", f"--scores={folder / 'mos.csv'}", "--metrics=psnr,mse", f"--workdir={tmp_path}",
             "--resamples=20")
    assert rdr(*words) == 0
    shown = capsys.readouterr().out
    assert "spearman" in shown and "psnr" in shown and "18 images" in shown
    values = read(tmp_path / "values.csv")
    rows = {row["metric"]: row for row in read(tmp_path / "agreement.csv")}
    for name, sign in (("psnr", 1), ("mse", -1)):
        metric = sign * np.array([float(row[name]) for row in values])
        assert float(rows[name]["spearman"]) == pytest.approx(stats.spearmanr(metric, opinions).statistic, abs=1e-9)
        assert float(rows[name]["kendall"]) == pytest.approx(stats.kendalltau(metric, opinions).statistic, abs=1e-9)
        assert float(rows[name]["spearman_low"]) <= float(rows[name]["spearman"]) <= float(rows[name]["spearman_high"])
        assert float(rows[name]["pearson"]) > abs(stats.pearsonr(metric, opinions).statistic) - 0.01  # a fit helps
    (folder / "r0_3.png").rename(folder / "R0_3.PNG")  # found all the same, as data sets spell names
    assert rdr(*words, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["images"] == 18 and said["rows"][0]["spearman"] == pytest.approx(float(rows["psnr"]["spearman"]))
    (folder / "R0_3.PNG").rename(folder / "r0_3.png")


def test_the_direction_is_asked_for_where_the_file_does_not_say_it(study, tmp_path, rdr, capsys):
    """Fault 25: dmos was read as higher-is-better."""
    folder, _ = study
    words = ("correlate", f"--scores={folder / 'dmos.csv'}", "--metrics=psnr", "--resamples=5")
    assert rdr(*words, f"--workdir={tmp_path / 'a'}") == 1
    assert "larger" in capsys.readouterr().err and not (tmp_path / "a").exists()
    for better, positive in (("lower", True), ("higher", False)):
        assert rdr(*words, f"--better={better}", f"--workdir={tmp_path / better}", "--json") == 0
        assert (json.loads(capsys.readouterr().out)["rows"][0]["spearman"] > 0) == positive


@pytest.mark.parametrize(("flags", "status", "said"), [
    ([], 2, "--scores=FILE"), (["--scores=none.csv"], 1, "cannot be read"),
    (["--scores=none.csv", "--metrics=what"], 2, "--metrics must be among"),
    (["--scores=none.csv", "--resamples=1"], 2, "--resamples must be at least 2"),
])
def test_refusals(flags, status, said, tmp_path, rdr, capsys):
    assert rdr("correlate", *flags, f"--workdir={tmp_path / 'w'}") == status
    assert said in capsys.readouterr().err and not (tmp_path / "w").exists()
