"""Parts of the convolutional feature networks: normalization, convolution, pooling, checks."""

import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from rdr.arguments import check_unit_range

Params = dict[str, dict[str, jax.Array]]

# Statistics of ImageNet in [0, 1], sRGB, with which both networks were trained. LPIPS writes the same
# normalization for inputs in [-1, 1]: shift (-.030, -.088, -.188), scale (.458, .448, .450).
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

POOLINGS = ("max", "average", "l2")


def normalize(images: jax.Array) -> jax.Array:
    """Brings sRGB images to the mean 0 and standard deviation 1 of ImageNet, per channel.

    Args:
      images: [batch, height, width, 3], in [0, 1].

    Returns:
      (images - mean) / std, of the same shape and dtype.
    """
    mean = jnp.asarray(IMAGENET_MEAN, images.dtype).reshape(1, 1, 1, 3)
    std = jnp.asarray(IMAGENET_STD, images.dtype).reshape(1, 1, 1, 3)
    return (images - mean) / std


def _convolve(maps: jax.Array, kernel: jax.Array, stride: int, padding: int, precision: lax.PrecisionLike) -> jax.Array:
    """Cross-correlation, [batch, rows, columns, channels] with [rows, columns, channels, out], zero-padded."""
    return lax.conv_general_dilated(maps, kernel, (stride, stride), [(padding, padding)] * 2,
                                    dimension_numbers=("NHWC", "HWIO", "NHWC"), precision=precision)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolve_for_gradients(maps: jax.Array, kernel: jax.Array, padding: int, precision: lax.PrecisionLike
                            ) -> jax.Array:
    """`_convolve` with stride 1, whose gradient with respect to the maps is a convolution of the same layout.

    JAX's own gradient has the kernel's last two axes swapped. XLA brings that into the layout of its fast routine in
    straight programs, but not within loops (jax issue 12868), where it takes 4 to 5 times as long on a CPU.
    """
    return _convolve(maps, kernel, 1, padding, precision)


def _forward(maps, kernel, padding, precision):
    return _convolve(maps, kernel, 1, padding, precision), (maps, kernel)


def _backward(padding, precision, retained, slope):
    maps, kernel = retained
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    towards_kernel = jax.vjp(lambda kernel: _convolve(maps, kernel, 1, padding, precision), kernel)[1]
    return _convolve(slope, turned, 1, kernel.shape[0] - 1 - padding, precision), *towards_kernel(slope)


_convolve_for_gradients.defvjp(_forward, _backward)


def convolve(
    params: Params,
    name: str,
    maps: jax.Array,
    *,
    stride: int = 1,
    padding: int,
    precision: lax.PrecisionLike,
    reverse_only: bool = False,
) -> jax.Array:
    """Applies a layer: a convolution with bias, zero-padded, in the dtype of the maps.

    Args:
      params: of the network, layer -> {"kernel", "bias"}.
      name: of the layer.
      maps: [batch, rows, columns, channels].
      stride: of the convolution.
      padding: zeros on each side.
      precision: of the products.
      reverse_only: whether a layer of stride 1 has gradients that are fast within loops on a CPU, and no `jax.jvp`.

    Returns:
      [batch, new rows, new columns, new channels].

    Raises:
      ValueError: if `params` lacks the layer.
    """
    if not isinstance(params, Mapping) or name not in params:
        held = ", ".join(params) if isinstance(params, Mapping) else type(params).__name__
        raise ValueError(f"params must hold this network's layer {name} (rdr.features.weights), got {held or 'none'}")
    layer = params[name]
    kernel = layer["kernel"].astype(maps.dtype)
    if reverse_only and stride == 1:
        out = _convolve_for_gradients(maps, kernel, padding, precision)
    else:
        out = _convolve(maps, kernel, stride, padding, precision)
    return out + layer["bias"].astype(maps.dtype).reshape(1, 1, 1, -1)


def pool(maps: jax.Array, kind: str, *, window: int, padding: int = 0) -> jax.Array:
    """Halves the resolution by the maximum, the average or the L2 norm over windows, stride 2.

    "l2" is the square root of the squares smoothed with a 3 x 3 Hann window (1, 2, 1)/4 and sampled at every
    second pixel (Ding et al., DISTS, 2020, arXiv 2004.07728; after Henaff and Simoncelli, 2016, arXiv
    1511.06394), which does not alias. `padding` (of zeros) and `window` = 2 matter to "l2" as follows: its
    window is always 3 and its padding 1 where the others have 2 and 0, and so a side of n becomes
    ceil(n / 2), not floor(n / 2).

    Args:
      maps: [batch, rows, columns, channels].
      kind: "max", "average" or "l2".
      window: side of the windows.
      padding: zeros on each side, of "l2".

    Returns:
      [batch, new rows, new columns, channels].
    """
    if kind == "max":
        low = np.array(-np.inf, maps.dtype)
        return lax.reduce_window(maps, low, lax.max, (1, window, window, 1), (1, 2, 2, 1), "VALID")
    zero = np.zeros((), maps.dtype)
    if kind == "average":
        total = lax.reduce_window(maps, zero, lax.add, (1, window, window, 1), (1, 2, 2, 1), "VALID")
        return total / (window * window)
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    total = jnp.pad(jnp.square(maps), pads)
    # (1, 2, 1) x (1, 2, 1) is a 2 x 2 box applied twice.
    total = lax.reduce_window(total, zero, lax.add, (1, 2, 2, 1), (1, 1, 1, 1), "VALID")
    total = lax.reduce_window(total, zero, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    # The constant keeps the square root differentiable where a map is zero; it is DISTS's.
    return jnp.sqrt(total / 16 + jnp.asarray(1e-12, maps.dtype))


def check_call(images: jax.Array, taps: Sequence[str], known: Sequence[str], pooling: str) -> None:
    """Checks what a network is called with.

    Args:
      images: [batch, height, width, 3], floating point.
      taps: names of maps.
      known: those that there are.
      pooling: one of `POOLINGS`.

    Raises:
      ValueError: if the images have another shape or dtype, or values far from [0, 1], or a name is unknown.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape[1:]:
        raise ValueError(f"images must have shape [batch, height, width, 3] without empty sides, got {images.shape}")
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(f"images must be floating point in [0, 1], got {images.dtype}")
    if isinstance(taps, str):
        raise ValueError(f"taps must be a sequence of names, got the single string {taps!r}")
    check_unit_range(images, name="images")
    for tap in taps:
        if tap not in known:
            raise ValueError(f"taps must be among {', '.join(known)}, got {tap!r}")
    if pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(map(repr, POOLINGS))}, got {pooling!r}")


def check_size(maps: jax.Array, images: jax.Array, layer: str) -> None:
    """Checks that something is left of the images at a layer.

    Args:
      maps: of the layer, [batch, rows, columns, channels].
      images: [batch, height, width, 3].
      layer: its name.

    Raises:
      ValueError: if nothing is left.
    """
    if 0 in maps.shape[1:3]:
        height, width = images.shape[1:3]
        raise ValueError(f"images are too small for {layer}: {height} x {width} pixels leave nothing of it")
