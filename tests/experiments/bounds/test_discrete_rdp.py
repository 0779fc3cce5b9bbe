import numpy as np
import pytest

from experiments.bounds import discrete_rdp
from paper_figures import discrete_rdp as figure
from theory.discrete import rate_distortion, rate_distortion_perception


@pytest.fixture(scope="module", params=[
    ("tv",), pytest.param(discrete_rdp.DIVERGENCES, marks=pytest.mark.stress)], ids=["one", "all"])
def finished(request, tmp_path_factory):
    """A run; each divergence has a program of its own, so that all of them are under `stress`."""
    workdir = tmp_path_factory.mktemp("discrete_rdp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discrete_rdp, "DIVERGENCES", request.param)
        return workdir, discrete_rdp.run(discrete_rdp.PRESETS["smoke"], workdir), request.param


def test_a_small_run_is_certified_monotone_and_readable(finished):
    workdir, table, divergences = finished
    gap = np.array(table["rate_upper_bits"]) - np.array(table["rate_lower_bits"])
    assert (gap >= -1e-13).all() and (gap <= 1e-8).all()
    surfaces = figure.load(workdir / "discrete_rdp.csv")
    assert list(surfaces) == list(divergences)
    for surface in surfaces.values():
        assert surface.rate.shape == (3, 3)
        # R(D, P) falls in both arguments; certificates are good to 1e-8.
        assert (np.diff(surface.rate, axis=0) <= 1e-8).all() and (np.diff(surface.rate, axis=1) <= 1e-8).all()
    # Perfect realism is the same for every divergence.
    for name in divergences[1:]:
        np.testing.assert_allclose(surfaces[name].rate[:, 0], surfaces["tv"].rate[:, 0], atol=2e-8)


def test_the_table_says_what_the_solver_says(finished):
    _, table, divergences = finished
    pmf, matrix = discrete_rdp.source(discrete_rdp.PRESETS["smoke"])
    if "kl" in divergences:
        row = [i for i, name in enumerate(table["divergence"]) if name == "kl"][4]
        answer = rate_distortion_perception(
            pmf, matrix, distortion=table["distortion"][row], perception=table["perception"][row], divergence="kl")
        np.testing.assert_allclose(table["rate_upper_bits"][row], answer.rate, atol=1e-8)
    # Where realism is free, it is the rate-distortion function, by another solver; each row at its own distortion.
    free = [i for i, perception in enumerate(table["perception"]) if perception == np.inf]
    assert len(free) == 3 * len(divergences)
    for row in free:
        answer = rate_distortion(pmf, matrix, distortion=table["distortion"][row])
        np.testing.assert_allclose(table["rate_upper_bits"][row], answer.rate, atol=1e-8)
        np.testing.assert_allclose(table["slope_bits"][row], answer.slope, rtol=1e-3, atol=1e-6)
