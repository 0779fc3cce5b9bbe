"""Batches of patches that stay on the devices: drawn, cropped and mirrored there.

A loader on the host moves every batch, and takes the host's time for it. A data set of a few thousand patches fits into
an accelerator's memory, and then a batch costs nothing but a number (figures: benchmarks/training.md). As with
`rdr.data.loader`, batch s depends on the seed and on s only: every epoch is a permutation of its own, every crop has a
key of its own.
"""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from rdr import sharding


def draw(images: jax.Array, step: jax.Array, *, batch: int, crop: int, seed: int) -> jax.Array:
    """Batch number `step`.

    Args:
      images: uint8 [patches, height, width, channels].
      step: int32 [].
      batch: crops in a batch.
      crop: their side.
      seed: of order, crops and flips.

    Returns:
      uint8 [batch, crop, crop, channels].
    """
    count, height, width, channels = images.shape
    order_key, crop_key = jax.random.split(jax.random.key(seed, impl="threefry2x32"))
    # As pairs (epoch, place in it), which stay small where the number of crops since the start would not.
    epoch, place = jnp.asarray(step, jnp.int32) * (batch // count), jnp.asarray(step, jnp.int32)
    epoch = epoch + place // count * (batch % count)
    within = place % count * (batch % count) + jnp.arange(batch, dtype=jnp.int32)
    epochs, within = epoch + within // count, within % count
    first = epochs[0]
    limit = batch // count + 2
    numbers = jnp.arange(count, dtype=jnp.int32)
    orders = jax.vmap(lambda e: jax.random.permutation(jax.random.fold_in(order_key, e), numbers))(
        first + jnp.arange(limit, dtype=jnp.int32))
    chosen = orders[epochs - first, within]

    def cut(index, epoch):
        key = jax.random.fold_in(jax.random.fold_in(crop_key, epoch), index)
        top, left, mirror = jax.random.split(key, 3)
        # The same crops whether x64 is on or off.
        top = jax.random.randint(top, (), 0, height - crop + 1, jnp.int32)
        left = jax.random.randint(left, (), 0, width - crop + 1, jnp.int32)
        patch = jax.lax.dynamic_slice(images, (index, top, left, jnp.int32(0)), (1, crop, crop, channels))[0]
        return jnp.where(jax.random.bernoulli(mirror, jnp.float32(0.5)), patch[:, ::-1], patch)

    return jax.vmap(cut)(chosen, epochs)


def batches(images: np.ndarray, *, batch: int, crop: int, seed: int, start: int = 0, mesh: Mesh | None = None
            ) -> Iterator[jax.Array]:
    """Puts patches onto all devices, and yields batches without end.

    Args:
      images: uint8 [patches, height, width, channels]; every device holds them whole.
      batch: crops in a batch of all devices together.
      crop: their side.
      seed: of order, crops and flips, in [0, 2^32).
      start: the step whose batch comes first.
      mesh: devices; default all.

    Yields:
      uint8 [batch, crop, crop, channels], divided among the devices.

    Raises:
      ValueError: if there are no patches, or they are smaller than a crop, or batches cannot be divided.
    """
    mesh = sharding.data_mesh() if mesh is None else mesh
    sharding.check_batch(batch, mesh)
    if images.ndim != 4 or images.dtype != np.uint8 or not len(images):
        raise ValueError("images must be uint8 [patches, height, width, channels], at least one, got "
                         f"{images.dtype} of shape {images.shape}")
    if not 1 <= crop <= min(images.shape[1:3]):
        raise ValueError(f"crop must be between 1 and the images' sides, got {crop} for {images.shape[1]} x "
                         f"{images.shape[2]} pixels")
    held = sharding.replicate(images, mesh)
    one = jax.jit(functools.partial(draw, batch=batch, crop=crop, seed=seed),
                  out_shardings=sharding.batch_sharding(mesh))

    def endless():
        step = start
        while True:
            yield one(held, np.int32(step))
            step += 1

    return endless()
