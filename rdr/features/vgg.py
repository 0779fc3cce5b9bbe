"""VGG-16 as a pure function from images to named feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from rdr.features._network import Params, check_call, check_size, convolve, normalize, pool

_CONVOLUTIONS = (2, 2, 3, 3, 3)

# Every name that `features` knows, in the order of computation. `input` is the normalized image.
TAPS = (
    "input",
    *(
        name
        for block, count in enumerate(_CONVOLUTIONS, 1)
        for name in (
            *(f"{kind}{block}_{i}" for i in range(1, count + 1) for kind in ("conv", "relu")),
            f"pool{block}",
        )
    ),
)

# The maps that LPIPS, DISTS and Wasserstein distortion read: the last of each block.
LAST_OF_EACH_BLOCK = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")


def features(
    params: Params,
    images: ArrayLike,
    *,
    taps: Sequence[str] = LAST_OF_EACH_BLOCK,
    pooling: str = "max",
    precision: lax.PrecisionLike = lax.Precision.HIGHEST,
    reverse_only: bool = False,
) -> dict[str, jax.Array]:
    """Computes feature maps of VGG-16.

    Thirteen 3 x 3 convolutions in five blocks, each followed by a rectifier; between blocks the resolution
    halves. Nothing is computed beyond the last tap.

    Args:
      params: `weights.load_params("vgg16")` or `weights.random_params("vgg16", key)`; used in the
        dtype of the images.
      images: [batch, height, width, 3], sRGB in [0, 1], floating point; at least 2 pixels a side per pooling
        before the last tap (16 for the fifth block). They are normalized here.
      taps: names from `TAPS`.
      pooling: "max", as the network was trained; "average", smoother, usual for textures; "l2", as in DISTS,
        whose maps have ceil(n / 2) pixels after each pooling where the others have floor(n / 2).
      precision: of the convolutions. The default keeps an accelerator from computing float32 in fewer bits.
      reverse_only: gradients that are several times faster within loops (`jax.lax.scan`) on a CPU, but by reverse mode
        alone (or forward over reverse): `jax.jvp` of the maps themselves is then refused by JAX.

    Returns:
      `{tap: [batch, rows, columns, channels]}`, in the dtype of the images.

    Raises:
      ValueError: if an argument is not as above.

    Reference:
      Simonyan and Zisserman (simonyan2015very), Very Deep Convolutional Networks for Large-Scale Image Recognition,
      ICLR 2015, arXiv 1409.1556 (configuration D). Gatys, Ecker, Bethge 2015, arXiv 1505.07376, for average pooling.
    """
    images = jnp.asarray(images)
    check_call(images, taps, TAPS, pooling)
    result = {}
    maps = normalize(images)
    last = max(map(TAPS.index, taps), default=-1)
    for name in TAPS[: last + 1]:
        if name.startswith("conv"):
            maps = convolve(params, name, maps, padding=1, precision=precision,
                            reverse_only=reverse_only)
        elif name.startswith("relu"):
            maps = jax.nn.relu(maps)
        elif name.startswith("pool"):
            maps = pool(maps, pooling, window=2, padding=1)
            check_size(maps, images, name)
        if name in taps:
            result[name] = maps
    return {tap: result[tap] for tap in taps}
