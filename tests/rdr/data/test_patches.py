"""Folders become TFDS data sets of patches without TensorFlow; unusable images are named and counted."""

import sys

import numpy as np
import pytest
from PIL import Image

from rdr.data import patches


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Three good images of 70 x 40, and between them a damaged, a small and a text file."""
    folder = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 256, (40, 70, 3), np.uint8) for _ in range(3)]
    for name, image in zip("aez", images):
        Image.fromarray(image).save(folder / f"{name}.png")
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes()[:2000])
    Image.new("RGB", (20, 20)).save(folder / "d.png")
    (folder / "notes.txt").write_text("x")
    return folder, images


def test_a_folder_becomes_patches_and_what_was_left_out_is_named(mixed, tmp_path):
    folder, images = mixed
    source, skipped = patches.prepare_folder(folder, tmp_path, size=32)
    wanted = {image[4:36, 3 + 32 * i : 35 + 32 * i].tobytes() for image in images for i in range(2)}
    assert {np.asarray(source[i]["image"]).tobytes() for i in range(len(source))} == wanted
    assert source[0]["image"].dtype == np.uint8 and source[0]["image"].shape == (32, 32, 3)
    assert [entry.name for entry in skipped] == ["c.png", "d.png"]
    assert "cannot be read as an image" in skipped[0].reason
    assert "20 x 20 pixels, less than a patch of 32 x 32" in skipped[1].reason
    assert "tensorflow" not in sys.modules
    before = sorted(tmp_path.rglob("*.array_record*"))
    again, skipped_again = patches.prepare_folder(folder, tmp_path, size=32)  # found, not made anew
    assert skipped_again == skipped and len(again) == 6
    assert sorted(tmp_path.rglob("*.array_record*")) == before


def test_strict_refuses_the_first_unusable_image_and_leaves_nothing_half_made(mixed, tmp_path):
    for _ in range(2):
        with pytest.raises(ValueError, match="images: .*c.png cannot be read as an image"):
            patches.prepare_folder(mixed[0], tmp_path, size=32, strict=True)


def test_a_folder_without_a_usable_image_is_refused(mixed, tmp_path):
    with pytest.raises(ValueError, match="no image of .* can be used"):
        patches.prepare_folder(mixed[0], tmp_path, size=64)


def test_a_changed_folder_is_another_data_set(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (32, 32), (1, 2, 3)).save(folder / "a.png")
    assert len(patches.prepare_folder(folder, tmp_path / "data", size=32)[0]) == 1
    Image.new("RGB", (64, 32)).save(folder / "b.png")
    assert len(patches.prepare_folder(folder, tmp_path / "data", size=32)[0]) == 3


def test_the_default_pictures_need_no_network(tmp_path):
    source, skipped = patches.prepare_sample_images(tmp_path, size=200)
    assert not skipped and len(source) >= 20
