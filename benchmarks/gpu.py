"""The work for a GPU that is there for some minutes, in order of value; run again, it goes on where it was.

    make gpu [MINUTES=12] [OUT=runs/gpu] [IMAGES=FOLDER] [TRAIN=FOLDER]
    python -m benchmarks.gpu --workdir=OUT [--minutes=12] [--images=FOLDER] [--training_images=FOLDER] [--dry_run]

check       a subset of the tests, stored files among them, and files that one device writes and the other reads
best        up to 8 images fitted for squared error at one lambda, 10,000 steps (best/*.rdr)
realism     up to 4 of them fitted for Wasserstein distortion through VGG-16 (realism/*.rdr)
train       the amortized codec with N = 128, on from its last checkpoint (train/)
benchmarks  steps of fits and of training (benchmarks.log)

Each stage has a share of the minutes, and what it leaves goes to those after it. A stage that runs out of time is
interrupted and goes on in the next call; one that fails is named at the end, tried again in the next call, and the
others are done. OUT has a log for each stage, and stages.json with what was done.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rdr import command_line, files
from rdr.command_line import CommandLine, option
from rdr.data.folders import list_images
from rdr.data.image_io import write_image

ROOT = pathlib.Path(__file__).parents[1]
STATE = "stages.json"
MADE_UP = "made-up"  # in the place of a folder: images of 24 x 24 pixels, patches of 128 x 128
GRACE = 15.0  # seconds that a command has to end when it is interrupted
LEAST = 10.0  # seconds of work that a stage is begun for
TESTS = (
    "tests/rdr/codecs/overfitted/test_golden.py", "tests/rdr/codecs/overfitted/test_format.py",
    "tests/rdr/codecs/overfitted/test_codec.py", "tests/rdr/codecs/image/test_pretrained.py",
    "tests/rdr/training/test_soap.py", "tests/rdr/test_randomness.py",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config:
    """What is done; each field says what it is."""

    images: str = option("", "folder of photographs, such as Kodak's; none: what needs them is left out", first=True)
    training_images: str = option(
        "", "folder of photographs or .npy file of patches, none of those above; none: no training", first=True)
    count: int = option(8, "photographs that are fitted for squared error")
    rd_lambda: float = option(0.01, "their lambda, bits per pixel for a squared 8-bit level")
    steps: int = option(10_000, "steps of these fits")
    jobs: int = option(4, "images that are fitted at once")
    realism_count: int = option(4, "photographs that are fitted for realism")
    realism_bpp: float = option(0.2, "bits per pixel of these files")
    realism_steps: int = option(2000, "steps of these fits")
    realism_features: str = option("vgg16", "features of Wasserstein distortion")
    train_preset: str = option("full", "preset of `rdr train`")
    tests: tuple[str, ...] = option(TESTS, "files of tests")
    benchmarks: tuple[str, ...] = option(
        ("overfitted --sizes=512x768 --fits=500", "training"), "modules of benchmarks and their flags")


PRESETS = {
    "full": Config(),
    "smoke": Config(images=MADE_UP, training_images=MADE_UP, count=2, steps=10, jobs=1, realism_count=2,
                    realism_bpp=12.0, realism_steps=10, realism_features="pixels", train_preset="smoke",
                    tests=TESTS[:1], benchmarks=("closed_forms",)),
}


@dataclasses.dataclass(frozen=True)
class Extra:
    """What results do not depend on."""

    minutes: float = option(12.0, "minutes in all; more for stages that were interrupted", first=True)
    dry_run: bool = option(False, "print what would be done, and do nothing")

    def __post_init__(self):
        if not 0 < self.minutes < 1e6:
            raise ValueError(f"--minutes must be positive, got {self.minutes}")


class Stage(NamedTuple):
    """A part of the work.

    Attributes:
      name: of the stage.
      share: minutes of 12.
      commands: words of each; a command that is done is not done again, one that was interrupted goes on.
      missing: what it lacks; empty if it can be run.
    """

    name: str
    share: float
    commands: tuple[tuple[str, ...], ...]
    missing: str = ""


def make_stages(config: Config, workdir: pathlib.Path) -> list[Stage]:
    """Lists what there is to do."""
    python, rdr = (sys.executable, "-m"), (sys.executable, "-m", "rdr")
    common = (f"--jobs={config.jobs}", "--json")
    no_images = "" if config.images else "IMAGES=FOLDER"
    check = ((*python, "pytest", "-q", "-p", "no:cacheprovider", *config.tests),
             (*python, "benchmarks.cross_device", f"--workdir={workdir / 'cross_device'}",
              f"--steps={min(config.steps, 500)}"))
    best = (*rdr, "encode", str(workdir / "images" / "best"), str(workdir / "best"), f"--rd_lambda={config.rd_lambda}",
            f"--steps={config.steps}", *common)
    realism = (*rdr, "encode", str(workdir / "images" / "realism"), str(workdir / "realism"), "--realism=0.5",
               f"--bpp={config.realism_bpp}", f"--features={config.realism_features}",
               f"--steps={config.realism_steps}", *common)
    train = (*rdr, "train", f"--preset={config.train_preset}", f"--images={config.training_images}", "--resident",
             f"--workdir={workdir / 'train'}")
    return [
        Stage("check", 2.0, check),
        Stage("best", 4.0, (best,), no_images),
        Stage("realism", 3.0, (realism,), no_images),
        Stage("train", 2.0, (train,), "" if config.training_images else "TRAIN=FOLDER"),
        Stage("benchmarks", 1.0, tuple((*python, f"benchmarks.{words.split()[0]}", *words.split()[1:])
                                       for words in config.benchmarks)),
    ]  # fmt: skip


def make_up(config: Config, workdir: pathlib.Path) -> Config:
    """Makes images that stand for folders which there are not; returns the configuration with their places."""
    folder, patches = workdir / MADE_UP, workdir / f"{MADE_UP}.npy"
    rng, (rows, columns) = np.random.default_rng(0), np.mgrid[:24, :24]
    if config.images == MADE_UP:
        folder.mkdir(exist_ok=True)
        for index in range(2):
            waves = 128 + 90 * np.sin(rows / (3 + index)) * np.cos(columns / 4)
            write_image(folder / f"{index}.png", waves.astype(np.uint8)[:, :, None])
        config = dataclasses.replace(config, images=str(folder))
    if config.training_images == MADE_UP:
        np.save(patches, rng.integers(0, 256, (8, 128, 128, 3), np.uint8))
        config = dataclasses.replace(config, training_images=str(patches))
    return config


def link_images(config: Config, workdir: pathlib.Path) -> None:
    """Makes a folder of the photographs of each stage."""
    if config.images:
        for name, count in (("best", config.count), ("realism", config.realism_count)):
            folder = workdir / "images" / name
            folder.mkdir(parents=True, exist_ok=True)
            for file in list_images(config.images, recursive=False)[:count]:
                with contextlib.suppress(FileExistsError):
                    (folder / file.name).symlink_to(file.absolute())


def run_command(words: Sequence[str], log: pathlib.Path, seconds: float) -> int | None:
    """Runs a command for some time.

    Args:
      words: of the command.
      log: gets what it prints, after what is there.
      seconds: after which it is interrupted, and killed if it has not ended a little later.

    Returns:
      Its status, or None if it ran out of time.
    """
    with open(log, "a", encoding="utf-8") as stream:
        stream.write(f"$ {' '.join(words)}\n")
        stream.flush()
        process = subprocess.Popen(words, stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                _end(process)


def _end(process: subprocess.Popen) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.8 * GRACE)
            return


def run_stage(stage: Stage, record: dict, workdir: pathlib.Path, deadline: float, save: Callable[[], None]) -> None:
    """Does what is left of a stage, and writes down in its record what became of it, command by command."""
    log, started = workdir / f"{stage.name}.log", time.monotonic()
    record |= {"status": "interrupted", "finished_commands": record.get("finished_commands", 0)}
    before = record.get("seconds", 0.0)
    try:
        for words in stage.commands[record["finished_commands"]:]:
            status = run_command(words, log, max(0.1, deadline - time.monotonic()))
            if status:
                record["status"], record["exit_status"] = "failed", status
            if status != 0:
                return
            record["finished_commands"] += 1
            save()
        record["status"] = "done"
    finally:
        record["seconds"] = round(before + time.monotonic() - started, 1)
        save()


def run(config: Config, workdir: pathlib.Path, minutes: float) -> dict[str, dict]:
    """Does the stages.

    Args:
      config: what is done.
      workdir: gets results, logs and `stages.json`.
      minutes: in all.

    Returns:
      What became of each stage, by name.
    """
    config = make_up(config, workdir)
    link_images(config, workdir)
    path, started = workdir / STATE, time.monotonic()
    state = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    stages = [stage for stage in make_stages(config, workdir) if not stage.missing]

    def save() -> None:
        files.write_text(path, json.dumps(state, indent=2) + "\n")

    end, planned = started + 60 * minutes - GRACE, started
    total = sum(stage.share for stage in stages)
    for last in (False, True):  # at the end, what is left goes to what was interrupted
        for stage in stages:
            planned += 0 if last else (end - started) * stage.share / total
            record = state.setdefault(stage.name, {})
            deadline = end if last else planned
            if record.get("status") == "done" or (last and record.get("status") == "failed"):
                continue
            if deadline - time.monotonic() < LEAST:
                record.setdefault("status", "not begun")
                continue
            print(f"{stage.name}: until minute {(deadline - started) / 60:.1f} ..", flush=True)
            run_stage(stage, record, workdir, deadline, save)
            print(f"{stage.name}: {record['status']} after {record['seconds']:.0f} s", flush=True)
    save()
    return state


def describe(config: Config, workdir: pathlib.Path, minutes: float) -> str:
    """Says what would be done."""
    stages = make_stages(config, workdir)
    total = sum(stage.share for stage in stages if not stage.missing)
    lines = []
    for stage in stages:
        share = f"{minutes * stage.share / total:.1f} minutes" if not stage.missing else f"left out: {stage.missing}"
        lines += [f"{stage.name} ({share})", *(f"    {' '.join(words)}" for words in stage.commands)]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the stages; the status is 1 if one of them failed."""
    def call():
        parsed = command_line.parse(CommandLine("python -m benchmarks.gpu", __doc__ or "", PRESETS, Extra()), argv)
        workdir = parsed.required_workdir().absolute()
        config, extra = parsed.config, parsed.extra
        if config.images not in ("", MADE_UP):
            list_images(config.images, recursive=False)
        if extra.dry_run:
            print(describe(config, workdir, extra.minutes))
            return 0
        with command_line.claim_workdir(workdir, config):
            state = run(config, workdir, extra.minutes)
        for name, record in state.items():
            print(f"{name}: {record['status']}, {record.get('seconds', 0):.0f} s; see {workdir / name}.log")
        for stage in make_stages(config, workdir):
            if stage.missing:
                print(f"{stage.name}: left out, it needs {stage.missing}")
        return 1 if any(record["status"] == "failed" for record in state.values()) else 0

    return command_line.run_safely(call)


if __name__ == "__main__":
    sys.exit(main())
