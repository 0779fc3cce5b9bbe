"""Integer networks: close to the floats they come from, and exactly what big integers give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.entropy_models.integer_network import LayerSpec, apply_layer, apply_network, quantize_layer, quantize_network
from rdr.transforms.convolution import convolve, double

SPECS = (LayerSpec("double", "leaky", 7), LayerSpec("same", "relu", 7), LayerSpec("same", "none", 8))


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
    network = quantize_network(layers, SPECS, input_bits=0)
    got = np.asarray(jax.jit(lambda z: apply_network(network, SPECS, z))(z)) / 2.0**8
    want = np.asarray(floats(layers, jnp.asarray(z, jnp.float32)), np.float64)
    # Each output sums 72 activations that are off by up to 1/256, with weights of norm 1, and the weights' own rounding
    # (2^-10 or less of their norm) of activations around 20: five times the sum of both.
    assert np.abs(got - want).max() < 5 * (1 / 256 + 20 * 2.0**-10) and np.std(want) > 4


def test_a_layer_is_exact_at_the_limits_of_its_range(layers):
    """Against Python integers, with activations at +-32767 and weights whose sums reach 2^15."""
    rng = np.random.default_rng(6)
    layer = quantize_layer(*layers[2], SPECS[2], input_bits=7)
    total = np.abs(layer["weights"]).sum((0, 1, 2))
    assert (total <= 2**15).all() and (total > 2**13).all()
    x = rng.choice([-32767, 32767, 12345, -1, 0, 40000], (1, 4, 5, 8)).astype(np.int32)
    x[0, :3, :3] = np.where(layer["weights"][..., 0].transpose(0, 1, 2) > 0, 32767, -32767)[:, :, :]
    got = np.asarray(apply_layer(layer, SPECS[2], x))
    clipped = np.pad(np.clip(x, -32767, 32767), ((0, 0), (1, 1), (1, 1), (0, 0))).astype(object)
    weights = layer["weights"].astype(np.int64).astype(object)
    for row, column, channel in np.ndindex(4, 5, 5):
        value = int((clipped[0, row : row + 3, column : column + 3] * weights[..., channel]).sum())
        shift = int(layer["shift"][channel])
        value = value + int(layer["bias"][channel]) + (2 ** (shift - 1) if shift else 0) >> shift
        assert got[0, row, column, channel] == max(min(value, 2**22), -(2**22))


def test_it_is_the_same_without_jit_and_with_64_bits_on_or_off(layers):
    z = np.random.default_rng(7).integers(-300, 301, (3, 4, 4, 6)).astype(np.int32)
    network = quantize_network(layers, SPECS, input_bits=0)
    want = np.asarray(apply_network(network, SPECS, z))
    assert want.dtype == np.int32
    for x64 in (False, True):
        with jax.enable_x64(x64):
            np.testing.assert_array_equal(jax.jit(lambda z: apply_network(network, SPECS, z))(z), want)
    with jax.disable_jit():
        np.testing.assert_array_equal(apply_network(network, SPECS, z[:1]), want[:1])


def test_weights_that_do_not_fit_are_refused(layers):
    kernel, bias = layers[2]
    with pytest.raises(ValueError, match="must be finite"):
        quantize_layer(kernel * np.nan, bias, SPECS[2], input_bits=0)
    with pytest.raises(ValueError, match="too large"):
        quantize_layer(kernel * 1e4, bias, SPECS[2], input_bits=0)
    quantize_layer(np.zeros_like(kernel), bias, SPECS[2], input_bits=0)  # a dead layer is fine
