"""Images side by side."""

import numpy as np
from PIL import Image

from paper_figures import image_rows, style


def holds(pixels, part):
    """Whether an image lies somewhere in another."""
    height, width = part.shape[:2]
    rows, columns = (n - m + 1 for n, m in zip(pixels.shape[:2], part.shape[:2]))
    # Corners and the middle first: few places are left to compare whole.
    places = np.ones((rows, columns), bool)
    for y, x in ((0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1), (height // 2, width // 2)):
        places &= (pixels[y:y + rows, x:x + columns] == part[y, x]).all(-1)
    return any((pixels[y:y + height, x:x + width] == part).all() for y, x in np.argwhere(places))


def test_pictures_titles_and_words_are_where_they_belong():
    color, gray = np.zeros((4, 5, 3), np.uint8), np.arange(20, dtype=np.uint8).reshape(4, 5, 1)
    rows = [{"b": (gray, "one"), "a": (color, "two")}, {"a": (color, "three"), "b": (gray, "four")}]
    axes = image_rows.draw(rows, {"a": "first", "b": "second"}, factor=20).axes
    assert [axis.get_title() for axis in axes] == ["first", "second", "", ""]
    assert [axis.get_xlabel() for axis in axes] == ["two", "one", "three", "four"]
    shown = [axis.get_images()[0].get_array() for axis in axes]
    assert [image.shape for image in shown] == [(4, 5, 3)] * 4 and (shown[1] == gray).all()


def test_files_hold_every_pixel_as_a_square(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 12, 10, 3), np.uint8)
    rows = [{"a": (images[0], "words"), "b": (images[1][..., :1], "more words")}]
    style.apply()
    path, _ = style.save(image_rows.draw(rows, {"a": "first", "b": "second"}, factor=9), tmp_path / "rows")
    with Image.open(path) as file:
        assert file.text["Description"] == style.WHOLE_PIXELS
        pixels = np.asarray(file.convert("RGB"))
    assert holds(pixels, np.kron(images[0], np.ones((9, 9, 1), np.uint8)))
    assert holds(pixels, np.kron(np.repeat(images[1][..., :1], 3, axis=2), np.ones((9, 9, 1), np.uint8)))
    assert not holds(pixels, np.kron(images[0], np.ones((8, 8, 1), np.uint8)))
