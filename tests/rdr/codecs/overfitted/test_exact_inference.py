"""Exact decoders: against exact fractions, and against floating point."""

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

from rdr.codecs.overfitted import exact_inference, network
from rdr.codecs.overfitted.architecture import Architecture, shapes
from rdr.codecs.overfitted.format import MAX_LEVELS, MAX_WIDTH, dequantize_weights, noise_maps


def test_distributions_agree_with_exact_fractions(description):
    # Oracle: the same formulas with Python's fractions, which round nowhere but where the codec says so.
    weights, level = dequantize_weights(description), 1
    distribution = exact_inference.LatentDistribution(weights, level, description.arch.latent_shapes[level],
        description.latents[level + 1])
    distribution.update(slice(None), description.latents[level].reshape(-1)[distribution.order])
    ids, middles = distribution.predict(slice(None))
    inputs = np.asarray(jax.jit(network.context)(jnp.asarray(description.latents[level], jnp.float32),
                                                 jnp.asarray(description.latents[level + 1], jnp.float32)))

    def times(name, x):
        return [sum(Fraction(float(a)) * b for a, b in zip(row, x)) for row in weights[name]]

    def snap(x):
        return [Fraction(round(v * 2**12), 2**12) for v in x]  # ties to even, as in the codec

    def plus(x, y):
        return [a + Fraction(b) for a, b in zip(x, y)]

    for place in (0, 7, 20, 34):
        at = distribution.order[place]
        x = [Fraction(float(v)) for v in inputs[:, at]]
        bias = [Fraction(float(v)) for v in weights["entropy_in_bias"][level]]
        hidden = [max(v, 0) for v in snap(plus(times("entropy_in", x), bias))]
        bias = [Fraction(float(v)) for v in weights["entropy_hidden_bias"]]
        hidden = [max(v, 0) for v in snap(plus(times("entropy_hidden", hidden), bias))]
        bias = [Fraction(float(v)) for v in weights["entropy_out_bias"]]
        out = snap(plus(plus(times("entropy_out", hidden), times("entropy_skip", x)), bias))
        location_eighths = (out[0] * 8 + Fraction(1, 2)).__floor__()
        scale = min(max(((out[1] + 6) * 4 + Fraction(1, 2)).__floor__(), 0), 48)
        assert (ids[place], middles[place]) == (8 * scale + location_eighths % 8, location_eighths // 8)


def test_decoding_order_never_looks_ahead(description):
    # Numbers that come later are unknown (0) to the decoder: distributions must be the same as with everything known.
    weights, level = dequantize_weights(description), 0
    values = description.latents[0].reshape(-1)
    arguments = (weights, level, description.arch.latent_shapes[0], description.latents[1])
    whole = exact_inference.LatentDistribution(*arguments)
    whole.update(slice(None), values[whole.order])
    known = whole.predict(slice(None))
    part_by_part = exact_inference.LatentDistribution(*arguments)
    start = 0
    for end in part_by_part.ends:
        part = slice(start, int(end))
        ids, middle = part_by_part.predict(part)
        np.testing.assert_array_equal(ids, known[0][part])
        np.testing.assert_array_equal(middle, known[1][part])
        part_by_part.update(part, values[part_by_part.order[part]])
        start = int(end)


def test_pictures_agree_with_floating_point(description):
    weights, noise = dequantize_weights(description), noise_maps(description.arch, description.seed)
    image = exact_inference.synthesize(weights, description.latents, noise)
    floats = jax.jit(network.synthesize)({name: np.float32(w) for name, w in weights.items()},
                                         [np.float32(latent) for latent in description.latents],
                                         [np.float32(latent) for latent in noise])
    floats = np.clip(np.asarray(floats).transpose(1, 2, 0) * 255, 0, 255)
    # Half a level of rounding, and what half units of 2^-12 in a dozen layers may do.
    assert np.abs(floats - image).max() < 0.5 + 0.5
    assert image.std() > 10


def test_largest_sums_are_exact():
    # The widest decoder that a file may have, and every sum that its layers make: products with weights, and the
    # colors that the last layer adds to, as if they were one more.
    sums = (("entropy_in", "entropy_in_bias"), ("entropy_hidden", "entropy_hidden_bias"),
            ("entropy_out", "entropy_skip", "entropy_out_bias"), ("upsampling",), ("pixel_in", "pixel_in_bias"),
            ("pixel_out", "pixel_skip", "pixel_out_bias"), ("refine_in", "refine_in_bias"),
            ("refine_out", "refine_out_bias"))
    shape = shapes(Architecture(9, 9, 3, MAX_LEVELS, MAX_LEVELS, MAX_WIDTH, MAX_WIDTH, MAX_WIDTH))
    assert sorted(itertools.chain(*sums)) == sorted(shape)
    products = [sum(1 if name.endswith("bias") else shape[name][-1] for name in names) for names in sums]
    assert max(products) + 1 <= 2**10
    largest = exact_inference.MAX_WEIGHT * exact_inference.LIMIT * (max(products) + 1)
    digit = 2.0 ** -(exact_inference.MAX_EXPONENT + exact_inference.FRACTION)
    assert largest < 2**29 and digit == 2.0**-21
    # With a last digit more or less, float64 still tells the largest sums apart.
    assert 2**29 - digit < 2**29 and 2**29 - (2**29 - digit) == digit


def test_huge_numbers_are_cut_not_overflowed(description):
    latents = [np.full_like(latent, 2**31 - 1) for latent in description.latents]
    weights = {name: np.full_like(w, 63.0) for name, w in dequantize_weights(description).items()}
    assert exact_inference.synthesize(weights, latents, noise_maps(description.arch, 1)).max() == 255
