"""Oracles: a probability distribution at every slope; the known bifurcation at the critical slope."""

import numpy as np

from experiments.bounds import optimal_support
from paper_figures.tables import read_table


def test_smoke_run_writes_certified_supports_that_split_at_the_critical_slope(tmp_path):
    columns = optimal_support.run(optimal_support.PRESETS["smoke"], tmp_path)
    header, table = read_table(tmp_path / "points.csv")
    assert float(header["width"]) == 1.0 and (tmp_path / "run.json").exists()
    np.testing.assert_allclose(table["atom"], columns["atom"], rtol=1e-8, atol=1e-9)
    slopes = np.unique(table["slope_over_critical"])
    assert len(slopes) == 6
    for slope in slopes:
        rows = table["slope_over_critical"] == slope
        np.testing.assert_allclose(table["weight"][rows].sum(), 1.0, atol=1e-8)
        np.testing.assert_allclose(table["weight"][rows] @ table["atom"][rows], 0.0, atol=1e-6)
        assert (rows.sum() == 1) == (slope < 1.0)
        assert table["gap_bits"][rows].max() < 1e-8
