"""A sheet of originals, decoded images and their differences, from the worst to the best, to look at."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rdr import files
from rdr.data.color_spaces import NAMED_PRIMARIES
from rdr.data.image_pairs import Light, Pair
from rdr.data.light import REFERENCE_WHITE, tone_map
from rdr.metrics.full_reference import Metric

MAX_ROWS = 6
_THUMBNAIL = 480  # pixels of the longer side
_AMPLIFIED = 2.0
# What images are ordered by: the first of these that was computed.
_ORDER = ("dists", "lpips_vgg16", "lpips_alexnet", "ms_ssim", "ssim", "mse")
_SHOWN = ("psnr", "ms_ssim", "lpips_vgg16", "lpips_alexnet", "dists")


def choose(records: Sequence[dict[str, Any]], metrics: Mapping[str, Metric]) -> tuple[list[int], str | None]:
    """Chooses the images that are shown: the worst, the best, and some evenly between.

    Args:
      records: per image.
      metrics: full-reference metrics that were computed.

    Returns:
      Indices from worst to best, and the metric that orders them (None: as they come).
    """
    order = next((name for name in _ORDER if name in metrics), next(iter(metrics), None))
    index = list(range(len(records)))
    if order is not None:
        sign = 1.0 if metrics[order].higher_is_better else -1.0
        index.sort(key=lambda i: sign * float(records[i]["values"][order]))
    places = np.unique(np.linspace(0, len(index) - 1, MAX_ROWS).round().astype(int))
    return [index[place] for place in places], order


def make_figure(pairs: Sequence[Pair], records: Sequence[dict[str, Any]], metrics: Mapping[str, Metric]) -> Figure:
    """Draws the sheet.

    Args:
      pairs: files, in the order of the records.
      records: per image.
      metrics: full-reference metrics that were computed.

    Returns:
      The figure: a row per image; original, decoded, and difference (gray is none, twice amplified). Linear light is
      tone-mapped, with white at 203 cd/m^2, and so are differences.
    """
    chosen, order = choose(records, metrics)
    images = [_shown(*pairs[i].load(), pairs[i].light) for i in chosen]
    heights = [3.2 * reference.shape[0] / reference.shape[1] + 0.5 for reference, _ in images]
    figure = Figure(figsize=(9.9, sum(heights) + 0.5), layout="constrained")
    axes = figure.subplots(len(chosen), 3, squeeze=False, height_ratios=heights)
    for row, i, (reference, candidate) in zip(axes, chosen, images):
        difference = 0.5 + _AMPLIFIED * (candidate - reference)
        for axis, image in zip(row, (reference, candidate, np.clip(difference, 0, 1))):
            axis.imshow(_thumbnail(image), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            for side in axis.spines.values():
                side.set_visible(False)
        values = records[i]["values"]
        name = pairs[i].name[:40].encode("utf-8", "replace").decode()  # file names need not be text
        row[0].set_title(name, fontsize=8.5, loc="left", parse_math=False)
        text = [f"{name.upper().replace('_', ' ')} {float(values[name]):.4g}" for name in _SHOWN if name in values]
        bits = pairs[i].bits
        if bits is not None:
            text.insert(0, f"{bits / (pairs[i].height * pairs[i].width):.3f} bpp")
        # Two lines of at most three, so that they end before the next column begins.
        row[1].set_title("\n".join(" · ".join(line) for line in (text[:3], text[3:]) if line), fontsize=7, loc="left")
        row[2].set_title(f"difference × {_AMPLIFIED:g}", fontsize=8.5, loc="left")
    by = f", from the worst to the best {order.upper().replace('_', ' ')}" if order and len(chosen) > 1 else ""
    figure.suptitle(f"{len(chosen)} of {len(records)} images{by}", fontsize=10)
    return figure


def _shown(reference: np.ndarray, candidate: np.ndarray, light: Light | None) -> tuple[np.ndarray, np.ndarray]:
    """Both images in [0, 1]; linear light tone-mapped."""
    if light is None:
        return reference, candidate
    code = NAMED_PRIMARIES[light.primaries]
    first, second = (tone_map(x, code, REFERENCE_WHITE) / np.float32(255) for x in (reference, candidate))
    return first, second


def write(
    path: pathlib.Path, pairs: Sequence[Pair], records: Sequence[dict[str, Any]], metrics: Mapping[str, Metric]
) -> None:
    """Draws the sheet into a PNG file.

    Args:
      path: the file.
      pairs: files, in the order of the records.
      records: per image.
      metrics: full-reference metrics that were computed.
    """
    files.write_figure(path, make_figure(pairs, records, metrics), dpi=150, metadata={"Software": None})


def _thumbnail(image: np.ndarray) -> np.ndarray:
    """Shrinks by averaging over whole blocks, so that differences do not alias."""
    factor = max(1, max(image.shape[:2]) // _THUMBNAIL)
    if factor == 1:
        return image
    height, width = (n // factor * factor for n in image.shape[:2])
    return image[:height, :width].reshape(height // factor, factor, width // factor, factor, 3).mean((1, 3))
