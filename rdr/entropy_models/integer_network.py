"""Networks in exact integer arithmetic: what they say of a symbol's table is the same on every device.

Activations are 24-bit integers in units of 2^-bits, weights integers with one scale, a power of two, for each output
channel. A layer is a product of matrices, with four rows for one: for each six bits of the activations. It holds
integers in float32 whose partial sums stay below 2^24, so that no order of summation and no fused operation changes
them; what follows is int32 arithmetic. For output channel c, with S_c = sum_i w_ci a_i,

    out_c = (floor(S_c / 2^12) + b_c + half) >> shift_c,   sum_i |w_ci| < 2^18,   |a_i| < 2^23.

Reference: Ballé, Johnston and Minnen (balle2019integer).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.transforms.convolution import depth_to_space, phase_kernel

ACTIVATION_LIMIT = 2**23 - 1
_WEIGHT_SUM = 2**18 - 1
_DROPPED = 12  # bits of a sum that are floored away before the bias is added
_MAX_BITS = 20


class LayerSpec(NamedTuple):
    """What a layer does; the rest of it is arrays.

    Attributes:
      scale: "same" or "double".
      activation: "relu", "leaky" (slope 41 / 4096, about 0.01) or "none".
      bits: the output is in units of 2^-bits.
    """

    scale: str
    activation: str
    bits: int


def quantize_layer(kernel: Any, bias: Any, spec: LayerSpec, *, input_bits: int) -> dict[str, np.ndarray]:
    """Turns a layer of floats into one of integers.

    Args:
      kernel: [size, size, in, out], of `rdr.transforms.convolution.Convolution`.
      bias: [out].
      spec: what the layer does.
      input_bits: the input is in units of 2^-input_bits.

    Returns:
      "weights": float32 integers [size, size, in, out'], "bias" and "shift": int32 [out'] (out' = 4 out for doubling);
        a negative shift is one to the left.

    Raises:
      ValueError: if the weights are not finite, or sum up to 2^18 or more.
    """
    kernel, bias = np.asarray(kernel, np.float64), np.asarray(bias, np.float64)
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise ValueError("the weights of an integer network must be finite")
    if spec.scale == "double":
        kernel, bias = np.asarray(phase_kernel(jnp.asarray(kernel, jnp.float32)), np.float64), np.tile(bias, 4)
    # Rounding adds at most half a unit a weight, and most weights that are zero stay so.
    total = np.abs(kernel).sum((0, 1, 2))
    headroom = _WEIGHT_SUM - 0.5 * np.count_nonzero(kernel, axis=(0, 1, 2))
    exponent = np.minimum(np.floor(np.log2(headroom / np.maximum(total, 1e-12))), _MAX_BITS).astype(np.int64)
    # The accumulator, biases included, keeps within int32.
    limit = np.floor(np.log2(2.0**29 / np.maximum(np.abs(bias), 1e-12))).astype(np.int64) - input_bits + _DROPPED
    exponent = np.minimum(exponent, limit)
    if (exponent < 0).any():
        raise ValueError("the weights of this network are too large for its integers")
    weights = np.round(kernel * 2.0**exponent)
    assert np.abs(weights).sum((0, 1, 2)).max(initial=0) <= _WEIGHT_SUM
    shift = input_bits + exponent - spec.bits - _DROPPED
    return {"weights": weights.astype(np.float32), "shift": shift.astype(np.int32),
            "bias": np.round(bias * 2.0 ** (input_bits + exponent - _DROPPED)).astype(np.int32)}


def check_layer(layer: Any, shape: tuple[int, int, int, int]) -> None:
    """Refuses what is no layer of integers, read from somewhere.

    Args:
      layer: like those of `quantize_layer`.
      shape: of its weights.

    Raises:
      ValueError: if a part is missing or of another shape or dtype, or sums could leave their range.
    """
    if not isinstance(layer, dict) or layer.keys() != {"weights", "bias", "shift"} or any(
            not isinstance(part, np.ndarray) for part in layer.values()):
        raise ValueError("a layer of integers has other parts than weights, bias and shift")
    weights, bias, shift = layer["weights"], layer["bias"], layer["shift"]
    if weights.shape != shape or bias.shape != shape[-1:] or shift.shape != shape[-1:]:
        raise ValueError(f"a layer of integers has weights {list(weights.shape)}, expected {list(shape)}")
    if weights.dtype != np.float32 or bias.dtype != np.int32 or shift.dtype != np.int32:
        raise ValueError("a layer of integers has other dtypes than float32 and int32")
    if not np.isfinite(weights).all() or (weights != np.round(weights)).any():
        raise ValueError("the weights of a layer of integers must be integers")
    sums = np.abs(weights.astype(np.float64)).sum((0, 1, 2))
    if sums.max(initial=0) > _WEIGHT_SUM or np.abs(bias.astype(np.int64)).max(initial=0) > 2**30 \
            or np.abs(shift.astype(np.int64)).max(initial=0) > 30:
        raise ValueError("the weights, biases or shifts of a layer of integers are too large")


def quantize_network(layers: Sequence[tuple[Any, Any]], specs: Sequence[LayerSpec], *, input_bits: int) -> list[dict]:
    """Turns layers of floats into layers of integers; see `quantize_layer`.

    Args:
      layers: kernel and bias of each.
      specs: what each does.
      input_bits: of the first layer's input.

    Returns:
      A list of layers.
    """
    done = []
    for (kernel, bias), spec in zip(layers, specs, strict=True):
        done.append(quantize_layer(kernel, bias, spec, input_bits=input_bits))
        input_bits = spec.bits
    return done


def _patches(x: jax.Array, size: int) -> jax.Array:
    """[batch height width, size size channels], zeros outside of the image."""
    reach = (size - 1) // 2
    batch, height, width, channels = x.shape
    padded = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    parts = [padded[:, i : i + height, j : j + width] for i in range(size) for j in range(size)]
    return jnp.concatenate(parts, axis=-1).reshape(batch * height * width, size * size * channels)


def apply_layer(layer: dict[str, jax.Array], spec: LayerSpec, x: jax.Array) -> jax.Array:
    """Applies one layer.

    Args:
      layer: from `quantize_layer`.
      spec: what it does.
      x: int32 [batch, height, width, in]; clipped to 24 bits.

    Returns:
      int32 [batch, height', width', out].
    """
    x = jnp.clip(x.astype(jnp.int32), -ACTIVATION_LIMIT, ACTIVATION_LIMIT)
    size, _, fan_in, fan_out = layer["weights"].shape
    matrix = jnp.asarray(layer["weights"], jnp.float32).reshape(size * size * fan_in, fan_out)
    columns = _patches(x, size)
    # One product for the four parts: one program to compile where there would be four.
    parts = jnp.stack((columns & 63, columns >> 6 & 63, columns >> 12 & 63, columns >> 18)).astype(jnp.float32)
    sums = jnp.matmul(parts.reshape(-1, matrix.shape[0]), matrix, precision=jax.lax.Precision.HIGHEST)
    s0, s1, s2, s3 = sums.astype(jnp.int32).reshape(4, -1, fan_out)
    total = s3 * 64 + s2 + jnp.right_shift(s1 + jnp.right_shift(s0, 6), 6)  # floor of the sum by 2^12
    shift = jnp.asarray(layer["shift"], jnp.int32)[None, :]
    right, left = jnp.maximum(shift, 0), jnp.maximum(-shift, 0)
    half = jnp.where(right > 0, jnp.left_shift(jnp.int32(1), jnp.maximum(right - 1, 0)), 0)
    total = jnp.right_shift(total + jnp.asarray(layer["bias"], jnp.int32)[None, :] + half, right)
    limit = jnp.right_shift(jnp.int32(ACTIVATION_LIMIT), left)
    y = jnp.left_shift(jnp.clip(total, -limit, limit), left)
    if spec.activation == "relu":
        y = jnp.maximum(y, 0)
    elif spec.activation == "leaky":
        y = jnp.where(y < 0, jnp.right_shift(y * 41 + 2048, 12), y)
    y = y.reshape(*x.shape[:3], fan_out)
    return depth_to_space(y) if spec.scale == "double" else y


def apply_network(layers: Sequence[dict[str, jax.Array]], specs: Sequence[LayerSpec], x: jax.Array) -> jax.Array:
    """Applies layers one after the other.

    Args:
      layers: from `quantize_network`.
      specs: of the layers, as `quantize_network` took them.
      x: int32 [batch, height, width, in].

    Returns:
      int32 [batch, height', width', out], in units of 2^-bits of the last layer.
    """
    for layer, spec in zip(layers, specs, strict=True):
        x = apply_layer(layer, spec, x)
    return x
