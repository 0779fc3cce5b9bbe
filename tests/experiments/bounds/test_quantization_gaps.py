import dataclasses
import functools
import json

import numpy as np

from experiments.bounds import quantization_gaps
from paper_figures.tables import read_table
from theory.quantization import uniform
from theory.quantization.tabulated_density import gaussian_density


def test_the_smoke_run_writes_a_table_of_consistent_excesses(tmp_path, monkeypatch):
    # Half of the panels resolve four bits, and their search takes a quarter of the time.
    monkeypatch.setattr(quantization_gaps, "gaussian_density", functools.partial(gaussian_density, panels=256))
    config = dataclasses.replace(quantization_gaps.PRESETS["smoke"], rates=3)
    quantization_gaps.run(config, tmp_path)
    header, columns = read_table(tmp_path / "quantization_gaps.csv")
    assert "bits per dimension" in header["units"]
    assert set(columns["series"]) == {"lattice", "sphere_bound", "entropy_coded", "dithered", "dithered_realism"}
    assert json.loads((tmp_path / "run.json").read_text())
    # Oracles: the quarter bit caps every scalar excess, and every lattice lies above the ball of its dimension.
    limit = uniform.high_rate_gap()
    scalar = np.isfinite(columns["rate_bits"])
    assert np.all(columns["excess_bits"][scalar] > 0) and np.all(columns["excess_bits"][scalar] < limit + 1e-5)
    ball = {n: e for s, n, e in zip(columns["series"], columns["dimension"], columns["excess_bits"])
            if s == "sphere_bound"}
    lattice = columns["series"] == "lattice"
    assert lattice.sum() == 7
    for n, excess in zip(columns["dimension"][lattice], columns["excess_bits"][lattice]):
        assert excess >= ball[n] - 1e-12
    # The entropy-coded rows are R - (1/2) log2(1 / D) of themselves.
    rows = columns["series"] == "entropy_coded"
    expected = columns["rate_bits"][rows] + 0.5 * np.log2(columns["distortion"][rows])
    np.testing.assert_allclose(columns["excess_bits"][rows], expected, atol=1e-8)  # ten digits are written


def test_bad_words_end_with_one_sentence(capsys):
    assert quantization_gaps.main(["quantization_gaps", "--preset=none", "--workdir=x"]) != 0
    assert capsys.readouterr().err.startswith("error: ")
