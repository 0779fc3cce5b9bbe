"""The codec of a model: a sketch of a model shows each step, and recorded messages say that bytes stay the same."""

import base64
import hashlib
import json
import pathlib

import jax
import numpy as np
import pytest

from rdr.bitstream import coder
from rdr.bitstream.container import pack, unpack
from rdr.bitstream.tables import make_tables, table_bits, tables_from_tree
from rdr.codecs.vectors.block import block_codec
from rdr.codecs.vectors.codebook import codebook_codec
from rdr.codecs.vectors.codec import vector_codec
from rdr.codecs.vectors.lattice import lattice_codec
from rdr.codecs.vectors.lattice_transform import lattice_transform_codec
from rdr.codecs.vectors.model import VectorModel, batch_of_vectors
from rdr.codecs.vectors.scalar import scalar_codec
from rdr.codecs.vectors.trellis import trellis_codec
from rdr.randomness import shared_key

DATA = pathlib.Path(__file__).parents[3] / "data"
RECORDED = json.loads((DATA / "vector_messages.json").read_text(encoding="utf-8"))
SMALL = {"dimension": 3, "hidden": (6,), "prior_scale": 2.0}
KINDS = {
    "scalar": (scalar_codec, (), {"hidden": (6, 6)}, 2),
    "scalar-dither-private": (scalar_codec, (), {"hidden": (6, 6), "dither_levels": 8, "private_noise": True}, 2),
    "block-Z": (block_codec, (), SMALL, 3),
    "block-Z-dither-private": (block_codec, (), SMALL | {"dither_levels": 4, "private_noise": True, "latent": 1}, 3),
    "codebook": (codebook_codec, (), {"dimension": 3, "codewords": 9}, 3),
    "transform-E8-dither": (lattice_transform_codec, ("E8",), {"dimension": 3, "hidden": (5,), "dither_levels": 64}, 3),
    "lattice-A2-dither": (lattice_codec, ("A2",), {"dither_levels": 32}, 2),
    "lattice-BW16": (lattice_codec, ("BW16",), {}, 16),
    "lattice-Leech": (lattice_codec, ("Leech",), {}, 24),
    "trellis-8": (trellis_codec, (8,), {}, 20),
    "trellis-64-dither": (trellis_codec, (64,), {"dither_levels": 64}, 20),
}


# Of the others, the dithered one of the same kind stays.
STRESS = ("scalar", "block-Z", "lattice-BW16", "trellis-8")


@pytest.mark.parametrize("kind", [
    pytest.param(kind, marks=pytest.mark.stress) if kind in STRESS else kind for kind in RECORDED["messages"]
])  # fmt: skip
def test_messages_are_those_that_were_recorded(kind):
    """With the stored tables: those made here may differ by counts, where a processor rounds otherwise."""
    from tests.data.record_vector_codecs import parameters

    with jax.enable_x64(False), np.load(DATA / "vector_codecs.npz") as stored:
        codec, made, rng = parameters(kind)
        made = codec.finalize(made)
        leaves, structure = jax.tree.flatten(made)
        old = [stored[f"{kind}/{i}"] for i in range(len(leaves))]
        for new, before in zip(leaves, old, strict=True):
            assert np.asarray(new).dtype == before.dtype
            # Of 2^24 counts: 64 are a rounding of the largest float32 probabilities.
            atol = 64 if before.dtype.kind == "i" else 1e-6
            np.testing.assert_allclose(np.asarray(new, float), before.astype(float), rtol=1e-5, atol=atol)
        params = jax.tree.unflatten(structure, old)
        x = (2.0 * rng.standard_normal((40, KINDS[kind][3]))).astype(np.float32)
        x[-1] *= 30
        shared = {"shared_key": shared_key(5)} if "dither" in kind else {}
        messages = [codec.encode(params, part, **shared) for part in (x[:6], x)]
    expected = RECORDED["messages"][kind]
    assert base64.b64encode(messages[0]).decode() == expected["message"]
    assert hashlib.sha256(messages[1]).hexdigest() == expected["sha256_of_40"]


def sketch(**options):
    """Whole numbers of a step, coded with one table; the decoder adds what its key and the realism weight say."""
    tables = make_tables(np.full((1, 9), 1 / 9), -4)._asdict()

    def reconstruct(network, points, dither, private_key, realism):
        noise = 0.0 if private_key is None else 0.01
        return network["step"] * (points - np.asarray(dither) / 4) + realism + noise

    return vector_codec(VectorModel(
        "sketch", ("step",), batch_of_vectors(2), lambda shape: shape, lambda key: {"step": np.float32(0.5)}, None,
        lambda network, z, dither: np.round(z / network["step"] + np.asarray(dither) / 4), reconstruct,
        lambda network: tables, lambda k, _, stored: coder.encode_symbols(k, tables_from_tree(stored)),
        lambda coded, escapes, dither, stored: coder.decode_symbols(
            coded, escapes, dither.size, tables_from_tree(stored)).reshape(dither.shape),
        lambda k, _, stored: table_bits(k, tables_from_tree(stored)), **options))


X = np.array([[0.1, -0.6], [1.1, 0.9]], np.float32)


def test_a_model_is_all_that_a_codec_needs():
    codec = sketch()
    params = codec.finalize(codec.init(jax.random.key(0)))
    message = codec.encode(params, X)
    np.testing.assert_array_equal(codec.symbols(params, X), [[0, -1], [2, 2]])
    np.testing.assert_array_equal(codec.decode(message, params=params), [[0.0, -0.5], [1.0, 1.0]])
    np.testing.assert_allclose(codec.code_lengths(params, X), np.log2(9.0), rtol=1e-5)
    assert unpack(message).codec == codec.name == "sketch"


def test_dither_noise_and_realism_reach_the_model():
    codec = sketch(dither_levels=4, private_noise=True, realism=True)
    params = codec.finalize(codec.init(jax.random.key(0)))
    shared, private = shared_key(3), jax.random.key(1)
    message = codec.encode(params, X, shared_key=shared)
    plain = codec.decode(message, params=params, shared_key=shared, private_key=private)
    assert np.abs(plain - 0.01 - X).max() <= 0.25 + 1e-6
    real = codec.decode(message, params=params, shared_key=shared, private_key=private, condition=0.5)
    np.testing.assert_allclose(real - plain, 0.5, atol=1e-6)
    with pytest.raises(ValueError, match="private_key is needed"):
        codec.decode(message, params=params, shared_key=shared)
    with pytest.raises(ValueError, match="condition must be a realism weight"):
        codec.decode(message, params=params, shared_key=shared, private_key=private, condition=1.5)


def test_tables_may_lie_in_a_part_of_the_parameters():
    codec = sketch()
    model = codec.encode.args[0]._replace(
        parts=("inner",), tables_in="inner", init=lambda key: {"inner": {"step": np.float32(0.5)}},
        quantize=lambda network, z, dither: np.round(z / network["inner"]["step"]))
    nested = vector_codec(model)
    params = nested.finalize(nested.init(None))
    assert set(params) == {"inner"} and set(params["inner"]) == {"step", "tables"}
    assert unpack(nested.encode(params, X)).payloads == unpack(
        codec.encode(codec.finalize(codec.init(None)), X)).payloads


@pytest.mark.parametrize(("x", "said"), [
    (np.zeros((2, 3)), r"x must have shape \[batch, 2\], got \(2, 3\)"), (np.full((1, 2), np.nan), "x must be finite"),
    (np.zeros((5, 2)), "x must have at most 8 elements, got 10"), (np.full((1, 2), 1e20), "an element is too large"),
])
def test_vectors_that_cannot_be_coded_are_refused(x, said):
    codec = sketch(max_elements=8)
    params = codec.finalize(codec.init(None))
    with pytest.raises(ValueError, match=said):
        codec.encode(params, x)
    with pytest.raises(ValueError, match="these parameters have no integer tables yet"):
        codec.encode(codec.init(None), X)


def test_few_bytes_cannot_announce_any_number_of_vectors():
    """Fault 31: an empty payload was decoded without end; and what would not be decoded is not encoded."""
    codec = sketch()
    params = codec.finalize(codec.init(None))
    parts = unpack(codec.encode(params, X))
    for payloads in ((b"", b""), parts.payloads, (bytes(range(1, 41)), b"")):
        forged = pack(parts._replace(shape=(2**19, 2), payloads=payloads))
        with pytest.raises(ValueError, match="cannot be trusted with the 1048576 numbers"):
            codec.decode(forged, params=params)
    constant = np.full((2**19, 2), -2.0, np.float32)  # the first column of its table, which costs no bytes
    with pytest.raises(ValueError, match="code fewer at a time"):
        codec.encode(params, constant)
    wide = vector_codec(codec.encode.args[0]._replace(latent_shape=lambda shape: (shape[0], 2**20)))
    with pytest.raises(ValueError, match="cannot be trusted with the 2097152 numbers"):
        wide.decode(pack(parts), params=params)
