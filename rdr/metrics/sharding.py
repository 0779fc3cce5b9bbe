"""Running a function of batches on all devices: one device is a mesh of one."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def batch_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Makes a mesh with one axis, "batch".

    Args:
      devices: by default all of this process.

    Returns:
      The mesh.
    """
    return Mesh(np.array(jax.local_devices() if devices is None else list(devices)), ("batch",))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Puts a copy of every array on every device.

    Args:
      tree: a pytree of arrays, or None.
      mesh: the devices.

    Returns:
      The same on the devices.
    """
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def call_sharded(
    call: Callable[..., Any], params: Any, *batches: np.ndarray, mesh: Mesh, batch_size: int | None = None
) -> Any:
    """Calls a function of batches with the batch divided over devices.

    Args:
      call: function of `params` and of arrays [batch, ...] to a pytree of arrays [batch, ...], each element by itself.
      params: what it takes first, on the devices already (`replicate`).
      *batches: arrays [batch, ...], on the host, of one length.
      mesh: the devices.
      batch_size: elements per call; the last call is filled up, so that one compilation serves all. By default, and at
        most, all at once.

    Returns:
      What `call` returns, on the host, in the order of the batch.

    Raises:
      ValueError: if the batches' lengths differ or are 0.
    """
    lengths = {len(batch) for batch in batches}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"batches must have one length, not 0, got {[len(batch) for batch in batches]}")
    (count,) = lengths
    devices = mesh.devices.size
    size = count if batch_size is None else batch_size
    size = -(-size // devices) * devices
    sharding = NamedSharding(mesh, PartitionSpec("batch"))
    found = []
    for start in range(0, count, size):
        index = np.minimum(np.arange(start, start + size), count - 1)  # repeats the last element
        result = call(params, *(jax.device_put(np.asarray(batch)[index], sharding) for batch in batches))
        kept = slice(0, min(size, count - start))
        found.append(jax.tree.map(lambda x, kept=kept: np.asarray(x)[kept], result))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)
