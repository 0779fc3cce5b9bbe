"""Messages of block codecs decode in another process, with x64 on and off."""

import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from rdr.codecs.channel import selection
from rdr.codecs.channel.block import block_channel
from rdr.codecs.channel.lattice import lattice_channel
from rdr.randomness import shared_key

ROOT = pathlib.Path(__file__).parents[4]
DECODE = """
import pickle, sys
import jax
from rdr.codecs.channel.block import block_channel
from rdr.codecs.channel.lattice import lattice_channel
from rdr.randomness import shared_key
with open(sys.argv[1], "rb") as file:
    cases = pickle.load(file)
makers = {"lattice": lattice_channel, "block": block_channel}
print(jax.config.jax_enable_x64)
out = [makers[kind](**options).decode(message, params=params, noise_scale=scale, shared_key=shared_key(4))
       for kind, options, params, scale, message in cases]
with open(sys.argv[2], "wb") as file:
    pickle.dump(out, file)
"""
# One of each kind; as many blocks are fitted as are sent, so that the programs are the same.
CASES = [("lattice", {"name": "BW16", "layer_count": 2}),
         ("lattice", {"name": "E8", "acceptance": "adaptive", "layer_count": 2}),
         ("block", {"rule": "greedy", "fit_blocks": 60})]


@pytest.mark.parametrize("x64", ["0", pytest.param("1", marks=pytest.mark.stress)])  # here it is on
def test_messages_decode_in_another_process(x64, tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "_NUMBERS", 2**16)  # blocks that are looked at in one go, to which few are padded
    makers, cases, expected = {"lattice": lattice_channel, "block": block_channel}, [], []
    for kind, options in CASES:
        codec = makers[kind](**options)
        params = codec.finalize(1.0, noise_scale=0.7)
        x = np.random.default_rng(0).standard_normal((60, codec.dimension))
        scale = np.linspace(0.5, 1.0, codec.dimension)
        message = codec.encode(params, x, noise_scale=scale, shared_key=shared_key(4))
        expected.append(codec.decode(message, params=params, noise_scale=scale, shared_key=shared_key(4)))
        cases.append((kind, options, params, scale, message))
    (tmp_path / "in").write_bytes(pickle.dumps(cases))
    environment = os.environ | {"JAX_ENABLE_X64": x64, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", DECODE, str(tmp_path / "in"), str(tmp_path / "out")], env=environment,
                         capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(x64 == "1")
    for found, here in zip(pickle.loads((tmp_path / "out").read_bytes()), expected, strict=True):
        np.testing.assert_array_equal(found, here)
