"""Halving and doubling against their definitions, summed out in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from rdr.transforms.convolution import Convolution, convolve, depth_to_space, double, phase_kernel


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 4, 6, 3)), rng.standard_normal((5, 5, 3, 2))


def doubled(x, kernel):
    """out[o] = sum_i kernel[o + 2 - 2 i] x[i]."""
    batch, height, width, _ = x.shape
    out = np.zeros((batch, 2 * height, 2 * width, kernel.shape[-1]))
    for i, j, a, b in np.ndindex(height, width, 5, 5):
        row, column = 2 * i - 2 + a, 2 * j - 2 + b
        if 0 <= row < 2 * height and 0 <= column < 2 * width:
            out[:, row, column] += x[:, i, j] @ kernel[a, b]
    return out


def test_doubling_is_the_transposed_convolution(arrays):
    x, kernel = arrays
    np.testing.assert_allclose(double(jnp.asarray(x), jnp.asarray(kernel)), doubled(x, kernel), rtol=1e-10, atol=1e-10)


def test_doubling_is_the_adjoint_of_halving(arrays):
    x, kernel = (jnp.asarray(a) for a in arrays)
    v = jnp.asarray(np.random.default_rng(1).standard_normal((2, 8, 12, 2)))
    halved = convolve(v, jnp.transpose(kernel, (0, 1, 3, 2)), stride=2)
    np.testing.assert_allclose(jnp.sum(double(x, kernel) * v), jnp.sum(x * halved), rtol=1e-10)
    gradient = jax.grad(lambda x: jnp.sum(double(x, kernel) * v))(x)
    np.testing.assert_allclose(gradient, halved, rtol=1e-10, atol=1e-10)


def test_halving_follows_its_definition(arrays):
    x, kernel = arrays
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    want = np.stack([np.stack([np.einsum("bijc,ijco->bo", padded[:, 2 * r : 2 * r + 5, 2 * c : 2 * c + 5], kernel)
                               for c in range(3)], 1) for r in range(2)], 1)
    np.testing.assert_allclose(convolve(jnp.asarray(x), jnp.asarray(kernel), stride=2), want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("size", "stride", "fan_in", "sides"), [
    (3, 1, 5, (6, 9)), (5, 2, 4, (7, 8)), (5, 1, 3, (2, 5))])
def test_gradients_of_wide_kernels_are_those_of_the_plain_convolution(size, stride, fan_in, sides):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((2, *sides, fan_in)))
    kernel = jnp.asarray(rng.standard_normal((size, size, fan_in, 64)))

    def plain(x, kernel):
        reach = (size - 1) // 2
        return lax.conv_general_dilated(x, kernel, (stride, stride), [(reach, reach)] * 2,
                                        dimension_numbers=("NHWC", "HWIO", "NHWC"))

    gradient = jnp.asarray(rng.standard_normal(jax.eval_shape(plain, x, kernel).shape))

    @jax.jit
    def both(x, kernel):
        values, pull = jax.vjp(lambda x, kernel: convolve(x, kernel, stride=stride), x, kernel)
        wanted, pull_plain = jax.vjp(plain, x, kernel)
        return values, wanted, pull(gradient), pull_plain(gradient)

    values, wanted, gradients, plain_gradients = both(x, kernel)
    np.testing.assert_array_equal(values, wanted)
    for found, want in zip(gradients, plain_gradients):
        np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)  # float64: another order of 100 terms
    assert jax.eval_shape(lambda k: jax.vjp(lambda k: convolve(x.astype(jnp.bfloat16), k, stride=stride), k)[1](
        gradient.astype(jnp.bfloat16))[0], kernel.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_depth_becomes_space_row_by_row():
    x = np.arange(4 * 2).reshape(1, 1, 1, 8)
    np.testing.assert_array_equal(depth_to_space(jnp.asarray(x))[0, ..., 0], [[0, 2], [4, 6]])


def test_other_sizes_cannot_be_doubled():
    with pytest.raises(ValueError, match=r"kernel must have shape \[5, 5, in, out\]"):
        phase_kernel(jnp.zeros((3, 3, 1, 1)))


@pytest.mark.parametrize("scale, side", [("same", 8), ("half", 4), ("double", 16)])
def test_a_layer_keeps_the_variance_of_its_input_and_its_dtype(scale, side):
    layer = Convolution(32, scale=scale)
    x = jax.random.normal(jax.random.key(0), (8, 8, 8, 32), jnp.float32)
    params = layer.init(jax.random.key(1), x)
    y = jax.jit(layer.apply)(params, x)
    assert y.shape == (8, side, side, 32) and y.dtype == jnp.float32
    assert jax.eval_shape(layer.apply, params, x.astype(jnp.bfloat16)).dtype == jnp.bfloat16
    inner = y[:, side // 4 : -side // 4, side // 4 : -side // 4]
    assert 0.6 < float(jnp.var(inner)) < 1.6  # the borders see zeros; kernels are random
