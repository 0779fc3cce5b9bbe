"""Gaussian models of a source, for codecs of blocks."""

import numpy as np
from numpy.typing import ArrayLike

from rdr.codecs.channel import base


def deviation_ratio(source: float, noise_scale: ArrayLike) -> float:
    """Standard deviation of a source in noise scales.

    Args:
      source: its standard deviation.
      noise_scale: as codecs are given it; of an array, the geometric mean counts.

    Returns:
      Their ratio.

    Raises:
      ValueError: if one of them is no positive, finite number.
    """
    deviation = np.asarray(source)
    if deviation.shape != () or deviation.dtype.kind not in "fiu" or not 0.0 < float(deviation) < np.inf:
        raise ValueError(f"source must be the standard deviation of the source, a positive number, got {source!r}")
    return float(deviation) / float(np.exp(np.log(base.check_noise_scale(noise_scale).astype(np.float64)).mean()))
