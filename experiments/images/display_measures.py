"""Measures of fits for a display: how far colors drift, and bytes of squared error at the same quality."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdr.losses.color_difference import color_difference

_BLOCK = 8  # pixels


def color_error(image: np.ndarray, decoded: np.ndarray) -> float:
    """Measures how far colors of areas drift.

    Args:
      image: uint8 [height, width, 3], sRGB, at least 8 pixels each way.
      decoded: the same shape.

    Returns:
      CIEDE2000 between means of sRGB over blocks of 8 x 8 pixels, averaged; what is left over at the end is cut.
    """
    rows, columns = (n // _BLOCK for n in image.shape[:2])
    areas = [x[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK, 3).mean((1, 3))
             for x in (decoded, image)]
    return float(color_difference(*(np.float32(x[None] / 255) for x in areas))[0])


def bytes_of_squared_error(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Computes the bytes at which fits for squared error reach the JOD of fits for a display.

    On the straight lines, in the logarithm of the bytes, between fits for squared error of one crop, where they first
    reach it.

    Args:
      rows: of the table of `experiments.images.display_aware`: "name", "display", "method" ("jod", or "mse" with
        anything behind it), "bytes" and "jod".

    Returns:
      For each fit for a display beside which squared error has several lengths: "name", "display", "bytes", "jod",
      "bytes_mse" (NaN if the shortest fit is as good already, infinite if no fit is) and "saved", the share of these
      bytes that the fit for the display saves, NaN where they are not known.
    """
    found = []
    for row in rows:
        others = sorted((one["bytes"], one["jod"]) for one in rows if one["method"].startswith("mse")
                        and all(one[key] == row[key] for key in ("name", "display")))
        if row["method"] == "jod" and len(others) > 1:
            needed = _first_reached(*zip(*others), row["jod"])
            found.append({key: row[key] for key in ("name", "display", "bytes", "jod")} | {
                "bytes_mse": needed, "saved": 1.0 - row["bytes"] / needed if needed < math.inf else math.nan})
    return found


def _first_reached(sizes: Sequence[float], quality: Sequence[float], wanted: float) -> float:
    above = np.flatnonzero(np.asarray(quality) >= wanted)
    if not above.size:
        return math.inf
    if above[0] == 0:
        return math.nan
    ends = slice(above[0] - 1, above[0] + 1)
    return math.exp(np.interp(wanted, quality[ends], np.log(sizes[ends])))
