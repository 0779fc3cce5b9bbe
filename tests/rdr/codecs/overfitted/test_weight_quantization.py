"""From a fit to whole numbers: step sizes that never cost more, and what the decoder reads of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.bitstream import coder
from rdr.codecs.overfitted import exact_inference, format, network, training
from rdr.codecs.overfitted.architecture import Architecture, shapes
from rdr.codecs.overfitted.pretrained_init import pretrained_weights, quantized_pretrained
from rdr.codecs.overfitted.quantized_laplace import LOCATION_STEPS, laplace_tables
from rdr.codecs.overfitted.weight_quantization import GROUPS, coded_latents, quantize_fit, weight_bits

ARCH = Architecture(6, 5, levels=2)  # of the stored widths: files hold differences to stored weights
FINEST, COARSEST = 9, 2


def squared(params, target, image):
    return jnp.mean(jnp.square(image - target), axis=(1, 2, 3)) * params


def fitted(arch, *, rd_lambda, seed=0):
    """A state whose image depends on all of its weights, and its data: the image that it makes, with an error."""
    rng = np.random.default_rng(seed)
    weights = {name: (w + 0.1 * rng.standard_normal(w.shape) / np.sqrt(w.shape[-1])).astype(np.float32)
               for name, w in pretrained_weights(arch).items()}
    latents = tuple((0.1 * rng.standard_normal(shape)).astype(np.float32) for shape in arch.latent_shapes)
    state = training.initial_state(arch, weights, rd_lambda)._replace(latents=latents)
    image = jax.jit(network.synthesize)(weights, [np.rint(latent * training.LATENT_UNIT) for latent in latents])
    image = np.clip(np.asarray(image).transpose(1, 2, 0), 0, 1)
    image = np.clip(image + 0.02 * rng.standard_normal(image.shape), 0, 1).astype(np.float32)
    return state, training.Data(image[None], jnp.float32(0), (), image, params=jnp.float32(255.0**2))


_parts = jax.jit(lambda weights, latents: (network.bits(weights, latents).sum(), network.synthesize(weights, latents)))


def cost(state, data, whole, exponents, rate_multiplier=1.0):
    """Bits per pixel of latents and weights, and weighted squared error: the networks once more, sums in numpy."""
    exact = {name: np.float32(w * 2.0 ** -exponents[name]) for name, w in whole.items()}
    latents = [np.rint(np.float64(latent) * training.LATENT_UNIT).astype(np.float32) for latent in state.latents]
    rate, image = _parts(exact, latents)
    error = np.mean((np.clip(np.float64(image).transpose(1, 2, 0), 0, 1) - data.image) ** 2) * 255.0**2
    start, bits = quantized_pretrained(ARCH, exponents), 0.0
    for name, w in whole.items():
        bits += ideal_bits(w - start[name])
    return (float(rate) + rate_multiplier * bits) / 30 + float(np.exp(state.rate.log_lambda)) * error


def ideal_bits(whole):
    """-log2 of the table's counts, and the codes of what is beyond it."""
    tables, table = laplace_tables(), 2 * LOCATION_STEPS * format.weight_table(whole)
    total = 0.0
    for value in whole.ravel().tolist():
        column = value - int(tables.offsets[table])
        if 0 <= column < tables.lengths[table]:
            total += 24 - np.log2(tables.counts[table, column])
        else:  # Elias' gamma code of 1, 3, 5, .. above the table and 2, 4, 6, .. below it
            far = 2 * (column - int(tables.lengths[table])) + 1 if column >= 0 else -2 * column
            total += 24 - np.log2(tables.counts[table, tables.lengths[table]]) + 2 * far.bit_length() - 1
    return total


@pytest.fixture(scope="module")
def fit():
    return fitted(ARCH, rd_lambda=0.01)


@pytest.fixture(scope="module")
def description(fit):
    return quantize_fit(ARCH, *fit, squared, None)


def at_lambda(state, log_lambda):
    return state._replace(rate=state.rate._replace(log_lambda=jnp.float32(log_lambda)))


def rounded(state, exponents):
    return {name: np.rint(np.clip(np.float64(w), -63, 63) * 2.0 ** exponents[name]).astype(int)
            for name, w in state.weights.items()}


def test_every_weight_belongs_to_one_group():
    for levels, noise_levels in ((1, 0), (7, 7)):
        names = [name for group in GROUPS for name in group]
        assert sorted(names) == sorted(shapes(Architecture(9, 9, 3, levels, noise_levels)))


def test_the_search_ends_no_higher_than_it_starts_and_the_last_group_at_a_minimum(fit, description):
    state, data = fit
    finest = dict.fromkeys(shapes(ARCH), FINEST)
    first = cost(state, data, rounded(state, finest), finest)
    last = cost(state, data, description.weights, description.exponents)
    assert last < first
    # What the last group's steps cost is known, as nothing was changed after it.
    costs = []
    for other in range(FINEST, COARSEST - 1, -1):
        tried = description.exponents | dict.fromkeys(GROUPS[-1], other)
        costs.append(cost(state, data, rounded(state, tried), tried))
    assert costs[FINEST - description.exponents[GROUPS[-1][0]]] <= min(costs) + 1e-6


@pytest.mark.parametrize(("log_lambda", "rate_multiplier"), [
    (np.log(0.01), 1.0),
    (-20.0, 0.01),  # the latents' rates
])  # fmt: skip
def test_every_group_is_where_its_own_search_ended(fit, log_lambda, rate_multiplier):
    """The search once more, over the costs above."""
    state, data = at_lambda(fit[0], log_lambda), fit[1]
    exponents = dict.fromkeys(shapes(ARCH), FINEST)
    for group in GROUPS:
        tried = [exponents | dict.fromkeys(group, other) for other in range(COARSEST, FINEST + 1)]
        exponents = min(tried, key=lambda tried: cost(state, data, rounded(state, tried), tried, rate_multiplier))
    assert quantize_fit(ARCH, state, data, squared, None, rate_multiplier=rate_multiplier).exponents == exponents
    assert len(set(exponents.values())) > 1 and min(exponents.values()) < FINEST


def test_weights_are_those_of_the_fit_rounded_to_their_steps_and_the_decoder_reads_them(fit, description):
    state, _ = fit
    for name, w in rounded(state, description.exponents).items():
        np.testing.assert_array_equal(description.weights[name], w)
    for latent, coded in zip(state.latents, description.latents):
        np.testing.assert_array_equal(coded, np.rint(16.0 * np.float64(latent)))
    read = format.read(format.write(description).message)
    assert read.exponents == description.exponents and read.seed is None and read.arch == ARCH
    for name, exact in format.dequantize_weights(read).items():
        np.testing.assert_array_equal(exact, rounded(state, description.exponents)[name]
                                      * 2.0 ** -description.exponents[name])
        assert np.abs(exact - state.weights[name]).max() <= 2.0 ** -(description.exponents[name] + 1)
    for want, found in zip(description.latents, read.latents, strict=True):
        np.testing.assert_array_equal(found, want)


def test_dear_errors_keep_steps_fine_and_dear_weights_make_them_coarse(fit, description):
    state, data = fit
    strict = quantize_fit(ARCH, at_lambda(state, 12.0), data, squared, None)
    thrifty = quantize_fit(ARCH, state, data, squared, None, rate_multiplier=1e5)
    assert set(thrifty.exponents.values()) == {COARSEST}

    def taken(found):
        start = quantized_pretrained(ARCH, found.exponents)
        return sum(weight_bits(w - start[name]) for name, w in found.weights.items())

    assert taken(thrifty) < taken(description) < taken(strict)
    assert sum(strict.exponents.values()) > sum(description.exponents.values())
    assert quantize_fit(ARCH, state, data, squared, 77).seed == 77


def test_grids_are_rounded_to_even_and_cut_at_the_limit(fit):
    limit = exact_inference.LIMIT
    values = np.array([0.5, 1.5, -2.5, 8190.5, 8191.5, 1e6, -1e9, -8192.0, 3.2]) / 16
    state = fit[0]._replace(latents=(np.resize(values, (6, 5)).astype(np.float32), np.zeros((3, 3), np.float32)))
    found = coded_latents(state)
    assert [latent.dtype for latent in found] == [np.int32] * 2
    assert found[0].ravel()[:9].tolist() == [0, 2, -2, 8190, limit, limit, -limit, -limit, 3]


def test_numbers_beyond_the_limits_are_cut_and_still_decode(fit):
    state, data = fit
    weights = state.weights | {"entropy_in": np.full(shapes(ARCH)["entropy_in"], 100.0, np.float32),
                               "pixel_skip": np.full(shapes(ARCH)["pixel_skip"], -64.0, np.float32)}
    latents = (state.latents[0], np.full((3, 3), 1e5, np.float32))
    found = quantize_fit(ARCH, state._replace(weights=weights, latents=latents), data, squared, None)
    read = format.read(format.write(found).message)
    exact = format.dequantize_weights(read)
    assert (exact["entropy_in"] == 63.0).all() and (exact["pixel_skip"] == -63.0).all()
    assert (read.latents[1] == exact_inference.LIMIT).all()
    np.testing.assert_array_equal(format.render(read), format.render(found))


@pytest.mark.parametrize("values", [
    np.zeros(50), [0], [5000, -70000, 3], [*np.zeros(300), *range(-40, 41)],
    np.random.default_rng(1).laplace(size=(40, 25)) * 3,
    np.random.default_rng(2).laplace(size=300) * 200,
], ids=["zeros", "zero", "far", "escapes", "small", "large"])  # fmt: skip
def test_bits_of_weights_are_what_the_coder_writes(values):
    whole = np.rint(values).astype(np.int32)
    bits = weight_bits(whole)
    assert bits == pytest.approx(ideal_bits(whole), abs=1e-6)
    ids = np.full(whole.size, 2 * LOCATION_STEPS * format.weight_table(whole))
    coded, escapes = coder.encode_symbols(whole.ravel(), laplace_tables(), ids)
    # Two words of the coder's state, and escapes that fill their last byte.
    assert -32 <= 8 * (len(coded) + len(escapes)) - bits <= 72
