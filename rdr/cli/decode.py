"""The command `rdr decode`: from messages to images."""

import dataclasses
import io
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from rdr import command_line, files
from rdr.cli import deep_images, reports
from rdr.cli.codec_options import DecodeConfig, Report
from rdr.cli.inputs import expand, is_many, read_message
from rdr.cli.outcome import show_json
from rdr.codecs import profiled
from rdr.codecs.overfitted.signals import SRGB, Signal
from rdr.command_line import CommandLine, UsageError, option
from rdr.metrics.psnr import image_psnr

DESCRIPTION = """
Decodes messages to images; the file says which codec wrote it, and how many bits the image has.

    rdr decode photo.rdr photo.png
    rdr decode photo.rdr - | display            a PNG on standard output; - for the message is standard input
    rdr decode messages/ images/                a folder; wildcards and several files, too
    rdr decode sunset.rdr sunset.exr            linear light, of what is PQ, say; .png holds up to 16 bits of any values

The image has the color profile that `rdr encode --color=keep` has put into the message. An amortized codec's message
needs the checkpoint that it was written with. A format that would change the pixels is refused, unless --lossy says so.
Exit status: 0; 1 if something could not be done; 2 if the call is wrong.
"""


@dataclasses.dataclass(frozen=True)
class Extra(Report):
    """What is written and printed."""

    lossy: bool = option(False, "write formats that change the pixels, too, .jpg say, and print the PSNR of that")
    quality: int = option(95, "of such formats, from 1 to 100; 0 for the format's own")

    def __post_init__(self):
        if not 0 <= self.quality <= 100:
            raise ValueError(f"--quality must be between 1 and 100, or 0, got {self.quality}")


def run(sources: Sequence[str], target: str, config: DecodeConfig, extra: Extra = Extra()) -> None:
    """Decodes a message to a file or to standard output, or several to a folder.

    Args:
      sources: files, folders and wildcards, or "-" alone.
      target: the image's file, "-", or the folder to write.
      config: the checkpoint and the realism weight.
      extra: what is written and printed.

    Raises:
      UsageError: if words do not fit together.
      ValueError: if something cannot be read or is refused.
      OSError: if something cannot be written.
    """
    if "" in (*sources, target):
        raise UsageError("a file's name is empty")
    if target == "-" and extra.json:
        raise UsageError("--json and - both write to standard output: give one of them")
    if not is_many(sources):
        if target != "-":
            deep_images.check_target(target)
        decode_one(sources[0], target, config, extra)
        return
    if target == "-" or "-" in sources:
        raise UsageError("- stands for one message or one image, not for several")
    result, failures = expand(sources, "messages"), []
    folder = pathlib.Path(target)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{target!r} is a file: name a folder for several images")
    for name, file in result.items():
        try:
            decode_one(str(file), str(folder / f"{name}.png"), config, extra)
        except ValueError as error:
            failures.append(str(error) if str(error).startswith(f"{file}: ") else f"{file}: {error}")
    if failures:
        raise ValueError(f"{len(failures)} of {len(result)} messages could not be decoded: {'; '.join(failures)}")


def decode_one(source: str, target: str, config: DecodeConfig, extra: Extra) -> None:
    """Decodes one message.

    Args:
      source: its file, or "-".
      target: the image's file, whose folder is made if it does not exist, or "-".
      config: the checkpoint and the realism weight.
      extra: what is written and printed.

    Raises:
      ValueError: if the message is damaged, or the format cannot hold the image.
      OSError: if something cannot be written.
    """
    message, started = read_message(source), time.perf_counter()
    try:
        image = reports.decode(message, config.checkpoint, config.realism, max_pixels=config.max_pixels or None)
    except ValueError as error:
        raise ValueError(f"{'standard input' if source == '-' else source}: {error}") from None
    seconds = time.perf_counter() - started
    data, note = image_bytes(image, target, lossy=extra.lossy, quality=extra.quality,
                             profile=profiled.split(message).profile, signal=reports.signal_of(message))
    if target == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        pathlib.Path(target).parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(target, data)
    if note:
        print(f"{target}: {note}", file=sys.stderr)
    if extra.json:
        show_json(reports.describe_decoded(message, image, seconds), image=target)


def image_bytes(
    image: np.ndarray, target: str, *, lossy: bool, quality: int, profile: bytes | None = None, signal: Signal = SRGB
) -> tuple[bytes, str]:
    """Writes an image in the format that a name says, and reads it back.

    Args:
      image: uint8 or uint16 [height, width, 1 or 3].
      target: the file's name, or "-" for PNG.
      lossy: whether the pixels may change.
      quality: of lossy formats, from 1 to 100; 0 for the format's own.
      profile: ICC profile that the file is to have; None for sRGB, or what the signal says.
      signal: what the values are; others than 8 bits of sRGB go to .png, .exr and .hdr.

    Returns:
      The bytes, and what a user must know of them; empty where the pixels are the same.

    Raises:
      ValueError: if the format cannot hold the image, or would change it and may not.
    """
    suffix = ".png" if target == "-" else pathlib.Path(target).suffix.lower()
    if signal != SRGB or deep_images.is_linear_name(target):
        return deep_images.file_bytes(image, suffix, signal, profile), ""
    kind = Image.registered_extensions()[suffix]
    pixels = image[:, :, 0] if image.shape[2] == 1 else image
    options: dict[str, Any] = {"quality": quality} if lossy and quality else {} if lossy else _LOSSLESS.get(kind, {})
    if profile is not None:
        options = options | {"icc_profile": profile}
    try:
        with io.BytesIO() as stream:
            Image.fromarray(pixels).save(stream, kind, **options)
            data = stream.getvalue()
        with Image.open(io.BytesIO(data)) as written:
            frames, retained = getattr(written, "n_frames", 1), written.info.get("icc_profile") or None
            back = np.asarray(written.convert("L" if pixels.ndim == 2 else "RGB"))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"an image of {image.shape[1]} x {image.shape[0]} pixels cannot be written as {suffix} and "
                         f"read again ({error}): write .png") from None
    if frames > 1 or back.shape != pixels.shape:
        raise ValueError(f"{suffix} cannot hold this image of {image.shape[1]} x {image.shape[0]} pixels: write .png")
    if profile is not None and retained != profile:
        raise ValueError(f"{suffix} cannot hold the color profile that the message keeps: write .png, .tiff or .webp")
    if (back == pixels).all():
        return data, ""
    change = image_psnr(image, back.reshape(image.shape))
    if not lossy:
        raise ValueError(f"{suffix} would change the decoded pixels (PSNR {change:.2f} dB): write .png, or say --lossy")
    return data, f"the format changed the decoded pixels, PSNR {change:.2f} dB"


_LOSSLESS = {"WEBP": {"lossless": True}, "JXL": {"lossless": True}, "JPEG2000": {"irreversible": False}}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        parsed = command_line.parse(
            CommandLine("rdr decode", DESCRIPTION, {"": DecodeConfig()}, Extra(), "IN.rdr OUT.png", "none"), argv)
        if len(parsed.words) < 2:
            raise UsageError("say what to decode, and where to: rdr decode IN.rdr OUT.png (--help says more)")
        run(parsed.words[:-1], parsed.words[-1], parsed.config, parsed.extra)

    return command_line.run_safely(call, interrupted="nothing was written")
