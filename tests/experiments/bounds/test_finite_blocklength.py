import dataclasses
import json

import numpy as np

from experiments.bounds import finite_blocklength
from paper_figures.tables import read_table
from theory.finite_blocklength import gaussian_dispersion


def test_the_smoke_run_writes_consistent_bounds_and_the_measured_codecs(tmp_path):
    config = dataclasses.replace(finite_blocklength.PRESETS["smoke"], blocklengths=4)
    finite_blocklength.run(config, tmp_path)
    header, columns = read_table(tmp_path / "finite_blocklength.csv")
    assert "bits per letter" in header["units"] and json.loads((tmp_path / "run.json").read_text())

    def series(panel, name):
        return columns["excess_bits"][(columns["panel"] == panel) & (columns["series"] == name)]

    for panel in ("bernoulli", "gaussian"):
        low, high, normal = (series(panel, name) for name in ("converse", "achievability", "normal"))
        assert np.all(low <= high) and abs(normal[-1] - high[-1]) < 1e-4
    # sqrt(V / n) Q^-1(0.01) is most of it at n = 10^5.
    assert abs(series("gaussian", "converse")[-1] - np.sqrt(gaussian_dispersion(0.25) / 1e5) * 2.3263) < 1e-4
    assert np.all(series("realism", "entropy") <= series("realism", "length"))
    # Measured codecs lie above balls of their dimension, up to two standard errors; Leech's is the best lattice.
    codecs = columns["series"] == "codec"
    assert codecs.sum() == 18 and set(columns["blocklength"][codecs]) == {1, 2, 4, 8, 16, 24, 1024}
    _, measured = read_table(config.codecs)
    assert set(columns["excess_bits"][codecs]) <= set(measured["controlled_gap_bits"])


def test_bad_words_end_with_one_sentence(capsys):
    assert finite_blocklength.main(["finite_blocklength", "--preset=none", "--workdir=x"]) != 0
    assert capsys.readouterr().err.startswith("error: ")
