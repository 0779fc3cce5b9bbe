"""The command `rdr info`: what messages say of themselves."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rdr import command_line
from rdr.cli.inputs import expand, is_many, read_message
from rdr.cli.outcome import Outcome, show_json
from rdr.codecs import overfitted, profiled
from rdr.codecs.image import messages
from rdr.command_line import CommandLine, UsageError, option
from rdr.data.color_spaces import Profile

DESCRIPTION = """
Describes messages without decoding the images: codec, size, rate, settings.

    rdr info photo.rdr
    rdr info messages/                          a folder; wildcards and several files, too; - is standard input

Exit status: 0; 1 if something could not be read; 2 if the call is wrong.
"""


@dataclasses.dataclass(frozen=True)
class Config:
    """What is printed."""

    json: bool = option(False, "print one line of JSON for each message: bytes, bits_per_pixel, psnr_db, seconds and "
                               "sha256 (null where the image would have to be decoded), and all settings", first=True)


def describe(message: bytes) -> dict[str, Any]:
    """Describes a message, whichever codec wrote it.

    Args:
      message: the bytes.

    Returns:
      Values by name.

    Raises:
      ValueError: if it is no message, or damaged.
    """
    inner, profile = profiled.split(message)
    described = (messages if messages.is_amortized_message(inner) else overfitted).describe(inner)
    if profile is None:
        return described
    pixels = described["height"] * described["width"]
    return described | {"bytes": len(message), "bits_per_pixel": 8 * len(message) / pixels,
                        "bytes_profile": len(message) - len(inner), "profile": Profile(profile).name}


def run(sources: Sequence[str], config: Config = Config()) -> None:
    """Prints what messages say of themselves.

    Args:
      sources: files, folders and wildcards, or "-" alone.
      config: what is printed.

    Raises:
      ValueError: if something cannot be read; after all others were printed.
    """
    if not is_many(sources):
        message = read_message(sources[0])
        try:
            described = describe(message)
        except ValueError as error:
            raise ValueError(f"{'standard input' if sources[0] == '-' else sources[0]}: {error}") from None
        _show(described, config)
        return
    if "-" in sources:
        raise UsageError("- stands for one message, not for several")
    result, failures = expand(sources, "messages"), []
    for name, file in result.items():
        try:
            described = describe(read_message(file))
        except ValueError as error:
            failures.append(f"{file}: {error}")
            continue
        if not config.json:
            print(f"{file}")
        _show(described, config, message=name)
    if failures:
        raise ValueError(f"{len(failures)} of {len(result)} messages cannot be read: {'; '.join(failures)}")


def _show(described: Mapping[str, Any], config: Config, **more: Any) -> None:
    if config.json:
        known = {name: described[name] for name in ("bytes", "bits_per_pixel") if name in described}
        rest = {name.replace(" ", "_"): value for name, value in described.items() if name not in known}
        show_json(Outcome(**known), **more, **rest)
        return
    for name, value in described.items():
        print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        line = CommandLine("rdr info", DESCRIPTION, {"": Config()}, words="IN.rdr..", workdir="none")
        parsed = command_line.parse(line, argv)
        if not parsed.words:
            raise UsageError("say what to describe: rdr info IN.rdr (--help says more)")
        if "" in parsed.words:
            raise UsageError("a file's name is empty")
        run(parsed.words, parsed.config)

    return command_line.run_safely(call, interrupted="nothing was written")
