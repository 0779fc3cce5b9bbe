"""Writes `vector_codecs.npz`: parameters of small codecs with the tables that were made of them.

    python -m tests.data.record_vector_codecs

Messages in `vector_messages.json` were coded with these. Tables are made in floating point, so that another processor
or compiler makes some that differ by a count; hence they are stored.
"""

import json
import pathlib

import jax
import numpy as np

from tests.rdr.codecs.vectors.test_codec import KINDS

FOLDER = pathlib.Path(__file__).parent


def parameters(kind):
    """Seeded parameters of a small codec, without tables, and the generator that made them."""
    make, names, options, _ = KINDS[kind]
    codec, rng = make(*names, **options), np.random.default_rng(len(kind))
    leaves, structure = jax.tree.flatten(jax.jit(codec.init)(jax.random.key(0)))
    size = 1.0 if kind == "codebook" else 0.15
    leaves = [np.asarray(np.asarray(leaf) + size * rng.standard_normal(np.shape(leaf)), np.float32) for leaf in leaves]
    return codec, jax.tree.unflatten(structure, leaves), rng


if __name__ == "__main__":
    arrays = {}
    with jax.enable_x64(False):
        for kind in json.loads((FOLDER / "vector_messages.json").read_text(encoding="utf-8"))["messages"]:
            codec, params, _ = parameters(kind)
            leaves = jax.tree.leaves(codec.finalize(params))
            arrays |= {f"{kind}/{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    np.savez_compressed(FOLDER / "vector_codecs.npz", **arrays)
