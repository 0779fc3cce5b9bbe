"""Batches over devices: padding, order, and two devices give what one gives."""

import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

from rdr.metrics.sharding import batch_mesh, call_sharded, replicate


def test_every_element_comes_back_in_order_whatever_the_batch_size():
    mesh = batch_mesh()
    x, y = np.random.default_rng(0).random((2, 5, 3)).astype(np.float32)
    params = replicate({"w": np.float32(2.0)}, mesh)
    call = jax.jit(lambda p, a, b: {"sum": p["w"] * (a + b).sum(1), "first": a[:, 0]})
    for size in (None, 1, 2, 5, 7):
        found = call_sharded(call, params, x, y, mesh=mesh, batch_size=size)
        np.testing.assert_allclose(found["sum"], 2 * (x + y).sum(1), rtol=1e-6)
        np.testing.assert_array_equal(found["first"], x[:, 0])
    # A last batch that is not full is filled up: one compilation.
    before = call._cache_size()
    call_sharded(call, params, np.zeros((9, 3), np.float32), np.zeros((9, 3), np.float32), mesh=mesh, batch_size=2)
    assert call._cache_size() == before
    with pytest.raises(ValueError, match=r"batches must have one length, not 0, got \[5, 4\]"):
        call_sharded(call, params, x, y[:4], mesh=mesh)


def test_two_devices_give_what_one_gives():
    program = textwrap.dedent("""
        import jax, numpy as np
        from rdr.metrics.full_reference import full_reference
        from rdr.metrics.sharding import batch_mesh, call_sharded, replicate
        assert jax.local_device_count() == 2
        x, y = np.random.default_rng(0).random((2, 3, 16, 17, 3)).astype(np.float32)
        metric = full_reference("ssim")
        two, one = batch_mesh(), batch_mesh(jax.local_devices()[:1])
        found, alone = (call_sharded(metric.call, None, x, y, mesh=m, batch_size=2) for m in (two, one))
        np.testing.assert_allclose(found, alone, rtol=1e-6)
        assert len(set(alone.tolist())) == 3
        shard = jax.device_put(x[:2], jax.sharding.NamedSharding(two, jax.sharding.PartitionSpec("batch")))
        assert len(metric.call(None, shard, shard).sharding.device_set) == 2
        assert len(replicate(x, two).sharding.device_set) == 2
    """)
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
