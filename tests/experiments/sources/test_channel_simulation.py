import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from experiments.sources import channel_simulation
from paper_figures.tables import read_table


def test_the_smoke_run_stays_above_the_bound_and_resumes(tmp_path):
    config = dataclasses.replace(channel_simulation.PRESETS["smoke"], schemes=("layered",))
    columns = channel_simulation.run(config, tmp_path)
    header, table = read_table(tmp_path / "channel_simulation.csv")
    assert "bits per sample" in header["units"] and json.loads((tmp_path / "run.json").read_text())
    # Oracle: the functional information of the two values of I, and the definition of the excess.
    np.testing.assert_allclose(table["functional_information_bits"], [0.6468580926, 1.5071564227], atol=1e-9)
    np.testing.assert_allclose(table["rate_bits"] - table["header_bits"] - table["information_bits"],
                               table["excess_bits"], atol=1e-9)
    assert (table["excess_bits"] + table["information_bits"] < 1.1 * table["functional_information_bits"]).all()
    assert (table["least_p"] > 1e-3).all() and all(p.count(":") == 10 for p in columns["p_values"])
    # A scheme that beats the bound fails the run, which takes what it has measured before.
    path = tmp_path / "schemes" / "layered-1.json"
    row = json.loads(path.read_text())
    path.write_text(json.dumps({**row, "excess_bits": 0.2, "rate_se": 0.001}))
    with pytest.raises(ValueError, match="layered at 1 lie below the functional information"):
        channel_simulation.run(config, tmp_path)


def test_the_tests_notice_what_is_wrong():
    rng = np.random.default_rng(0)
    x, error = rng.standard_normal((2, 4000, 8))
    assert min(channel_simulation.p_values(error, x).values()) > 1e-3
    wrong = {
        "ks": error * 1.05, "cvm": error + 0.03, "ks_small_x": np.where(np.abs(x) < 0.3, error * 1.2, error),
        "ks_large_x": np.where(np.abs(x) > 1.5, error * 1.2, error), "with_x": error + 0.05 * x,
        "squares": error * np.exp(0.05 * (x**2 - 1)), "neighbors": error + 0.05 * np.roll(error, 1),
        "energy": stats.norm.ppf((stats.rankdata(error).reshape(error.shape) - 0.5) / error.size)
        * np.exp(0.15 * rng.standard_normal((4000, 1))),
    }
    for name, errors in wrong.items():
        assert channel_simulation.p_values(errors, x)[name] < 1e-3, name
    assert channel_simulation.correlation_p_value(np.zeros(5), np.arange(5.0)) == 1


@pytest.mark.parametrize("wrong, match", [
    ({"schemes": ("nothing",)}, "schemes must be among"), ({"schemes": ()}, "schemes"),
    ({"information": (100.0,)}, "information must lie"), ({"samples": 10}, "samples"), ({"seed": -1}, "seed")])
def test_settings_are_checked(wrong, match):
    with pytest.raises(ValueError, match=match):
        channel_simulation.Config(**wrong)


def test_values_at_which_nothing_is_measured_are_refused(tmp_path):
    with pytest.raises(ValueError, match="none of the schemes"):
        channel_simulation.run(channel_simulation.Config(schemes=("E8",), information=(0.01,)), tmp_path)


def test_bad_words_end_with_one_sentence(capsys):
    assert channel_simulation.main(["channel_simulation", "--preset=none", "--workdir=x"]) != 0
    assert capsys.readouterr().err.startswith("error: ")
