"""Displays, values and files of the experiment; fits are replaced by random files, but for a stress test."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from experiments.images import display_aware as experiment
from paper_figures.tables import read_table
from rdr.vision import show
from rdr.vision.cvvdp import cvvdp

SMOKE = experiment.PRESETS["smoke"]
pytest.importorskip("skimage")


def test_the_television_shows_the_photograph_s_light():
    at = experiment.viewed("television", 300.0)
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    coded = at.encode(image)
    assert coded.dtype == np.float32 and np.abs(coded * 1023 - np.rint(coded * 1023)).max() < 1e-3
    found = np.asarray(show(coded, at.display, space="xyz"))
    # A display of sRGB without reflections whose white has the same luminance.
    plain = at.display._replace(transfer="srgb", primaries="bt709", peak=300.0, contrast=1e9, ambient=0.0)
    black = at.display.black + at.display.reflected
    expected = np.asarray(show(image, plain, space="xyz"))
    # Half a step of 10 bits of PQ is at most 0.6 % of a luminance of 1 cd/m^2 and more.
    np.testing.assert_allclose(found[..., 1] - black, expected[..., 1], rtol=0.012, atol=0.02)
    np.testing.assert_allclose(found / found.sum(-1, keepdims=True), expected / expected.sum(-1, keepdims=True),
                               atol=0.01)
    whole = np.rint(coded * np.float64(65535)).astype(np.uint16)
    # Steps of a bright primary of BT.2020 are several of a dark one of sRGB.
    error = np.abs(at.as_srgb(whole).astype(int) - image)
    assert error.max() <= 4 and error.mean() < 0.5


def test_files_of_displays_with_the_same_values_share_the_squared_error():
    files = experiment.wanted(dataclasses.replace(SMOKE, displays=("phone", "desktop", "television"), more=(1.2,),
                                                  fixation=(0.5, 0.25)), ("a", "b"))
    assert len(files) == 3 * 2 + 2 + 2 + 1
    stems = {one: experiment.make_fit(SMOKE, one, np.zeros((24, 24, 3), np.uint8)).stem for one in files}
    assert stems["a", "phone", "mse"] == stems["a", "desktop", "mse"] != stems["a", "television", "mse"]
    assert len(set(stems.values())) == len(files) - 1


def test_methods_ask_for_what_they_are_named_after():
    config = dataclasses.replace(SMOKE, fixation=(0.0, 1.0), more=(1.5,))
    image = np.random.default_rng(1).integers(0, 256, (24, 24, 3), np.uint8)
    fits = {method: experiment.make_fit(config, experiment.Wanted("a", "desktop", method), image)
            for method in ("mse", "jod", "glance", "mse x1.5")}
    assert fits["mse"].options.size == fits["jod"].options.size == 330 and fits["mse x1.5"].options.size == 495
    assert all(fit.options.size_tolerance == 0.01 for fit in fits.values())
    glance = fits["glance"].options.objective
    pair = [np.asarray(x, np.float32)[None] / 255 for x in (image, np.clip(image, 30, 220))]
    distance = float(jax.jit(lambda a, b: glance.distance(glance.params, glance.prepare(None, a, None), b))(*pair)[0])
    inner = cvvdp(pair[1], pair[0], display="standard_fhd", fixation=(0.0, 23.0)).inner
    error = 0.2 * 255.0**2 * float(np.mean(np.square(pair[0] - pair[1])))
    assert distance == pytest.approx(float(inner[0]) + error, rel=1e-4)


def test_a_run_writes_what_it_measured(tmp_path, unfitted):
    config = dataclasses.replace(SMOKE, names=("astronaut", "coffee"), fixation=(0.25, 0.5))
    rows = experiment.run(config, tmp_path)
    assert not (tmp_path / "equal.csv").exists()
    assert [(row["name"], row["method"]) for row in rows] == [
        ("astronaut", "mse"), ("astronaut", "jod"), ("astronaut", "glance"), ("coffee", "mse"), ("coffee", "jod")]
    _, table = read_table(tmp_path / "fits.csv")
    np.testing.assert_allclose(table["jod"], [row["jod"] for row in rows], rtol=1e-9)
    assert np.isnan(table["jod_glance"]).tolist() == [False] * 3 + [True] * 2
    with np.load(tmp_path / "fits.npz") as arrays:
        difference = arrays["coffee desktop jod"].astype(float) - arrays["coffee original"]
        assert rows[4]["psnr"] == pytest.approx(10 * math.log10(255**2 / np.mean(difference**2)), abs=1e-4)
        assert arrays["bits astronaut desktop glance"].shape == (24, 24)
    assert rows[0]["bytes"] == (tmp_path / "messages" / "astronaut-sdr-mse.rdr").stat().st_size
    for name in ("sheet1.png", "sheet4.png", "run.json"):
        assert (tmp_path / name).stat().st_size > 0
    assert [getattr(o.objective, "name", o.objective) for o in unfitted].count("jod") == 3


def test_enlarged_sheets_repeat_pixels(tmp_path):
    image = pytest.importorskip("PIL.Image")
    row = [np.full((2, 2, 3), value, np.uint8) for value in (10, 200)]
    experiment.write_sheet(tmp_path / "a.png", [row, row], 3)
    found = np.asarray(image.open(tmp_path / "a.png"))
    assert found.shape == (16, 16, 3) and (found[:6, :6] == 10).all() and (found[10:, 10:] == 200).all()
    assert (found[6:10] == 128).all() and (found[:6, 6:10] == 128).all()


@pytest.mark.parametrize("change, said", [
    ({"fixation": (0.5,)}, "--fixation must be"), ({"white": 0.0}, "--white must be"), ({"size": 8}, "--size must be"),
    ({"squared_error": -1.0}, "--squared_error must be"), ({"more": (0.5,)}, "--more must be"),
    ({"more": (1.2, 1.2)}, "--more must be different"),
])  # fmt: skip
def test_settings_that_make_no_sense_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(SMOKE, **change)


@pytest.mark.parametrize("change, said", [({"names": ("moon",)}, "--names must be among"),
                                          ({"size": 400}, "--size must fit")])
def test_crops_that_are_not_there_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        experiment.crops(dataclasses.replace(SMOKE, **change))


def test_crops_of_a_folder_come_from_the_middle(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    image.fromarray(pixels).save(tmp_path / "a.png")
    ((name, crop),) = experiment.crops(dataclasses.replace(SMOKE, images=str(tmp_path), names=())).items()
    assert name == "a"
    np.testing.assert_array_equal(crop, pixels[8:32, 3:27])


@pytest.mark.stress
def test_files_fitted_for_a_display_look_better_there(tmp_path):
    config = dataclasses.replace(SMOKE, size=48, bytes=400, steps=200)
    squared, seen = experiment.run(config, tmp_path)
    assert seen["jod"] > squared["jod"] and 0.98 < seen["bytes"] / squared["bytes"] < 1.02
