"""The experiment on eigendistortions: its image, its tables, and that a seed gives them again."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from experiments.images import eigendistortions as experiment
from paper_figures.tables import read_table

TINY = dataclasses.replace(experiment.PRESETS["smoke"], losses=("squared_error", "ms_ssim"), size=41, steps=3)


def test_the_smoke_preset_needs_no_weights_and_presets_name_known_losses():
    for name, config in experiment.PRESETS.items():
        assert set(config.losses) <= set(experiment.NAMES)
        assert name != "smoke" or not set(config.losses) & {"lpips", "dists", "wasserstein"}


@pytest.mark.stress  # the test below runs one of the losses again
def test_a_run_writes_the_same_table_again(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        experiment.run(TINY, tmp_path / name)
    assert (tmp_path / "a/eigendistortions.csv").read_bytes() == (tmp_path / "b/eigendistortions.csv").read_bytes()
    assert (tmp_path / "a/eigendistortions.npy").read_bytes() == (tmp_path / "b/eigendistortions.npy").read_bytes()


def test_a_run_writes_a_table_and_an_array_that_fits_it(tmp_path):
    (tmp_path / "one").mkdir()
    experiment.run(TINY, tmp_path)
    experiment.run(dataclasses.replace(TINY, losses=("squared_error",)), tmp_path / "one")
    header, columns = read_table(tmp_path / "eigendistortions.csv")
    assert list(columns["distortion_of"]) == ["squared_error"] * 2 + ["ms_ssim"] * 2
    arrays = np.load(tmp_path / "eigendistortions.npy")
    assert arrays.shape == (5, 41, 41, 3) and arrays.dtype == np.float16
    np.testing.assert_array_equal(np.load(tmp_path / "one" / "eigendistortions.npy"), arrays[:3])  # of the seed alone
    # Every distortion has the amplitude that the header names, to the half precision of the array.
    np.testing.assert_allclose(
        columns["loss_squared_error"].astype(float), float(header["amplitude"]) ** 2, rtol=1e-3
    )
    ms_ssim = columns["loss_ms_ssim"].astype(float)
    assert ms_ssim[2] == ms_ssim.max() and ms_ssim[3] == ms_ssim.min()


def test_dead_leaves_are_images_with_edges_and_flat_parts():
    image = experiment.dead_leaves(0, 48)
    assert image.shape == (48, 48, 3) and image.dtype == np.float32
    assert 0.0 <= image.min() < image.max() <= 1.0
    steps = np.abs(np.diff(image.mean(-1), axis=1))
    # Heavy tails: kurtosis of differences far above a Gaussian's 3.
    assert (steps**4).mean() / (steps**2).mean() ** 2 > 5
    assert not np.array_equal(image, experiment.dead_leaves(1, 48))


def test_a_file_is_cut_at_its_center_and_refused_if_small(tmp_path):
    pixels = np.arange(60 * 50 * 3, dtype=np.uint32).reshape(60, 50, 3).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    config = dataclasses.replace(TINY, image=str(tmp_path / "x.png"))
    np.testing.assert_allclose(experiment.load_image(config), pixels[9:50, 4:45] / np.float32(255))
    with pytest.raises(ValueError, match="image must have at least 64 pixels each way, got 60 x 50"):
        experiment.load_image(dataclasses.replace(config, size=64))


def test_unknown_losses_and_small_sizes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="losses must be among"):
        experiment.make_loss("psnr", 4.0)
    with pytest.raises(ValueError, match="size must be at least 41"):
        experiment.run(dataclasses.replace(TINY, size=40), tmp_path)
