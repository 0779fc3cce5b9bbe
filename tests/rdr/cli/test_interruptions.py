"""Commands that are interrupted or killed: they say what is true, and the same call ends as if nothing had been."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).parents[3]
# Says when Python itself has started, which no command can make quieter. A shell in the background, which may have
# started the tests, ignores interruptions, and so would the command.
_START = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
          "from rdr.cli.main import main; print('started', flush=True); sys.exit(main(sys.argv))")
_FIT = ("--steps=60", "--rd_lambda=0.1")


def start(words):
    """A command in a process of its own, once it has begun."""
    process = subprocess.Popen([sys.executable, "-c", _START, *map(str, words)], cwd=ROOT, text=True,
                               env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == "started\n"
    return process


def finish(words):
    """Runs a command to its end; returns the seconds that it took."""
    began, process = time.monotonic(), start(words)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    return time.monotonic() - began


def contents(folder):
    """Files and what they hold; what says when it was written, and on which machine, is left out.

    Of checkpoints, whose files have random names, their steps: that they hold the same is seen in the codec.
    """
    held = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if "checkpoints" in name.parts:
            held[pathlib.Path(*name.parts[:name.parts.index("checkpoints") + 2])] = None
        elif path.suffix == ".npz":  # archives hold times
            with np.load(path) as arrays:
                held[name] = {key: (array.dtype, array.tobytes()) for key, array in arrays.items()}
        elif path.is_file() and path.name not in ("run.json", "images.csv") and path.suffix != ".pdf":
            held[name] = path.read_bytes()
    return held


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Images, tables and a codec, for commands that take a second or a few each."""
    folder, rng = tmp_path_factory.mktemp("inputs"), np.random.default_rng(0)
    for place, shape, count in (("images", (24, 32, 3), 3), ("others", (24, 32, 3), 3), ("train", (128, 128, 3), 2)):
        (folder / place).mkdir()
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / place / f"{i}.png")
    (folder / "pmf.csv").write_text("0.5,0.25,0.25\n", encoding="utf-8")
    (folder / "curves.csv").write_text("# source: nobody\ncodec,rate_bpp,psnr\n" + "".join(
        f"{name},{rate},{30 + 3 * i + shift}\n" for name, shift in (("a", 0), ("b", 1))
        for i, rate in enumerate((0.1, 0.2, 0.4, 0.8))), encoding="utf-8")
    return folder


COMMANDS = {
    "encode": lambda i, out: ("encode", i / "images" / "0.png", out / "a.rdr", *_FIT),
    "folder": lambda i, out: ("encode", i / "images", out / "messages", *_FIT),
    "evaluate": lambda i, out: ("evaluate", f"--reference={i / 'images'}", f"--candidate={i / 'others'}",
                                "--metrics=mse,psnr,ssim", f"--workdir={out / 'evaluated'}"),
    "codec": lambda i, out: ("evaluate", i / "images", f"--workdir={out / 'coded'}", *_FIT),
    "compare": lambda i, out: ("compare", i / "curves.csv", f"--workdir={out / 'compared'}"),
    "bound": lambda i, out: ("bound", f"--pmf={i / 'pmf.csv'}", "--preset=smoke", f"--workdir={out / 'bound'}"),
    "train": lambda i, out: ("train", f"--images={i / 'train'}", f"--workdir={out / 'trained'}", "--preset=smoke"),
}


@pytest.mark.stress
@pytest.mark.parametrize("name", COMMANDS)
def test_twenty_kills_cost_nothing_but_time(name, inputs, tmp_path):
    (tmp_path / "whole").mkdir()
    finish(COMMANDS[name](inputs, tmp_path / "whole"))  # compiles
    shutil.rmtree(tmp_path / "whole")
    (tmp_path / "whole").mkdir()
    seconds = finish(COMMANDS[name](inputs, tmp_path / "whole"))
    wanted, rng, kills = contents(tmp_path / "whole"), np.random.default_rng(0), 0
    assert wanted
    while kills < 20:
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        process = start(COMMANDS[name](inputs, out))
        moment = rng.uniform(0, seconds)
        time.sleep(moment)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        else:  # on a machine that was busier before, it was done before many of the moments
            seconds = min(seconds, moment)
        _, error = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), error
        if process.returncode == 0 or kills % 4 == 0:
            finish(COMMANDS[name](inputs, out))
            found = contents(out)
            assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
            assert [path for path in wanted if found[path] != wanted[path]] == []
            shutil.rmtree(out)


@pytest.mark.stress
@pytest.mark.parametrize("name", COMMANDS)
def test_interruptions_at_twenty_moments_are_one_sentence(name, inputs, tmp_path):
    for folder in ("first", "second"):  # the first compiles
        (tmp_path / folder).mkdir()
        seconds = finish(COMMANDS[name](inputs, tmp_path / folder))
    interrupted = 0
    for moment in range(20):
        out = tmp_path / "out"
        out.mkdir()
        process = start(COMMANDS[name](inputs, out))
        time.sleep(seconds * (moment + 0.5) / 20)  # at 0 it is between Python and the command
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=600)
        # While Python ends, after the command's last word, the system ends it, for which shells say 130, too.
        assert process.returncode in (0, 130, -signal.SIGINT), (moment, error)
        assert "Traceback" not in error, (moment, error)
        if process.returncode == 130:
            interrupted += 1
            assert error.splitlines()[-1].startswith("interrupted: "), (moment, error)
        finish(COMMANDS[name](inputs, out))
        shutil.rmtree(out)
    assert interrupted > 10
