"""The ranking experiment: responses by hand, the smoke run, resuming, opinions, and its figures."""

import dataclasses
import functools
import json

import numpy as np
import pytest
from PIL import Image

from experiments.images import perceptual_ranking, perceptual_scoring
from experiments.images.distortions import CODEC, DISTORTIONS, NUM_LEVELS, distort
from paper_figures import maximum_differentiation, metric_blindness
from paper_figures.tables import read_table

# Our codec is stood in for (`test_distortions.py` has it itself): fitting it takes most of a smoke run.
SMOKE = perceptual_ranking.PRESETS["smoke"]
KINDS = (*DISTORTIONS, CODEC)


def compress(image, level, *, steps, seed, directory):
    assert (steps, seed, directory.name) == (SMOKE.codec_steps, 0, f"waves_codec_{level}")
    return distort(image, "jpeg", level, seed=seed), 2.0 / (level + 1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("ranking")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perceptual_scoring, "compress", compress)
        return workdir, perceptual_ranking.run(SMOKE, workdir)


def test_the_squared_error_responds_to_everything_as_to_noise_and_ssim_not_to_brightness(finished):
    _, columns = finished
    found = dict(zip(zip(columns["metric"], columns["distortion"]), columns["response"]))
    for kind in KINDS:
        # Interpolated between noises of the very same squared errors.
        assert abs(found["mse", kind]) < 0.02
    assert found["ssim", "brightness"] < -3.0 and found["fd_steerable", "shift"] < -3.0
    assert found["csf", "blur"] > 1.0
    assert len(found) == 4 * len(KINDS)
    orders = dict(zip(zip(columns["metric"], columns["distortion"]), columns["order"]))
    np.testing.assert_allclose([orders["mse", "noise"], orders["mse", "codec"]], 1.0)


def test_our_codec_is_one_of_the_distortions_and_its_rates_are_told(finished):
    workdir, _ = finished
    header, _ = read_table(workdir / "blindness.csv")
    assert header["codec"].startswith("rdr.codecs.overfitted fitted for squared error in 10 steps; lambda 0.1 0.03")
    assert header["codec"].endswith("; 2.000 1.000 0.667 0.500 bits per pixel (mean over images)")
    record, jpeg = (json.loads((workdir / "scored" / f"waves_{kind}.json").read_text()) for kind in ("codec", "jpeg"))
    assert record["bits_per_pixel"] == [2.0 / (level + 1) for level in range(NUM_LEVELS)]
    assert record["scores"]["ssim"] == jpeg["scores"]["ssim"] and jpeg["bits_per_pixel"] is None
    assert perceptual_scoring.kinds(dataclasses.replace(SMOKE, codec_steps=0)) == tuple(DISTORTIONS)


def test_the_search_holds_one_metric_and_drives_the_other(finished):
    workdir, _ = finished
    _, table = read_table(workdir / "maximum_differentiation.csv")
    assert table["held"].tolist() == ["mse", "mse", "ssim", "ssim"]
    # Kept in 8 bits: squared errors of 0.0025 change by about a thousandth.
    np.testing.assert_allclose(table["held_end"], table["held_start"], rtol=5e-3)
    for row in range(4):
        driven = table["varied_end"][row] / table["varied_start"][row]
        assert driven > 1.2 if table["direction"][row] == "most" else driven < 0.8


def test_a_second_run_reads_what_was_kept(finished, monkeypatch):
    workdir, columns = finished
    monkeypatch.setattr(perceptual_scoring.MetricSuite, "compare", None)  # would fail if anything were scored again
    assert perceptual_ranking.run(dataclasses.replace(SMOKE, steps=0), workdir) == columns


def test_figures_draw_a_fresh_run(finished):
    workdir, columns = finished
    data = metric_blindness.load(workdir / "blindness.csv")
    figure = metric_blindness.make_figure(data)
    image = figure.axes[0].get_images()[0].get_array()
    np.testing.assert_allclose(np.ravel(image), columns["response"], rtol=1e-9)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == list(KINDS)
    pairs = maximum_differentiation.load(workdir / "maximum_differentiation.csv")
    figure = maximum_differentiation.make_figure(pairs)
    assert figure.axes[1].get_title() == "MSE as at the start,\nleast 1 − SSIM"
    np.testing.assert_array_equal(figure.axes[0].get_images()[0].get_array(), pairs.images["reference"])


def test_opinions_are_compared_with_every_metric(tmp_path, monkeypatch):
    # Intervals are tested beside their code; each resample of these is a fit.
    monkeypatch.setattr(perceptual_ranking.subjective_scores, "agreement", functools.partial(
        perceptual_ranking.subjective_scores.agreement, resamples=10))
    rng = np.random.default_rng(0)
    reference, rows = np.float32(rng.random((SMOKE.size, SMOKE.size, 3))), ["distorted,reference,mos"]
    Image.fromarray(np.uint8(255 * reference)).save(tmp_path / "r.png")
    for level in range(NUM_LEVELS):
        Image.fromarray(np.uint8(255 * distort(reference, "noise", level, seed=0))).save(tmp_path / f"{level}.png")
        rows.append(f"{level}.png,r.png,{5 - level}")
    (tmp_path / "mos.csv").write_text("\n".join(rows) + "\n")
    config = dataclasses.replace(SMOKE, metrics=("ssim",), scores=str(tmp_path / "mos.csv"))
    found = perceptual_ranking.judge_metrics(perceptual_scoring.make_suite(config), config, tmp_path)
    assert [row["metric"] for row in found] == ["mse", "ssim"]
    assert all(row["spearman"] > 0.95 and row["forced_choice"] == 1.0 for row in found)
    assert len((tmp_path / "opinions.jsonl").read_text().splitlines()) == NUM_LEVELS


def test_what_cannot_be_used_is_refused(tmp_path):
    for change, message in (
        ({"pictures": ("nothing",)}, "pictures: there is no 'nothing'"),
        ({"pictures": ()}, "pictures must be one or more of different names"),
        ({"size": 200}, r"size must be at most that of every image, waves has \(96, 96\), got 200"),
        ({"metrics": ("ms_ssim",)}, "size must be at least 161 for ms_ssim, got 64"),
        ({"metrics": ("psnr",)}, "psnr orders images as mse does"),
        ({"scores": "none.csv"}, "--scores: none.csv cannot be read"),
    ):
        with pytest.raises(ValueError, match=message):
            perceptual_ranking.run(dataclasses.replace(SMOKE, **change), tmp_path)
