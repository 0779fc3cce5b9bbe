"""Samples of a source as estimators take them, and the slopes at which they work."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdr.units import bits_to_nats


def sample_vectors(samples: ArrayLike, *, name: str = "samples", dimension: int | None = None, least: int = 2
                   ) -> np.ndarray:
    """Checks samples of a source.

    Args:
      samples: [samples, ...], real and finite; what follows the first axis is one vector.
      name: the argument's name, for messages.
      dimension: components that a vector must have, if only one number will do.
      least: how many samples are needed.

    Returns:
      [samples, dimension], of the dtype that they had, whole numbers and half precision as float32.

    Raises:
      ValueError: if they are not real, not finite, too few, empty or of another dimension.
    """
    array = np.asarray(samples)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold real numbers, got {array.dtype}")
    if array.ndim < 1 or 0 in array.shape[1:]:
        raise ValueError(f"{name} must have shape [samples, dimension], no dimension 0, got {array.shape}")
    if array.shape[0] < least:
        raise ValueError(f"{name} must hold at least {least} samples, got {array.shape[0]}")
    array = array.reshape(array.shape[0], -1)
    if array.dtype.kind in "iu" or array.dtype.itemsize < 4:
        array = array.astype(np.float32)
    wrong = int((~np.isfinite(array)).sum())
    if wrong:
        raise ValueError(f"{name} must be finite, got {wrong} values that are not")
    if dimension is not None and array.shape[1] != dimension:
        raise ValueError(f"{name} must have vectors of dimension {dimension}, got {array.shape[1]}")
    return array


def slopes_in_nats(slopes: ArrayLike) -> np.ndarray:
    """Checks slopes.

    Args:
      slopes: -dR/dD, bits per unit of distortion, positive and finite; a number or an array.

    Returns:
      [number of slopes], nats per unit, float32.

    Raises:
      ValueError: if there is none, or one is not positive, finite and within the range of float32.
    """
    array = np.asarray(slopes, np.float64)
    if array.size == 0 or not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(f"slopes must be positive and finite, bits per unit of distortion, got {slopes}")
    limits = np.finfo(np.float32)
    if not np.all((array >= 2 * limits.tiny) & (array <= limits.max)):
        raise ValueError(f"slopes must be within the range of float32, got {slopes}: scale the samples")
    return np.asarray(bits_to_nats(array.reshape(-1)), np.float32)
