import dataclasses
import json

import numpy as np
import pytest

from experiments.sources import wasserstein_rate as experiment
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables

TINY = dataclasses.replace(experiment.PRESETS["smoke"], sigmas=(), tile_pixels=(16,), tile_distortions=(0.3,))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished")
    experiment.run(TINY, command_line.open_workdir(workdir, TINY))
    return workdir


def test_rows_are_consistent(finished):
    header, table = read_table(finished / "points.csv")
    assert set(table["family"]) == {"tiles", "images"} and set(table["loss"]) == {"proxy", "exact"}
    assert "no bounds" in header["level"]
    assert tables.violations(table) == []
    np.testing.assert_allclose(table["gap_bits"], table["ideal_bits"] - table["bound_lower_bits"], atol=1e-9)
    assert (table["rate_bits"] >= table["ideal_bits"] * 0.999).all()
    assert np.isnan(table["bound_upper_bits"][table["family"] == "images"]).all()
    for name in ("config.json", "run.json", "summary.txt"):
        assert (finished / name).exists()


def test_a_codec_below_its_converse_fails_the_run(finished, tmp_path, monkeypatch):
    workdir = command_line.open_workdir(tmp_path, TINY)
    (tmp_path / "cases").mkdir()
    for path in (finished / "cases").iterdir():
        rows = json.loads(path.read_text())
        rows[0]["rate_bits"] = rows[0]["bound_lower_bits"] - 3.1 * rows[0]["gap_se"]
        (tmp_path / "cases" / path.name).write_text(json.dumps(rows))
    with pytest.raises(ValueError, match="lie below their bound by more than 3 standard errors"):
        experiment.run(TINY, workdir)


@pytest.mark.parametrize("change, said", [
    ({"quantizers": ("hexagon",)}, "quantizers must be"), ({"tile_pixels": (5,)}, "tile_pixels must be"),
    ({"longest": (100, 64), "sigmas": (32.0,)}, "longest must be"), ({"levels": (1.5,)}, "levels must lie"),
    ({"tiles": 3}, "tiles must be")])
def test_settings_that_make_no_sense_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(TINY, **change)
