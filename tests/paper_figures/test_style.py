import pathlib

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from paper_figures import style


def draw():
    style.apply()
    figure, axis = plt.subplots()
    axis.plot([0, 1], [1, 3], label="line")
    axis.legend()
    return figure


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    first, second = style.save(draw(), tmp_path / "deep" / "a"), style.save(draw(), tmp_path / "b.v2")
    assert [path.name for path in second] == ["b.v2.png", "b.v2.pdf"]
    for one, two in zip(first, second):
        assert one.read_bytes() == two.read_bytes() and one.stat().st_size > 1000


def test_colors_differ_in_gray():
    gray = sorted(np.dot(matplotlib.colors.to_rgb(color), [0.2126, 0.7152, 0.0722]) for color in style.COLORS[:4])
    assert min(np.diff(gray)) > 0.08


def test_axes_without_frame_show_nothing_but_what_is_drawn():
    _, axes = plt.subplots()
    style.remove_frame(axes)
    assert not any(side.get_visible() for side in axes.spines.values())
    assert not any(line.get_visible() for line in axes.get_xgridlines())


def test_photographs_of_any_layout_fall_on_whole_pixels_and_heat_maps_are_left_alone():
    figure, (photograph, heat, plot) = plt.subplots(1, 3, figsize=(7.13, 2.71), layout="constrained")
    photograph.imshow(np.zeros((30, 41)))
    heat.imshow(np.zeros((3, 4)), aspect="auto")
    plot.plot([0, 1])
    figure.set_dpi(200)
    figure.draw_without_rendering()
    before = [axis.get_window_extent().bounds for axis in figure.axes]
    assert style.fit_pixels(figure, 200)
    figure.draw_without_rendering()
    after = [axis.get_window_extent().bounds for axis in figure.axes]
    np.testing.assert_allclose(after[1:], before[1:], atol=0.1)  # the layout itself is that exact
    x, y, width, height = after[0]
    np.testing.assert_allclose([x, y], np.round([x, y]), atol=2e-3)
    factor = round(width / 41)
    np.testing.assert_allclose([width, height], [41 * factor, 30 * factor], atol=3e-3)
    assert 41 * factor <= 1.03 * before[0][2] < 41 * (factor + 1)
    assert not style.fit_pixels(draw(), 200)


def test_committed_figures_of_photographs_say_that_their_pixels_are_whole():
    folder = pathlib.Path(style.__file__).parent / "figures"
    for name in ("eigendistortions", "foveated_metamer", "maximum_differentiation", "overfitted_gallery",
                 "overfitted_realism", "overfitted_textures", "texture_metamers"):
        with Image.open(folder / f"{name}.png") as file:
            assert file.text.get("Description") == style.WHOLE_PIXELS, name
