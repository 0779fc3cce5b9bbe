"""Peak signal-to-noise ratio, in its two kinds, which differ and are often confused."""

import jax
import jax.numpy as jnp
import numpy as np
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


def psnr_of_mean(mean_squared_errors: ArrayLike, *, data_range: float = 1.0) -> float:
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
