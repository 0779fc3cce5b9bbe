"""Peak signal-to-noise ratio: of images, and of the mean of their squared errors, which is another number."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.typing import ArrayLike

from rdr.losses.pointwise import squared_error


def psnr(images: ArrayLike, reference: ArrayLike, *, data_range: float = 1.0) -> jax.Array:
    """Computes the peak signal-to-noise ratio of each image.

        10 log10(data_range^2 / MSE),

    MSE over all pixels and channels of one image. The mean of this over images is what most papers print as
    "PSNR"; it is at least `psnr_of_mean`.

    Args:
      images: [batch, ...].
      reference: the same shape.
      data_range: the difference between the largest and the smallest admissible value.

    Returns:
      [batch], dB; inf for equal images; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes differ or `data_range` is not positive.
    """
    if not 0 < data_range < np.inf:
        raise ValueError(f"data_range must be positive and finite, got {data_range}")
    return 10.0 * jnp.log10(data_range**2 / squared_error(images, reference))


def image_psnr(image: ArrayLike, reference: ArrayLike) -> float:
    """Computes the peak signal-to-noise ratio of two images of whole numbers, in float64 and little memory.

    Each is divided by the largest value of its type, so that an image of 16 bits can be compared with one of 8.

    Args:
      image: uint8 or uint16 [height, width, channels].
      reference: uint8 or uint16, the same shape.

    Returns:
      dB over all values; inf for equal images.

    Raises:
      ValueError: if the images are empty, not of such numbers, or differ in shape.
    """
    image, reference = np.asarray(image), np.asarray(reference)
    for name, array in (("image", image), ("reference", reference)):
        if array.dtype not in (np.uint8, np.uint16) or array.ndim < 2 or array.size == 0:
            raise ValueError(f"{name} must be uint8 or uint16 [height, width, ..], not empty, got "
                             f"{array.dtype}{list(array.shape)}")
    if image.shape != reference.shape:
        raise ValueError(f"reference must have the shape of image, {image.shape}, got {reference.shape}")
    ranges = [np.float64(np.iinfo(array.dtype).max) for array in (image, reference)]
    total, step = 0.0, max(1, 2**24 // image[0].size)  # rows at a time: large images are larger as float64
    for top in range(0, len(image), step):
        rows = slice(top, top + step)
        total += np.sum((image[rows] / ranges[0] - reference[rows] / ranges[1]) ** 2)
    return psnr_of_mean(np.array([total / image.size]))


def psnr_of_mean(mean_squared_errors: npt.ArrayLike, *, data_range: float = 1.0) -> float:
    """Computes the peak signal-to-noise ratio that belongs to the mean of several squared errors.

    The mean squared error is averaged over images first, then turned into decibels. This is a monotone function
    of the distortion that rate-distortion theory bounds; the mean of `psnr` is not.

    Args:
      mean_squared_errors: one per image, [images].
      data_range: as for `psnr`.

    Returns:
      dB; inf if all errors are 0.

    Raises:
      ValueError: if there are no errors or one is negative or not a number.
    """
    errors = np.asarray(mean_squared_errors, np.float64)
    if errors.size == 0 or not (errors >= 0).all():
        raise ValueError(f"mean_squared_errors must be one or more numbers >= 0, got {errors}")
    mean = float(errors.mean())
    return float("inf") if mean == 0 else float(10.0 * np.log10(data_range**2 / mean))
