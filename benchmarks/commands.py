"""Measures what a call of each command costs, with an empty compilation cache and with a full one.

    python -m benchmarks.commands

CPU seconds of the process and its threads, so that a busy machine changes little; wall seconds are shown beside them.
"""

import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).parents[1]
# A name, and what follows `rdr`; {n} counts calls, so that nothing is there already.
COMMANDS = (
    ("--help", ["--help"]),
    ("encode, 50 steps", ["encode", "in.png", "out{n}.rdr", "--steps=50", "--rd_lambda=0.01"]),
    ("decode", ["decode", "out0.rdr", "out.png"]),
    ("info", ["info", "out0.rdr"]),
    ("encode, pretrained", ["encode", "in.png", "fast{n}.rdr", "--checkpoint=pretrained"]),
    ("decode, pretrained", ["decode", "fast0.rdr", "fast.png"]),
    ("bound", ["bound", "--pmf=pmf.csv", "--divergence=tv", "--num_points=6", "--workdir=bound{n}"]),
    ("bound, there already", ["bound", "--pmf=pmf.csv", "--divergence=tv", "--num_points=6", "--workdir=bound0"]),
    ("evaluate, psnr and ssim",
     ["evaluate", "--reference=a", "--candidate=b", "--metrics=psnr,ssim", "--workdir=evaluate{n}"]),
)


def call(words: list[str], folder: pathlib.Path) -> tuple[float, float]:
    """Runs a command; returns its CPU and wall seconds."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    variables |= {"RDR_COMPILATION_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "rdr", *words], cwd=folder, env=variables, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - started


def main() -> None:
    """Prints a table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        y, x = np.mgrid[:96, :128] / 16
        Image.fromarray(np.uint8(127 + 60 * np.stack([np.sin(x + y), np.cos(1.3 * x), np.sin(0.7 * y)], -1))).save(
            folder / "in.png")
        (folder / "pmf.csv").write_text("0.5,0.3,0.2\n")
        for name in "ab":
            (folder / name).mkdir()
            shutil.copy(folder / "in.png", folder / name)
        print("| command | CPU s, first call | CPU s, second call | wall s, second call |\n|---|---|---|---|")
        for name, words in COMMANDS:
            (first, _), (second, wall) = (call([word.format(n=n) for word in words], folder) for n in range(2))
            print(f"| {name} | {first:.1f} | {second:.1f} | {wall:.1f} |", flush=True)


if __name__ == "__main__":
    main()
