"""Folders of images: what is found, and what is said of files that cannot be used."""

import numpy as np
import pytest
from PIL import Image

from rdr.data.folders import cut_patches, list_images, read_image


def test_images_are_found_at_any_depth_in_order_and_other_files_are_passed_over(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("b/2.PNG", "a.jpg", ".hidden/no.png", "notes.txt"):
        Image.new("RGB", (4, 4)).save(tmp_path / name, "PNG")
    assert [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)] == ["a.jpg", "b/2.PNG"]


def test_a_missing_and_an_empty_folder_and_one_without_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="images: there is no folder"):
        list_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds nothing, but no image"):
        list_images(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="1 files of other kinds"):
        list_images(tmp_path)


def test_gray_palette_and_transparent_images_become_rgb(tmp_path):
    for i, mode in enumerate(("L", "P", "RGBA", "1", "LA")):
        path = tmp_path / f"{i}.png"
        Image.new(mode, (5, 3)).save(path)
        assert read_image(path).shape == (3, 5, 3) and read_image(path).dtype == np.uint8


def test_damaged_and_deep_images_are_refused_by_name(tmp_path):
    good, cut, text, deep = (tmp_path / f"{name}.png" for name in ("good", "cut", "text", "deep"))
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(good)
    cut.write_bytes(good.read_bytes()[:5000])
    text.write_text("not an image")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(deep)
    for path, match in ((cut, "cut.png is damaged"), (text, "text.png is no image"),
                        (deep, "deep.png has more than 8 bits")):
        with pytest.raises(ValueError, match=match):
            read_image(path)


def test_patches_touch_and_leave_the_same_at_both_borders():
    image = np.arange(7 * 9).reshape(7, 9, 1)
    patches = cut_patches(image, 3)
    assert len(patches) == 6
    np.testing.assert_array_equal(patches[0], image[0:3, 0:3])
    np.testing.assert_array_equal(patches[5], image[3:6, 6:9])
    np.testing.assert_array_equal(cut_patches(image, 7)[0], image[:, 1:8])
    assert cut_patches(image, 8) == []
