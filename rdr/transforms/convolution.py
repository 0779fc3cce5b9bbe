"""Convolutions that halve and double the resolution, in forms whose gradients are fast on every backend.

Both are defined by a kernel [k, k, in, out] and a bias, as in the papers, so that parameters count the same and can
be exchanged. Doubling is the adjoint of a strided convolution in the papers. XLA's CPU backend takes tens of times
longer for the gradient of that form than for an ordinary convolution, so it is computed as an ordinary convolution
with four times as many channels whose output is sorted into 2 x 2 pixels; the values are the same. The gradient with
respect to the kernel is, on CPUs, a product of matrices for each place of the kernel: XLA's form, a convolution whose
kernel is as large as the image, takes five times as long for 512 channels (benchmarks/training.md).
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from rdr.randomness import truncated_normal_kernel

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_WIDE = 64  # output channels from which on products of matrices are faster


def convolve(x: jax.Array, kernel: jax.Array, *, stride: int = 1) -> jax.Array:
    """A zero-padded convolution: out[n] = sum_k kernel[k] x[stride n + k - (size - 1) / 2].

    Args:
      x: [batch, height, width, in].
      kernel: [size, size, in, out], size odd.
      stride: 1 or 2.

    Returns:
      [batch, ceil(height / stride), ceil(width / stride), out].
    """
    return _convolve(x, kernel, stride)


def _plain(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    reach = (kernel.shape[0] - 1) // 2
    return lax.conv_general_dilated(x, kernel, (stride, stride), [(reach, reach)] * 2, dimension_numbers=_LAYOUT)


_convolve = jax.custom_vjp(_plain, nondiff_argnums=(2,))


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _plain(x, kernel, stride), (x, kernel)


def _backward(stride: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    (of_x,) = jax.linear_transpose(lambda x: _plain(x, kernel, stride), x)(gradient)

    def by_convolution(x, gradient):
        return jax.linear_transpose(lambda kernel: _plain(x, kernel, stride), kernel)(gradient)[0]

    if kernel.shape[3] < _WIDE:
        return of_x, by_convolution(x, gradient)
    by_products = functools.partial(_kernel_gradient, size=kernel.shape[0], stride=stride)
    return of_x, lax.platform_dependent(x, gradient, cpu=by_products, default=by_convolution)


_convolve.defvjp(_forward, _backward)


def _kernel_gradient(x: jax.Array, gradient: jax.Array, *, size: int, stride: int) -> jax.Array:
    """For each place of the kernel, what it saw of the input, times the gradient of what it made of it."""
    reach, (batch, rows, columns, fan_out) = (size - 1) // 2, gradient.shape
    padded = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    flat, places = gradient.reshape(-1, fan_out), []
    for i in range(size):
        for j in range(size):
            seen = lax.slice(padded, (0, i, j, 0), (batch, i + stride * (rows - 1) + 1, j + stride * (columns - 1) + 1,
                                                    x.shape[3]), (1, stride, stride, 1))
            places.append(lax.dot_general(seen.reshape(-1, x.shape[3]), flat, (((0,), (0,)), ((), ())),
                                          preferred_element_type=jnp.promote_types(x.dtype, jnp.float32)))
    return jnp.stack(places).reshape(size, size, x.shape[3], fan_out).astype(x.dtype)


def phase_kernel(kernel: jax.Array) -> jax.Array:
    """Splits the kernel of a doubling into the four kernels of its output's even and odd rows and columns.

    out[2m + p] = sum_j kernel[2 (1 - j) + p] x[m + j], j = -1, 0, 1, along each axis.

    Args:
      kernel: [5, 5, in, out].

    Returns:
      [3, 3, in, 4 out]; the last axis is (row phase, column phase, out).

    Raises:
      ValueError: if the kernel has another size.
    """
    size, _, fan_in, fan_out = kernel.shape
    if size != 5:
        raise ValueError(f"kernel must have shape [5, 5, in, out], got {kernel.shape}")
    padded = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0))).reshape(3, 2, 3, 2, fan_in, fan_out)
    return padded[::-1, :, ::-1].transpose(0, 2, 4, 1, 3, 5).reshape(3, 3, fan_in, 4 * fan_out)


def depth_to_space(x: jax.Array) -> jax.Array:
    """Sorts groups of four channels into 2 x 2 pixels.

    Args:
      x: [batch, height, width, 4 channels]; the last axis is (row phase, column phase, channel).

    Returns:
      [batch, 2 height, 2 width, channels].
    """
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height, width, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, 2 * height, 2 * width, channels // 4)


def double(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Doubles the resolution: out[o] = sum_i kernel[o + 2 - 2 i] x[i] along each axis.

    This is the transposed convolution of stride 2 with padding 2 and output padding 1.

    Args:
      x: [batch, height, width, in].
      kernel: [5, 5, in, out].

    Returns:
      [batch, 2 height, 2 width, out].
    """
    return depth_to_space(convolve(x, phase_kernel(kernel)))


class Convolution(nn.Module):
    """A convolution with bias, which keeps, halves or doubles the resolution.

    Attributes:
      features: output channels.
      size: of the kernel, odd; 5 for doubling.
      scale: "same", "half" or "double".
    """

    features: int
    size: int = 5
    scale: str = "same"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Applies the convolution in the dtype of `x`.

        Args:
          x: [batch, height, width, channels].

        Returns:
          [batch, height', width', features].
        """
        # A doubling's output pixel sees a quarter of the kernel.
        gain = 4.0 if self.scale == "double" else 1.0
        initializer = functools.partial(truncated_normal_kernel, gain=gain)
        kernel = self.param("kernel", initializer, (self.size, self.size, x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        kernel, bias = kernel.astype(x.dtype), bias.astype(x.dtype)
        if self.scale == "double":
            y = double(x, kernel)
        else:
            y = convolve(x, kernel, stride={"same": 1, "half": 2}[self.scale])
        return y + bias[None, None, None, :]
