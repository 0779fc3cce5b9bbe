import numpy as np
import pytest

from experiments.sources import vector_gaussian_realism
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables
from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_realism as gaussian_vector_realism

TINY = vector_gaussian_realism.Config(eigenvalues=(4.0, 0.25), water_levels=(0.4,), hidden=4, steps=120, chunk=60,
                                      batch=128, samples=8192, seed=1)


def test_realism_gives_rate_to_components_below_the_water(tmp_path):
    vector_gaussian_realism.run(TINY, command_line.open_workdir(tmp_path, TINY))
    header, table = read_table(tmp_path / "points.csv")
    assert tables.violations(table) == [] and header["eigenvalues"] == "4 0.25"
    plain = [gaussian_vector.water_filling(d, [4.0, 0.25]).rates for d in table["distortion"]]
    real = [gaussian_vector_realism.perfect_realism_water_filling(d, [4.0, 0.25]).rates for d in table["distortion"]]
    for j in (1, 2):
        np.testing.assert_allclose(table[f"plain_rate_{j}"], [float(r[j - 1]) for r in plain], atol=1e-8)
        np.testing.assert_allclose(table[f"realism_rate_{j}"], [float(r[j - 1]) for r in real], atol=1e-8)
    np.testing.assert_allclose(table["rate_1"] + table["rate_2"], table["cross_entropy_bits"], rtol=1e-8)
    assert table["perception"][1] < table["perception"][0]
    assert table["rate_2"][1] > table["rate_2"][0]
    # Deviations of 2 and 1/2: the perception of a reconstruction of zeros would be 4.25.
    assert (table["perception"] < 1.0).all()


@pytest.mark.parametrize("words, said", [
    (["--eigenvalues=0"], "eigenvalues must be positive"), (["--realism_ratios=-1"], "realism_ratios must be"),
    (["--dither_levels=3"], "dither_levels must be a power of two"), (["--samples=1"], "samples must be at least 2"),
])
def test_mistakes_are_one_sentence(words, said, tmp_path, capsys):
    assert vector_gaussian_realism.main(["vector_gaussian_realism", f"--workdir={tmp_path / 'w'}", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.startswith("error: ") and err.count("\n") == 1
