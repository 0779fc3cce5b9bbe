"""The command `rdr view`: one page that compares images with each other and with their original."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence

import numpy as np

from rdr import command_line, files
from rdr.cli import deep_images, reports
from rdr.cli.codec_options import DecodeConfig
from rdr.cli.inputs import MESSAGE_SUFFIX, read_message
from rdr.codecs import profiled
from rdr.codecs.image import messages
from rdr.codecs.overfitted.objectives import FEATURES
from rdr.command_line import CommandLine, UsageError, option
from rdr.evaluation import error_maps
from rdr.features import weights
from rdr.metrics import full_reference as metrics
from rdr.vision.display import display_names
from rdr.web import pages

DESCRIPTION = """
Writes a page that shows images side by side, in turn, behind a slider, and their differences: one file for any browser.

    rdr view photo.rdr --reference=photo.png
    rdr view a.rdr b.rdr c.jpg --reference=photo.png --out=page.html

Images that were fitted are decoded in the page, to the very pixels of `rdr decode`; others are in it as PNG, as are
those that keep a color profile, converted to sRGB. High dynamic range is tone-mapped, and the page says so. With a
reference the page shows metrics and where the error is. Exit status: 0; 1 if something could not be done; 2 if the call
is wrong.
"""
_METRICS = ("psnr", "ssim", "ms_ssim", "lpips_alexnet", "dists")
_MAPS = ("squared_error", "wd", "lpips")
_MIN_LPIPS = 31
_BENT = " (tone-mapped)"
_NOTE = ("Metrics and maps are computed from 8-bit sRGB pixels. A map's colors go with the square root of its values, "
         "and its mean is the metric.")


@dataclasses.dataclass(frozen=True)
class Config(DecodeConfig):
    """What is shown."""

    reference: str = option("", "the original's file", first=True, metavar="FILE")
    out: str = option("view.html", "file of the page", first=True, metavar="FILE")
    title: str = option("", "of the page; none: the images' names", first=True, metavar="TEXT")
    metrics: str = option("auto", f"names, separated by commas, of {', '.join(metrics.FULL_REFERENCE)}; auto: "
                                  f"{', '.join(_METRICS)}, as far as weights are installed and sizes allow; or none",
                                  metavar="A,B,..")
    maps: str = option("auto", f"names, separated by commas, of {', '.join(_MAPS)} (wd is Wasserstein distortion); "
                               "auto: all whose weights are installed; or none", metavar="A,B,..")
    sigma: float = option(8.0, "width of Wasserstein distortion in the map, pixels")
    features: str = option("auto", "features of that map; auto: alexnet if its weights are installed, or steerable",
                           choices=("auto", *FEATURES))
    display: str = option("standard_4k", "display of the features vdp", choices=display_names())

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.sigma < math.inf:
            raise ValueError(f"--sigma must be at least 0, got {self.sigma:g}")
        for name, known in (("metrics", metrics.FULL_REFERENCE), ("maps", _MAPS)):
            for word in _words(getattr(self, name)):
                if word not in known:
                    raise ValueError(f"--{name} must be among {', '.join(known)}, got {word!r}")


def _words(text: str) -> list[str]:
    return [] if text in ("auto", "none") else [word.strip() for word in text.split(",")]


def _read(source: str, config: Config) -> tuple[np.ndarray, pages.ShownImage]:
    """An image's pixels, and what the page needs of it without a reference."""
    path = pathlib.Path(source)
    if path.suffix != MESSAGE_SUFFIX and source != "-":
        pixels, bent = deep_images.read_shown(path)
        content, size = pixels, path.stat().st_size
    else:
        message = read_message(source)
        pixels = reports.decode_srgb(message, config.checkpoint, config.realism, max_pixels=config.max_pixels or None)
        inner, profile = profiled.split(message)
        in_page, bent = profile is None and not messages.is_amortized_message(inner), reports.signal_of(message).hdr
        content, size = message if in_page else pixels, len(message)
    name = ("standard input" if source == "-" else path.name) + (_BENT if bent else "")
    return pixels, pages.ShownImage(name, content, pixels.shape[:2], size, {}, ())


def _as_colors(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels, 3 // pixels.shape[2], 2).astype(np.float32)[None] / 255


def measure(pixels: np.ndarray, reference: np.ndarray, config: Config) -> dict[str, float]:
    """Compares an image with its original.

    Args:
      pixels: uint8 [height, width, 1 or 3].
      reference: the same size.
      config: which metrics.

    Returns:
      Values by name.

    Raises:
      ValueError: if images are too small for a metric that was asked for.
      FileNotFoundError: if its weights are not installed.
    """
    names, values = _words(config.metrics), {}
    for name in _METRICS if config.metrics == "auto" else names:
        if not names and metrics.available([name]):
            continue
        metric = metrics.full_reference(name)
        if min(pixels.shape[:2]) < metric.min_side:
            if not names:
                continue
            raise ValueError(f"{name} needs images of {metric.min_side} pixels a side, got {pixels.shape[1]} x "
                             f"{pixels.shape[0]}")
        values[name] = float(metric(_as_colors(pixels), _as_colors(reference))[0])
    return values


def make_maps(pixels: np.ndarray, reference: np.ndarray, config: Config) -> list[pages.ErrorMap]:
    """Computes where an image differs from its original.

    Args:
      pixels: uint8 [height, width, 1 or 3].
      reference: the same size.
      config: which maps.

    Returns:
      The maps.

    Raises:
      FileNotFoundError: if weights that were asked for are not installed.
    """
    images, originals, result = _as_colors(pixels), _as_colors(reference), []
    installed = weights.weights_available("alexnet")
    large = min(pixels.shape[:2]) >= _MIN_LPIPS  # as AlexNet needs them
    for name in _MAPS if config.maps == "auto" else _words(config.maps):
        if name == "squared_error":
            values = 255**2 * error_maps.squared_error_map(images, originals)[0]
            result.append(pages.ErrorMap("squared error (8-bit levels squared)", values))
        elif name == "wd":
            features = config.features
            if features == "auto":
                features = "alexnet" if installed and large else "steerable"
            values = error_maps.wasserstein_distortion_map(images, originals, config.sigma, features=features,
                                                           display=config.display)[0]
            result.append(pages.ErrorMap(f"Wasserstein distortion ({features}, sigma {config.sigma:g} pixels)", values))
        elif config.maps != "auto" or (installed and large):
            result.append(pages.ErrorMap("LPIPS (alexnet)", error_maps.lpips_map(images, originals)[0]))
    return result


def run(sources: Sequence[str], config: Config) -> None:
    """Writes a page.

    Args:
      sources: files of messages and images.
      config: what is shown.

    Raises:
      UsageError: if words do not fit together.
      ValueError: if something cannot be read, or sizes differ.
      OSError: if the page cannot be written.
    """
    if "" in sources or not config.out:
        raise UsageError("a file's name is empty")
    every = [_read(source, config) for source in (*sources, *([config.reference] if config.reference else ()))]
    shown, note = [image for _, image in every], ""
    pages.check_sizes(shown)
    if config.reference:
        reference, note = every[-1][0], _NOTE
        shown = [image._replace(metrics=measure(pixels, reference, config), maps=make_maps(pixels, reference, config))
                 for pixels, image in every[:-1]]
        shown.append(every[-1][1]._replace(name=f"{every[-1][1].name} (original)"))
    if any(_BENT in image.name for image in shown):
        note = f"{note} {deep_images.TONE_MAPPED}".strip()
    title = config.title or ", ".join(image.name for image in shown)
    page = pages.view_page(shown, len(sources) if config.reference else None, title=pages.printable(title), note=note)
    target = pathlib.Path(config.out)
    target.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(target, page)
    print(f"{target}: {len(page.encode()):,} bytes, {len(shown)} image{'s' if len(shown) > 1 else ''}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        line = CommandLine("rdr view", DESCRIPTION, {"": Config()}, words="A.rdr [B.png ..]", workdir="none")
        parsed = command_line.parse(line, argv)
        if not parsed.words:
            raise UsageError("say what to show: rdr view A.rdr --reference=ORIGINAL.png (--help says more)")
        run(parsed.words, parsed.config)

    return command_line.run_safely(call, interrupted="nothing was written")
