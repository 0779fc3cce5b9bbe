import functools
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from rdr import sharding
from rdr.data import on_device

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 12, 10, 3), np.uint8)


def parents(batch, images):
    """For each crop the patches that hold it, mirrored or not."""
    found = []
    for crop in np.asarray(batch):
        size = crop.shape[0]
        windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
        held = [(windows == image).all((3, 4, 5)) for image in (crop, crop[:, ::-1])]
        found.append([(int(index), mirrored) for mirrored in (0, 1) for index, _, _ in np.argwhere(held[mirrored])])
    return found


def take(steps, **options):
    stream = on_device.batches(IMAGES, **{"batch": 5, "crop": 8, "seed": 3, **options})
    return [np.asarray(next(stream)) for _ in range(steps)]


@functools.cache
def first(batch):
    """The first 14 batches; each stream is a program."""
    return take(14, batch=batch)


def test_each_crop_is_a_window_of_a_patch_and_each_epoch_sees_each_patch_once():
    batches = first(5)
    seen = parents(np.concatenate(batches), IMAGES)
    assert all(len(found) == 1 for found in seen)
    indices = np.array([found[0][0] for found in seen]).reshape(-1, len(IMAGES))
    np.testing.assert_array_equal(np.sort(indices, 1), np.broadcast_to(np.arange(len(IMAGES)), indices.shape))
    assert len({tuple(epoch) for epoch in indices}) > 5
    mirrored = np.mean([found[0][1] for found in seen])
    assert 0.3 < mirrored < 0.7


@pytest.mark.parametrize("batch", [5, pytest.param(7, marks=pytest.mark.stress), 16])
def test_a_run_that_starts_later_sees_the_same_batches(batch):
    np.testing.assert_array_equal(first(batch)[9:12], take(3, batch=batch, start=9))


def test_batches_larger_than_the_data_set_go_through_whole_epochs():
    found = parents(np.concatenate(first(16)[:7]), IMAGES)
    indices = np.array([entry[0][0] for entry in found]).reshape(-1, len(IMAGES))
    np.testing.assert_array_equal(np.sort(indices, 1), np.broadcast_to(np.arange(len(IMAGES)), indices.shape))


def test_late_batches_agree_with_whole_number_arithmetic():
    step, batch, count = 2**31 - 5, 16, 7
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 2, 2, 3))
    late = np.asarray(next(on_device.batches(images, batch=batch, crop=2, seed=0, start=step)))[:, 0, 0, 0]
    # A whole epoch lies within 16 crops of 7 patches wherever they start.
    begin = -(step * batch) % count
    assert sorted(late[begin : begin + count]) == list(range(count))


def test_the_seed_matters_and_crops_of_all_places_come():
    assert not np.array_equal(first(5)[0], take(1, seed=4)[0])
    images = np.tile(np.arange(12, dtype=np.uint8)[None, :, None, None], (1, 1, 12, 3))
    stream = on_device.batches(images, batch=64, crop=8, seed=0)
    assert set(np.asarray(next(stream))[:, 0, 0, 0]) == set(range(5))


def test_batches_are_divided_among_devices():
    mesh = sharding.data_mesh()
    batch = 4 * mesh.size
    one = next(on_device.batches(IMAGES, batch=batch, crop=8, seed=3, mesh=mesh))
    assert one.sharding.is_equivalent_to(sharding.batch_sharding(mesh), one.ndim)
    assert next(sharding.to_devices([one], mesh)) is one
    if mesh.size > 1:
        alone = sharding.data_mesh(jax.devices()[:1])
        np.testing.assert_array_equal(one, next(on_device.batches(IMAGES, batch=batch, crop=8, seed=3, mesh=alone)))


def test_eight_devices_see_together_what_one_sees():
    script = """
import jax, numpy as np, sys
from rdr.data import on_device
images = np.random.default_rng(0).integers(0, 256, (7, 12, 10, 3), np.uint8)
batch = next(on_device.batches(images, batch=16, crop=8, seed=3, start=2))
assert len(batch.addressable_shards) == 8 and batch.addressable_shards[0].data.shape == (2, 8, 8, 3)
sys.stdout.buffer.write(np.asarray(batch).tobytes())
"""
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, timeout=200)
    assert run.returncode == 0, run.stderr.decode()
    assert run.stdout == first(16)[2].tobytes()


@pytest.mark.parametrize(
    "images, options, named",
    [
        (IMAGES[:0], {}, "images"),
        (IMAGES.astype(np.float32), {}, "images"),
        (IMAGES, {"crop": 11}, "crop"),
        (IMAGES, {"crop": 0}, "crop"),
    ],
)
def test_refuses(images, options, named):
    with pytest.raises(ValueError, match=named):
        on_device.batches(images, **{"batch": 8, "crop": 8, "seed": 0, **options})
