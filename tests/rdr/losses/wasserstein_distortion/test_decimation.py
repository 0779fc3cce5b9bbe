"""Oracle: the windows as matrices, variances as second moments less squares of means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.losses.wasserstein_distortion import pooling
from rdr.losses.wasserstein_distortion.decimation import pool_blocks


def explicit(mean, variance):
    rows, columns = (pooling.dense_pooling_matrix(n)[1::2] for n in mean.shape[1:3])

    def pool(x):
        return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns)

    pooled = pool(mean)
    return pooled, pool(variance + mean**2) - pooled**2


@pytest.mark.parametrize("size", [(7, 6), pytest.param((4, 3), marks=pytest.mark.stress), (2, 1)])
def test_moments_of_blocks_and_their_derivatives_are_those_of_explicit_windows(size):
    rng = np.random.default_rng(0)
    mean, variance, step, other = (rng.random((2, *size, 2)) for _ in range(4))
    slopes = [jnp.asarray(rng.normal(size=(2, (size[0] + 1) // 2, (size[1] + 1) // 2, 2))) for _ in range(2)]

    def value_and_slopes(pool):
        def scored(m, v):
            values = pool(m, v)
            # Cubed, so that second derivatives are not constant.
            return sum(jnp.sum(a * x**3) for a, x in zip(slopes, values)), values

        gradient = jax.grad(scored, (0, 1), has_aux=True)
        (first, values), (second, _) = jax.jvp(gradient, (mean, variance), (step, other))
        return values, first, second

    both = jax.jit(lambda: (value_and_slopes(pool_blocks), value_and_slopes(explicit)))()
    for got, want in zip(*map(jax.tree.leaves, both)):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)

    def of_pixels(m):
        values, back = jax.vjp(lambda m: pool_blocks(m, None), m)
        return values, back(tuple(slopes))[0]

    values, gradient = jax.jit(of_pixels)(mean)
    for got, want in zip(values, explicit(mean, 0 * variance)):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-15)
    want = jax.jit(jax.grad(lambda m: sum(jnp.sum(a * x) for a, x in zip(slopes, explicit(m, 0 * variance)))))(mean)
    np.testing.assert_allclose(gradient, want, rtol=1e-10, atol=1e-12)


def test_constants_come_out_as_they_went_in():
    maps = jnp.full((1, 9, 12, 1), np.float32(0.1))
    mean, variance = jax.jit(lambda x: pool_blocks(x, None))(maps)
    np.testing.assert_array_equal(mean, np.float32(0.1))
    np.testing.assert_array_equal(variance, 0.0)
