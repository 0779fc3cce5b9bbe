import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np

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
