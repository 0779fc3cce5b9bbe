"""Scales of sources, for codecs of blocks, which take it for Gaussian with a mean of 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from rdr.codecs.channel import base


def deviation_ratio(source: float | Callable[[np.ndarray], np.ndarray], noise_scale: ArrayLike) -> float:
    """Root mean square of a source in noise scales.

    Args:
      source: its standard deviation, or its cumulative distribution function (`gaussian_source`, ..), whose second
        moment is the integral of 2 t (1 - F(t) + F(-t)) over t > 0.
      noise_scale: as codecs are given it; of an array, the geometric mean counts.

    Returns:
      The ratio.

    Raises:
      ValueError: if one of them is no positive, finite number.
    """
    scale = float(np.exp(np.log(base.check_noise_scale(noise_scale).astype(np.float64)).mean()))
    if callable(source):
        t = scale * np.geomspace(1e-6, 1e9, 30_001)
        outside = 1.0 - np.asarray(source(t), np.float64) + np.asarray(source(-t), np.float64)
        ratio = np.sqrt(np.trapezoid(2.0 * t**2 * outside, np.log(t))) / scale
    else:
        deviation = np.asarray(source)
        ratio = float(deviation) / scale if deviation.shape == () and deviation.dtype.kind in "fiu" else np.nan
    if not 0.0 < ratio < np.inf:
        raise ValueError("source must be a positive standard deviation or a cumulative distribution function with a "
                         f"second moment, got {source!r}")
    return float(ratio)
