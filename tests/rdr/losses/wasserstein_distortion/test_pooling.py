"""The pooling windows: their shape, their standard deviation, and the mixture that a sigma asks for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.losses.wasserstein_distortion import pooling


def pooled_means(row, level):
    maps = jnp.asarray(row).reshape(1, 1, -1, 1)
    for _ in range(level):
        maps = pooling.subsample(pooling.pool_moments(maps, None)[0][:, :1], 2)
    return maps.ravel()


@pytest.mark.parametrize("level", [1, 2, 3])
def test_interior_windows_are_threefold_boxes_of_the_stated_standard_deviation(level):
    size = 64
    windows = np.asarray(jax.jit(jax.jacobian(lambda x: pooled_means(x, level)))(np.zeros(size)))
    box = np.full(2**level, 0.5**level)
    spline = np.convolve(np.convolve(box, box), box)
    block = windows.shape[0] // 2
    start = block * 2**level - 2**level + 1
    want = np.zeros(size)
    want[start : start + spline.size] = spline
    np.testing.assert_allclose(windows[block], want, atol=1e-15)
    place = np.arange(size)
    center = windows[block] @ place
    assert center == pytest.approx((block + 0.5) * 2**level - 0.5, rel=1e-13)  # the middle of its block
    assert windows[block] @ (place - center) ** 2 == pytest.approx(pooling.pooling_std(level) ** 2, rel=1e-12)


@pytest.mark.parametrize("size", [1, 5, 8])
def test_pooling_is_the_normalized_transpose_of_interpolation(size):
    matrix = pooling.interpolation_matrix(size)
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-15)
    pool = matrix.T / matrix.sum(0)[:, None]
    jacobian = jax.jit(jax.jacobian(lambda x: pooled_means(x, 1)))(np.zeros(size))
    np.testing.assert_allclose(jacobian, pool, atol=1e-16)


@pytest.mark.parametrize("size", [1, 5, 8])
def test_dense_windows_contain_the_others_and_count_every_pixel_alike(size):
    def dense(x):
        return pooling.pool_moments(x.reshape(1, 1, -1, 1), None)[0][:, :1]

    jacobian = np.asarray(jax.jit(jax.jacobian(lambda x: dense(x).ravel()))(np.zeros(size)))
    np.testing.assert_allclose(jacobian, pooling.dense_pooling_matrix(size), atol=1e-16)
    other = jax.jit(jax.jacobian(lambda x: pooled_means(x, 1)))(np.zeros(size))
    np.testing.assert_allclose(np.asarray(jacobian)[1::2], other, atol=1e-16)
    picked = jax.jit(lambda x: pooling.subsample(dense(x), 2).ravel())(np.arange(1.0, size + 1))
    np.testing.assert_allclose(picked, other @ np.arange(1.0, size + 1), rtol=1e-15)
    counts = pooling.dense_interpolation_matrix(size).sum(0) @ jacobian
    np.testing.assert_allclose(counts, 1, rtol=1e-15)


def explicit(mean, variance):
    """The windows as matrices, and variances as second moments less squares of means."""
    rows, columns = (pooling.dense_pooling_matrix(n) for n in mean.shape[1:3])

    def pool(x):
        return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns)

    pooled = pool(mean)
    return pooled, pool(variance + mean**2) - pooled**2


@pytest.mark.parametrize("size", [(7, 6), pytest.param((4, 3), marks=pytest.mark.stress), (2, 1)])
def test_pooled_moments_and_their_derivatives_are_those_of_explicit_windows(size):
    rng = np.random.default_rng(0)
    mean, variance, step, other = (rng.random((2, *size, 2)) for _ in range(4))
    slopes = [jnp.asarray(rng.normal(size=(2, size[0] + 1, size[1] + 1, 2))) for _ in range(2)]

    def value_and_slopes(pool):
        def scored(m, v):
            values = pool(m, v)
            # Cubed, so that second derivatives are not constant.
            return sum(jnp.sum(a * x**3) for a, x in zip(slopes, values)), values

        gradient = jax.grad(scored, (0, 1), has_aux=True)
        (first, values), (second, _) = jax.jvp(gradient, (mean, variance), (step, other))
        return values, first, second

    both = jax.jit(lambda: (value_and_slopes(pooling.pool_moments), value_and_slopes(explicit)))()
    for got, want in zip(*map(jax.tree.leaves, both)):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    pixels = jax.jit(lambda m: pooling.pool_moments(m, None))(mean)
    for got, want in zip(pixels, explicit(mean, 0 * variance)):
        np.testing.assert_allclose(got, want, rtol=1e-10)


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
def test_weights_mix_two_levels_to_the_variance_asked_for(kind):
    knots = pooling.pooling_knots(40, 64)
    assert knots[0] == 0 and knots[-1] == (64**2 - 1) / 12 and (np.diff(knots) > 0).all()
    variance = np.array([0.0, 1e-3, 0.75, 2.0, 3.75, 100.0, 300.0, knots[-1], 1e6])
    weights = np.stack(pooling.level_weights(kind(variance), knots))
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-15)
    assert (weights >= 0).all() and ((weights > 0).sum(0) <= 2).all()
    np.testing.assert_allclose(knots @ weights, np.minimum(variance, knots[-1]), rtol=1e-13)


def test_area_average_keeps_constants_and_the_total():
    for size, target in ((10, 5), (13, 6), (7, 7), (5, 8)):
        matrix = pooling.area_matrix(size, target)
        np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-15)
        np.testing.assert_allclose(matrix.sum(0), target / size, rtol=1e-14)


def test_deviation_has_derivative_zero_where_the_variance_is_zero():
    value, slope = jax.value_and_grad(lambda v: pooling.safe_std(v).sum())(np.array([0.0, 4.0]))
    assert value == 2
    np.testing.assert_array_equal(slope, [0, 0.25])
