"""Training from the command line: it writes a codec that codes, resumes, and refuses in one sentence."""

import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from rdr.cli import train
from rdr.cli.train_config import PRESETS
from rdr.codecs.image import files

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained")
    assert train.main(["rdr train", "--preset=smoke", f"--workdir={workdir}"]) == 0
    return workdir


def test_smoke_writes_a_codec_that_codes(trained):
    loaded = files.load_codec(trained / "codec.npz")
    assert loaded.options == {"name": "bmshj2018-factorized", "channels": 8, "latents": 12, "transforms": "gdn",
                              "rate_levels": 2, "realism": False}
    assert loaded.notes["training"]["steps_done"] == 8 and loaded.notes["training"]["images"] == "scikit-image"
    x = np.full((1, 20, 30, 3), 0.5, np.float32)
    message = loaded.codec.encode(loaded.params, x, rate=0.5)
    assert loaded.codec.decode(message, params=loaded.params).shape == x.shape
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert json.loads((trained / "run.json").read_text())


def test_the_same_command_again_trains_nothing_and_another_configuration_is_refused(trained, capsys):
    before = (trained / "codec.npz").read_bytes()
    log = (trained / "metrics.jsonl").read_bytes()
    assert train.main(["rdr train", "--preset=smoke", f"--workdir={trained}"]) == 0
    assert (trained / "codec.npz").read_bytes() == before and (trained / "metrics.jsonl").read_bytes() == log
    assert train.main(["rdr train", "--preset=smoke", "--batch=4", f"--workdir={trained}"]) == 1
    assert "other settings (batch)" in capsys.readouterr().err


@pytest.fixture(scope="module")
def realistic(trained, tmp_path_factory):
    """A folder with codec.npz, two steps of realism after `trained`."""
    workdir = tmp_path_factory.mktemp("realistic")
    config = dataclasses.replace(PRESETS["smoke"], stage="realism", start=str(trained / "codec.npz"),
                                 perceptual_weight=0.0, steps=2, warmup=1)
    train.run(config, workdir)
    return workdir


def test_the_realism_stage_moves_the_second_decoder_only(trained, realistic):
    first, second = (files.load_codec(folder / "codec.npz").params for folder in (trained, realistic))
    np.testing.assert_array_equal(first["analysis"]["Convolution_0"]["kernel"],
                                  second["analysis"]["Convolution_0"]["kernel"])
    np.testing.assert_array_equal(first["synthesis"]["Convolution_3"]["kernel"],
                                  second["synthesis"]["Convolution_3"]["kernel"])
    assert np.abs(second["realism"]["Convolution_3"]["kernel"]).max() > 0


def test_patches_of_an_array_are_given_to_training_and_a_realistic_start_leaves_no_trace(realistic, tmp_path,
                                                                                         monkeypatch):
    rng, seen = np.random.default_rng(0), []
    patches = rng.integers(0, 256, (5, 72, 80, 3), np.uint8)
    np.save(tmp_path / "patches.npy", patches)

    def untrained(state, step, batches, *, directory, **_):
        seen.append(np.asarray(next(batches(0))))
        (directory / "metrics.jsonl").write_text('{"step": 2}\n')
        return state

    monkeypatch.setattr(train, "train_on_batches", untrained)
    for resident in (False, True):
        workdir = tmp_path / str(resident)
        workdir.mkdir()
        train.run(dataclasses.replace(PRESETS["smoke"], images=str(tmp_path / "patches.npy"), steps=2, warmup=1,
                                      resident=resident, start=str(realistic / "codec.npz")), workdir)
        loaded, start = (files.load_codec(folder / "codec.npz") for folder in (workdir, realistic))
        assert "realism" not in loaded.params and not loaded.options["realism"]
        np.testing.assert_array_equal(loaded.params["analysis"]["Convolution_0"]["kernel"],
                                      start.params["analysis"]["Convolution_0"]["kernel"])
    windows = np.lib.stride_tricks.sliding_window_view(patches, (64, 64, 3), (1, 2, 3)).reshape(-1, 64, 64, 3)
    for batch in seen:
        assert batch.shape == (2, 64, 64, 3)
        for crop in batch:
            assert any((crop[:, ::step] == windows).all((1, 2, 3)).any() for step in (1, -1))


@pytest.mark.stress
def test_patches_in_an_array_may_stay_on_the_devices_and_a_realistic_start_leaves_no_trace(realistic, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "patches.npy", rng.integers(0, 256, (5, 72, 80, 3), np.uint8))
    (tmp_path / "again").mkdir()
    again = dataclasses.replace(PRESETS["smoke"], images=str(tmp_path / "patches.npy"), steps=2, warmup=1,
                                resident=True, start=str(realistic / "codec.npz"))
    assert np.isfinite(train.run(again, tmp_path / "again")["loss"])
    loaded = files.load_codec(tmp_path / "again" / "codec.npz")
    assert "realism" not in loaded.params and not loaded.options["realism"]


@pytest.mark.parametrize("options, status, message", [
    (["--images=/no/such/folder"], 1, "there is no folder"), (["--images=div2k"], 1, "data set 'div2k' is not ready"),
    (["--codec=jpeg"], 2, "codec must be one of"), (["--transforms=dct"], 2, "transforms must be one of"),
    (["--stage=realism"], 2, "give --start="), (["--start=/no/such.npz"], 1, "there is no file /no/such.npz"),
    (["--crop=100"], 2, "crop must be a multiple of 64"),
    (["--num_processes=2"], 1, "several processes need a coordinator"),
    (["--num_processes=x"], 2, "--num_processes must be a whole number, got 'x'"), (["--nonsense=1"], 2, "nonsense"),
    (["--config=/no/such.json"], 2, "cannot be read"),
])
def test_refusals_are_one_sentence(options, status, message, tmp_path, capsys):
    assert train.main(["rdr train", "--preset=smoke", f"--workdir={tmp_path / 'w'}", *options]) == status
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1


def test_a_configuration_file_need_not_fit_every_preset_and_flags_come_last(tmp_path, monkeypatch):
    """A crop of 256 is more than the patches of smoke have, unless a flag makes these larger."""
    seen, path = [], tmp_path / "config.json"
    path.write_text('{"crop": 256, "steps": 7}')

    def run(config, workdir, place):
        seen.append(config)
        (workdir / "codec.npz").touch()
        return {}

    monkeypatch.setattr(train, "run", run)
    for options in (["--preset=full"], ["--preset=smoke", "--patch=256", "--steps=9"]):
        assert train.main(["rdr train", f"--config={path}", f"--workdir={tmp_path / options[0]}", *options]) == 0
    assert [(c.crop, c.patch, c.steps, c.batch) for c in seen] == [(256, 256, 7, 16), (256, 256, 9, 2)]
    assert train.main(["rdr train", f"--config={path}", f"--workdir={tmp_path / 'x'}", "--preset=smoke"]) == 2


@pytest.mark.parametrize("shape", [(64, 60, 3), (64, 64, 1)])
def test_images_that_components_cannot_be_computed_of_are_named(shape):
    source = [{"image": np.zeros((64, 64, 3), np.uint8)}] * 3 + [{"image": np.zeros(shape, np.uint8)}]
    with pytest.raises(ValueError, match=f"three channels and at least 64 x 64 pixels, got one of shape .{shape[0]}, "):
        train.start_at_principal_components({}, source, PRESETS["smoke"])


def test_files_that_hold_no_codec_are_refused(trained, tmp_path):
    path = tmp_path / "codec.npz"
    data = (trained / "codec.npz").read_bytes()
    with zipfile.ZipFile(trained / "codec.npz") as archive:
        member = max(archive.infolist(), key=lambda entry: entry.compress_size)
    inside = member.header_offset + member.compress_size // 2
    flipped = data[:inside] + bytes([data[inside] ^ 1]) + data[inside + 1 :]
    for damaged in (b"", b"text", data[: len(data) // 2], flipped):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is no image codec, or damaged"):
            files.load_codec(path)
    with pytest.raises(ValueError, match="has SHA-256"):
        files.load_codec(trained / "codec.npz", sha256="0" * 64)


@pytest.mark.stress
def test_two_processes_train_what_one_trains(trained, tmp_path):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "rdr", "train", "--preset=smoke", f"--workdir={tmp_path}",
               f"--coordinator=127.0.0.1:{port}", "--num_processes=2"]
    processes = [subprocess.Popen([*command, f"--process_id={i}"], env=environment, cwd=ROOT, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for i in range(2)]
    for process in processes:
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output
    lines, alone = ([json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
                    for folder in (tmp_path, trained))
    # Sums over the batch in another order; rounding of latents turns a few float32 roundings into a few other symbols.
    np.testing.assert_allclose([line["loss"] for line in lines], [line["loss"] for line in alone], rtol=1e-3)
    loaded = files.load_codec(tmp_path / "codec.npz")
    assert loaded.notes["training"]["steps_done"] == 8
