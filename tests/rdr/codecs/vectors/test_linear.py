import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.bitstream.container import pack, unpack
from rdr.codecs.vectors.lattice import lattice_codec, lattice_quantizer
from rdr.codecs.vectors.linear import fit, gaussian_params, step_for_rate
from rdr.codecs.vectors.trellis import trellis_codec, trellis_quantizer
from rdr.randomness import shared_integers, shared_key

KINDS = {"A2": 0, "E8": 0, "E8-dither": 64, "BW16-dither": 256, "trellis-8": 0, "trellis-8-dither": 64}


# One of each kind: a lattice, with and without dither, and a trellis.
FEW = [kind if kind in ("E8", "E8-dither", "trellis-8-dither") else pytest.param(kind, marks=pytest.mark.stress)
       for kind in KINDS]


@functools.cache
def prepared(kind: str, rate: float = 1.5):
    """Quantizer, codec, finalized parameters, samples and the keys that it needs."""
    levels = KINDS[kind]
    if kind.startswith("trellis"):
        quantizer, codec, shape = trellis_quantizer(8), trellis_codec(8, dither_levels=levels), (60, 256)
    else:
        name = kind.split("-")[0]
        quantizer, codec = lattice_quantizer(name), lattice_codec(name, dither_levels=levels)
        shape = (16_000 // quantizer.dimension, quantizer.dimension)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    codec = codec._replace(forward=jax.jit(codec.forward))  # dozens of programs otherwise
    params = fit(codec, gaussian_params(quantizer, step_for_rate(quantizer, rate)), x, key=jax.random.key(1))
    return quantizer, codec, codec.finalize(params), x, {"shared_key": shared_key(5)} if levels else {}


def positions(kind: str, params, x, shared) -> np.ndarray:
    """Oracle: step (whole numbers - dither) along the axes, from the symbols."""
    quantizer, codec = prepared(kind)[:2]
    k = np.asarray(codec.symbols(params, x, **shared), np.float64)
    if shared:
        k -= np.asarray(shared_integers(shared["shared_key"], x.shape, levels=KINDS[kind])) * (
            quantizer.period / KINDS[kind])
    return np.exp(float(params["log_step"])) * k * quantizer.scale


@pytest.mark.parametrize("kind", FEW)
def test_bytes_decode_to_what_the_symbols_say(kind):
    _, codec, params, x, shared = prepared(kind)
    message = codec.encode(params, x, **shared)
    decoded = codec.decode(message, params=params, **shared)
    assert decoded.shape == x.shape and decoded.dtype == jnp.float32
    np.testing.assert_allclose(decoded, float(params["gain"]) * positions(kind, params, x, shared), rtol=1e-6)
    if shared:
        half = codec.decode(message, params=params, condition=0.5, **shared)
        real = codec.decode(message, params=params, condition=1.0, **shared)
        np.testing.assert_allclose(half, (np.asarray(decoded) + np.asarray(real)) / 2, rtol=1e-5, atol=1e-6)
        # The source's power; parameters were fitted with other noise than the dither: five standard errors.
        assert abs(np.square(real).mean() / np.square(x).mean() - 1) < 5 * np.sqrt(2 / x.size)


@pytest.mark.parametrize("kind", FEW)
def test_size_is_the_code_length_of_the_distribution_and_near_the_estimate(kind):
    quantizer, codec, params, x, shared = prepared(kind)
    message = codec.encode(params, x, **shared)
    dither = shared_integers(shared["shared_key"], x.shape, levels=KINDS[kind]) if shared else np.zeros(x.shape, int)
    bits = quantizer.bits(np.asarray(codec.symbols(params, x, **shared)), np.asarray(dither), params["tables"])
    assert bits.shape == (len(x),)
    # The name, the fingerprint and the like take less than 64 bytes.
    assert bits.sum() / 8 - 8 <= len(message) <= 1.001 * bits.sum() / 8 + 64
    _, estimate = codec.forward(params, x, key=jax.random.key(9))
    assert estimate.shape == (len(x),)
    # A density's bits: with a dither they are an upper bound on average (Jensen). Five standard errors, and 1 % for
    # what the density leaves out at this rate.
    error = 5 * float(np.std(bits - np.asarray(estimate))) / np.sqrt(len(x))
    assert abs(bits.mean() - float(estimate.mean())) < error + 0.01 * bits.mean()


@pytest.mark.parametrize("kind", [
    "E8-dither", pytest.param("BW16-dither", marks=pytest.mark.stress), "trellis-8-dither"])
def test_dithered_noise_has_the_cell_s_power_and_nothing_to_do_with_the_source(kind):
    quantizer, _, params, _, shared = prepared(kind)
    for scale in (0.0, 3.0):  # a constant source, and a wide one
        x = scale * np.random.default_rng(3).standard_normal((8000 // max(quantizer.dimension, 200),
                                                              quantizer.dimension or 200)).astype(np.float32)
        error = positions(kind, params, x, shared) - x
        squares = np.square(error).mean(-1) / np.exp(2 * float(params["log_step"]))
        # A trellis starts each block in state 0: 200 samples feel it by under 2 %.
        slack = 0.02 * quantizer.second_moment if "trellis" in kind else 0.0
        assert abs(squares.mean() - quantizer.second_moment) < 5 * squares.std() / np.sqrt(len(x)) + slack
        if scale:
            assert abs(np.corrcoef(error.ravel(), x.ravel())[0, 1]) < 5 / np.sqrt(x.size)


@pytest.mark.parametrize("kind, most", [
    pytest.param("E8", 0.151, marks=pytest.mark.stress), ("E8-dither", 0.151),
    pytest.param("trellis-8", 0.084, marks=pytest.mark.stress), ("trellis-8-dither", 0.084)])
def test_excess_over_the_gaussian_bounds(kind, most):
    """Oracle: R(D) = (1/2) log2(1/D), and -(1/2) log2(1 - (1 - D/2)^2) at the source's power; payload bytes.

    The samples' power is 1 by construction, which takes out most of the noise; what is left is below 0.002 bit.
    """
    quantizer, codec = prepared(kind)[:2]
    shared = prepared(kind)[4]
    block = quantizer.dimension or 1024
    x = np.random.default_rng(7).standard_normal((2**17 // block, block))
    x = (x / np.sqrt(np.mean(x * x))).astype(np.float32)
    params = gaussian_params(quantizer, step_for_rate(quantizer, 1.0))
    params = codec.finalize(fit(codec, params, x[: len(x) // 2], key=jax.random.key(1)))
    message = codec.encode(params, x, **shared)
    rate = 8 * sum(map(len, unpack(message).payloads)) / x.size
    for weight in (0.0, 1.0) if shared else (0.0,):
        y = np.asarray(codec.decode(message, params=params, condition=weight, **shared), np.float64)
        d = np.mean(np.square(x - y))
        bound = -0.5 * np.log2(1 - (1 - d / 2) ** 2) if weight else -0.5 * np.log2(d)
        assert 0.9 < rate < 1.1 and 0.5 * most < rate - bound < most
        if weight:
            assert abs(np.mean(np.square(y)) - 1) < 0.01
            left, right = y[:, :-1].ravel(), y[:, 1:].ravel()
            assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(left.size)


def test_parameters_of_a_gaussian_are_those_of_a_fit():
    quantizer, codec = lattice_quantizer("E8"), lattice_codec("E8", dither_levels=64)
    start = gaussian_params(quantizer, 1.3)
    x = np.random.default_rng(2).standard_normal((20_000, 8))
    x /= np.sqrt(np.mean(x * x))
    fitted = fit(codec, start, x, key=jax.random.key(0))
    for name, value in start.items():
        np.testing.assert_allclose(fitted[name], value, atol=5 / np.sqrt(x.size))
    assert set(fitted) == set(start)
    with pytest.raises(ValueError, match="rate must exceed what lattice-E8 loses"):
        step_for_rate(quantizer, 0.1)


@pytest.mark.parametrize("kind", ["E8", "trellis-8-dither"])
def test_gradients_flow_through_the_estimate(kind):
    _, codec, params, x, _ = prepared(kind)
    trained = {name: params[name] for name in ("log_step", "log_power", "gain", "realism_gain")}

    def loss(p, x):
        y, bits = codec.forward(p, x, key=jax.random.key(0), realism=0.3)
        return jnp.mean(bits) + 10 * jnp.mean(jnp.square(y - x))

    gradient, to_x = jax.jit(jax.grad(loss, argnums=(0, 1)))(trained, jnp.asarray(x[:10]))
    assert all(np.isfinite(leaf) and abs(leaf) > 1e-6 for leaf in jax.tree.leaves(gradient))
    assert np.isfinite(to_x).all() and np.abs(to_x).max() > 0


@pytest.mark.parametrize("kind", ["E8-dither", "trellis-8-dither"])
def test_symbols_are_the_same_without_jit_without_x64_and_in_parts(kind):
    _, codec, params, x, shared = prepared(kind)
    k = np.asarray(codec.symbols(params, x, **shared))
    np.testing.assert_array_equal(jax.jit(codec.symbols)(params, x, *shared.values()), k)
    with jax.enable_x64(False):
        np.testing.assert_array_equal(codec.symbols(params, x, **shared), k)
    if kind.startswith("E8"):  # a trellis: test_trellis.py
        _, plain, plain_params, x, _ = prepared("E8")
        k = np.asarray(plain.symbols(plain_params, x))
        np.testing.assert_array_equal(plain.symbols(plain_params, x[:3]), k[:3])


@pytest.mark.parametrize("kind", [
    pytest.param("E8", marks=pytest.mark.stress), "E8-dither",
    pytest.param("trellis-8", marks=pytest.mark.stress), "trellis-8-dither"])
def test_edges_round_trip(kind):
    quantizer, codec, params, _, shared = prepared(kind)
    n = quantizer.dimension or 12
    step = np.exp(float(params["log_step"]))
    far = np.zeros((2, 3, n), np.float32)
    far[0, 1, 2], far[1, 2, 3] = 2e5 * step * np.min(quantizer.scale), -2e5 * step * np.min(quantizer.scale)
    decoded = np.asarray(codec.decode(codec.encode(params, far, **shared), params=params, **shared))
    expected = np.asarray(far) * float(params["gain"])
    # The covering radius is below 2.1 whole numbers; float32 far out.
    np.testing.assert_allclose(decoded, expected, rtol=1e-5, atol=2.1 * step)
    for shape in [(2, 0, n), (n,)]:
        zeros = np.zeros(shape)
        assert codec.decode(codec.encode(params, zeros, **shared), params=params, **shared).shape == shape


def test_refusals_say_what_is_wrong():
    _, codec, params, x, _ = prepared("E8")
    message = codec.encode(params, x)
    _, dithered, dithered_params, _, shared = prepared("E8-dither")
    trained = {k: v for k, v in params.items() if k != "tables"}
    cases = [
        (lambda: codec.decode(message), "give params"),
        (lambda: codec.decode(message, params=params, private_key=jax.random.key(0)), "private_key must be None"),
        (lambda: codec.decode(message, params=params, shared_key=shared_key(0)), "shared_key must be None"),
        (lambda: codec.decode(message, params=params, condition=0.5), "condition must be a realism weight"),
        (lambda: codec.decode(message[:-1], params=params), "damaged message"),
        (lambda: codec.decode(message, params={**params, "gain": jnp.float32(2.0)}), "other parameters"),
        (lambda: codec.encode(trained, x), "finalize"),
        (lambda: codec.encode(params, np.full((1, 8), np.nan)), "x must be finite"),
        (lambda: codec.encode(params, np.full((1, 8), 1e7)), "an element is too large"),
        (lambda: codec.encode(params, np.zeros((2, 7))), r"x must have shape \[..., 8\], got \(2, 7\)"),
        (lambda: codec.encode(params, np.float32(0)), r"x must have shape \[..., 8\], got \(\)"),
        (lambda: lattice_codec("E8", max_elements=8).encode(params, np.zeros((2, 8))), "at most 8 elements, got 16"),
        (lambda: lattice_codec("E8", max_elements=8).decode(message, params=params), "more than 8 elements"),
        (lambda: lattice_codec("E8", dither_levels=2), "dither_levels must be 0 or a power of two from 4 to 2"),
        (lambda: lattice_codec("E8", dither_levels=48), "dither_levels must be 0 or a power of two"),
        (lambda: dithered.encode(dithered_params, x), "needs the shared_key"),
        (lambda: dithered.decode(message, params=dithered_params, **shared), "written by codec 'lattice-E8'"),
        (lambda: dithered.decode(dithered.encode(dithered_params, x, **shared), params=dithered_params,
                                 condition=1.5, **shared), "condition must be a realism weight in"),
    ]
    parts = unpack(message)
    for changed, said in [(parts._replace(payloads=parts.payloads[:1]), "1 payloads instead of 2"),
                          (parts._replace(shape=(5, 7)), r"damaged message: .* must have shape \[..., 8\]"),
                          (parts._replace(shape=(len(x) - 10, 8)), "symbols are left over")]:
        cases.append((functools.partial(codec.decode, pack(changed), params=params), said))
    for call, said in cases:
        with pytest.raises(ValueError, match=said):
            call()
