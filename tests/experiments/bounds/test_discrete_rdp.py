import numpy as np

from experiments.bounds import discrete_rdp
from paper_figures import discrete_rdp as figure
from theory.discrete import rate_distortion_perception


def test_a_small_run_is_certified_monotone_and_readable(tmp_path):
    config = discrete_rdp.PRESETS["smoke"]
    table = discrete_rdp.run(config, tmp_path)
    gap = np.array(table["rate_upper_bits"]) - np.array(table["rate_lower_bits"])
    assert (gap >= -1e-13).all() and (gap <= 1e-8).all()
    surfaces = figure.load(tmp_path / "discrete_rdp.csv")
    assert list(surfaces) == list(discrete_rdp.DIVERGENCES)
    for surface in surfaces.values():
        assert surface.rate.shape == (3, 3)
        # R(D, P) falls in both arguments; certificates are good to 1e-8.
        assert (np.diff(surface.rate, axis=0) <= 1e-8).all() and (np.diff(surface.rate, axis=1) <= 1e-8).all()
    # Perfect realism is the same for every divergence.
    for name in discrete_rdp.DIVERGENCES[1:]:
        np.testing.assert_allclose(surfaces[name].rate[:, 0], surfaces["tv"].rate[:, 0], atol=2e-8)


def test_the_table_says_what_the_solver_says(tmp_path):
    config = discrete_rdp.PRESETS["smoke"]
    table = discrete_rdp.run(config, tmp_path)
    pmf, matrix = discrete_rdp.source(config)
    row = [i for i, name in enumerate(table["divergence"]) if name == "kl"][4]
    answer = rate_distortion_perception(
        pmf, matrix, distortion=table["distortion"][row], perception=table["perception"][row], divergence="kl")
    np.testing.assert_allclose(table["rate_upper_bits"][row], answer.rate, atol=1e-8)
