"""The committed table of restoration: no point below its line, Gaussian points where theory says, and the figures."""

import numpy as np

from paper_figures import restoration
from paper_figures.tables import DATA

TABLE = restoration.load(DATA / "restoration.csv")
COLUMNS = TABLE.columns
GAUSSIAN = COLUMNS["source"] == "gaussian"


def test_no_point_lies_below_its_line():
    gap, error = COLUMNS["gap_distortion"], COLUMNS["gap_distortion_se"]
    assert (gap >= -3 * error - 1e-12).all()
    np.testing.assert_allclose(COLUMNS["distortion"] - gap, COLUMNS["bound_distortion"], atol=1e-9)


def test_gaussian_points_are_within_five_percent_of_theory_and_optimal_ones_of_the_line():
    measured, theory = (COLUMNS[name][GAUSSIAN] for name in ("distortion", "theory_distortion"))
    np.testing.assert_allclose(measured, theory, rtol=0.05)
    optimal = GAUSSIAN & (np.isin(COLUMNS["codec"], ("transport", "probability flow"))) & (COLUMNS["parameter"] <= 1)
    assert optimal.sum() >= 17
    np.testing.assert_allclose(COLUMNS["distortion"][optimal], COLUMNS["bound_distortion"][optimal], rtol=0.05)


def test_the_line_of_a_panel_passes_through_its_bounds():
    for source in restoration.SOURCES:
        rows = TABLE.rows(source, "denoising", 0.1)
        axis, line = restoration.make_line(rows["distortion"], rows["perception"], rows["bound_distortion"])
        root = np.sqrt(rows["perception"])
        within = root <= axis[-1]
        np.testing.assert_allclose(np.interp(root[within], axis, line), rows["bound_distortion"][within], rtol=5e-3)


def test_figures_show_every_task():
    figure = restoration.restoration(TABLE)
    assert len(figure.axes) == 6 and len(figure.legends[0].get_texts()) >= 5
    axes = restoration.patches(TABLE).axes
    stems = dict.fromkeys(name.split("/")[0] for name in TABLE.images)
    columns = [name for name in restoration.SHOWN if any(f"{stem}/{name}" in TABLE.images for stem in stems)]
    assert len(columns) >= 6 and len(axes) == 2 * len(stems) * len(columns)  # two patches of each task
    for i, stem in enumerate(stems):
        for axis, method in zip(axes[2 * i * len(columns) :], columns):
            shown = np.asarray(axis.get_images()[0].get_array())[..., :1]
            np.testing.assert_array_equal(shown, TABLE.images.get(f"{stem}/{method}", np.full((1, 64, 64, 1), 255))[0])
