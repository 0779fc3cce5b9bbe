"""Metrics of judged images: values, and resuming from what was kept."""

import json

import numpy as np
import pytest
from PIL import Image

from rdr.evaluation.metric_suite import MetricSuite
from rdr.evaluation.opinion_scoring import score_opinions
from rdr.evaluation.subjective_scores import Opinion, agreement

LEVELS = (2, 10, 30, 80)


def test_every_metric_is_computed_and_kept(tmp_path):
    rng = np.random.default_rng(0)
    opinions = []
    for r in range(2):
        reference = rng.integers(80, 170, (40, 44, 3))
        Image.fromarray(np.uint8(reference)).save(tmp_path / f"I0{r}.png")
        for level, strength in enumerate(LEVELS):
            image = np.clip(reference + rng.integers(-strength, strength + 1, reference.shape), 0, 255)
            Image.fromarray(np.uint8(image)).save(tmp_path / f"I0{r}_{level}.png")
            opinions.append(Opinion(f"I0{r}_{level}.png", f"i0{r}.PNG", 5.0 - level))
    suite, log = MetricSuite(("mse", "ssim")), tmp_path / "opinions.jsonl"
    values = score_opinions(opinions, tmp_path, suite, log)
    first = [np.asarray(Image.open(tmp_path / name)) / 255 for name in ("I00_0.png", "I00.png")]
    np.testing.assert_allclose(values["mse"][0], np.mean((first[0] - first[1]) ** 2), rtol=1e-5)
    # Stronger noise is worse to both, and to these people.
    rows = agreement(values, {"mse": False, "ssim": True}, opinions, seed=0, resamples=20)
    assert [row["metric"] for row in rows] == ["mse", "ssim"]
    assert all(row["spearman"] > 0.95 and row["forced_choice"] == 1.0 for row in rows)
    assert [json.loads(line)["image"] for line in log.read_text().splitlines()] == [o.distorted for o in opinions]
    # Interrupted in the middle of a line: that image is scored again, and the file is whole.
    log.write_text(log.read_text()[:-20])
    again = score_opinions(opinions, tmp_path, suite, log)
    assert all(np.array_equal(again[name], values[name]) for name in values)
    assert json.loads(log.read_text().splitlines()[-1])["image"] == "I01_3.png"
    # Nothing is scored twice.
    suite.metrics = {name: metric._replace(call=None) for name, metric in suite.metrics.items()}
    assert np.array_equal(score_opinions(opinions, tmp_path, suite, log)["ssim"], values["ssim"])


def test_images_of_other_sizes_are_refused(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    Image.new("L", (8, 9)).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match="a.png and b.png must have one size"):
        score_opinions([Opinion("a.png", "b.png", 1.0)], tmp_path, MetricSuite(("mse",)), tmp_path / "log")
