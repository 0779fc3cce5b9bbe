import numpy as np

from paper_figures import image_common_randomness as figure
from paper_figures.tables import DATA

TABLES = figure.load(DATA / "image_common_randomness.csv")


def test_curves_fall_from_no_sharing_to_unlimited_sharing():
    curves = TABLES.curves
    for psnr in np.unique(curves["psnr_db"]):
        rows = curves["psnr_db"] == psnr
        rate, shared, saved = (curves[name][rows] for name in ("rate_bits", "common_randomness_bits", "saved_per_bit"))
        assert shared[0] == 0 and abs(saved[0] - 0.5) < 1e-9 and (np.diff(saved) < 1e-12).all()
        assert (rate > curves["rate_unlimited_bits"][rows] - 1e-9).all()
        # The column is the slope: trapezoids of a convex curve lie above what was saved.
        trapezoids = np.sum(np.diff(shared) * (saved[1:] + saved[:-1]) / 2)
        np.testing.assert_allclose(rate[0] - rate[-1], trapezoids, rtol=3e-3)


def test_frequencies_below_the_cut_off_are_not_coded_unless_sharing_is_unlimited():
    table = TABLES.spectrum
    coded = [(table["rate_bits"][table["budget_bits"] == c] > 0).sum() for c in np.unique(table["budget_bits"])]
    assert (np.diff(coded) >= 0).all() and coded[-2] < coded[-1] == (table["budget_bits"] == 0).sum()


def test_it_is_drawn(tmp_path):
    assert figure.main(["image_common_randomness", f"--out={tmp_path}"]) == 0
    assert (tmp_path / "image_common_randomness.png").stat().st_size > 10_000
