"""Oracles: R(D) of a Gaussian vector between its estimated bounds; fake estimators for what the command writes."""

import json
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from rdr.cli import bound, bound_samples
from rdr.evaluation import estimate_tables
from theory.gaussian import vector

RNG = np.random.default_rng(0)
VARIANCES = np.array([1.0, 0.3, 0.02])


class Estimate(NamedTuple):
    rate: np.ndarray
    distortion: np.ndarray
    rate_se: float
    distortion_se: float
    kind: str
    held_out: int


def fake(upper=2.0, lower=1.0):
    def make(config, found, directory):
        return {"above": lambda: Estimate(np.array([upper, 1.5]), np.array([0.1, 0.2]), 0.01, 0.0, "upper", 9),
                "below": lambda: Estimate(np.array([lower]), np.array([0.15]), 0.01, 0.0, "lower", 9)}
    return make


@pytest.fixture
def vectors(tmp_path):
    np.save(tmp_path / "x.npy", RNG.normal(size=(2000, 3)) * np.sqrt(VARIANCES))
    return tmp_path / "x.npy"


def call(tmp_path, **options):
    flags = [f"--{name}={value}" for name, value in {"distortion": "mse", **options}.items()]
    return bound.main(["rdr bound", f"--workdir={tmp_path / 'out'}", *flags])


def test_bounds_of_a_gaussian_from_a_file(tmp_path, vectors):
    assert call(tmp_path, samples=vectors, preset="smoke", num_points=3, estimators="gaussian", max_rate=3) == 0
    header, columns = estimate_tables.read_table(tmp_path / "out" / "points.csv")
    assert list(columns) == list(estimate_tables.COLUMNS) and "bits per sample vector" in header["units"]
    assert columns["estimator"] == ["gaussian"] * 4 and set(columns["kind"]) == {"upper"}
    rate, distortion, se, distortion_se = (np.array(columns[name]) for name in (
        "rate_bits", "distortion", "rate_se", "distortion_se"))
    truth, step = np.asarray(vector.rate_distortion(distortion, VARIANCES)), 1e-4
    slope = (truth - np.asarray(vector.rate_distortion(distortion + step, VARIANCES))) / step
    error = 4 * (se + np.maximum(slope, 0.7) * distortion_se)  # 0.7: where the least D of rate 0 is near
    assert (rate > truth - error).all() and (rate < truth + error).all() and rate[-1] == 0  # nothing is sent
    for name in ("points.png", "points.pdf", "summary.txt", "run.json", "config.json"):
        assert (tmp_path / "out" / name).stat().st_size > 100, name


def test_a_call_again_shows_what_is_there_and_an_interrupted_one_goes_on(tmp_path, vectors, monkeypatch, capsys):
    monkeypatch.setattr(bound_samples, "_make", lambda *_: fake()(*_) | {"below": lambda: 1 / 0})
    with pytest.raises(ZeroDivisionError):
        call(tmp_path, samples=vectors)
    assert (tmp_path / "out" / "estimators" / "above.csv").exists()
    monkeypatch.setattr(bound_samples, "_make", lambda *_: fake()(*_) | {"above": lambda: 1 / 0})
    assert call(tmp_path, samples=vectors) == 0  # what was there is not computed again
    printed = capsys.readouterr()
    assert "above: kept from before" in printed.err and "3 points, 1600 to fit to and 400 held out" in printed.out
    monkeypatch.setattr(bound_samples, "_make", lambda *_: 1 / 0)
    assert call(tmp_path, samples=vectors, json="true") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["points"] == 3 and said["rate_bits"] == [2.0, 1.5, 1.0] and said["kind"][2] == "lower"
    assert call(tmp_path, samples=vectors, seed=1) == 1
    assert "other settings (seed)" in capsys.readouterr().err
    np.save(vectors, RNG.normal(size=(40, 2)))
    with pytest.raises(ZeroDivisionError):  # the file has changed
        call(tmp_path, samples=vectors)


def test_a_lower_bound_above_an_upper_one_fails(tmp_path, vectors, monkeypatch, capsys):
    monkeypatch.setattr(bound_samples, "_make", fake(lower=1.9))
    assert call(tmp_path, samples=vectors) == 1
    assert "of below at distortion 0.15: the estimators contradict" in capsys.readouterr().err
    assert not (tmp_path / "out" / "points.csv").exists()


@pytest.mark.parametrize(("flags", "status", "said"), [
    ({"distortion": "hamming"}, 2, "needs --distortion=mse"), ({"pmf": "p.csv"}, 2, "--samples and --pmf"),
    ({"divergence": "tv"}, 2, "--samples and --divergence"), ({"estimators": "oracle"}, 2, "estimators must be among"),
    ({"estimators": "dual,dual"}, 2, "each once"), ({"num_particles": 1}, 2, "--num_particles must be"),
    ({"max_rate": -1}, 2, "--max_rate must be"), ({"seed": -1}, 2, "--seed must be"), ({"count": -1}, 2, "--count"),
    ({"samples": "none.npy"}, 1, "there is no file"), ({"samples": ""}, 2, "--pmf is missing"),
    ({"samples": "", "patch": 16}, 2, "--patch is about --samples"),
])
def test_wrong_calls_write_nothing(tmp_path, vectors, capsys, flags, status, said):
    assert call(tmp_path, **{"samples": vectors, **flags}) == status
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_samples_that_cannot_be_used_write_nothing(tmp_path, capsys):
    for name, array in (("one", np.ones((1, 3))), ("nan", np.full((30, 3), np.nan)), ("same", np.ones((30, 3)))):
        np.save(tmp_path / f"{name}.npy", array)
        assert call(tmp_path, samples=tmp_path / f"{name}.npy") == 1
        assert capsys.readouterr().err.startswith("error: samples: ")
    assert not (tmp_path / "out").exists()


def test_folders_are_photographs_or_data_sets(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / "photos" / "a.png")
    config = bound.Config(samples=str(tmp_path / "photos"), distortion="mse", patch=4, channels="rgb", count=50)
    assert bound_samples.load(config).vectors.shape == (50, 48)
    (tmp_path / "fashion").mkdir()
    for split, count in (("train", 20), ("t10k", 5)):
        head = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (count, 3, 3))
        (tmp_path / "fashion" / f"{split}-images-idx3-ubyte").write_bytes(head + RNG.bytes(9 * count))
    found = bound_samples.load(bound.Config(samples=str(tmp_path / "fashion"), distortion="mse"))
    assert found.vectors.shape == (20, 9) and found.name == "fashion"


def test_aims_rise_and_end_where_it_is_said():
    config = bound.Config(samples="x.npy", distortion="mse", num_points=4)
    assert np.allclose(bound_samples.rates(config, 3)[[0, -1]], [0.06, 6.0])
    assert bound_samples.rates(config, 784)[-1] == 60.0
    assert (np.diff(bound_samples.rates(config, 3)) > 0).all()
