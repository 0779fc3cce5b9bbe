"""Weights that every fit starts from, and that files store the difference to.

They were fitted to one image, a mosaic of crops of photographs (`python -m experiments.images.pretrained_init`). A
decoder of other widths than these weights' starts from random weights, and its file stores them whole.
"""

import functools
import importlib.resources
from collections.abc import Mapping

import jax
import numpy as np

from rdr.codecs.overfitted import exact_inference, network
from rdr.codecs.overfitted.architecture import Architecture, shapes

LEVELS = 7
_PORTABLE_DIGITS = 12  # behind the point
_COLORED = ("pixel_out", "pixel_skip", "pixel_out_bias", "refine_out", "refine_out_bias")


@functools.cache
def _stored() -> dict[str, np.ndarray]:
    path = importlib.resources.files("rdr.codecs.overfitted") / "pretrained_init.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def pretrained_weights(arch: Architecture) -> dict[str, np.ndarray] | None:
    """The stored weights, for a decoder of the same widths.

    Fewer levels use the finest ones' weights; noise has weight 0 at first; gray is the mean of the colors.

    Args:
      arch: sizes of the decoder.

    Returns:
      float32 by name; None if the widths differ or there are more levels.
    """
    stored, result = _stored(), {}
    for name, shape in shapes(arch).items():
        w = stored[name]
        if arch.channels == 1 and name in _COLORED:
            w = w.mean(0, keepdims=True, dtype=np.float32)
        if arch.channels == 1 and name == "refine_in":
            w = w.reshape(w.shape[0], -1, 3).sum(-1, dtype=np.float32)
        if name in ("pixel_in", "pixel_skip"):
            w = np.pad(w[:, : arch.levels], ((0, 0), (0, shape[1] - min(arch.levels, w.shape[1]))))
        if name in ("upsampling", "entropy_in_bias"):
            w = w[: shape[0]]
        if w.shape != shape or arch.levels > LEVELS:
            return None
        result[name] = w
    return result


def quantized_pretrained(arch: Architecture, exponents: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The stored weights as whole multiples of step sizes; what a file's numbers are added to.

    Args:
      arch: sizes of the decoder.
      exponents: e by name.

    Returns:
      int32 by name; zeros where there are no stored weights for the widths.
    """
    weights = pretrained_weights(arch)
    if weights is None:
        return {name: np.zeros(shape, np.int32) for name, shape in shapes(arch).items()}
    return {name: exact_inference.quantize_weights(w, exponents[name]) for name, w in weights.items()}


def portable_weights() -> bytes:
    """The stored weights for decoders in other languages; docs/format.md (7.2) and rdr/web/decoder.js hold them.

    Two bytes for each number, low byte first, k of k 2^-12. It is the k nearest to the weight with the same nearest
    whole multiple of 2^-e for every e that a file can have.

    Returns:
      Weights of all tensors for RGB, 7 levels and no noise, in the order of the file; then those that are others for
      gray images, in the same order.

    Raises:
      ValueError: if there is no such number.
    """
    color, gray = (pretrained_weights(Architecture(64, 64, channels)) for channels in (3, 1))
    assert color is not None and gray is not None
    numbers = [w for name, w in color.items()] + [w for name, w in gray.items() if w.shape != color[name].shape]
    exponents = 2.0 ** np.arange(exact_inference.MAX_EXPONENT + 1)
    result = []
    for weight in np.concatenate([w.reshape(-1) for w in numbers]).astype(np.float64):
        tried = np.rint(weight * 2.0**_PORTABLE_DIGITS) + np.asarray([0, 1, -1, 2, -2])
        same = np.rint(tried[:, None] * 2.0**-_PORTABLE_DIGITS * exponents) == np.rint(weight * exponents)
        if not same.all(1).any() or abs(weight) >= 2 ** (15 - _PORTABLE_DIGITS) - 1:
            raise ValueError(f"the weight {weight} is rounded like no multiple of 2^-{_PORTABLE_DIGITS} in two bytes")
        result.append(tried[same.all(1)][0])
    return np.asarray(result, "<i2").tobytes()


def starting_weights(arch: Architecture, key: jax.Array) -> dict[str, np.ndarray] | dict[str, jax.Array]:
    """The weights that a fit starts from.

    Args:
      arch: sizes of the decoder.
      key: of the random ones, drawn where nothing is stored.

    Returns:
      float32 by name.
    """
    weights = network.initial_weights(arch, key)
    stored = pretrained_weights(arch)
    if stored is None:
        return weights
    if arch.noise_levels:  # what noise goes to is drawn: from zero it would never be let in
        stored["pixel_in"][:, arch.levels:] = weights["pixel_in"][:, arch.levels:]
    return stored
