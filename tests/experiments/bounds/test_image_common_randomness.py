import numpy as np
import pytest

from experiments.bounds import image_common_randomness as experiment
from paper_figures.tables import read_table
from theory.gaussian.process import image_spectrum


def test_grouping_keeps_the_spectrum():
    variances, weights, frequency = experiment.grouped_spectrum(16)
    spectrum, all_weights = (np.asarray(x) for x in image_spectrum(16, experiment.VARIANCE))
    assert len(variances) < len(spectrum)
    np.testing.assert_allclose(weights.sum(), all_weights.sum(), rtol=1e-14)
    np.testing.assert_allclose(weights @ np.sqrt(variances), all_weights @ np.sqrt(spectrum), rtol=1e-13)
    np.testing.assert_allclose(variances * frequency**2, variances[0] * frequency[0] ** 2, rtol=1e-12)


@pytest.mark.stress
def test_the_smoke_run_saves_half_a_bit_first_and_less_later(tmp_path):
    assert experiment.main(["x", "--preset=smoke", f"--workdir={tmp_path}"]) == 0
    _, curves = read_table(tmp_path / "curves.csv")
    np.testing.assert_allclose(curves["saved_per_bit"][curves["common_randomness_bits"] == 0], 0.5, rtol=1e-9)
    assert (tmp_path / "spectrum.csv").exists() and (tmp_path / "run.json").exists()
