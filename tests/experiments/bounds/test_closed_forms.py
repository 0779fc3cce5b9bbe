import numpy as np
import pytest

from experiments.bounds import closed_forms
from paper_figures.tables import DATA, read_table


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    path = tmp_path_factory.mktemp("closed_forms")
    assert closed_forms.main(["closed_forms", "--preset=smoke", f"--workdir={path}"]) == 0
    return path


def test_every_table_has_its_header_and_the_committed_columns(workdir):
    for name in closed_forms.TABLES:
        header, columns = read_table(workdir / f"{name}.csv")
        committed_header, committed = read_table(DATA / f"{name}.csv")
        assert header["table"] == name and header["grid"] == "11" and "bits" in header["units"]
        assert list(columns) == list(committed) and header["units"] == committed_header["units"]
    assert (workdir / "run.json").exists()


def test_the_same_preset_gives_the_same_bytes(workdir, tmp_path):
    config = closed_forms.PRESETS["smoke"]
    again = {name: make(config) for name, (make, _) in closed_forms.TABLES.items() if name != "gaussian_image"}
    for name, columns in again.items():
        _, written = read_table(workdir / f"{name}.csv")
        for column, values in columns.items():
            np.testing.assert_allclose(written[column], np.asarray(values, float), rtol=6e-10, atol=1e-300)


def test_a_mistake_is_one_sentence(tmp_path, capsys):
    assert closed_forms.main(["closed_forms", "--preset=huge", f"--workdir={tmp_path}"]) == 2
    assert "huge" in capsys.readouterr().err
