"""The 3 x 3 layers of the synthesis, with gradients that are fast on CPUs."""

import functools

import jax
import jax.numpy as jnp

from rdr.codecs.overfitted.architecture import KERNEL


def neighborhood(x: jax.Array) -> jax.Array:
    """Gathers the 3 x 3 surroundings of each pixel, edges repeated.

    Args:
      x: [channels, height, width].

    Returns:
      [9 channels, height, width], the nine shifts in the order of `KERNEL`, channels within a shift.
    """
    _, height, width = x.shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    return jnp.concatenate([x[:, 1 + i:1 + i + height, 1 + j:1 + j + width] for i, j in KERNEL])


def _contract(a: jax.Array, b: jax.Array, axes: tuple[int, int]) -> jax.Array:
    return jax.lax.dot_general(a, b, (((axes[0],), (axes[1],)), ((), ())), precision=jax.lax.Precision.HIGHEST)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(kernel: jax.Array, x: jax.Array, shift_outputs: bool) -> jax.Array:
    """Convolves with a 3 x 3 kernel, edges repeated.

    Its gradients by reverse mode sum over all pixels for a small result. Written with nine shifts of what comes back,
    they copy maps of the layer's outputs instead of adding up maps of its inputs.

    Args:
      kernel: [outputs, 9 channels].
      x: [channels, height, width].
      shift_outputs: whether the kernel's gradient, too, is made of shifted outputs: faster where there are fewer of
        them than of inputs.

    Returns:
      [outputs, height, width].
    """
    channels, height, width = x.shape
    near = neighborhood(x).reshape(9 * channels, height * width)
    return _contract(kernel, near, (1, 0)).reshape(-1, height, width)


def _forward(kernel: jax.Array, x: jax.Array, shift_outputs: bool) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return convolve(kernel, x, shift_outputs), (kernel, x)


def _fold(x: jax.Array, height: int, width: int) -> jax.Array:
    """The transpose of repeating edges: what reached the border belongs to the pixels next to it."""
    rows = x[:, 1:height + 1]
    rows = rows.at[:, 0].add(x[:, 0]).at[:, height - 1].add(x[:, height + 1])
    columns = rows[:, :, 1:width + 1]
    return columns.at[:, :, 0].add(rows[:, :, 0]).at[:, :, width - 1].add(rows[:, :, width + 1])


def _backward(shift_outputs: bool, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
              ) -> tuple[jax.Array, jax.Array]:
    kernel, x = saved
    outputs, (channels, height, width) = len(kernel), x.shape
    padded = jnp.pad(gradient, ((0, 0), (2, 2), (2, 2)))
    shifted = jnp.concatenate([padded[:, 1 - i:3 - i + height, 1 - j:3 - j + width] for i, j in KERNEL])
    shifted = shifted.reshape(9 * outputs, -1)  # at the places of x with its border
    turned = kernel.reshape(outputs, 9, channels).transpose(2, 1, 0).reshape(channels, 9 * outputs)
    to_x = _fold(_contract(turned, shifted, (1, 0)).reshape(channels, height + 2, width + 2), height, width)
    if shift_outputs:
        bordered = jnp.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge").reshape(channels, -1)
        to_kernel = _contract(shifted, bordered, (1, 1)).reshape(9, outputs, channels)
        return to_kernel.transpose(1, 0, 2).reshape(outputs, 9 * channels), to_x
    near = neighborhood(x).reshape(9 * channels, -1)
    return _contract(gradient.reshape(outputs, -1), near, (1, 1)), to_x


convolve.defvjp(_forward, _backward)
