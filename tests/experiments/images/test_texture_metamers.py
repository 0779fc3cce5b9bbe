"""The metamer experiment: fidelity at sigma = 0, realism at infinity, and refusals."""

import dataclasses
import json
import math

import numpy as np
import pytest

from experiments.images import texture_metamers
from paper_figures import texture_metamers as figures
from paper_figures.tables import read_table

SMOKE = texture_metamers.PRESETS["smoke"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("metamers")
    return workdir, texture_metamers.run(SMOKE, workdir)


def test_sigma_zero_finds_the_picture_and_infinity_only_its_statistics(finished):
    _, columns = finished
    assert columns["sigma"] == [0.0, 2.0, math.inf]
    spread = texture_metamers.load_image("waves", SMOKE.size).std()
    fidelity = np.sqrt(columns["fidelity_mse"])
    # Pixels alone are matched to a twentieth of the image's spread; at infinity they stay unrelated to it.
    assert fidelity[0] < 0.05 * spread < spread < fidelity[2]
    assert fidelity[0] < fidelity[1] < fidelity[2]
    assert (np.array(columns["realism"]) < 0.01 * np.array(columns["realism_start"])).all()


def test_tables_and_images_are_what_was_returned(finished):
    workdir, columns = finished
    header, table = read_table(workdir / "sequence.csv")
    assert header["features"] == "pixels" and table["sigma"].tolist() == columns["sigma"]
    np.testing.assert_allclose(table["fidelity_mse"], columns["fidelity_mse"], rtol=1e-9)
    images = np.load(workdir / "images.npz")
    for sigma, mse in zip(columns["sigma"], columns["fidelity_mse"]):
        difference = (images[f"waves {sigma}"].astype(float) - images["waves"]) / 255
        # Rounding to 8 bits: two errors of variance 1/(12 255^2) each.
        np.testing.assert_allclose(np.sqrt((difference**2).mean()), np.sqrt(mse), atol=0.002)
    command = json.loads((workdir / "run.json").read_text())["command"]
    assert command.startswith("python -m experiments.images.texture_metamers")


def test_a_stopped_run_goes_on_after_the_last_finished_image(finished, tmp_path, monkeypatch):
    workdir, columns = finished
    for name in ("images.npz", "finished.json"):
        (tmp_path / name).write_bytes((workdir / name).read_bytes())
    # As if it had been stopped before the last image.
    rows = json.loads((tmp_path / "finished.json").read_text())
    (tmp_path / "finished.json").write_text(json.dumps(rows[:-1]))
    descents = []

    def make_descent(*_, **__):
        def descend(image, sigma, start, steps):
            descents.append(sigma[0, 0])
            return start, np.zeros(2)

        return descend

    monkeypatch.setattr(texture_metamers, "make_descent", make_descent)
    again = texture_metamers.run(SMOKE, tmp_path)
    assert descents == [math.inf] * 2  # at two resolutions
    assert again["sigma"] == columns["sigma"] and again["fidelity_mse"][:2] == columns["fidelity_mse"][:2]


def test_the_figure_draws_a_fresh_run(finished):
    workdir, columns = finished
    data = figures.load(workdir / "sequence.csv")
    figure = figures.sequence(data)
    fidelity = figure.subfigs[1].axes[0].get_lines()[0].get_ydata()
    np.testing.assert_allclose(fidelity, np.sqrt(columns["fidelity_mse"]), rtol=1e-6)
    with pytest.raises(ValueError, match="no image with a foveated"):
        figures.foveated(data)


def test_photographs_are_foveated_at_the_face_and_textures_are_not():
    config = dataclasses.replace(SMOKE, pictures=("astronaut",), photograph_size=32, pixels_per_degree=8.0)
    ((name, sigma),) = texture_metamers.sigma_maps(config, "astronaut").items()
    assert name == "foveated" and sigma[16, 16] == 0 and sigma[0, 0] == sigma.max() > 0
    assert texture_metamers.fixated_point(config, "astronaut") == pytest.approx((0.21 * 512 - 91, 0.43 * 512 - 204))
    whole = dataclasses.replace(config, photograph_size=512)
    assert texture_metamers.fixated_point(whole, "astronaut") == pytest.approx((0.21 * 512, 0.43 * 512))
    half = dataclasses.replace(config, photograph_size=256, photograph_halvings=1)
    assert texture_metamers.fixated_point(half, "astronaut") == pytest.approx((0.21 * 256, 0.43 * 256))
    assert all((m == s).all() for s, m in texture_metamers.sigma_maps(config, "waves").items())


def test_the_committed_preset_is_at_true_pixels_per_degree():
    quick = texture_metamers.PRESETS["quick"]
    assert (quick.size, quick.photograph_size) == (256, 512)
    # 60 cm from a monitor of 24 inches and 1920 x 1080 pixels.
    pitch = 24 * 0.0254 / math.hypot(1920, 1080)
    assert quick.pixels_per_degree == pytest.approx(math.radians(1) * 0.6 / pitch, rel=1e-3)


def test_own_images_are_foveated_where_they_are_fixated(tmp_path):
    """Fault 27: --pixels_per_degree was ignored for own images, which could not be foveated."""
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)).save(tmp_path / "a.png")
    config = dataclasses.replace(SMOKE, pictures=(str(tmp_path / "a.png"),), sigmas=("2", "eccentricity"),
                                 fixation=(3.0, 20.0), pixels_per_degree=20.0, steps=3)
    columns = texture_metamers.run(config, tmp_path)
    assert columns["sigma"] == [2.0, "foveated"]
    sigma = np.load(tmp_path / "a_foveated_sigma.npy")
    assert sigma.shape == (24, 24) and sigma[3, 20] == sigma.min() == 0
    expected = texture_metamers.sigma_from_eccentricity((24, 24), (3.0, 20.0), pixels_per_degree=20.0)
    np.testing.assert_allclose(sigma, expected, rtol=1e-6)
    shown = np.asarray(image.open(tmp_path / "a_foveated_sigma.png"))
    assert shown[3, 20] == 0 and shown.max() == 255
    stored = np.load(tmp_path / "images.npz")
    np.testing.assert_array_equal(np.asarray(image.open(tmp_path / "a_foveated.png")), stored["a foveated"])
    np.testing.assert_array_equal(np.asarray(image.open(tmp_path / "a_2.0.png")), stored["a 2.0"])


@pytest.mark.parametrize("change, message", [
    ({"pixels_per_degree": 20.0}, "give --sigmas=eccentricity"),
    ({"fixation": (1.0, 2.0)}, "give --sigmas=eccentricity"),
    ({"fixation": (1.0, 99.0), "sigmas": ("eccentricity",)}, "a row and a column from 0 to 23"),
    ({"size": 25}, "size must be a multiple"), ({"blocks": (6,)}, "blocks must be numbers from 0 to 5"),
    ({"sigmas": ("wide",)}, "sigmas must be numbers of at least 0"), ({"sigmas": ("-1",)}, "sigmas must be numbers"),
])  # fmt: skip
def test_options_that_would_be_ignored_are_refused(change, message):
    """Fault 27: an option that changes nothing was taken in silence."""
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMOKE, **change)


def test_pictures_come_from_files_too(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (50, 64, 3), np.uint8)
    image.fromarray(pixels).save(tmp_path / "a.png")
    photo = texture_metamers.load_image(str(tmp_path / "a.png"), 20, halvings=1)
    half = (pixels / 255).reshape(25, 2, 32, 2, 3).mean((1, 3))
    np.testing.assert_allclose(photo[0], half[2:22, 6:26], atol=1e-6)
    with pytest.raises(ValueError, match="size must be at most the image's"):
        texture_metamers.load_image(str(tmp_path / "a.png"), 60)
