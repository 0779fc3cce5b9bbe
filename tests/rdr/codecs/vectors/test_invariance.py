"""A message is the same and decodes to the same however the programs run that write and read it.

Written under jit in float32; read without jit, with x64 on and off, in parts, and in another process with another
number of threads and devices. Reconstructions of networks may differ in their last digits; a wrong symbol would move
them by a quantization step, which is 0.1 or more here.
"""

import functools
import os
import pathlib
import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest

from rdr.codecs.vectors.block import block_codec
from rdr.codecs.vectors.codebook import codebook_codec
from rdr.codecs.vectors.lattice import lattice_codec
from rdr.codecs.vectors.lattice_transform import lattice_transform_codec
from rdr.codecs.vectors.scalar import scalar_codec
from rdr.codecs.vectors.trellis import trellis_codec
from rdr.randomness import shared_key

ROOT = pathlib.Path(__file__).parents[4]
SMALL = {"dimension": 2, "hidden": (5,), "prior_scale": 2.0}
KINDS = {
    "scalar": (scalar_codec, (), {"hidden": (6, 6)}),
    "scalar-dither-private": (scalar_codec, (), {"hidden": (6, 6), "dither_levels": 8, "private_noise": True}),
    "lattice-Leech": (lattice_codec, ("Leech",), {}),
    "lattice-BW16-dither": (lattice_codec, ("BW16",), {"dither_levels": 64}),
    "trellis-8-dither": (trellis_codec, (8,), {"dither_levels": 64}),
    "block-Z": (block_codec, (), SMALL),
    "block-Z-context": (block_codec, (), SMALL | {"context": True}),
    "block-A2-context": (block_codec, (), SMALL | {"context": True, "lattice": "A2"}),
    "block-Z-dither-private": (block_codec, (), SMALL | {"dither_levels": 4, "private_noise": True}),
    "transform-E8": (lattice_transform_codec, ("E8",), {"dimension": 2, "hidden": (5,)}),
    "codebook": (codebook_codec, (), {"dimension": 2, "codewords": 9}),
}
# One of each kind of program; of the others it is `make stress` that runs them in every way.
REPRESENTATIVE = ("trellis-8-dither", "block-A2-context", "codebook")
LENGTHS = {"lattice-Leech": 24, "lattice-BW16-dither": 16, "trellis-8-dither": 20}


def keys(kind):
    shared = {"shared_key": shared_key(5)} if "dither" in kind else {}
    return shared, shared | ({"private_key": jax.random.key(6)} if "private" in kind else {})


@functools.cache
def prepared(kind):
    """Codec, parameters away from their start, vectors, and their message as written under jit without x64."""
    make, names, options = KINDS[kind]
    with jax.enable_x64(False):
        codec = make(*names, **options)
        size = np.float32(1.0 if kind == "codebook" else 0.15)
        noise = functools.partial(np.random.default_rng(1).standard_normal, dtype=np.float32)
        params = codec.finalize(jax.tree.map(lambda leaf: np.asarray(leaf) + size * noise(leaf.shape),
                                             jax.jit(codec.init)(jax.random.key(0))))
        x = np.random.default_rng(0).standard_normal((50, LENGTHS.get(kind, 2))).astype(np.float32)
        x[3] *= 1e3  # escapes
        return codec, params, x, codec.encode(params, x, **keys(kind)[0])


def decoded(kind):
    codec, params, _, message = prepared(kind)
    return np.asarray(codec.decode(message, params=params, **keys(kind)[1]))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [
    pytest.param(kind, marks=[] if kind in REPRESENTATIVE else pytest.mark.stress) for kind in KINDS
])  # fmt: skip
def test_a_message_does_not_depend_on_jit_x64_and_the_batch(kind):
    codec, params, x, message = prepared(kind)
    shared, both = keys(kind)
    expected = decoded(kind)
    assert codec.name.startswith(kind.split("-")[0]) and np.ptp(expected) > 1.0
    assert jax.config.jax_enable_x64 and codec.encode(params, x, **shared) == message
    with jax.enable_x64(False):
        close(codec.decode(message, params=params, **both), expected)
    few = codec.encode(params, x[:5], **shared)
    with jax.disable_jit():
        close(codec.decode(message, params=params, **both), expected)
        assert codec.encode(params, x[:5], **shared) == few
    if not shared:  # a dither is drawn for the whole batch
        close(codec.decode(few, params=params), expected[:5])


@pytest.mark.parametrize("kinds", [
    (*REPRESENTATIVE, "lattice-BW16-dither"), pytest.param(tuple(KINDS), marks=pytest.mark.stress),
], ids=["one of each", "all"])  # fmt: skip
def test_another_process_with_other_threads_decodes_the_same(kinds, tmp_path):
    sent = {kind: (jax.tree.map(np.asarray, prepared(kind)[1]), prepared(kind)[3]) for kind in kinds}
    (tmp_path / "in.pickle").write_bytes(pickle.dumps(sent))
    script = """
import pickle, sys, jax, numpy as np
sys.path.insert(0, sys.argv[3])
from test_invariance import KINDS, keys
assert jax.device_count() == 3 and not jax.config.jax_enable_x64
for kind, (params, message) in pickle.load(open(sys.argv[1], "rb")).items():
    make, names, options = KINDS[kind]
    np.save(f"{sys.argv[2]}/{kind}.npy", make(*names, **options).decode(message, params=params, **keys(kind)[1]))
"""
    env = os.environ | {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3", "PYTHONPATH": str(ROOT),
                        "XLA_FLAGS": "--xla_force_host_platform_device_count=3 --xla_cpu_multi_thread_eigen=false"}
    subprocess.run([sys.executable, "-c", script, tmp_path / "in.pickle", tmp_path, pathlib.Path(__file__).parent],
                   check=True, cwd=ROOT, timeout=300, env=env)
    for kind in kinds:
        close(np.load(tmp_path / f"{kind}.npy"), decoded(kind))
