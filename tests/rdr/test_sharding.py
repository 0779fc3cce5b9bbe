"""Meshes, batches that fit them, and who may join; several devices and processes are in test_engine."""

import os
import subprocess
import sys
import textwrap

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
        sharding.initialize_distributed(*arguments)


def test_a_process_alone_joins_nobody():
    sharding.initialize_distributed("", 1, 0)
    assert jax.process_count() == 1


def test_batches_arrive_whole_and_in_order_on_a_mesh_of_one():
    mesh = sharding.data_mesh(jax.devices()[:1])
    parts = [np.full((4, 2), i, np.uint8) for i in range(5)]
    found = list(sharding.to_devices(iter(parts), mesh, ahead=2))
    assert len(found) == 5
    for part, batch in zip(parts, found):
        np.testing.assert_array_equal(part, batch)
        assert batch.sharding.is_equivalent_to(sharding.batch_sharding(mesh), batch.ndim)


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


def test_every_element_comes_back_in_order_whatever_the_batch_size():
    mesh = sharding.data_mesh()
    x, y = np.random.default_rng(0).random((2, 5, 3)).astype(np.float32)
    params = sharding.replicate({"w": np.float32(2.0)}, mesh)
    call = jax.jit(lambda p, a, b: {"sum": p["w"] * (a + b).sum(1), "first": a[:, 0]})
    for size in (None, 1, 2, 5, 7):
        found = sharding.call_sharded(call, params, x, y, mesh=mesh, batch_size=size)
        np.testing.assert_allclose(found["sum"], 2 * (x + y).sum(1), rtol=1e-6)
        np.testing.assert_array_equal(found["first"], x[:, 0])
    # A last batch that is not full is filled up: one compilation.
    before = call._cache_size()
    zeros = np.zeros((9, 3), np.float32)
    sharding.call_sharded(call, params, zeros, zeros, mesh=mesh, batch_size=2)
    assert call._cache_size() == before
    with pytest.raises(ValueError, match=r"batches must have one length, not 0, got \[5, 4\]"):
        sharding.call_sharded(call, params, x, y[:4], mesh=mesh)


def test_two_devices_give_what_one_gives():
    program = textwrap.dedent("""
        import jax, numpy as np
        from rdr.metrics.full_reference import full_reference
        from rdr.sharding import call_sharded, data_mesh, replicate
        assert jax.local_device_count() == 2
        x, y = np.random.default_rng(0).random((2, 3, 16, 17, 3)).astype(np.float32)
        metric = full_reference("ssim")
        two, one = data_mesh(), data_mesh(jax.local_devices()[:1])
        found, alone = (call_sharded(metric.call, None, x, y, mesh=m, batch_size=2) for m in (two, one))
        np.testing.assert_allclose(found, alone, rtol=1e-6)
        assert len(set(alone.tolist())) == 3
        shard = jax.device_put(x[:2], jax.sharding.NamedSharding(two, jax.sharding.PartitionSpec("data")))
        assert len(metric.call(None, shard, shard).sharding.device_set) == 2
        assert len(replicate(x, two).sharding.device_set) == 2
    """)
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
