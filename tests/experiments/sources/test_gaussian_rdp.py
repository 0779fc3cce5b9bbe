import dataclasses
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from experiments.sources import gaussian_rdp, harness
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables
from theory import gaussian
from theory.quantization.tabulated_density import gaussian_density

ROOT = pathlib.Path(__file__).parents[3]
FAMILIES = gaussian_rdp.FAMILIES
TINY = gaussian_rdp.Config(target_rates=(1.5,), realism_ratios=(0.0, 4.0), deterministic_ratios=(0.0,), dither_levels=8,
                           hidden=6, steps=6, chunk=2, batch=64, samples=20_000, seed=3)
FLAGS = [f"--{k}={','.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in dataclasses.asdict(TINY).items()]


@pytest.fixture(scope="module", autouse=True)
def few_panels():
    """A quarter of the panels resolves two bits, and the search for quantizers takes their square in time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaussian_rdp, "gaussian_density", functools.partial(gaussian_density, panels=128))
        yield


# Each family is programs of its own; test_laplace.py has codecs without any randomness in the suite.
@pytest.fixture(scope="module", params=[("private", "dithered"), pytest.param(FAMILIES, marks=pytest.mark.stress)],
                ids=["two", "all"])
def finished(request, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaussian_rdp, "FAMILIES", request.param)
        gaussian_rdp.run(TINY, command_line.open_workdir(workdir, TINY))
        yield workdir


def test_every_row_is_consistent_with_its_bound(finished):
    header, table = read_table(finished / "points.csv")
    codecs = [family for family in gaussian_rdp.FAMILIES for _ in gaussian_rdp.weights(TINY, family)[0]]
    assert list(table["codec"]) == codecs and codecs[-4:] == ["private", "private", "dithered", "dithered"]
    assert "bits" in header["units"] and float(header["perception_bias"].split()[0]) < 1e-3
    none = table["codec"] != "dithered"
    bound = np.where(none, gaussian.conditional_rate_distortion_perception(table["distortion"], table["perception"]),
                     gaussian.rate_distortion_perception(table["distortion"], table["perception"]))
    np.testing.assert_allclose(table["bound_lower_bits"], bound, rtol=1e-7)
    np.testing.assert_allclose(table["gap_bits"], table["rate_bits"] - bound, atol=1e-8)
    np.testing.assert_allclose(table["rate_bits"], 8 * table["message_bytes"] / TINY.samples, rtol=1e-9)
    assert tables.violations(table) == []
    assert (table["message_bytes"] <= 1.001 * table["cross_entropy_bits"] * TINY.samples / 8 + 64).all()
    for name in ("config.json", "run.json", "summary.txt"):
        assert (finished / name).exists()
    lines = (finished / "training" / "dithered" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4, 6]


@pytest.mark.stress
@pytest.mark.parametrize("finished", [FAMILIES], indirect=True, ids=["all"])
def test_a_killed_run_resumes_and_ends_in_the_same_table_in_another_process(finished, tmp_path):
    command = [sys.executable, "-m", "experiments.sources.gaussian_rdp", f"--workdir={tmp_path}", *FLAGS]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (tmp_path / "training" / "private" / "2").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "points.csv").exists()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "No point beats its bound" in done.stdout
    assert (tmp_path / "points.csv").read_bytes() == (finished / "points.csv").read_bytes()


def test_a_point_below_its_bound_fails_the_run(finished, tmp_path, monkeypatch, capsys):
    raised = gaussian.rate_distortion_perception
    monkeypatch.setattr(gaussian, "rate_distortion_perception", lambda d, p, *a, **k: raised(d, p, *a, **k) + 20.0)
    shutil.copytree(finished / "training", tmp_path / "training")
    first = len(read_table(finished / "points.csv")[1]["codec"]) - 2
    with pytest.raises(ValueError, match=rf"rows \[{first}, {first + 1}\].* lie below their bound"):
        gaussian_rdp.run(TINY, tmp_path)


@pytest.mark.parametrize("words, said", [
    (["--preset=enormous"], "preset"),
    (["--target_rates=-1"], "target_rates must be non-negative numbers, got (-1.0,)"),
    (["--target_rates="], "target_rates must be non-negative numbers, got ()"),
    (["--target_rates=nan"], "target_rates must be non-negative numbers"),
    (["--samples=1"], "samples must be at least 2, got 1"),
    (["--steps=0"], "steps must be at least 1, got 0"),
    (["--seed=-1"], "seed must be in"),
    (["--dither_levels=3"], "dither_levels must be a power of two"),
    (["--learning_rate=nan"], "learning_rate must be positive and finite"),
    (["--hard_fraction=0"], "hard_fraction must be in (0, 1], got 0.0"),
])
def test_mistakes_are_one_sentence(words, said, tmp_path, capsys):
    status = gaussian_rdp.main(["gaussian_rdp", "--preset=smoke", f"--workdir={tmp_path / 'w'}", *words])
    assert status == 2
    err = capsys.readouterr().err
    assert said in err and err.startswith("error: ") and err.count("\n") == 1


def test_an_unwritable_workdir_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert gaussian_rdp.main(["gaussian_rdp", "--preset=smoke", f"--workdir={tmp_path / 'file'}"]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_the_encoders_weight_is_that_of_the_best_decoder():
    """Oracle: minimize lambda_D D + lambda_P P over P on a grid, with D = g + [sqrt(g) - sqrt(P)]_+^2."""
    g, weight = 0.3, 2.0
    root = np.linspace(0, np.sqrt(g), 200_001)
    for ratio in (0.0, 1.0, 4.0):
        least = np.min(weight * (g + (np.sqrt(g) - root) ** 2) + ratio * weight * root**2)
        deterministic, private, dithered = (
            gaussian_rdp.encoder_weights(family, weight, ratio * weight) for family in FAMILIES)
        np.testing.assert_allclose(private * g, least, rtol=1e-9)
        np.testing.assert_allclose(deterministic * g, weight * g + ratio * weight * g, rtol=1e-12)
        assert dithered == weight


def test_parameters_are_float32_and_so_is_what_they_compute(finished, tmp_path):
    # Of a finished training, what was saved is returned.
    shutil.copytree(finished / "training", tmp_path / "training")
    for family in gaussian_rdp.FAMILIES:
        params = gaussian_rdp.train_family(TINY, family, tmp_path / "training" / family)
        assert {str(leaf.dtype) for leaf in jax.tree.leaves(params)} == {"float32"}
        codec = gaussian_rdp.make_codec(TINY, family)
        one = jax.tree.map(lambda leaf: leaf[0], params)
        y, bits = jax.eval_shape(codec.forward, one, np.zeros((2, 1), np.float32), key=jax.random.key(0))
        assert y.dtype == bits.dtype == np.float32


def test_the_analysis_rests_under_hard_rounding_and_realism_is_trained(tmp_path, monkeypatch):
    """With every step hard, the analysis stays where it started; the decoder moves by the weight of realism."""
    config = dataclasses.replace(TINY, realism_ratios=(0.0, 50.0), hard_fraction=1.0)
    train, start = harness.train_grid, {}

    def from_start(schedule, params, *grid, **options):
        start.update(jax.tree.map(np.array, params))
        return train(schedule, params, *grid, **options)

    monkeypatch.setattr(harness, "train_grid", from_start)
    six = gaussian_rdp.train_family(config, "private", tmp_path / "six")
    for before, after in zip(jax.tree.leaves(start["analysis"]), jax.tree.leaves(six["analysis"])):
        np.testing.assert_array_equal(before, after)
    moved = jax.tree.map(lambda before, after: np.abs(before - after).max(), start["synthesis"], six["synthesis"])
    assert max(jax.tree.leaves(moved)) > 1e-3
    # Realism can only be bought with noise: its weight drives the decoder's use of the private noise.
    first = np.asarray(six["synthesis"]["Dense_0"]["kernel"])
    assert np.abs(first[0] - first[1]).max() > 1e-4


def test_comparisons_with_known_optima():
    """Oracle: interpolation and closed forms by hand on three deterministic codecs and two private ones."""
    table = {"codec": ["deterministic"] * 2 + ["private"] * 2, "rate_bits": [1.0, 2.0, 1.5, 2.5],
             "distortion": [0.348261, 0.0889234, 0.3, 0.05], "perception": [0.348261, 0.0889234, 0.01, 0.05]}
    gaussian_rdp.compare(table)
    np.testing.assert_allclose(table["scalar_quantizer_bits"][:2], [1.0, 2.0], atol=2e-6)
    assert np.isnan(table["scalar_quantizer_bits"][2:]).all() and np.isnan(table["interpolated_distortion"][:2]).all()
    g = np.sqrt(0.348261 * 0.0889234)
    np.testing.assert_allclose(table["interpolated_distortion"][2], g + (np.sqrt(g) - 0.1) ** 2, rtol=1e-12)
    assert np.isnan(table["interpolated_distortion"][3])  # beyond the last deterministic codec


def test_presets_are_valid_and_small_to_large():
    smoke, quick, full = (gaussian_rdp.PRESETS[name] for name in ("smoke", "quick", "full"))
    assert smoke.steps < quick.steps < full.steps and quick.samples >= 2**18 and smoke.samples >= 2**18
