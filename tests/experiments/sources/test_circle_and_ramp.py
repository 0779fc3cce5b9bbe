import numpy as np
import pytest

from experiments.sources import circle_and_ramp
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables

TINY = circle_and_ramp.Config(circle_cells=(3,), ramp_cells=(4,), points=48, starts=2, steps=400, chunk=200, batch=64,
                              samples=20_000, seed=1)


@pytest.mark.stress  # the sawbridge has this training in the suite; test_manifold_codecs.py has all three sources
def test_trained_codecs_lie_on_the_hulls_vertices(tmp_path):
    """Oracle: N equal cells; 3 % on D and four standard errors of about 1 %."""
    circle_and_ramp.run(TINY, command_line.open_workdir(tmp_path, TINY))
    _, table = read_table(tmp_path / "points.csv")
    assert list(table["source"]) == ["circle", "ramp"]
    np.testing.assert_array_equal(table["used_codewords"], [3, 4])
    np.testing.assert_allclose(table["distortion"], [1 - (np.sinc(1 / 3)) ** 2, 1 / 24 - 1 / 192], rtol=0.05)
    assert (np.abs(table["rate_bits"] - np.log2([3, 4])) < 0.03).all() and tables.violations(table) == []


@pytest.mark.parametrize("words, said", [
    (["--circle_cells=2"], "cells of the circle must be at least 3"),
    (["--ramp_cells=2"], "cells of the ramp must be at least 4"), (["--samples=1"], "samples must be at least 2"),
])
def test_mistakes_are_one_sentence(words, said, tmp_path, capsys):
    assert circle_and_ramp.main(["circle_and_ramp", f"--workdir={tmp_path / 'w'}", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.startswith("error: ") and err.count("\n") == 1
