import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.bitstream.container import pack, unpack
from rdr.bitstream.tables import Tables, make_tables
from rdr.codecs.vectors.codebook import codebook_codec
from rdr.randomness import shared_key


@pytest.fixture(scope="module")
def made():
    codec = codebook_codec(dimension=3, codewords=6)
    rng = np.random.default_rng(0)
    params = codec.init(jax.random.key(0)) | {
        "points": jnp.asarray(rng.standard_normal((6, 3)), jnp.float32), "log_weight": jnp.float32(0.7),
        "logits": jnp.array([2.0, 1.0, 0.0, 0.0, -1.0, -60.0], jnp.float32)}
    return codec, codec.finalize(params), rng.standard_normal((9000, 3)).astype(np.float32)


def test_bytes_are_the_best_choice_of_each_vector(made):
    """Oracle: the costs written out in float64."""
    codec, params, x = made
    message = codec.encode(params, x)
    p = np.exp(np.float64([2.0, 1.0, 0.0, 0.0, -1.0, -60.0]))
    bits = -np.log2(p / p.sum())
    points = np.float64(params["points"])
    costs = np.exp(0.7) * ((x[:, None] - points) ** 2).sum(-1) + bits
    best = costs.argmin(1)
    y = np.asarray(codec.decode(message, params=params))
    chosen = costs[np.arange(9000), np.square(y[:, None] - points).sum(-1).argmin(1)]
    np.testing.assert_allclose(chosen, costs.min(1), rtol=1e-5)
    assert (best == np.asarray(codec.symbols(params, x))).mean() > 0.999
    lengths = codec.code_lengths(params, x)
    assert lengths.shape == (9000, 1)
    np.testing.assert_allclose(lengths[:, 0], bits[np.asarray(codec.symbols(params, x))], atol=1e-3)
    assert lengths.sum() / 8 <= len(message) <= 1.001 * lengths.sum() / 8 + 64
    hard, hard_bits = codec.forward(params, x)
    np.testing.assert_allclose(hard, y, atol=1e-6)
    np.testing.assert_allclose(hard_bits, lengths[:, 0], atol=1e-3)


def test_parts_give_the_symbols_of_the_whole(made):
    codec, params, x = made
    k = np.asarray(codec.symbols(params, x))
    np.testing.assert_array_equal(codec.symbols(params, x[:5]), k[:5])
    network = {name: value for name, value in params.items() if name != "tables"}
    np.testing.assert_array_equal(jax.jit(codec.symbols)(network, x), k)
    assert codec.decode(codec.encode(params, x[:0]), params=params).shape == (0, 3)


def test_refusals_say_what_is_wrong(made):
    codec, params, x = made
    message = codec.encode(params, x[:40])
    # A table of other parameters that knows more codewords than the codebook has.
    forged = params | {"tables": make_tables(np.full((1, 8), 0.125), 0)._asdict()}
    far = Tables(**forged["tables"])
    from rdr.bitstream.coder import encode_symbols
    from rdr.bitstream.container import fingerprint
    coded = encode_symbols(np.full(40, 7), far)
    cases = [
        (lambda: codec.decode(message), "give params"),
        (lambda: codec.decode(message, params=params, shared_key=shared_key(1)), "shared_key must be None"),
        (lambda: codec.decode(message, params=params, condition=1), "takes no condition"),
        (lambda: codec.encode(params, x, shared_key=shared_key(1)), "shared_key must be None"),
        (lambda: codec.decode(message[:-2], params=params), "damaged message"),
        (lambda: codec.encode(params, x[:, :2]), r"x must have shape \[batch, 3\]"),
        (lambda: codebook_codec(dimension=3, codewords=0), "must be at least 1, got 3 and 0"),
        (lambda: codec.decode(pack(unpack(message)._replace(payloads=coded, fingerprint=fingerprint(forged))),
                              params=forged), "index is outside of 0 .. 5"),
    ]
    for call, said in cases:
        with pytest.raises(ValueError, match=said):
            call()
