"""Meshes, batches that fit them, and who may join; several devices and processes are in test_engine."""

import jax
import numpy as np
import pytest

from rdr import sharding


@pytest.mark.parametrize(("arguments", "match"), [
    (("", 2, 0), "need a coordinator"), (("", 1, 1), "need a coordinator"), (("localhost", 2, 0), "must be HOST:PORT"),
    (("localhost:1", 2, 2), "process_id must be in"), (("localhost:1", 0, 0), "process_id must be in"),
])
def test_half_of_a_place_among_processes_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        sharding.join(*arguments)


def test_a_process_alone_joins_nobody():
    sharding.join("", 1, 0)
    assert jax.process_count() == 1


def test_batches_arrive_whole_and_in_order_on_a_mesh_of_one():
    mesh = sharding.data_mesh(jax.devices()[:1])
    parts = [np.full((4, 2), i, np.uint8) for i in range(5)]
    found = list(sharding.to_devices(iter(parts), mesh, ahead=2))
    assert len(found) == 5
    for part, batch in zip(parts, found):
        np.testing.assert_array_equal(part, batch)
        assert batch.sharding.is_equivalent_to(sharding.divided(mesh), batch.ndim)


def test_batches_are_read_ahead_but_not_further():
    mesh, read = sharding.data_mesh(jax.devices()[:1]), []

    def batches():
        for i in range(10):
            read.append(i)
            yield np.zeros((1,), np.uint8)

    stream = sharding.to_devices(batches(), mesh, ahead=2)
    next(stream)
    assert read == [0, 1, 2]


def test_a_batch_must_divide_among_devices():
    class EightDevices:
        size = 8

    sharding.check_batch(16, EightDevices())
    with pytest.raises(ValueError, match="batch must be a multiple of the number of devices, 8, got 12"):
        sharding.check_batch(12, EightDevices())
