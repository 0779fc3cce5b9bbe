"""Independent latents: bits against the density in float64, tables, and streams as long as these say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.bitstream.tables import PRECISION, tables_from_tree
from rdr.codecs.image.factorized import SYMBOL_LIMIT, channel_ids, factorized_model, rounded

M, LEVELS = 3, 4


@pytest.fixture(scope="module")
def plain(oracle):
    model = factorized_model(latents=M)
    params = oracle.draw_parameters(model)
    return model, params, model.finalize(params)


@pytest.fixture(scope="module")
def dithered(plain):
    model = factorized_model(latents=M, dither_levels=LEVELS)
    return model, plain[1], model.finalize(plain[1])


def latents(*shape, seed=2):
    return (6.0 * np.random.default_rng(seed).standard_normal((*shape, M))).astype(np.float32)


def draw_noise(key, shape):
    return np.asarray(jax.random.uniform(key, shape, jnp.float32, -0.5, 0.5))


def test_parameters_are_four_hidden_layers_of_three_for_each_channel():
    shapes = jax.tree.map(lambda leaf: leaf.shape, jax.eval_shape(factorized_model(latents=M).init, jax.random.key(0)))
    want = {f"matrix_{k}": (M, 1 if k == 4 else 3, 1 if k == 0 else 3) for k in range(5)}
    want |= {f"bias_{k}": (M, 1 if k == 4 else 3) for k in range(5)} | {f"factor_{k}": (M, 3) for k in range(4)}
    assert shapes == {"prior": want}


def test_bits_of_rounded_latents_are_those_of_the_density(plain, dithered, oracle):
    y = latents(2, 3, 5)
    y[0, 0, 0] = [0.5, 1.5, -2.5]  # ties go to even numbers
    k = np.round(y.astype(np.float64))
    for model, params, _ in (plain, dithered):
        y_hat, bits = jax.jit(model.bits)(params, y, None)
        np.testing.assert_array_equal(y_hat, k)
        np.testing.assert_allclose(bits, oracle.prior_bits(params["prior"], k).sum((1, 2, 3)), rtol=2e-6)
    assert y_hat[0, 0, 0].tolist() == [0.0, 2.0, -2.0] and bits.shape == (2,)


def test_bits_of_noisy_latents_are_those_of_the_density_and_a_dither_stays_in_them(plain, dithered, oracle):
    y, key = latents(2, 3, 5), jax.random.key(7)
    noisy = y + draw_noise(key, y.shape)
    want = oracle.prior_bits(plain[1]["prior"], noisy.astype(np.float64)).sum((1, 2, 3))
    for (model, params, _), seen in ((plain, np.round(y)), (dithered, noisy)):
        y_hat, bits = jax.jit(model.bits)(params, y, key)
        np.testing.assert_array_equal(y_hat, seen)
        np.testing.assert_allclose(bits, want, rtol=2e-6)


def test_gradients_are_those_of_the_density_and_pass_through_rounding(plain, oracle):
    model, params, _ = plain
    y, key = latents(1, 2, 3), jax.random.key(8)
    noisy = (y + draw_noise(key, y.shape)).astype(np.float64)

    @jax.jit
    def slopes(y):
        pull = jax.vjp(lambda y: model.bits(params, y, key), y)[1]
        return pull((jnp.zeros_like(y), jnp.ones(1, jnp.float32)))[0], pull((y, jnp.zeros(1, jnp.float32)))[0]

    of_bits, through_rounding = slopes(y)
    up, down = (oracle.prior_bits(params["prior"], noisy + step) for step in (1e-5, -1e-5))
    np.testing.assert_allclose(of_bits, (up - down) / 2e-5, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(through_rounding, y)


def test_tables_hold_the_probabilities_of_each_channel_and_dither(plain, dithered, oracle):
    for (_, params, coding), offsets in ((plain, [0.0]), (dithered, [-0.375, -0.125, 0.125, 0.375])):
        tables = tables_from_tree(coding["tables"])
        assert len(tables.counts) == M * len(offsets)
        for i, offset in enumerate(offsets):
            k = np.arange(-20, 21.0)
            want = 2.0**-oracle.prior_bits(params["prior"], np.repeat(k[:, None] + offset, M, 1))
            for c in range(M):
                t = c * len(offsets) + i
                counts = tables.counts[t, (k - tables.offsets[t]).astype(int)]
                assert want[:, c].sum() > 0.5
                np.testing.assert_allclose(counts / 2.0**PRECISION, want[:, c], rtol=1e-4, atol=2.0 ** (1 - PRECISION))


def test_symbols_have_the_table_of_their_channel_and_dither():
    dither = np.array([[[[3, 0, 1], [2, 2, 2]]]])
    np.testing.assert_array_equal(channel_ids((1, 1, 2, 3)), [[[[0, 1, 2], [0, 1, 2]]]])
    np.testing.assert_array_equal(channel_ids((1, 1, 2, 3), dither, 4), [[[[3, 4, 9], [2, 6, 10]]]])


@pytest.mark.parametrize("shape", [(1, 1, 1), pytest.param((2, 3, 5), marks=pytest.mark.stress), (1, 40, 50)])
@pytest.mark.parametrize("case", ["plain", "dithered"])
def test_a_stream_is_as_long_as_the_density_says_and_decodes_to_the_latents(case, shape, request, oracle):
    model, params, coding = request.getfixturevalue(case)
    y = latents(*shape)
    dither = np.random.default_rng(3).integers(0, LEVELS, y.shape) if case == "dithered" else None
    offset = 0.0 if dither is None else (dither + 0.5) / LEVELS - 0.5
    k = np.round(y.astype(np.float64) - offset)
    payloads, symbols = model.encode(params, coding, y, dither)
    np.testing.assert_array_equal(symbols["y"], k)
    np.testing.assert_array_equal(model.decode(coding, payloads, y.shape, dither), k + offset)
    bits = oracle.prior_bits(params["prior"], k + offset).sum()
    # No symbol is outside of its table; the coder's state takes two words of 32 bits, and the first symbols fill it.
    assert payloads[1] == b"" and -32 <= 8 * len(payloads[0]) - bits <= 64 + 1e-4 * bits
    if dither is None:  # and the estimate is the same
        assert abs(float(jax.jit(model.bits)(params, y, None)[1].sum()) - bits) < 1e-5 * bits


def test_latents_beyond_the_tables_and_16_bits_come_back_as_far_as_16_bits_go(plain):
    model, params, coding = plain
    y = np.array([300.0, -4000.4, 1e9, -1e30, 32766.5, 0.0], np.float32).reshape(1, 1, 2, 3)
    payloads, _ = model.encode(params, coding, y)
    want = [300, -4000, SYMBOL_LIMIT, -SYMBOL_LIMIT, 32766, 0]
    np.testing.assert_array_equal(np.ravel(model.decode(coding, payloads, y.shape)), want)


def test_rounding_is_to_even_within_16_bits_and_refuses_what_is_no_number():
    found = rounded(np.array([0.5, 1.5, -0.5, -2.5, 3.49, 1e20, -1e20], np.float32))
    assert found.dtype == np.int32 and found.tolist() == [0, 2, 0, -2, 3, SYMBOL_LIMIT, -SYMBOL_LIMIT]
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="latents are not finite"):
            rounded([0.0, value])


def test_what_is_left_of_a_stream_is_refused(plain):
    model, params, coding = plain
    payloads, _ = model.encode(params, coding, latents(1, 4, 4))
    with pytest.raises(ValueError, match="symbols are left over"):
        model.decode(coding, payloads, (1, 3, 4, M))
    with pytest.raises(ValueError, match="damaged message"):
        model.decode(coding, (payloads[0][:-1], b""), (1, 4, 4, M))
