"""The 3 x 3 layers: values by brute force, gradients by automatic differentiation of the plain form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.overfitted.architecture import KERNEL
from rdr.codecs.overfitted.convolution import convolve, neighborhood


def plain(kernel, x):
    near = neighborhood(x)
    return jnp.einsum("on,nhw->ohw", kernel, near)


@pytest.mark.parametrize("shift_outputs", [False, True])
@pytest.mark.parametrize(("outputs", "channels", "height", "width"), [
    (6, 3, 5, 7), (3, 6, 8, 4), (2, 1, 1, 1), (1, 2, 1, 6)])  # fmt: skip
def test_values_and_gradients_are_those_of_the_plain_form(outputs, channels, height, width, shift_outputs):
    rng = np.random.default_rng(0)
    kernel, x, weight = (rng.standard_normal(shape) for shape in (
        (outputs, 9 * channels), (channels, height, width), (outputs, height, width)))
    @jax.jit
    def both(*arrays):
        found = jax.grad(lambda *a: (weight * jnp.sin(convolve(*a, shift_outputs))).sum(), (0, 1))(*arrays)
        expected = jax.grad(lambda *a: (weight * jnp.sin(plain(*a))).sum(), (0, 1))(*arrays)
        return convolve(*arrays, shift_outputs), found, expected

    value, found, expected = both(kernel, x)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    brute = sum(np.einsum("oc,chw->ohw", kernel[:, k * channels:(k + 1) * channels],
                          padded[:, 1 + i:1 + i + height, 1 + j:1 + j + width]) for k, (i, j) in enumerate(KERNEL))
    np.testing.assert_allclose(value, brute, rtol=1e-12, atol=1e-12)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
