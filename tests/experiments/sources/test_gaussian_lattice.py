import dataclasses
import json

import numpy as np
import pytest

from experiments.sources import gaussian_lattice
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables
from theory import gaussian

TINY = gaussian_lattice.Config(lattices=("A2",), trellises=(8,), rates=(1.5,), trellis_block=128, samples=2**13,
                               fit_samples=2**11, dither_levels=32, seed=4)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished")
    gaussian_lattice.run(TINY, command_line.open_workdir(workdir, TINY))
    return workdir


def test_every_row_is_consistent_with_its_bound(finished):
    header, table = read_table(finished / "points.csv")
    assert list(table["codec"]) == ["lattice-A2"] * 3 + ["trellis-8"] * 3
    assert list(table["shared"]) == ["none", "dither", "dither"] * 2 and list(table["weight"]) == [0, 0, 1] * 2
    assert list(table["dimension"]) == [2] * 3 + [0] * 3 and list(table["states"]) == [0] * 3 + [8] * 3
    assert "bits per sample" in header["units"]
    real = table["weight"] == 1
    bound = np.where(real, gaussian.rate_distortion_perception(table["distortion"], 0.0),
                     gaussian.rate_distortion(table["distortion"]))
    lower = np.where(real, gaussian.rate_distortion_perception(table["distortion"], table["perception"]), bound)
    np.testing.assert_allclose(table["bound_upper_bits"], bound, rtol=1e-8)
    np.testing.assert_allclose(table["bound_lower_bits"], lower, rtol=1e-8)
    np.testing.assert_allclose(table["gap_bits"], table["rate_bits"] - bound, atol=1e-8)
    np.testing.assert_allclose(table["rate_bits"], 8 * table["message_bytes"] / TINY.samples, rtol=1e-9)
    assert (table["message_bytes"] <= 1.001 * table["ideal_bits"] * TINY.samples / 8 + 64).all()
    # The two uses of a dither are one message.
    assert table["message_bytes"][1] == table["message_bytes"][2] and table["message_bytes"][4] == table[
        "message_bytes"][5]
    assert (table["distortion"][real] > table["distortion"][[1, 4]]).all()
    assert (table["perception"][real] < 0.5 * table["perception"][[1, 4]]).all()
    assert tables.violations(table) == []
    for name in ("config.json", "run.json", "summary.txt"):
        assert (finished / name).exists()


def test_the_controlled_gap_is_the_gap_with_less_noise(finished):
    """Over sources of other seeds: the same mean, and the spread that the standard errors say."""
    gaps, controlled, errors = [], [], []
    for seed in range(8):
        config = dataclasses.replace(TINY, seed=seed, samples=2**12)
        row = gaussian_lattice.measure(config, gaussian_lattice.lattice_quantizer("A2"),
                                       gaussian_lattice.lattice_codec("A2"), 1.5, 2)[0]
        gaps.append(row["gap_bits"])
        controlled.append(row["controlled_gap_bits"])
        errors.append((row["gap_se"], row["controlled_gap_se"]))
    raw, less = np.mean(errors, 0)
    assert less < 0.7 * raw
    assert abs(np.mean(gaps) - np.mean(controlled)) < 4 * raw / np.sqrt(8)
    # Standard deviations of 8 values: within a factor 2.2 of the truth but for one case in a thousand on either side.
    assert raw / 2.2 < np.std(gaps, ddof=1) < 2.2 * raw
    assert less / 2.2 < np.std(controlled, ddof=1) < 2.2 * less


def test_running_again_measures_nothing_anew_and_gives_the_same_table(finished, tmp_path, monkeypatch):
    for path in (finished / "codecs").iterdir():
        (tmp_path / "codecs").mkdir(exist_ok=True)
        (tmp_path / "codecs" / path.name).write_text(path.read_text())
    missing = tmp_path / "codecs" / "trellis-8-1.5.json"
    expected = json.loads(missing.read_text())
    missing.unlink()
    measured = []
    original = gaussian_lattice.measure

    def measure(config, quantizer, codec, rate, block):
        measured.append(codec.name)
        return original(config, quantizer, codec, rate, block)

    monkeypatch.setattr(gaussian_lattice, "measure", measure)
    gaussian_lattice.run(TINY, tmp_path)
    assert measured == ["trellis-8"] and json.loads(missing.read_text()) == expected
    assert (tmp_path / "points.csv").read_bytes() == (finished / "points.csv").read_bytes()


@pytest.mark.parametrize("options, said", [
    ({"lattices": ("E7",)}, "lattices must be among Z, A2.*got 'E7'"),
    ({"trellises": (9,)}, "states must be one of 8"),
    ({"rates": ()}, "rates must lie in"),
    ({"rates": (0.1,)}, "rates must lie in"),
    ({"dither_levels": 100}, "dither_levels must be a power of two"),
    ({"samples": 100}, "samples must be at least 4096, got 100"),
    ({"trellis_block": 2**17}, "trellis_block no more than"),
    ({"seed": -1}, "seed must be in"),
])
def test_bad_settings_are_named(options, said):
    with pytest.raises(ValueError, match=said):
        gaussian_lattice.Config(**options)


def test_bad_words_end_with_one_sentence(capsys):
    assert gaussian_lattice.main(["gaussian_lattice", "--preset=none", "--workdir=x"]) != 0
    assert capsys.readouterr().err.startswith("error: ")
