"""Device mesh and sharding: batches are divided along one axis of all devices, and one device is a mesh of one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "data"


def initialize_distributed(coordinator: str, num_processes: int, process_id: int) -> None:
    """Makes this process one of several that train together; call it before anything else touches JAX.

    Args:
      coordinator: host:port of process 0; empty for a process alone.
      num_processes: how many there are.
      process_id: which this is, from 0.

    Raises:
      ValueError: if only a part of the three is given, or they contradict each other.
    """
    if not coordinator:
        if num_processes != 1 or process_id != 0:
            raise ValueError("several processes need a coordinator: give --coordinator=HOST:PORT of process 0")
        return
    if ":" not in coordinator:
        raise ValueError(f"coordinator must be HOST:PORT, got {coordinator!r}")
    if num_processes < 1 or not 0 <= process_id < num_processes:
        raise ValueError(f"process_id must be in [0, num_processes), got {process_id} of {num_processes}")
    jax.distributed.initialize(coordinator, num_processes=num_processes, process_id=process_id)


def data_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Makes a mesh of one axis, along which batches are divided.

    Args:
      devices: default all devices of all processes.

    Returns:
      The mesh.
    """
    return Mesh(np.array(jax.devices() if devices is None else list(devices)), (AXIS,))


def replicated(mesh: Mesh) -> NamedSharding:
    """Gives the sharding of what every device holds whole, such as parameters.

    Args:
      mesh: the devices.

    Returns:
      The sharding.
    """
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Gives the sharding of what is divided along its first axis, such as batches.

    Args:
      mesh: the devices.

    Returns:
      The sharding.
    """
    return NamedSharding(mesh, PartitionSpec(AXIS))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Puts a copy of every array onto every device.

    Args:
      tree: a tree of host arrays, the same in every process, or None.
      mesh: the devices.

    Returns:
      The tree of global arrays.
    """
    sharding = replicated(mesh)

    def put(leaf):
        value = np.asarray(leaf)
        return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])

    return jax.tree.map(put, tree)


def check_batch(batch: int, mesh: Mesh) -> None:
    """Refuses a batch that cannot be divided among the devices.

    Args:
      batch: images in a batch of all processes together.
      mesh: the devices.

    Raises:
      ValueError: if it cannot.
    """
    if batch % mesh.size:
        raise ValueError(f"batch must be a multiple of the number of devices, {mesh.size}, got {batch}")


def to_devices(batches: Iterable[np.ndarray], mesh: Mesh, *, ahead: int = 2) -> Iterator[jax.Array]:
    """Moves batches to the devices before they are asked for.

    Args:
      batches: this process's parts, [batch / processes, ...]; global arrays, which are there already, pass through.
      mesh: the devices.
      ahead: how many are on their way.

    Yields:
      Global arrays [batch, ...].
    """
    sharding, waiting = batch_sharding(mesh), deque()
    for part in batches:
        there = isinstance(part, jax.Array)
        waiting.append(part if there else jax.make_array_from_process_local_data(sharding, part))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def call_sharded(
    call: Callable[..., Any], params: Any, *batches: np.ndarray, mesh: Mesh, batch_size: int | None = None
) -> Any:
    """Calls a function of batches with the batch divided over the devices of this process.

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
    size = count if batch_size is None else batch_size
    size = -(-size // mesh.size) * mesh.size
    sharding, results = batch_sharding(mesh), []
    for start in range(0, count, size):
        index = np.minimum(np.arange(start, start + size), count - 1)  # repeats the last element
        result = call(params, *(jax.device_put(np.asarray(batch)[index], sharding) for batch in batches))
        used = slice(0, min(size, count - start))
        results.append(jax.tree.map(lambda x, used=used: np.asarray(x)[used], result))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *results)


def barrier(name: str) -> None:
    """Waits until every process has come here.

    Args:
      name: of the place.
    """
    multihost_utils.sync_global_devices(name)
