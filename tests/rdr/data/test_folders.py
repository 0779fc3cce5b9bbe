"""Folders of images: what is found, and what is said of files that cannot be used."""

import numpy as np
import pytest
from PIL import Image

from rdr.data.folders import cut_patches, images_by_name, list_images


def test_images_are_found_at_any_depth_in_order_and_other_files_are_passed_over(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("b/2.PNG", "a.jpg", ".hidden/no.png", "notes.txt"):
        Image.new("RGB", (4, 4)).save(tmp_path / name, "PNG")
    assert [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)] == ["a.jpg", "b/2.PNG"]


def test_a_missing_and_an_empty_folder_and_one_without_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="--images: there is no folder"):
        list_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds nothing, but no image"):
        list_images(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="1 files of other kinds"):
        list_images(tmp_path)


def test_names_without_suffix_are_one_image_each(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("b.png", "a.gif", "below/c.png", ".hidden.png"):
        Image.new("L", (2, 2)).save(tmp_path / name)
    assert {name: path.name for name, path in images_by_name(tmp_path).items()} == {"a": "a.gif", "b": "b.png"}
    Image.new("L", (2, 2)).save(tmp_path / "a.webp")
    with pytest.raises(ValueError, match="--dir: a.gif and a.webp in .* have one name"):
        images_by_name(tmp_path, flag="dir")


def test_patches_touch_and_leave_the_same_at_both_borders():
    image = np.arange(7 * 9).reshape(7, 9, 1)
    patches = cut_patches(image, 3)
    assert len(patches) == 6
    np.testing.assert_array_equal(patches[0], image[0:3, 0:3])
    np.testing.assert_array_equal(patches[5], image[3:6, 6:9])
    np.testing.assert_array_equal(cut_patches(image, 7)[0], image[:, 1:8])
    assert cut_patches(image, 8) == []
