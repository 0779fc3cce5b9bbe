import numpy as np
import pytest

from experiments.sources import laplace
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables
from theory.closed_form.shannon_lower_bound import squared_error
from theory.quantization.laplace import entropy_coded_rate_distortion

TINY = laplace.Config(target_rates=(1.5,), hidden=4, codewords=9, steps=600, chunk=300, batch=128, samples=2**15,
                      slopes=(1.6,), atoms=(40,), tolerance=1e-3, seed=1)


# Each family is programs of its own; test_banana.py trains a codebook, test_gaussian_rdp.py with a dither.
@pytest.mark.parametrize("families", [("scalar",), pytest.param(laplace.FAMILIES, marks=pytest.mark.stress)],
                         ids=["one", "all"])
def test_trained_codecs_lie_between_the_bound_and_little_more_than_the_best_quantizer(families, tmp_path, monkeypatch):
    # Solved points: unit variance at beta = 2 and 4, rates in nats, certified to 0.003 bit; stretched to variance 2.
    d, low, high = (np.array(v) for v in ((0.2474154, 0.1247076), (0.6264625, 0.9690778), (0.6284910, 0.9691993)))
    slope = np.array([1.0, 2.0]) / np.log(2.0)
    np.savez(tmp_path / "bracket.npz", slope=slope, intercept=low / np.log(2.0) + slope * 2 * d, distortion=2 * d,
             rate=high / np.log(2.0))
    monkeypatch.setattr(laplace, "FAMILIES", families)
    laplace.run(TINY, command_line.open_workdir(tmp_path, TINY))
    _, table = read_table(tmp_path / "points.csv")
    assert list(table["codec"]) == list(families) and tables.violations(table) == []
    shannon = np.asarray(squared_error(table["distortion"], np.log2(2 * np.e), dimension=1))
    assert (table["bound_lower_bits"] >= shannon - 1e-9).all()
    assert (table["bound_upper_bits"] >= table["bound_lower_bits"]).all()
    best = np.asarray(entropy_coded_rate_distortion(table["distortion"], 1.0))
    np.testing.assert_allclose(table["scalar_quantizer_bits"], best, rtol=1e-8)
    # The best deterministic quantizer cannot be beaten but by chance (five standard errors), and is nearly reached.
    deterministic = table["codec"] != "dithered"
    excess = (table["rate_bits"] - best)[deterministic]
    assert (excess > -5 * table["gap_se"][deterministic]).all() and (excess < 0.12).all()


@pytest.mark.parametrize("words, said", [
    (["--target_rates=nan"], "target_rates must be positive"), (["--atoms=3"], "atoms must name a number for each"),
    (["--dither_levels=5"], "dither_levels must be a power of two"), (["--samples=1"], "samples must be at least 2"),
])
def test_mistakes_are_one_sentence(words, said, tmp_path, capsys):
    assert laplace.main(["laplace", f"--workdir={tmp_path / 'w'}", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.startswith("error: ") and err.count("\n") == 1
