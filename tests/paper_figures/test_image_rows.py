"""Images side by side."""

import numpy as np

from paper_figures import image_rows


def test_pictures_titles_and_words_are_where_they_belong():
    color, gray = np.zeros((4, 5, 3), np.uint8), np.arange(20, dtype=np.uint8).reshape(4, 5, 1)
    rows = [{"b": (gray, "one"), "a": (color, "two")}, {"a": (color, "three"), "b": (gray, "four")}]
    axes = image_rows.draw(rows, {"a": "first", "b": "second"}, side=1.0).axes
    assert [axis.get_title() for axis in axes] == ["first", "second", "", ""]
    assert [axis.get_xlabel() for axis in axes] == ["two", "one", "three", "four"]
    assert [axis.get_images()[0].get_array().shape for axis in axes] == [(4, 5, 3), (4, 5), (4, 5, 3), (4, 5)]
    assert axes[1].get_images()[0].get_clim() == (0, 255)
