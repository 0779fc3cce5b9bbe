"""Batches of randomly cropped and flipped patches in an order that depends on the seed and the step only.

Batch s of a run is made of records s B .. (s + 1) B - 1 of an endless shuffled stream, each with randomness of its
own, so that a run that was interrupted goes on with the batch it would have seen, and several processes see together
what one would have seen alone: process p of P takes the p-th part of every batch.
"""

from collections.abc import Iterator
from typing import Any

import grain
import numpy as np


class _CropFlip(grain.transforms.RandomMap):
    """A random crop, mirrored left to right with probability 1/2."""

    def __init__(self, crop: int):
        self._crop = crop

    def random_map(self, element: Any, rng: np.random.Generator) -> np.ndarray:
        image = element["image"]
        height, width = image.shape[:2]
        if min(height, width) < self._crop:
            raise ValueError(f"crop must be at most the images' sides, got {self._crop} for {height} x {width} pixels")
        top, left, mirrored = (int(rng.integers(n)) for n in (height - self._crop + 1, width - self._crop + 1, 2))
        patch = image[top : top + self._crop, left : left + self._crop]
        return np.ascontiguousarray(patch[:, ::-1] if mirrored else patch)


def batches(source: Any, *, batch: int, crop: int, seed: int, start: int = 0, process: int = 0, processes: int = 1,
            threads: int = 2, buffered: int = 4) -> Iterator[np.ndarray]:
    """Yields batches without end.

    Args:
      source: random access to {"image": uint8 [height, width, channels]}, such as `tfds.data_source` returns.
      batch: B, images in a batch of all processes together.
      crop: side of the crops.
      seed: of order, crops and flips, in [0, 2^32).
      start: the step whose batch comes first.
      process: index of this process.
      processes: how many share each batch.
      threads: that read ahead.
      buffered: batches that are read ahead.

    Yields:
      uint8 [B / processes, crop, crop, channels].

    Raises:
      ValueError: if the source is empty or too small for a crop, or B does not divide among the processes.
    """
    if not len(source):
        raise ValueError("the data set holds no images")
    if batch < 1 or batch % processes:
        raise ValueError(f"batch must be a positive multiple of the number of processes, {processes}, got {batch}")
    sides = source[0]["image"].shape[:2]
    if crop < 1 or min(sides) < crop:
        raise ValueError(f"crop must be between 1 and the images' sides, got {crop} for {sides[0]} x {sides[1]} pixels")
    stream = grain.MapDataset.source(source).seed(seed).shuffle().repeat().random_map(_CropFlip(crop))
    # The stream is as long as integers go; rounding the number of batches up would go through a float, and beyond.
    stream = stream.batch(batch // processes, drop_remainder=True)[start * processes + process :: processes]
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=buffered)
    return iter(stream.to_iter_dataset(options))
