"""Image codecs as a command: one that is fitted to each picture, and trained ones.

    python -m rdr.cli.codec encode IN.png OUT.rdr [--objective=mse --bpp=0.5 --preset=fast --seed=0 ..]
    python -m rdr.cli.codec encode IN.png OUT.rdr --checkpoint=shipped [--level=0.5 or --bpp=0.5]
    python -m rdr.cli.codec decode OUT.rdr OUT.png
    python -m rdr.cli.codec info OUT.rdr
    python -m rdr.cli.codec evaluate DIR --workdir=OUT [options of encode]

`encode` fits a small decoder to the picture: minutes for a photograph on a CPU. An interrupted call leaves its progress
in OUT.rdr.progress, and the same call goes on from there. Pictures of more than --tile pixels a side are cut into
tiles, each with a decoder of its own; --tile=0 fits them whole. The bar shows bits per pixel of the grids alone; the
file has header and weights, too. Decoded pictures have 8 bits. IN of `encode` may be a folder, OUT then is one, too:
small pictures of one size are fitted side by side, and what is there already is not made again. `evaluate` encodes and
decodes a folder and writes `images.csv`.

With --checkpoint (a codec.npz of `rdr.cli.train`, or the word shipped) `encode` takes that codec instead, and
seconds. `decode` and `info` see which codec wrote a file, but the checkpoint must be the same; --realism is the weight
that its decoder may be given.
"""

import dataclasses
import json
import math
import pathlib
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from rdr import command_line
from rdr.cli import amortized
from rdr.cli.codec_options import Config, check, options, parse, wanted_size
from rdr.codecs import overfitted
from rdr.codecs.overfitted import checkpoint_owner
from rdr.data.folders import images_by_name
from rdr.data.image_io import check_image_path, read_image, write_image
from rdr.evaluation.tables import write_table
from rdr.files import write_bytes, write_text

USAGE = "say encode IN OUT, decode IN OUT, info IN, or evaluate DIR --workdir=OUT (--help says more)"


def encode_pictures(pictures: Sequence[np.ndarray], config: Config, directory: pathlib.Path) -> list[bytes]:
    """Encodes pictures of one size.

    Args:
      pictures: [height, width, channels] each; one, or several that fit into one tile each.
      config: how.
      directory: where progress is kept; whoever has written the messages may remove it.

    Returns:
      The messages.

    Raises:
      ValueError: if a picture or an option is refused, or the progress belongs to something else.
    """
    chosen = options(config, pictures[0].shape)
    if len(pictures) == 1:
        return [overfitted.encode(pictures[0], chosen, tile=config.tile or None, directory=directory)]
    return overfitted.encode_batch(pictures, chosen, directory=directory)


def encode(source: pathlib.Path, target: pathlib.Path, config: Config) -> None:
    """Encodes a picture, or a folder of them.

    Args:
      source: the picture or the folder.
      target: the file or the folder to write.
      config: how.

    Raises:
      ValueError: if something cannot be read or is refused.
      OSError: if something cannot be written.
    """
    if not source.is_dir():
        if not target.parent.is_dir():
            raise ValueError(f"there is no folder {str(target.parent)!r} to write {target.name} to")
        if target.is_dir():
            raise ValueError(f"{str(target)!r} is a folder: name a file to write")
        if target.exists() and source.exists() and target.samefile(source):
            raise ValueError(f"the message would replace the picture {str(source)!r}: name another file to write")
    if config.checkpoint:
        encode_trained(source, target, config)
        return
    if source.is_dir():
        encode_folder(source, target, config)
        return
    picture, directory = read_image(source), target.with_name(target.name + ".progress")
    [message] = encode_pictures([picture], config, directory)
    write_bytes(target, message)
    shutil.rmtree(directory)
    _report(source.name, picture, message, config)


def encode_folder(source: pathlib.Path, target: pathlib.Path, config: Config) -> None:
    """Encodes a folder of pictures into one of messages; those that are there already are kept.

    Args:
      source: the folder of pictures.
      target: the folder to write; it remembers how it was made, and of which pictures.
      config: how.

    Raises:
      ValueError: if something cannot be read or is refused, or the messages are others'.
      OSError: if something cannot be written.
    """
    files = images_by_name(source)
    shapes, digests = {}, {}
    for name, file in files.items():
        picture = read_image(file)
        shapes[name], digests[name] = picture.shape, checkpoint_owner.digest(picture)
        options(config, picture.shape)
    command_line.open_workdir(target, config, kind="the folder")
    record = target / "pictures.json"
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    for name in files:
        if (target / f"{name}.rdr").exists():
            if known.get(name) != digests[name]:
                raise ValueError(f"{target / name}.rdr was made of another picture than {files[name]}: remove it, or "
                                 "write to another folder")
            print(f"{name}: is there already")
    missing = {name: shape for name, shape in shapes.items() if not (target / f"{name}.rdr").exists()}
    for names in _batches(missing, config.tile):
        pictures = [read_image(files[name]) for name in names]
        directory = target / f"{names[0]}-{checkpoint_owner.digest(names)[:8]}.progress"
        messages = encode_pictures(pictures, config, directory)
        known |= {name: digests[name] for name in names}
        write_text(record, json.dumps(known, indent=2) + "\n")
        for name, message in zip(names, messages):
            write_bytes(target / f"{name}.rdr", message)
        shutil.rmtree(directory)
        for name, picture, message in zip(names, pictures, messages):
            _report(name, picture, message, config)


def encode_trained(source: pathlib.Path, target: pathlib.Path, config: Config) -> None:
    """As `encode`, by the trained codec of `config.checkpoint`."""
    check(config)
    inputs = images_by_name(source) if source.is_dir() else {source.name: source}
    targets = {name: target / f"{name}.rdr" if source.is_dir() else target for name in inputs}
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    messages = amortized.encode(inputs, targets, config.checkpoint, level=config.level, bpp=config.bpp,
                                    size=config.size)
    for name, message in messages.items():
        _report(name, read_image(inputs[name]), message, config)


def decoded(message: bytes, config: Config) -> np.ndarray:
    """The picture in a message, whichever codec wrote it."""
    if amortized.is_amortized_message(message):
        return amortized.decode_picture(message, config.checkpoint, realism=config.realism)
    return overfitted.decode(message)


def _batches(shapes: dict[str, tuple[int, ...]], tile: int) -> list[list[str]]:
    """Names of pictures of one size, as many together as fit into memory; those to be cut up, one by one."""
    found = []
    for shape in sorted(set(shapes.values())):
        names = sorted(name for name in shapes if shapes[name] == shape)
        whole = not tile or max(shape[:2]) <= tile
        together = overfitted.group_size(len(names), math.prod(shape[:2]), jax.device_count()) if whole else 1
        found += [names[start : start + together] for start in range(0, len(names), together)]
    return found


def psnr(picture: np.ndarray, decoded: np.ndarray) -> float:
    """Peak signal-to-noise ratio over all pixels and channels.

    Args:
      picture: uint8 or uint16.
      decoded: uint8, the same shape.

    Returns:
      dB; infinite for equal pictures.
    """
    total, step = 0.0, max(1, 2**24 // picture[0].size)  # rows at a time: large pictures are larger as float64
    for top in range(0, len(picture), step):
        rows = slice(top, top + step)
        total += np.sum((picture[rows] / np.float64(np.iinfo(picture.dtype).max) - decoded[rows] / 255.0) ** 2)
    mse = float(total / picture.size)
    return -10 * math.log10(mse) if mse > 0 else math.inf


def _report(name: str, picture: np.ndarray, message: bytes, config: Config) -> None:
    bits = 8 * len(message) / (picture.shape[0] * picture.shape[1])
    quality = psnr(picture, decoded(message, config))
    print(f"{name}: {len(message)} bytes, {bits:.4f} bits per pixel, PSNR {quality:.2f} dB")
    wanted = wanted_size(config, picture.shape)
    if wanted and len(message) > wanted:
        print(f"{name}: this is longer than the {wanted} bytes that were asked for; no shorter file was found",
              file=sys.stderr)


def evaluate(folder: pathlib.Path, workdir: pathlib.Path, config: Config) -> None:
    """Encodes a folder, decodes it, and tabulates rate, PSNR and seconds of decoding.

    Args:
      folder: of pictures.
      workdir: gets messages, decoded pictures and `images.csv`.
      config: how.

    Raises:
      ValueError: if something cannot be read or is refused.
      OSError: if something cannot be written.
    """
    command_line.open_workdir(workdir, config)
    encode(folder, workdir / "messages", config)
    rows: list[dict[str, Any]] = []
    (workdir / "decoded").mkdir(exist_ok=True)
    for name, file in images_by_name(folder).items():
        message = (workdir / "messages" / f"{name}.rdr").read_bytes()
        picture, started = read_image(file), time.perf_counter()
        found = decoded(message, config)
        seconds = time.perf_counter() - started
        write_image(workdir / "decoded" / f"{name}.png", found)
        rows.append({"image": name, "bytes": len(message),
                     "bits_per_pixel": 8 * len(message) / (picture.shape[0] * picture.shape[1]),
                     "psnr_db": psnr(picture, found), "decode_seconds": seconds})
    write_table(workdir / "images.csv", {name: [row[name] for row in rows] for name in rows[0]},
                {"units": "bytes of whole files; dB over all channels", **dataclasses.asdict(config)})
    print(f"{len(rows)} pictures: {np.mean([row['bits_per_pixel'] for row in rows]):.4f} bits per pixel, "
          f"PSNR {np.mean([row['psnr_db'] for row in rows]):.2f} dB; table in {workdir / 'images.csv'}")


def read_message(path: pathlib.Path) -> bytes:
    """Reads a file that should hold a message.

    Args:
      path: the file.

    Returns:
      Its bytes.

    Raises:
      ValueError: if there is no such file, or nothing in it.
    """
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder: give one file")
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty")
    return path.read_bytes()


def run(argv: Sequence[str]) -> None:
    """Does what a command line says.

    Args:
      argv: with the program's name first.

    Raises:
      ValueError: if it cannot be done.
      OSError: if something cannot be written.
    """
    words, config, workdir = parse(argv, __doc__)
    match words:
        case ["encode", source, target]:
            if not source or not target:
                raise ValueError(f"{USAGE}; got an empty name")
            encode(pathlib.Path(source), pathlib.Path(target), config)
        case ["decode", source, target]:
            message = read_message(pathlib.Path(source))
            check_image_path(target)
            write_image(target, decoded(message, config))
        case ["info", source]:
            message = read_message(pathlib.Path(source))
            describe = amortized.describe if amortized.is_amortized_message(message) else overfitted.describe
            for name, value in describe(message).items():
                print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
        case ["evaluate", folder]:
            if workdir is None:
                raise ValueError("--workdir is missing: say where to write the results")
            evaluate(pathlib.Path(folder), workdir, config)
        case _:
            raise ValueError(f"{USAGE}; got {' '.join(words)!r}")


def main(argv: Sequence[str] | None = None) -> int:
    """The command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.run_safely(lambda: run(sys.argv if argv is None else argv))


if __name__ == "__main__":
    sys.exit(main())
