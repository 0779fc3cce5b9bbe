import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.bitstream.container import pack, unpack
from rdr.codecs.vectors.lattice import lattice_codec
from rdr.codecs.vectors.lattice_transform import lattice_transform_codec
from rdr.randomness import shared_key

X = np.random.default_rng(0).standard_normal((400, 3)).astype(np.float32)
LEVELS = {"plain": 0, "dithered": 64}


@functools.cache
def prepared(kind):
    """A codec of three components through eight latents, with parameters away from their start."""
    codec = lattice_transform_codec("E8", dimension=3, hidden=(5,), dither_levels=LEVELS[kind])
    codec = codec._replace(init=jax.jit(codec.init), forward=jax.jit(codec.forward))  # dozens of programs otherwise
    noise = functools.partial(np.random.default_rng(1).standard_normal, dtype=np.float32)
    params = jax.tree.map(lambda leaf: np.asarray(leaf) + np.float32(0.15) * noise(leaf.shape),
                          codec.init(jax.random.key(0)))
    params["latent"]["log_step"] = np.float32(-0.5)
    return codec, codec.finalize(params), {"shared_key": shared_key(3)} if LEVELS[kind] else {}


@pytest.mark.parametrize("kind", LEVELS)
def test_bytes_decode_to_what_training_s_hard_path_gives_and_cost_what_the_distribution_says(kind):
    codec, params, shared = prepared(kind)
    message = codec.encode(params, X, **shared)
    y = codec.decode(message, params=params, **shared)
    assert y.shape == X.shape and y.dtype == jnp.float32
    lengths = codec.code_lengths(params, X, **shared)
    assert lengths.shape == (400, 1) and lengths.sum() / 8 - 8 <= len(message) <= 1.001 * lengths.sum() / 8 + 64
    hard, bits = codec.forward(params, X, key=jax.random.key(0))
    if kind == "plain":
        np.testing.assert_allclose(y, hard, atol=2e-5)
    # The distribution of coding against the density that stands for it: a few percent at these steps.
    np.testing.assert_allclose(lengths.mean(), float(bits.mean()), rtol=0.05)
    assert codec.symbols(params, X, *shared.values()).shape == (400, 8)


def test_without_transforms_it_is_the_lattice_codec():
    """Oracle: `lattice_codec` on the same blocks; the same payloads and numbers."""
    codec, plain = lattice_transform_codec("E8", dimension=8, hidden=()), lattice_codec("E8")
    params = codec.init(jax.random.key(0))
    for part in ("analysis", "synthesis"):
        params[part]["line"] = jnp.eye(8, dtype=jnp.float32)
    params = codec.finalize(params)
    x = np.random.default_rng(1).standard_normal((50, 8)).astype(np.float32)
    message, oracle = codec.encode(params, x), plain.encode(params["latent"], x)
    assert unpack(message).payloads == unpack(oracle).payloads
    np.testing.assert_array_equal(codec.decode(message, params=params), plain.decode(oracle, params=params["latent"]))


def test_a_realism_weight_is_a_gain_of_the_latents():
    codec, params, shared = prepared("dithered")
    message = codec.encode(params, X, **shared)
    ends = [codec.decode(message, params=params, condition=w, **shared) for w in (None, 0.0, 1.0)]
    np.testing.assert_array_equal(ends[0], ends[1])
    assert np.abs(np.asarray(ends[2] - ends[0])).max() > 1e-3
    same = {**params["latent"], "realism_gain": params["latent"]["gain"]}
    equal = codec.finalize({**params, "latent": same})
    again = codec.encode(equal, X, **shared)
    np.testing.assert_allclose(codec.decode(again, params=equal, condition=1.0, **shared), ends[0], atol=1e-6)


def test_gradients_reach_every_part():
    codec, params, _ = prepared("plain")
    trained = {**params, "latent": {name: leaf for name, leaf in params["latent"].items() if name != "tables"}}

    def loss(p):
        y, bits = codec.forward(p, X[:50], key=jax.random.key(0), realism=0.5)
        return jnp.mean(bits) + jnp.mean(jnp.square(y - X[:50]))

    gradient = jax.jit(jax.grad(loss))(trained)
    assert all(np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))


def test_refusals_say_what_is_wrong():
    codec, params, _ = prepared("plain")
    dithered, dithered_params, shared = prepared("dithered")
    message = codec.encode(params, X[:20])
    parts = unpack(message)
    small = lattice_transform_codec("E8", dimension=3, hidden=(5,), max_elements=40)
    cases = [
        (lambda: codec.decode(message), "give params"),
        (lambda: codec.decode(message, params=params, shared_key=shared_key(0)), "shared_key must be None"),
        (lambda: codec.decode(message, params=params, private_key=jax.random.key(0)), "private_key must be None"),
        (lambda: codec.decode(message, params=params, condition=0.5), "condition must be a realism weight"),
        (lambda: codec.decode(message[:-1], params=params), "damaged message"),
        (lambda: codec.decode(message, params={**params, "analysis": params["synthesis"]}), "other parameters"),
        (lambda: dithered.decode(message, params=dithered_params, **shared), "written by codec 'transform-lattice-E8'"),
        (lambda: codec.decode(pack(parts._replace(shape=(30, 2))), params=params),
         r"the reconstruction must have shape \[batch, 3\]"),
        (lambda: codec.decode(pack(parts._replace(shape=(19, 3))), params=params), "damaged message"),
        (lambda: codec.decode(pack(parts._replace(payloads=parts.payloads[:1])), params=params), "1 payloads"),
        (lambda: codec.encode(codec.init(jax.random.key(0)), X), "finalize"),
        (lambda: codec.encode(params, X[:, :2]), r"x must have shape \[batch, 3\]"),
        (lambda: codec.encode(params, np.full((1, 3), np.inf)), "x must be finite"),
        (lambda: codec.encode(params, np.full((1, 3), 1e9)), "an element is too large"),
        (lambda: dithered.encode(dithered_params, X), "needs the shared_key"),
        (lambda: dithered.code_lengths(dithered_params, X), "needs the shared_key"),
        (lambda: small.encode(params, X[:10]), "at most 40 elements, got 80"),
        (lambda: small.decode(message, params=params), "more than 40 elements"),
        (lambda: lattice_transform_codec("E8", dimension=0), "dimension must be at least 1"),
        (lambda: lattice_transform_codec("E7", dimension=8), "name must be one of 'Z'"),
        (lambda: lattice_transform_codec("E8", dimension=8, dither_levels=3), "dither_levels must be 0 or a power"),
    ]
    for call, said in cases:
        with pytest.raises(ValueError, match=said):
            call()
    assert codec.decode(codec.encode(params, X[:0]), params=params).shape == (0, 3)
