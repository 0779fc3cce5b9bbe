"""The committed surfaces: monotone, convex where they must be, and drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from paper_figures import discrete_rdp
from paper_figures.tables import DATA, read_table


@pytest.fixture(scope="module")
def data():
    return discrete_rdp.load(DATA / "discrete_rdp.csv")


def test_the_surfaces_are_certified_and_fall_in_both_arguments(data):
    assert set(data) == {"tv", "kl", "w2sq"}
    for surface in data.values():
        gap = surface.rate - surface.lower
        assert gap.min() >= -1e-9 and gap.max() <= 1.1e-8  # cells have ten digits
        assert np.diff(surface.rate, axis=0).max() <= 1e-8 and np.diff(surface.rate, axis=1).max() <= 1e-8


def test_rate_is_convex_in_the_distortion(data):
    for surface in data.values():
        chords = 0.5 * (surface.rate[:-2] + surface.rate[2:])
        assert (surface.rate[1:-1] <= chords + 2e-8).all()


def test_realism_is_worth_bits_and_divergences_agree_at_the_ends(data):
    perfect = {name: surface.rate[:, 0] for name, surface in data.items()}
    for rate in perfect.values():
        np.testing.assert_allclose(rate, perfect["tv"], atol=2e-8)
    for surface in data.values():
        assert (surface.rate[:, 0] - surface.rate[:, -1]).max() > 0.1


def test_realism_is_free_beyond_the_line_and_costs_below(data):
    for surface in data.values():
        flat = surface.rate - surface.rate[:, -1:]
        beyond = surface.perceptions[None] >= surface.free[:, None] + 1e-9
        assert beyond[:, -1].all() or surface.free.max() > surface.perceptions[-1]
        assert flat[beyond & (surface.free[:, None] <= surface.perceptions[-1])].max() <= 1.1e-8
        below = surface.perceptions[None] < 0.9 * surface.free[:, None]
        costs = surface.rate[:, -1:] > 1e-3
        assert (flat[below & costs & (surface.free[:, None] <= surface.perceptions[-1])] > 0).all()


def test_the_figure_shows_three_panels_with_units(data):
    figure = discrete_rdp.surfaces(data)
    panels = [axis for axis in figure.axes if axis.get_title()]
    assert len(panels) == 3
    assert all("distortion" in axis.get_xlabel() and "perception" in axis.get_ylabel() for axis in panels)
    plt.close(figure)


def test_another_table_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("# a: b\nx,y\n1,2\n")
    with pytest.raises(ValueError, match="holds no surface"):
        discrete_rdp.load(tmp_path / "t.csv")
    assert "pmf" in read_table(DATA / "discrete_rdp.csv")[0]
