"""The line of JSON that commands print for scripts."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Outcome(NamedTuple):
    """What a message is worth.

    Attributes:
      bytes: its length.
      bits_per_pixel: eight times that over height times width.
      psnr_db: of the decoded image, over all pixels and channels; None where there is nothing to compare with.
      seconds: that encoding or decoding took; None where nothing was done.
      sha256: of the decoded pixels, row by row, 8 bits each, or 16 with the low byte first, in hexadecimal digits; None
        where nothing was decoded.
      psnr_scale: transfer function of the values that the PSNR is of, as they are coded, the largest as peak: "srgb",
        "pq", "hlg" or "linear"; None where there is no image, and then not printed.
    """

    bytes: int | None = None
    bits_per_pixel: float | None = None
    psnr_db: float | None = None
    seconds: float | None = None
    sha256: str | None = None
    psnr_scale: str | None = None


def show_json(outcome: Outcome, **more: Any) -> None:
    """Prints a line for scripts.

    Args:
      outcome: its fields but for the scale are keys that are always there; null where nothing is known, and "inf" for
        infinite numbers.
      **more: further keys.
    """
    known = outcome._asdict()
    if outcome.psnr_scale is None:
        del known["psnr_scale"]
    print(json.dumps(_plain({**known, **more})), flush=True)


def _plain(value: Any) -> Any:
    """Turns what JSON lacks into what it has: infinite numbers and NaN into strings, NumPy's numbers into Python's."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    value = value.item() if isinstance(value, np.generic) else value
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
