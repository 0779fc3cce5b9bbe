import dataclasses

import numpy as np
import pytest

from experiments.images import threshold_patterns as experiment
from paper_figures.tables import read_table
from rdr import command_line
from rdr.features.color import linear_from_srgb
from rdr.vision import castle_csf

SMOKE = experiment.PRESETS["smoke"]


def test_patches_have_the_contrast_that_is_just_seen():
    patterns = experiment.make_patterns(SMOKE)
    assert [p.direction for p in patterns] == [d for d in experiment.DIRECTIONS for _ in SMOKE.frequencies]
    light, _, red = patterns[:3]
    # The middle of 48 pixels is between two of them, where the wave of 1 cycle per degree is cos(2 pi / 32).
    shown = SMOKE.black_luminance + (SMOKE.peak_luminance - SMOKE.black_luminance) * np.asarray(
        linear_from_srgb(light.images.astype(np.float64)))
    peak = np.cos(np.pi / 16) * np.exp(-((1 / 32) ** 2) * 2 / (2 * SMOKE.sigma**2))
    by_hand = 2 * peak / float(castle_csf.sensitivity(1.0, 80.0, area=np.pi * SMOKE.sigma**2))
    np.testing.assert_allclose(shown[0, 23, 23] / 80.0 - 1, by_hand, rtol=0.02)  # LMS and D65 are rounded otherwise
    np.testing.assert_allclose(shown[1].max() - 80, 2 * (shown[0].max() - 80), rtol=1e-3)
    # Red and green by turns, at one luminance.
    change = np.asarray(linear_from_srgb(red.images[0].astype(np.float64)))[23, 23] - np.asarray(
        linear_from_srgb(red.reference.astype(np.float64)))[23, 23]
    assert change[0] > 0 > change[1] and abs(change @ [0.2126, 0.7152, 0.0722]) < 0.1 * change[0]


def test_deviations_are_decibels_of_contrast():
    contrast = np.array([1.0, 2.0, 0.5])
    found, power = experiment.deviations(np.stack([contrast**3, (2 * contrast) ** 3], 1), np.ones(3, bool))
    np.testing.assert_allclose(found, [0.0, 20 * np.log10(2), -20 * np.log10(2)], atol=1e-9)
    assert power == pytest.approx(3.0)
    found, _ = experiment.deviations(np.array([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0]]), np.array([True, False, True]))
    np.testing.assert_allclose(found, [0.0, 20 * np.log10(2), experiment.FLOOR_DB], atol=1e-9)
    assert experiment.deviations(np.zeros((2, 2)), np.ones(2, bool))[0].tolist() == [experiment.FLOOR_DB] * 2


def test_a_run_writes_what_it_returns(tmp_path):
    config = dataclasses.replace(SMOKE, metrics=("mse",))
    rows = experiment.run(config, command_line.open_workdir(tmp_path, config))
    _, table = read_table(tmp_path / "patterns.csv")
    np.testing.assert_allclose(table["deviation_db"], [row["deviation_db"] for row in rows], rtol=1e-6)
    # The squared error sees contrast alone: twice the contrast in dB of what is needed.
    light = [row for row in rows if row["direction"] == "light"]
    expected = 20 * np.log10(light[1]["threshold"] / light[0]["threshold"])
    assert light[1]["deviation_db"] - light[0]["deviation_db"] == pytest.approx(expected, abs=0.5)


def test_refusals():
    for wrong, message in (
        ({"metrics": ("vmaf",)}, "--metrics must be among"),
        ({"luminances": (300.0,)}, "--luminances must lie between"),
        ({"frequencies": (9.0,)}, "--frequencies must be positive and below half of --pixels_per_degree"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(SMOKE, **wrong)
