"""Images as observers see them: cropped, with the difference to the source amplified, and distorted beyond doubt."""

import numpy as np

_BLOCKS = 24  # along the shorter side
_STEP = 48  # of 255, by which neighbors differ from the image in opposite directions


def crop_center(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cuts out the middle of an image.

    Args:
      image: [height, width, channels].
      width: pixels, at most those of the image.
      height: pixels, at most those of the image.

    Returns:
      [height, width, channels].

    Raises:
      ValueError: if the image is smaller, or a number is not positive.
    """
    if not (0 < width <= image.shape[1] and 0 < height <= image.shape[0]):
        raise ValueError(f"an image of {image.shape[1]} x {image.shape[0]} pixels cannot be cropped to "
                         f"{width} x {height}")
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top:top + height, left:left + width]


def amplify(source: np.ndarray, image: np.ndarray, factor: float) -> tuple[np.ndarray, float]:
    """Enlarges what differs from the source: source + factor * (image - source), rounded and clipped.

    Args:
      source: uint8 [height, width, channels].
      image: uint8, the same shape.
      factor: 1 or more.

    Returns:
      uint8 of the same shape, and the share of values that were clipped.

    Raises:
      ValueError: if the shapes differ, or the factor is smaller than 1.

    Reference: men2021subjective, where it is one of three ways to boost the sensitivity of triplet comparisons.
    """
    if source.shape != image.shape:
        raise ValueError(f"image and source must have one shape, got {image.shape} and {source.shape}")
    if not 1 <= factor < np.inf:
        raise ValueError(f"factor must be 1 or more, got {factor}")
    values = np.rint(source + factor * (image.astype(np.float64) - source))
    return np.clip(values, 0, 255).astype(np.uint8), float(np.mean((values < 0) | (values > 255)))


def distort_heavily(image: np.ndarray) -> np.ndarray:
    """Distorts an image so that nobody who looks can miss it, whatever it shows: for trials with a known answer.

    Blocks are replaced by their means, with a checkerboard of 48 gray levels up and down on them.

    Args:
      image: uint8 [height, width, channels].

    Returns:
      uint8 of the same shape.
    """
    height, width = image.shape[:2]
    side = max(2, min(height, width) // _BLOCKS)
    rows, columns = np.arange(height) // side, np.arange(width) // side
    sums = np.zeros((rows[-1] + 1, columns[-1] + 1, image.shape[2]))
    np.add.at(sums, (rows[:, None], columns[None]), image)
    counts = np.outer(np.bincount(rows), np.bincount(columns))[..., None]
    means = (sums / counts)[rows][:, columns]
    # Away from the border of the range, so that the checkerboard is not clipped.
    sign = np.where((rows[:, None] + columns[None]) % 2, 1, -1)[..., None]
    return np.rint(np.clip(means, _STEP, 255 - _STEP) + _STEP * sign).astype(np.uint8)
