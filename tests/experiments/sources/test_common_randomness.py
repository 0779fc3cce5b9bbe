import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.sources import common_randomness
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables
from theory.gaussian import common_randomness as bound

TINY = common_randomness.Config(dither_values=(1, 4), target_rates=(1.5,), hidden=6, steps=80, chunk=40, batch=128,
                                samples=20_000, seed=2)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished")
    common_randomness.run(TINY, command_line.open_workdir(workdir, TINY))
    return workdir


def test_each_row_has_the_bound_of_its_shared_bits(finished):
    header, table = read_table(finished / "points.csv")
    np.testing.assert_array_equal(table["common_randomness_bits"], [0.0, 2.0])
    for name, bits in (("bound_lower_bits", table["common_randomness_bits"]), ("none_bits", 0.0),
                       ("unlimited_bits", np.inf)):
        expected = bound.strong_realism_rate(table["distortion"], bits, table["perception"])
        np.testing.assert_allclose(table[name], expected, rtol=1e-8)
    np.testing.assert_allclose(table["gap_bits"], table["rate_bits"] - table["bound_lower_bits"], atol=1e-8)
    assert tables.violations(table) == [] and "W2^2" in header["units"]


def test_shared_bits_buy_distortion(finished):
    """Even after 80 steps: at like rates, four dither values leave less error than none at like realism."""
    _, table = read_table(finished / "points.csv")
    assert table["distortion"][1] < 0.8 * table["distortion"][0]
    assert abs(table["rate_bits"][1] - table["rate_bits"][0]) < 0.2 and (table["perception"] < 0.05).all()


def test_a_finite_dither_takes_its_values_equally_often():
    noise = (jnp.arange(64, dtype=jnp.float32) + 0.5) / 64 - 0.5
    for values in (1, 2, 8):
        found, counts = np.unique(common_randomness.finite_dither(noise, jnp.float32(values)), return_counts=True)
        np.testing.assert_allclose(found, (np.arange(values) + 0.5) / values - 0.5)
        assert (counts == 64 // values).all()


def test_training_starts_from_a_line_that_rises():
    values, price = common_randomness.grid(common_randomness.Config())
    assert values.size == price.size == 20 and len(np.unique(price)) == 4
    np.testing.assert_allclose(np.sort(np.unique(price))[1:] / np.sort(np.unique(price))[:-1], 2.0, rtol=1e-6)


@pytest.mark.parametrize("words, said", [
    (["--dither_values=3"], "dither_values must be powers of two"), (["--target_rates=0"], "target_rates must be"),
    (["--realism_ratio=-1"], "realism_ratio must be non-negative"), (["--samples=1"], "samples must be at least 2"),
])
def test_mistakes_are_one_sentence(words, said, tmp_path, capsys):
    assert common_randomness.main(["common_randomness", f"--workdir={tmp_path / 'w'}", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.startswith("error: ") and err.count("\n") == 1


def test_parameters_stay_float32(finished):
    params = common_randomness.train(TINY, finished / "training")  # as the run saved them
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(params)} == {"float32"}
