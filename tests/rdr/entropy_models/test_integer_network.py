"""Integer networks: close to the floats they come from, and exactly what big integers give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.entropy_models.integer_network import LayerSpec, apply_layer, apply_network, quantize_layer, quantize_network
from rdr.transforms.convolution import convolve, double

SPECS = (LayerSpec("double", "leaky", 12), LayerSpec("same", "relu", 12), LayerSpec("same", "none", 8))


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(4)
    shapes = ((5, 5, 6, 8), (3, 3, 8, 8), (3, 3, 8, 5))
    return [((rng.standard_normal(shape) / np.sqrt(np.prod(shape[:3]))).astype(np.float32),
             rng.standard_normal(shape[3]).astype(np.float32)) for shape in shapes]


def floats(layers, x):
    for (kernel, bias), spec in zip(layers, SPECS):
        x = (double if spec.scale == "double" else convolve)(x, jnp.asarray(kernel)) + bias[None, None, None, :]
        x = {"leaky": lambda v: jnp.where(v < 0, v * 41 / 4096, v), "relu": jax.nn.relu, "none": lambda v: v}[
            spec.activation](x)
    return x


def test_it_follows_the_network_of_floats_within_its_units(layers):
    z = np.random.default_rng(5).integers(-40, 41, (2, 4, 5, 6)).astype(np.int32)
    network = quantize_network(layers, SPECS, input_bits=12)
    got = np.asarray(jax.jit(lambda z: apply_network(network, SPECS, z << 12))(z)) / 2.0**8
    want = np.asarray(jax.jit(lambda z: floats(layers, z))(z.astype(np.float32)), np.float64)
    # Half a unit of the output, and what weights rounded to 2^-13 or finer do to 72 to 150 activations around 20 in
    # three layers: five times 20 sqrt(100 / 12) 2^-13.
    assert np.abs(got - want).max() < 0.5 * 2.0**-8 + 5 * 20 * np.sqrt(100 / 12) * 2.0**-13 and np.std(want) > 4
    # Roundings are not biased.
    assert abs(np.mean(got - want)) < 5e-4


def test_a_layer_is_exact_at_the_limits_of_its_range(layers):
    """Against Python integers, with activations at +-(2^23 - 1) and weights whose sums reach 2^18."""
    rng = np.random.default_rng(6)
    layer = quantize_layer(*layers[2], SPECS[2], input_bits=12)
    total = np.abs(layer["weights"]).sum((0, 1, 2))
    assert (total < 2**18).all() and (total > 2**16).all()
    x = rng.choice([-(2**23) + 1, 2**23 - 1, 1234567, -1, 0, 2**24], (1, 4, 5, 8)).astype(np.int32)
    x[0, :3, :3] = np.where(layer["weights"][..., 0].transpose(0, 1, 2) > 0, 2**23 - 1, -(2**23) + 1)
    got = np.asarray(apply_layer(layer, SPECS[2], x))
    clipped = np.pad(np.clip(x, -(2**23) + 1, 2**23 - 1), ((0, 0), (1, 1), (1, 1), (0, 0))).astype(object)
    weights = layer["weights"].astype(np.int64).astype(object)
    for row, column, channel in np.ndindex(4, 5, 5):
        value = int((clipped[0, row : row + 3, column : column + 3] * weights[..., channel]).sum())
        shift = int(layer["shift"][channel])
        assert shift > 0
        value = (value >> 12) + int(layer["bias"][channel]) + 2 ** (shift - 1) >> shift
        assert got[0, row, column, channel] == max(min(value, 2**23 - 1), -(2**23) + 1)


def test_it_is_the_same_without_jit_and_with_64_bits_on_or_off(layers):
    z = np.random.default_rng(7).integers(-300, 301, (3, 4, 4, 6)).astype(np.int32)
    specs = SPECS[::2]  # of both kinds: single operations are a program each
    network = quantize_network(layers[::2], specs, input_bits=12)
    z <<= 12
    jitted = jax.jit(lambda z: apply_network(network, specs, z))
    want = np.asarray(jitted(z))
    assert want.dtype == np.int32
    with jax.enable_x64(False):
        np.testing.assert_array_equal(jitted(z), want)
    with jax.disable_jit():
        np.testing.assert_array_equal(apply_network(network, specs, z[:1]), want[:1])


def test_weights_that_do_not_fit_are_refused(layers):
    kernel, bias = layers[2]
    with pytest.raises(ValueError, match="must be finite"):
        quantize_layer(kernel * np.nan, bias, SPECS[2], input_bits=12)
    with pytest.raises(ValueError, match="too large"):
        quantize_layer(kernel * 1e5, bias, SPECS[2], input_bits=12)
    quantize_layer(np.zeros_like(kernel), bias, SPECS[2], input_bits=12)  # a dead layer is fine


def test_large_weights_lose_precision_not_exactness(layers):
    """A shift to the left: weights 500 times as large give 500 times the output, up to their rounding."""
    kernel, _ = layers[1]
    spec, zero = LayerSpec("same", "none", 12), np.zeros(8, np.float32)
    x = np.random.default_rng(8).integers(-4096, 4097, (1, 4, 4, 8)).astype(np.int32)
    small, large = (quantize_layer(scale * kernel, zero, spec, input_bits=12) for scale in (1.0, 500.0))
    assert (large["shift"] < 0).any()
    got = np.asarray(apply_layer(large, spec, x)) / np.asarray(apply_layer(small, spec, x), np.float64).clip(1e-9)
    big = np.asarray(apply_layer(small, spec, x)) > 1000
    np.testing.assert_allclose(got[big], 500.0, rtol=0.01)
