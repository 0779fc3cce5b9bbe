import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr import quantize
from rdr.bitstream.container import pack, unpack
from rdr.bitstream.tables import Tables, table_bits
from rdr.codecs.vectors.scalar import scalar_codec
from rdr.randomness import shared_integers, shared_key

OPTIONS = {"plain": {}, "private": {"private_noise": True}, "dithered": {"dither_levels": 8},
           "both": {"dither_levels": 8, "private_noise": True}}
# With all there is and with nothing; one without the other under stress.
KINDS = ["plain", *(pytest.param(kind, marks=pytest.mark.stress) for kind in ("private", "dithered")), "both"]


@functools.cache
def prepared(kind: str):
    """A codec with random (not trained) parameters that give a few symbols, and the keys that it needs."""
    codec = scalar_codec(hidden=(6, 6), **OPTIONS[kind])
    codec = codec._replace(forward=jax.jit(codec.forward, static_argnames="spread"))  # dozens of programs otherwise
    params = jax.jit(codec.init)(jax.random.key(0))  # not a program for each shape
    noise = functools.partial(np.random.default_rng(1).standard_normal, dtype=np.float32)
    params = jax.tree.map(lambda leaf: np.asarray(leaf) + np.float32(0.1) * noise(leaf.shape), params)
    params["analysis"]["log_slope"] = np.float32(0.7)
    shared = {"shared_key": shared_key(5)} if "dither_levels" in OPTIONS[kind] else {}
    private = {"private_key": jax.random.key(6)} if "private_noise" in OPTIONS[kind] else {}
    return codec, codec.finalize(params), shared, private


X = np.random.default_rng(0).standard_normal((3000, 2)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_decode_to_what_the_symbols_say(kind):
    codec, params, shared, private = prepared(kind)
    message = codec.encode(params, X, **shared)
    decoded = codec.decode(message, params=params, **shared, **private)
    k = np.asarray(codec.symbols(params, X, **shared))
    z = k.astype(np.float32)
    if shared:
        z = z + (np.asarray(shared_integers(shared["shared_key"], X.shape, levels=8)) + 0.5) / 8 - 0.5
    assert decoded.shape == X.shape and decoded.dtype == jnp.float32 and np.unique(k).size > 5
    # Oracle: the synthesis network as written in its definition, in numpy.
    extras = [np.asarray(quantize.uniform_noise(private["private_key"], X.shape))] if private else []
    h = np.stack([z, *extras], -1)
    p = params["synthesis"]
    for name in ("Dense_0", "Dense_1"):
        h = np.tanh(h @ np.asarray(p[name]["kernel"]) + np.asarray(p[name]["bias"]))
    last = h @ np.asarray(p["Dense_2"]["kernel"]) + np.asarray(p["Dense_2"]["bias"])
    expected = np.exp(p["log_slope"]) * z + last[..., 0]
    np.testing.assert_allclose(decoded, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_size_is_the_cross_entropy_of_the_tables_and_the_estimate(kind):
    codec, params, shared, _ = prepared(kind)
    x = np.random.default_rng(3).standard_normal((60_000, 1)).astype(np.float32)
    message = codec.encode(params, x, **shared)
    ids = shared_integers(shared["shared_key"], x.shape, levels=8) if shared else np.zeros(x.shape, np.int32)
    bits = table_bits(codec.symbols(params, x, **shared), Tables(**params["tables"]), np.asarray(ids)).sum()
    assert bits / 8 <= len(message) <= 1.001 * bits / 8 + 64
    # The training estimate: the same distribution, with dither in place of noise. Tolerance: 5 standard errors and the
    # eighth-step grid of the dither (second order: 8^-2).
    _, estimate = codec.forward(params, x, key=jax.random.key(9))
    error = 5 * float(jnp.std(estimate)) / np.sqrt(x.size)
    np.testing.assert_allclose(bits / x.size, float(jnp.mean(estimate)), atol=error + (0.01 if shared else 1e-4))


def test_each_dither_value_has_the_table_of_its_own_bins():
    """Oracle: P(k | u) = F(k + u + 1/2) - F(k + u - 1/2) for a prior much narrower than a step, in float64."""
    codec = scalar_codec(hidden=(6, 6), dither_levels=8, prior_scale=0.3)
    params = codec.finalize(jax.jit(codec.init)(jax.random.key(0)))
    p = {name: np.asarray(value, np.float64)[0] for name, value in params["prior"].items()}

    def cdf(x):
        h = np.asarray(x, np.float64)[None]
        for k in range(4):
            h = np.log1p(np.exp(p[f"matrix_{k}"])) @ h + p[f"bias_{k}"][:, None]
            if k < 3:
                h = h + np.tanh(h) * np.tanh(p[f"factor_{k}"])[:, None]
        return 1 / (1 + np.exp(-h[0]))

    tables = Tables(**params["tables"])
    k = np.arange(-2, 3)
    pmfs = []
    for i in range(8):
        u = (i + 0.5) / 8 - 0.5
        pmfs.append(cdf(k + u + 0.5) - cdf(k + u - 0.5))
        bits = table_bits(k, tables, np.full(5, i))
        seen = pmfs[-1] > 1e-4
        np.testing.assert_allclose(bits[seen], -np.log2(pmfs[-1][seen]), atol=2e-3)
    assert np.abs(pmfs[0] - pmfs[7]).max() > 0.1  # the tables differ by far


def test_dithered_error_is_that_of_uniform_noise():
    """Universal quantization: k + u - f(x) is uniform and uncorrelated with x, up to the grid of the dither."""
    codec = scalar_codec(dither_levels=256)
    params = codec.finalize(jax.jit(codec.init)(jax.random.key(0)))  # f is the identity at the beginning
    x = np.random.default_rng(1).standard_normal((200_000, 1)).astype(np.float32)
    key = shared_key(1)
    u = (np.asarray(shared_integers(key, x.shape, levels=256)) + 0.5) / 256 - 0.5
    error = np.asarray(codec.symbols(params, x, key)) + u - x
    np.testing.assert_allclose(error.var(), 1 / 12, atol=5 * np.sqrt((1 / 80 - 1 / 144) / x.size) + 256.0**-2)
    assert abs(np.corrcoef(error.ravel(), x.ravel())[0, 1]) < 5 / np.sqrt(x.size)


@pytest.mark.parametrize("kind", ["plain", "both"])
def test_symbols_are_the_same_without_jit_without_x64_and_in_parts(kind):
    codec, params, shared, _ = prepared(kind)
    k = np.asarray(codec.symbols(params, X, **shared))
    with jax.disable_jit():
        np.testing.assert_array_equal(codec.symbols(params, X, **shared), k)
    with jax.enable_x64(False):
        np.testing.assert_array_equal(codec.symbols(params, X, **shared), k)
    if not shared:
        np.testing.assert_array_equal(codec.symbols(params, X[:7]), k[:7])


def test_extreme_inputs_round_trip():
    codec, params, _, _ = prepared("plain")
    x = np.array([[0.0, 1e5], [-1e5, 3.0]], np.float32)  # far outside of every table
    decoded = codec.decode(codec.encode(params, x), params=params)
    other = codec.decode(codec.encode(params, x[:, ::-1] * [[1, 0], [0, 0]]), params=params)
    np.testing.assert_allclose(decoded[0, 1], other[0, 0], rtol=1e-6)
    for shape in [(0, 3), ()]:
        assert codec.decode(codec.encode(params, np.zeros(shape)), params=params).shape == shape


def test_bits_are_per_element_of_the_batch_and_gradients_flow():
    codec, params, _, _ = prepared("plain")
    x = X[:64]

    def loss(p, temperature):
        y, bits = codec.forward(p, x, key=jax.random.key(2), temperature=temperature, spread=True)
        assert y.shape == (64, 2) and bits.shape == (64,)
        return jnp.mean(bits) + jnp.mean(jnp.square(y - x)), jnp.mean(bits)

    network = {name: params[name] for name in ("analysis", "synthesis", "prior")}
    slope = jax.jit(jax.grad(loss, has_aux=True))
    gradient, _ = slope(network, jnp.float32(0.3))
    assert all(np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))
    # Soft rounding at a low temperature approaches hard rounding.
    noiseless = codec.forward(network, x, key=jax.random.key(2))[1].mean()
    _, soft = slope(network, jnp.float32(0.05))
    np.testing.assert_allclose(soft, noiseless, rtol=0.2)


def test_refusals_say_what_is_wrong():
    codec, params, _, _ = prepared("plain")
    message = codec.encode(params, X)
    cases = [
        (lambda: codec.decode(message), "give params"),
        (lambda: codec.decode(message, params=params, private_key=jax.random.key(0)), "private_key must be None"),
        (lambda: codec.decode(message, params=params, shared_key=shared_key(0)), "shared_key must be None"),
        (lambda: codec.decode(message, params=params, condition=1.0), "takes no condition"),
        (lambda: codec.decode(message[:-1], params=params), "damaged message"),
        (lambda: codec.decode(b"GIF89a", params=params), "not an rdr message"),
        (lambda: codec.encode({k: v for k, v in params.items() if k != "tables"}, X), "finalize"),
        (lambda: codec.encode(params, np.full((2, 1), np.nan)), "x must be finite"),
        (lambda: codec.encode(params, np.full((2, 1), 1e30)), "an element is too large"),
        (lambda: scalar_codec(max_elements=3).encode(params, np.zeros(4)), "x must have at most 3 elements, got 4"),
        (lambda: scalar_codec(hidden=(6, 6), max_elements=3).decode(message, params=params), "more than 3 elements"),
        (lambda: scalar_codec(dither_levels=3), "dither_levels must be 0 or a power of two"),
    ]
    changed = jax.tree.map(np.asarray, params) | {"analysis": jax.tree.map(lambda v: v + 1, params["analysis"])}
    cases.append((lambda: codec.decode(message, params=changed), "other parameters"))
    parts = unpack(message)
    cases.append((lambda: codec.decode(pack(parts._replace(payloads=parts.payloads[:1])), params=params), "1 payloads"))
    dithered, dithered_params, shared, private = prepared("both")
    cases.append((lambda: dithered.encode(dithered_params, X), "needs the shared_key"))
    cases.append((lambda: dithered.decode(message, params=dithered_params, **shared, **private),
                  "written by codec 'scalar'"))
    cases.append((lambda: dithered.forward(dithered_params, X, key=jax.random.key(0), temperature=0.1),
                  "temperature must be None"))
    cases.append((lambda: dithered.decode(dithered.encode(dithered_params, X, **shared), params=dithered_params,
                                          **shared), "private_key is needed"))
    for call, said in cases:
        with pytest.raises(ValueError, match=said):
            call()
