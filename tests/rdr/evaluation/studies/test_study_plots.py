"""Figures of studies."""

import numpy as np

from rdr.evaluation.studies.answers import Item
from rdr.evaluation.studies.study_plots import scales_figure
from tests.rdr.evaluation.studies.test_scale_tables import scales


def test_scales_are_lines_over_levels_with_a_panel_for_each_source():
    fits = [scales("c", source=source) for source in ("1", "2")] + [scales("$d$", source="1")]
    figure = scales_figure(fits, label="distortion")
    axes = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title() for axis in axes] == ["source 1", "source 2"]
    assert [len(axis.get_lines()) for axis in axes] == [2, 1]
    np.testing.assert_allclose(axes[0].get_lines()[0].get_xydata(), [[0, 0], [2, 1 / 3], [10, 1.5]])
    assert "JND" in figure.get_supylabel() and len(figure.legends[0].get_texts()) == 2
    figure.savefig(__import__("io").BytesIO())  # a dollar sign is no formula


def test_conditions_without_levels_are_listed_by_their_scale():
    one = scales()._replace(items=(Item("a", "1"), Item("b", "1"), Item("c", "1")), reference=None)
    (axis,) = scales_figure([one], label="preference").axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "b", "c"]
    ends = [line.get_xdata().tolist() for line in axis.get_lines() if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(ends, np.stack([one.lower, one.upper], 1))
