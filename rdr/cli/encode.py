"""The command `rdr encode`: from images to messages."""

import contextlib
import dataclasses
import json
import math
import pathlib
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from rdr import command_line, files, locks
from rdr.cli import encode_job, reports, workers
from rdr.cli.codec_options import Config, Report, overfitted_options
from rdr.cli.encode_job import Job
from rdr.cli.inputs import MESSAGE_SUFFIX, expand, is_many
from rdr.codecs import overfitted
from rdr.codecs.overfitted.options import check_options
from rdr.codecs.overfitted.signals import SRGB
from rdr.command_line import CommandLine, UsageError, option
from rdr.training import checkpoint_owner

DESCRIPTION = """
Encodes images: a small decoder is fitted to each and written into its file, or a pretrained codec is used.

    rdr encode photo.jpg photo.rdr --bpp=0.5                        minutes on a CPU
    rdr encode photo.jpg photo.rdr --quality=60 --preset=fast       a minute
    rdr encode photo.jpg photo.rdr --checkpoint=pretrained --bpp=0.3    seconds
    rdr encode photos/ messages/                                    a folder; wildcards and several files, too
    rdr encode photos/ messages/ --jobs=8                           on eight cores, one image each

One of --bpp, --size, --psnr and --quality says where on the curve a file shall be. A fit that was interrupted leaves
its progress in OUT.rdr.progress, and the same call goes on from there. Small images of one size are fitted side by
side, and what a folder holds already is not made again. An image that cannot be read is named at the end, and the
others are encoded. Exit status: 0; 1 if something could not be done; 2 if the call is wrong; with --strict 3 if a
file has not the size or the PSNR that was asked for.
"""


@dataclasses.dataclass(frozen=True)
class Extra(Report):
    """What does not change the messages."""

    strict: bool = option(
        False, "end with status 3 where a file is longer than --bpp or --size, or far shorter, or has less than "
        "--psnr, or far more")
    jobs: int = option(
        0, "processes with one thread each that encode a folder's images one by one: as many as there are cores is the "
        "most that a CPU does; files are the same bytes for 1 and for more; 0: this process, with all cores, small "
        "images side by side")
    scheduler: str = option(
        "", "address or scheduler file of a dask.distributed cluster that encodes a folder's images; IN and OUT are on "
        "a file system that all its machines see; the same bytes as --jobs; none: this machine", metavar="ADDRESS")

    def __post_init__(self):
        if self.jobs < 0:
            raise ValueError(f"--jobs must be positive, or 0, got {self.jobs}")
        if self.jobs and self.scheduler:
            raise ValueError("--jobs and --scheduler are two places to encode in: give one of them")


def run(sources: Sequence[str], target: str, config: Config, extra: Extra = Extra()) -> int:
    """Encodes an image to a file, or several to a folder.

    Args:
      sources: files, folders and wildcards.
      target: the file or the folder to write.
      config: how.
      extra: what to print.

    Returns:
      The exit status: 0, or 3 for a missed size if that is to be an error.

    Raises:
      UsageError: if a name is empty or "-".
      ValueError: if something cannot be read or is refused.
      OSError: if something cannot be written.
    """
    for word in (*sources, target):
        if word in ("", "-"):
            raise UsageError("rdr encode reads and writes files: " + ("a name is empty" if not word else "not -"))
    if is_many(sources):
        missed = encode_many(expand(sources, "images"), pathlib.Path(target), config, extra)
    elif extra.jobs or extra.scheduler:
        raise UsageError(f"--{'jobs' if extra.jobs else 'scheduler'} is for folders and several images")
    else:
        missed = encode_one(pathlib.Path(sources[0]), pathlib.Path(target), config, as_json=extra.json)
    return reports.STATUS_MISSED if missed and extra.strict else 0


def encode_one(source: pathlib.Path, target: pathlib.Path, config: Config, *, as_json: bool = False) -> bool:
    """Encodes an image to a file.

    Args:
      source: the image.
      target: the file to write.
      config: how.
      as_json: whether a line of JSON is printed.

    Returns:
      Whether the size that was asked for was missed.

    Raises:
      ValueError: if the image cannot be read, something is refused, or the file cannot be written to that place.
      OSError: if something cannot be written.
    """
    if not target.parent.is_dir():
        raise ValueError(f"there is no folder {str(target.parent)!r} to write {target.name} to")
    if target.is_dir():
        raise ValueError(f"{str(target)!r} is a folder: name a file to write")
    if target.exists() and source.exists() and target.samefile(source):
        raise ValueError(f"the message would replace the image {str(source)!r}: name another file to write")
    image, started = encode_job.read(source, config), time.perf_counter()
    special = target.exists() and not target.is_file()  # a FIFO or a device has no neighbors
    with contextlib.ExitStack() as stack:
        if special:
            directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())) / "progress"
        else:
            directory = target.with_name(target.name + ".progress")
            stack.enter_context(locks.exclusive(target))
        [message] = encode_job.encode_images([image], config, directory)
        seconds = time.perf_counter() - started
        files.write_bytes(target, message)
        files.remove_tree(directory)
    return _report(source.name, image.pixels, message, config, seconds, as_json=as_json, scale=image.signal.transfer)


def encode_many(
    sources: dict[str, pathlib.Path], target: pathlib.Path, config: Config, extra: Extra = Extra()
) -> bool:
    """Encodes images to a folder of messages; those that are there already are kept.

    Args:
      sources: the images by name.
      target: the folder to write; it remembers how it was made, and of which images.
      config: how.
      extra: where, and what to print.

    Returns:
      Whether a size that was asked for was missed.

    Raises:
      ValueError: if messages are there of other images, or some could not be encoded, after all others were.
      OSError: if something cannot be written.
    """
    shapes, digests, failures = _look_at(sources, config)
    if not shapes:
        _refuse_failures(failures, len(sources))
    with command_line.claim_workdir(target, config, kind="the folder"):
        missed = _encode_missing(sources, target, config, shapes, digests, failures, extra)
        if not failures:
            for path in target.iterdir():  # of processes that were killed
                if path.suffix == ".progress" and path.is_dir():
                    files.remove_tree(path)
                elif files.is_partial(path) and path.is_file():
                    path.unlink()
    _refuse_failures(failures, len(sources))
    return missed


def _encode_missing(
    sources: dict[str, pathlib.Path], target: pathlib.Path, config: Config, shapes: dict[str, tuple[Any, ...]],
    digests: dict[str, str], failures: dict[str, str], extra: Extra,
) -> bool:
    """Encodes what the folder has not got; adds to the failures. Returns whether a size was missed."""
    record = target / "pictures.json"
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    missing = dict(shapes)
    for name in shapes:
        if (target / (name + MESSAGE_SUFFIX)).exists():
            if known.get(name) != digests[name]:
                raise ValueError(f"{target / name}{MESSAGE_SUFFIX} was made of another image than {sources[name]}: "
                                 "remove it, or write to another folder")
            if not extra.json:
                print(f"{name}: is there already")
            del missing[name]
    if missing and (extra.jobs or extra.scheduler):
        files.write_text(record, json.dumps(known | {name: digests[name] for name in missing}, indent=2) + "\n")
        return _encode_jobs({name: sources[name] for name in missing}, target, config, failures, extra)
    missed = False
    for names in _batches(missing, config):
        images, started = [encode_job.read(sources[name], config) for name in names], time.perf_counter()
        directory = _progress_of(target, names)
        try:
            messages = encode_job.encode_images(images, config, directory)
        except ValueError as error:
            failures |= dict.fromkeys(names, str(error))
            continue
        seconds = (time.perf_counter() - started) / len(names)
        known |= {name: digests[name] for name in names}
        files.write_text(record, json.dumps(known, indent=2) + "\n")
        for name, message in zip(names, messages):
            files.write_bytes(target / (name + MESSAGE_SUFFIX), message)
        files.remove_tree(directory)
        for name, image, message in zip(names, images, messages):
            missed |= _report(name, image.pixels, message, config, seconds, as_json=extra.json,
                              scale=image.signal.transfer)
    return missed


def _progress_of(target: pathlib.Path, names: Sequence[str]) -> pathlib.Path:
    """Where progress of images is kept that are fitted together."""
    return target / f"{names[0]}-{checkpoint_owner.digest(list(names))[:8]}.progress"


def _encode_jobs(
    sources: dict[str, pathlib.Path], target: pathlib.Path, config: Config, failures: dict[str, str], extra: Extra
) -> bool:
    """Encodes images one by one in other processes; adds to the failures. Returns whether a target was missed."""
    jobs = [Job(name, sources[name], target / (name + MESSAGE_SUFFIX), _progress_of(target, [name]), config)
            for name in sorted(sources)]
    missed = False
    place = workers.cluster(jobs, extra.scheduler) if extra.scheduler else workers.local(jobs, extra.jobs)
    with place as results:
        for done in results:
            if done.refused:
                failures[done.name] = done.refused
                continue
            files.write_bytes(target / (done.name + MESSAGE_SUFFIX), done.message)
            files.remove_tree(_progress_of(target, [done.name]))
            missed |= reports.show_encoded(done.name, done.outcome, done.shape, config, as_json=extra.json)
    return missed


def _look_at(
    sources: dict[str, pathlib.Path], config: Config
) -> tuple[dict[str, tuple[Any, ...]], dict[str, str], dict[str, str]]:
    """Shapes and bytes of profiles, and digests, of the images that can be encoded; what is wrong with the others."""
    shapes, digests, failures = {}, {}, {}
    for name, file in sources.items():
        try:
            image = encode_job.read(file, config)
            taken = encode_job.profile_bytes(image, config)
            if not config.checkpoint:
                check_options(overfitted_options(config, image.pixels.shape)._replace(signal=image.signal))
        except ValueError as error:
            failures[name] = str(error)
        else:
            shapes[name] = *image.pixels.shape, taken, image.signal
            digests[name] = checkpoint_owner.digest(image.pixels, *([image.profile.hex()] if image.profile else []),
                                                    *([image.signal] if image.signal != SRGB else []))
    return shapes, digests, failures


def _refuse_failures(failures: dict[str, str], count: int) -> None:
    """Ends a command that has done what it could."""
    if failures:
        reasons = list(dict.fromkeys(failures.values()))
        raise ValueError(reasons[0] if len(failures) == count == 1 else
                         f"{len(failures)} of {count} images could not be encoded: {'; '.join(reasons)}")


def _batches(shapes: dict[str, tuple[Any, ...]], config: Config) -> list[list[str]]:
    """Names of images of one size, as many together as fit into memory; those to be cut up, one by one.

    Behind a shape stand what is taken of the bytes that were asked for and the signal, so that one batch has one of
    each.
    """
    batches = []
    for shape in sorted(set(shapes.values())):
        names = sorted(name for name in shapes if shapes[name] == shape)
        whole = not config.checkpoint and (not config.tile or max(shape[:2]) <= config.tile)
        together = overfitted.group_size(len(names), math.prod(shape[:2]), jax.device_count()) if whole else 1
        batches += [names[start : start + together] for start in range(0, len(names), together)]
    return batches


def _report(
    name: str, image: np.ndarray, message: bytes, config: Config, seconds: float, *, as_json: bool, scale: str = "srgb"
) -> bool:
    decoded = reports.decode(message, config.checkpoint, config.realism,
                             max_pixels=image.shape[0] * image.shape[1])  # its own message is trusted
    outcome = reports.measure(image, message, decoded, seconds, scale=scale)
    return reports.show_encoded(name, outcome, image.shape, config, as_json=as_json)


def _interrupted(target: pathlib.Path) -> str:
    """What an interrupted call says: whether the same one goes on from something."""
    folders = [target.with_name(target.name + ".progress"), *(target.glob("*.progress") if target.is_dir() else ())]
    saved = any(path.is_file() and path.name != checkpoint_owner.RECORD and not files.is_partial(path)
                for folder in folders for path in folder.rglob("*"))
    done = target.is_dir() and any(target.glob(f"*{MESSAGE_SUFFIX}"))
    if saved or done:
        return "the same command goes on from what was saved"
    return "nothing was saved yet, the same command starts anew"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    targets = []

    def call():
        parsed = command_line.parse(
            CommandLine("rdr encode", DESCRIPTION, {"": Config()}, Extra(), "IN.. OUT.rdr", "none"), argv)
        if len(parsed.words) < 2:
            raise UsageError("say what to encode, and where to: rdr encode IN.png OUT.rdr (--help says more)")
        targets.append(pathlib.Path(parsed.words[-1]))
        return run(parsed.words[:-1], parsed.words[-1], parsed.config, parsed.extra)

    return command_line.run_safely(
        call, interrupted=lambda: _interrupted(targets[0]) if targets else "nothing was done")
