import numpy as np
import pytest

from experiments.sources import sawbridge
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables

TINY = sawbridge.Config(cells=(2, 3), points=48, starts=2, steps=400, chunk=200, batch=64, samples=20_000, seed=1)


def test_trained_codecs_lie_on_the_hulls_vertices(tmp_path):
    """Oracle: N equal cells, D = 1/(6N) at log2 N bits; 2 % on D plus four standard errors, a header on the rate."""
    sawbridge.run(TINY, command_line.open_workdir(tmp_path, TINY))
    header, table = read_table(tmp_path / "points.csv")
    np.testing.assert_array_equal(table["used_codewords"], [2, 3])
    np.testing.assert_allclose(table["distortion"], [1 / 12, 1 / 18], rtol=0.02 + 4 * 0.6 / np.sqrt(20_000))
    assert (table["rate_bits"] - np.log2([2, 3]) < 0.03).all() and (table["rate_bits"] > np.log2([2, 3]) - 1e-3).all()
    assert tables.violations(table) == [] and "realization" in header["units"]
    assert (table["start"] < 2).all() and "start" in header["choice"]
    # The same table again, from what was saved.
    before = (tmp_path / "points.csv").read_bytes()
    sawbridge.run(TINY, tmp_path)
    assert (tmp_path / "points.csv").read_bytes() == before


@pytest.mark.parametrize("words, said", [
    (["--cells=1,2"], "cells of the sawbridge must be at least 2"),
    (["--samples=1"], "samples must be at least 2"), (["--starts=0"], "starts must be positive"),
    (["--seed=-1"], "seed must be in"), (["--steps=0"], "steps must be at least 1"),
])
def test_mistakes_are_one_sentence(words, said, tmp_path, capsys):
    assert sawbridge.main(["sawbridge", f"--workdir={tmp_path / 'w'}", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.startswith("error: ") and err.count("\n") == 1
