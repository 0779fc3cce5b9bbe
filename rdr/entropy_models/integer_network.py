"""Networks in exact integer arithmetic: what they say of a symbol's table is the same on every device.

Activations are 16-bit integers in units of 2^-bits, weights integers with one scale, a power of two, for each output
channel. A layer is a product of matrices, taken twice: for the low and for the high byte of the activations. Each
product holds integers in float32 whose partial sums stay below 2^24, so that no order of summation and no fused
operation changes them; what follows is int32 arithmetic. For output channel c,

    out_c = (sum_i w_ci a_i + b_c + half) >> shift_c,   sum_i |w_ci| <= 2^15,   |a_i| < 2^15.

Reference: Ballé, Johnston, Minnen, "Integer networks for data compression with latent-variable models", ICLR 2019.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.transforms.convolution import depth_to_space, phase_kernel

ACTIVATION_LIMIT = 2**15 - 1
_WEIGHT_SUM = 2**15
_OUTPUT_LIMIT = 2**22
_MOST_BITS = 20


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
      "weights": float32 integers [size, size, in, out'], "bias" and "shift": int32 [out'] (out' = 4 out for doubling).

    Raises:
      ValueError: if the weights are not finite, or too large for 16 bits.
    """
    kernel, bias = np.asarray(kernel, np.float64), np.asarray(bias, np.float64)
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise ValueError("the weights of an integer network must be finite")
    if spec.scale == "double":
        kernel, bias = np.asarray(phase_kernel(jnp.asarray(kernel, jnp.float32)), np.float64), np.tile(bias, 4)
    # Rounding adds at most half a unit a weight, and most weights that are zero stay so.
    total = np.abs(kernel).sum((0, 1, 2))
    room = _WEIGHT_SUM - 0.5 * np.count_nonzero(kernel, axis=(0, 1, 2))
    exponent = np.minimum(np.floor(np.log2(room / np.maximum(total, 1e-12))), _MOST_BITS).astype(np.int64)
    # The accumulator, biases included, keeps within int32.
    limit = np.floor(np.log2(2.0**29 / np.maximum(np.abs(bias), 1e-12))).astype(np.int64) - input_bits
    exponent = np.minimum(exponent, limit)
    shift = input_bits + exponent - spec.bits
    if (shift < 0).any():
        raise ValueError("the weights of this network are too large for integers of 16 bits")
    weights = np.round(kernel * 2.0**exponent)
    assert np.abs(weights).sum((0, 1, 2)).max(initial=0) <= _WEIGHT_SUM
    return {"weights": weights.astype(np.float32),
            "bias": np.round(bias * 2.0 ** (input_bits + exponent)).astype(np.int32), "shift": shift.astype(np.int32)}


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
      x: int32 [batch, height, width, in]; clipped to 16 bits.

    Returns:
      int32 [batch, height', width', out].
    """
    x = jnp.clip(x.astype(jnp.int32), -ACTIVATION_LIMIT, ACTIVATION_LIMIT)
    size, _, fan_in, fan_out = layer["weights"].shape
    matrix = jnp.asarray(layer["weights"], jnp.float32).reshape(size * size * fan_in, fan_out)
    columns = _patches(x, size)
    low, high = (jnp.matmul(part.astype(jnp.float32), matrix, precision=jax.lax.Precision.HIGHEST).astype(jnp.int32)
                 for part in (columns & 255, columns >> 8))
    shift = jnp.asarray(layer["shift"], jnp.int32)[None, :]
    half = jnp.where(shift > 0, jnp.left_shift(jnp.int32(1), jnp.maximum(shift - 1, 0)), 0)
    total = high * 256 + low + jnp.asarray(layer["bias"], jnp.int32)[None, :] + half
    y = jnp.clip(jnp.right_shift(total, shift), -_OUTPUT_LIMIT, _OUTPUT_LIMIT)
    if spec.activation == "relu":
        y = jnp.maximum(y, 0)
    elif spec.activation == "leaky":
        y = jnp.where(y < 0, jnp.right_shift(y * 41, 12), y)
    y = y.reshape(*x.shape[:3], fan_out)
    return depth_to_space(y) if spec.scale == "double" else y


def apply_network(layers: Sequence[dict[str, jax.Array]], specs: Sequence[LayerSpec], x: jax.Array) -> jax.Array:
    """Applies layers one after the other.

    Args:
      layers: from `quantize_network`.
      specs: the same as there.
      x: int32 [batch, height, width, in].

    Returns:
      int32 [batch, height', width', out], in units of 2^-bits of the last layer.
    """
    for layer, spec in zip(layers, specs, strict=True):
        x = apply_layer(layer, spec, x)
    return x
