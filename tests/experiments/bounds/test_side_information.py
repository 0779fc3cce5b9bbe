import dataclasses

import numpy as np

from experiments.bounds import side_information
from paper_figures.tables import read_table


def test_the_smoke_run_writes_a_table_of_ordered_curves(tmp_path):
    config = dataclasses.replace(side_information.PRESETS["smoke"], certified=1)
    side_information.run(config, tmp_path)
    header, columns = read_table(tmp_path / "side_information.csv")
    assert "bits per symbol" in header["units"]
    assert (columns["lower"] <= columns["upper"]).all()

    def curve(name):
        return columns["upper"][columns["series"] == name]

    # More knowledge and weaker demands cost no more.
    for better, worse in (("denoised_before", "denoised_after"), ("denoised_after", "as_is"),
                          ("binary_both", "binary_decoder"), ("marginal_both", "marginal_decoder"),
                          ("marginal_decoder", "joint")):
        assert (curve(better) <= curve(worse) + 1e-9).all() and (curve(better) < curve(worse) - 1e-6).any()
    np.testing.assert_allclose(curve("as_is")[0], 1.0)  # at rate 0 the variance
