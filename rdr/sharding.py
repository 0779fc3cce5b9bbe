"""Where training runs: a mesh of all devices along which batches are divided. One device is a mesh of one."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "data"


def join(coordinator: str, num_processes: int, process_id: int) -> None:
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


def data_mesh(devices: Any = None) -> Mesh:
    """A mesh of one axis, along which batches are divided.

    Args:
      devices: default all devices of all processes.

    Returns:
      The mesh.
    """
    return Mesh(np.array(jax.devices() if devices is None else devices), (AXIS,))


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of what every device holds whole: parameters."""
    return NamedSharding(mesh, PartitionSpec())


def divided(mesh: Mesh) -> NamedSharding:
    """The sharding of what is divided along its first axis: batches."""
    return NamedSharding(mesh, PartitionSpec(AXIS))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Puts a tree of host arrays, the same in every process, onto all devices.

    Args:
      tree: of arrays.
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
    sharding, waiting = divided(mesh), deque()
    for part in batches:
        there = isinstance(part, jax.Array)
        waiting.append(part if there else jax.make_array_from_process_local_data(sharding, part))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def barrier(name: str) -> None:
    """Waits until every process has come here.

    Args:
      name: of the place.
    """
    multihost_utils.sync_global_devices(name)
