import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.bitstream.container import pack, unpack
from rdr.codecs.vectors.block import block_codec
from rdr.randomness import shared_integers, shared_key

OPTIONS = {
    "plain": {},
    "context": {"context": True},
    "hexagonal": {"context": True, "lattice": "A2"},
    "dithered": {"dither_levels": 4, "private_noise": True},
}
# One of each kind: hexagons have contexts, too.
KINDS = [pytest.param(kind, marks=pytest.mark.stress) if kind == "context" else kind for kind in OPTIONS]
X = np.random.default_rng(0).standard_normal((3000, 2)).astype(np.float32)


@functools.cache
def make(kind):
    codec = block_codec(dimension=2, hidden=(5,), prior_scale=2.0, **OPTIONS[kind])
    # Dozens of programs otherwise.
    return codec._replace(init=jax.jit(codec.init), forward=jax.jit(codec.forward, static_argnames="spread"))


def fresh(kind):
    """Parameters as training starts from them."""
    return make(kind).init(jax.random.key(0))


@functools.cache
def prepared(kind):
    codec = make(kind)
    # Away from the start: everything that training could move has moved.
    noise = functools.partial(np.random.default_rng(1).standard_normal, dtype=np.float32)
    params = jax.tree.map(lambda leaf: np.asarray(leaf) + np.float32(0.15) * noise(leaf.shape), fresh(kind))
    shared = {"shared_key": shared_key(5)} if kind == "dithered" else {}
    private = {"private_key": jax.random.key(6)} if kind == "dithered" else {}
    return codec, codec.finalize(params), shared, private


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_decode_to_what_the_symbols_say_and_cost_what_the_tables_say(kind):
    codec, params, shared, private = prepared(kind)
    message = codec.encode(params, X, **shared)
    y = np.asarray(codec.decode(message, params=params, **shared, **private))
    assert y.shape == X.shape and y.dtype == np.float32
    lengths = codec.code_lengths(params, X, **shared)
    assert lengths.shape == (3000, 2) and lengths.sum() / 8 <= len(message) <= 1.001 * lengths.sum() / 8 + 64
    # Oracle of the reconstruction: training's hard path, which shares neither symbols nor tables with the coder.
    dither = None
    if shared:
        u = (np.asarray(shared_integers(shared["shared_key"], X.shape, levels=4)) + 0.5) / 4 - 0.5
        dither = jnp.asarray(u, jnp.float32)
    hard, bits = codec.forward(params, X, key=jax.random.key(0), dither=dither)
    if kind != "dithered":  # its decoder's noise is its own
        np.testing.assert_allclose(y, hard, atol=2e-5)
    context_rounding = 0.01 if "context" in OPTIONS[kind] else 0.0
    np.testing.assert_allclose(lengths.sum(-1).mean(), float(bits.mean()), atol=2e-3 + context_rounding)


@pytest.mark.parametrize("kind", KINDS)
def test_symbols_are_the_same_under_jit_without_x64_and_in_parts(kind):
    codec, params, shared, _ = prepared(kind)
    k = np.asarray(codec.symbols(params, X, **shared))
    jitted = jax.jit(functools.partial(codec.symbols, **shared))({n: v for n, v in params.items() if n != "tables"}, X)
    np.testing.assert_array_equal(jitted, k)
    with jax.enable_x64(False):
        np.testing.assert_array_equal(codec.symbols(params, X, **shared), k)
    if not shared:
        np.testing.assert_array_equal(codec.symbols(params, X[:7]), k[:7])
    if kind == "hexagonal":
        assert ((k[:, 0] - k[:, 1]) % 2 == 0).all()


def test_hexagons_err_less_than_squares_of_the_same_area():
    """Oracle: the cells' second moments, 5 / (36 sqrt 3) and 1/12 per component; five standard errors."""
    x = 3.0 * np.random.default_rng(1).standard_normal((40_000, 2)).astype(np.float32)
    errors = []
    for kind in ("context", "hexagonal"):
        params = fresh(kind) | {"log_step": jnp.float32(np.log(0.5))}  # transforms are orthogonal
        y, _ = make(kind).forward(params, x, key=jax.random.key(0))
        errors.append(np.square(x - np.asarray(y)).mean() / 0.25)
    np.testing.assert_allclose(errors, [1 / 12, 5 / (36 * 3**0.5)], atol=5 * 0.075 / np.sqrt(80_000))


def test_one_row_of_hexagons_costs_what_one_row_of_squares_does():
    """A latent plane whose first coordinate never leaves its row: its row is free, and places in it are equally dense.

    Oracle: at equal distances of neighbors in the row both codecs are a scalar quantizer of the second coordinate.
    """
    x = np.random.default_rng(2).standard_normal((40_000, 2)).astype(np.float32) * np.array([1e-3, 3.0], np.float32)
    found = []
    for kind, distance in (("context", 1.0), ("hexagonal", 2.0 * (3**0.5 / 2) ** 0.5 / 3**0.5)):
        params = fresh(kind) | {"log_step": jnp.float32(-np.log(distance))}
        for part in ("analysis", "synthesis"):
            params[part]["line"] = np.eye(2, dtype=np.float32)
        # Distributions of one component: certain of row 0, and in a row N(0, 9) by a logistic one of the same power.
        location = np.zeros((2, 3), np.float32)
        log_scale = np.log(np.array([[0.01], [3.0 * 3**0.5 / np.pi]], np.float32)) + location
        params["prior"]["second_bias"] = np.stack([location, location, log_scale], 1)
        y, bits = make(kind).forward(params, x, key=jax.random.key(0))
        found.append([float(bits.mean()), float(np.square(x - np.asarray(y)).mean(0)[1])])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3)


def test_the_hexagons_noise_has_the_cells_distribution():
    """Noise of training on A2: zero mean, isotropic, second moment of the hexagon; as hard errors of a flat density."""
    x = np.zeros((60_000, 2), np.float32)
    y, _ = make("hexagonal").forward(fresh("hexagonal"), x, key=jax.random.key(3), temperature=jnp.float32(1.0))
    y = np.asarray(y, np.float64)
    tolerance = 5 * 0.1 / np.sqrt(60_000)
    np.testing.assert_allclose(y.mean(0), 0.0, atol=tolerance)
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(2) * 5 / (36 * 3**0.5), atol=tolerance)
    assert np.abs(y).max() <= np.sqrt(2 / (3 * np.sqrt(3))) + 1e-5  # the hexagon's vertices


def test_a_dither_of_training_is_that_of_coding():
    """With u given, forward is hard quantization at that u; without, noise that is uniform over the step."""
    codec, params, _, _ = prepared("dithered")
    u = np.full((3000, 2), 0.375, np.float32)
    soft = codec.forward(params, X, key=jax.random.key(0), temperature=jnp.float32(0.02), dither=u, spread=True)[1]
    hard = codec.forward(params, X, key=jax.random.key(0), dither=u)[1]
    np.testing.assert_allclose(float(soft.mean()), float(hard.mean()), rtol=0.1)
    with pytest.raises(ValueError, match="dither must be None"):
        prepared("plain")[0].forward(params, X, key=jax.random.key(0), dither=u)


def test_spread_noises_of_coordinates_are_independent():
    params = fresh("dithered")
    params["analysis"]["line"] = params["synthesis"]["line"] = np.eye(2, dtype=np.float32)
    y, _ = make("dithered").forward(params, np.zeros((4096, 2), np.float32), key=jax.random.key(2), spread=True)
    y = np.asarray(y)
    assert abs(np.corrcoef(y.T)[0, 1]) < 5 / 64
    # Shifts of one sequence would be uncorrelated at some shifts, too: look at the joint distribution of the quadrants.
    quadrants = np.histogram2d(y[:, 0], y[:, 1], bins=4, range=[[-0.5, 0.5]] * 2)[0]
    assert np.abs(quadrants / 4096 * 16 - 1).max() < 5 / np.sqrt(256)


def test_gradients_reach_every_part():
    for kind in ("hexagonal", "dithered"):
        codec, params, _, _ = prepared(kind)
        network = {name: value for name, value in params.items() if name != "tables"}

        def loss(p, codec=codec):
            y, bits = codec.forward(p, X[:64], key=jax.random.key(2))
            return jnp.mean(bits) + jnp.mean(jnp.square(y - X[:64]))

        gradient = jax.jit(jax.grad(loss))(network)
        assert all(np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))
        assert {str(leaf.dtype) for leaf in jax.tree.leaves(gradient)} == {"float32"}


def test_extreme_and_empty_inputs_round_trip():
    for kind in ("plain", "hexagonal"):
        codec, params, _, _ = prepared(kind)
        x = X.copy()  # of the other tests' shape: their programs
        x[:3] = [[0.0, 1e6], [-1e6, 3.0], [1e5, -1e5]]  # far outside of every table
        decoded = np.asarray(codec.decode(codec.encode(params, x), params=params))
        hard, _ = codec.forward(params, x, key=jax.random.key(0))
        np.testing.assert_allclose(decoded, hard, rtol=1e-5, atol=1e-3)
        assert codec.decode(codec.encode(params, x[:0]), params=params).shape == (0, 2)


def test_refusals_say_what_is_wrong():
    codec, params, _, _ = prepared("hexagonal")
    message = codec.encode(params, X)
    plain, plain_params, _, _ = prepared("plain")
    dithered, dithered_params, shared, _ = prepared("dithered")
    parts = unpack(message)
    changed = jax.tree.map(np.asarray, params) | {"log_step": np.float32(3.0)}
    cases = [
        (lambda: codec.decode(message), "give params"),
        (lambda: codec.decode(message, params=params, condition=1.0), "takes no condition"),
        (lambda: codec.decode(message, params=params, private_key=jax.random.key(0)), "private_key must be None"),
        (lambda: codec.decode(message, params=params, shared_key=shared_key(0)), "shared_key must be None"),
        (lambda: codec.decode(message[:-1], params=params), "damaged message"),
        (lambda: codec.decode(message, params=changed), "other parameters"),
        (lambda: plain.decode(message, params=plain_params), "written by codec 'block-A2-context'"),
        (lambda: codec.decode(pack(parts._replace(payloads=parts.payloads[:1])), params=params), "1 payloads"),
        (lambda: codec.decode(pack(parts._replace(shape=(1500, 4))), params=params),
         r"the reconstruction must have shape \[batch, 2\]"),
        (lambda: codec.decode(pack(parts._replace(shape=(1500, 2))), params=params), "damaged message"),
        (lambda: codec.encode({k: v for k, v in params.items() if k != "tables"}, X), "finalize"),
        (lambda: codec.encode(params, X[:, :1]), r"x must have shape \[batch, 2\]"),
        (lambda: codec.encode(params, np.full((1, 2), np.nan)), "x must be finite"),
        (lambda: plain.encode(plain_params, np.full((1, 2), 1e30)), "an element is too large"),
        (lambda: codec.encode(params, np.full((1, 2), 1e30)), "an element is too large"),
        (lambda: dithered.encode(dithered_params, X), "needs the shared_key"),
        (lambda: dithered.decode(dithered.encode(dithered_params, X, **shared), params=dithered_params, **shared),
         "private_key is needed"),
        (lambda: block_codec(dimension=0), "dimension and latent must be at least 1"),
        (lambda: block_codec(dimension=2, dither_levels=3), "dither_levels must be 0 or a power of two"),
        (lambda: block_codec(dimension=2, lattice="E8"), "lattice must be 'Z' or 'A2'"),
        (lambda: block_codec(dimension=2, lattice="A2"), "needs latent=2 and context=True"),
        (lambda: block_codec(dimension=2, context=True, dither_levels=2), "needs dither_levels=0"),
        (lambda: block_codec(dimension=2, max_elements=3).encode(plain_params, X), "at most 3 elements, got 6000"),
    ]
    for call, said in cases:
        with pytest.raises(ValueError, match=said):
            call()
