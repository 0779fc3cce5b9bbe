"""AlexNet as a pure function from images to named feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from rdr.features._network import Params, check_call, check_size, convolve, normalize, pool

# Every name that `features` knows, in the order of computation. `input` is the normalized image.
TAPS = (
    "input", "conv1", "relu1", "pool1", "conv2", "relu2", "pool2",
    "conv3", "relu3", "conv4", "relu4", "conv5", "relu5", "pool5",
)  # fmt: skip

# The maps that LPIPS reads.
RECTIFIED = ("relu1", "relu2", "relu3", "relu4", "relu5")

_STRIDE_AND_PADDING = {"conv1": (4, 2), "conv2": (1, 2), "conv3": (1, 1), "conv4": (1, 1), "conv5": (1, 1)}


def features(
    params: Params,
    images: ArrayLike,
    *,
    taps: Sequence[str] = RECTIFIED,
    pooling: str = "max",
    precision: lax.PrecisionLike = lax.Precision.HIGHEST,
    reverse_only: bool = False,
) -> dict[str, jax.Array]:
    """Computes feature maps of AlexNet (the one-tower variant), about thirty times cheaper than VGG-16.

    Five convolutions (11 x 11 with stride 4, 5 x 5, three of 3 x 3), each followed by a rectifier, with
    pooling over overlapping 3 x 3 windows, stride 2, after the first, second and fifth.

    Args:
      params: `weights.load_params("alexnet")` or `weights.random_params("alexnet", key)`; used in the
        dtype of the images.
      images: [batch, height, width, 3], sRGB in [0, 1], floating point; at least 7 pixels a side for the
        first map, 15 up to relu2, 31 for those after it, 63 for pool5. They are normalized here.
      taps: names from `TAPS`.
      pooling: "max", as the network was trained, "average" or "l2" (see `rdr.features.vgg`).
      precision: of the convolutions. The default keeps an accelerator from computing float32 in fewer bits.
      reverse_only: gradients that are several times faster within loops (`jax.lax.scan`) on a CPU, but by reverse mode
        alone (or forward over reverse): `jax.jvp` of the maps themselves is then refused by JAX.

    Returns:
      `{tap: [batch, rows, columns, channels]}`, in the dtype of the images.

    Raises:
      ValueError: if an argument is not as above.

    Reference:
      Krizhevsky (krizhevsky2014weird), One weird trick for parallelizing convolutional neural networks, 2014, arXiv
      1404.5997.
    """
    images = jnp.asarray(images)
    check_call(images, taps, TAPS, pooling)
    result = {}
    maps = normalize(images)
    last = max(map(TAPS.index, taps), default=-1)
    for name in TAPS[: last + 1]:
        if name.startswith("conv"):
            stride, padding = _STRIDE_AND_PADDING[name]
            maps = convolve(params, name, maps, stride=stride, padding=padding, precision=precision,
                            reverse_only=reverse_only)
        elif name.startswith("relu"):
            maps = jax.nn.relu(maps)
        elif name.startswith("pool"):
            maps = pool(maps, pooling, window=3)
        check_size(maps, images, name)
        if name in taps:
            result[name] = maps
    return {tap: result[tap] for tap in taps}
