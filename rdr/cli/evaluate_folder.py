"""The command `rdr evaluate FOLDER`: what a codec makes of a folder of images."""

import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdr import command_line, files
from rdr.cli import encode_job, reports
from rdr.cli.codec_options import Config, Report
from rdr.cli.decode import image_bytes
from rdr.cli.encode import Extra, encode_many
from rdr.cli.inputs import MESSAGE_SUFFIX, expand
from rdr.codecs import profiled
from rdr.command_line import CommandLine
from rdr.evaluation.tables import write_table

DESCRIPTION = """
Encodes and decodes images, and tabulates rate, PSNR and seconds of decoding.

    rdr evaluate photos/ --workdir=out --bpp=0.5

Writes messages/, decoded/ and images.csv. What was interrupted goes on when the command is repeated, and messages that
are there are not made again. `rdr evaluate --help` describes the other form, which compares two folders of images.
"""


def run(
    sources: Sequence[str], workdir: pathlib.Path, config: Config, *, as_json: bool = False
) -> dict[str, list[Any]]:
    """Encodes and decodes images, and tabulates what came out.

    Args:
      sources: files, folders and wildcards.
      workdir: gets messages, decoded images and `images.csv`.
      config: how images are encoded.
      as_json: whether a line of JSON is printed for each, and nothing else.

    Returns:
      The table's columns.

    Raises:
      ValueError: if something cannot be read or is refused; images that could be encoded are in the table.
      OSError: if something cannot be written.
    """
    images = expand(sources, "images")
    command_line.check_workdir(workdir, config)
    refusal = None
    try:
        encode_many(images, workdir / "messages", config, Extra(json=as_json))
    except ValueError as error:
        refusal = error
        images = {name: file for name, file in images.items() if _message_path(workdir, name).exists()}
        if not images:
            raise
    command_line.open_workdir(workdir, config)
    (workdir / "decoded").mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name, file in images.items():
        message = _message_path(workdir, name).read_bytes()
        source, started = encode_job.read(file, config), time.perf_counter()
        image = source.pixels
        decoded = reports.decode(message, config.checkpoint, config.realism, max_pixels=image.shape[0] * image.shape[1])
        outcome = reports.measure(image, message, decoded, time.perf_counter() - started, scale=source.signal.transfer)
        target = workdir / "decoded" / f"{name}.png"
        files.write_bytes(target, image_bytes(decoded, str(target), lossy=False, quality=0,
                                              profile=profiled.split(message).profile,
                                              signal=reports.signal_of(message))[0])
        rows.append({"image": name, "bytes": outcome.bytes, "bits_per_pixel": outcome.bits_per_pixel,
                     "psnr_db": outcome.psnr_db, "decode_seconds": outcome.seconds})
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    write_table(workdir / "images.csv", columns,
                {"units": "bytes of whole files; dB over all channels, between values as they are coded",
                 **dataclasses.asdict(config)})
    if not as_json:
        print(f"{len(rows)} images: {np.mean(columns['bits_per_pixel']):.4f} bits per pixel, "
              f"PSNR {np.mean(columns['psnr_db']):.2f} dB; table in {workdir / 'images.csv'}")
    if refusal is not None:
        raise refusal
    return columns


def _message_path(workdir: pathlib.Path, name: str) -> pathlib.Path:
    return workdir / "messages" / (name + MESSAGE_SUFFIX)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        parsed = command_line.parse(
            CommandLine("rdr evaluate", DESCRIPTION, {"": Config()}, Report(), "IMAGES.."), argv)
        run(parsed.words, parsed.required_workdir(), parsed.config, as_json=parsed.extra.json)

    return command_line.run_safely(call)
