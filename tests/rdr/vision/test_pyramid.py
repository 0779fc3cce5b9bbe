import jax
import numpy as np
import pytest
import scipy.ndimage

from rdr.vision import pyramid

TAPS = np.array([0.05, 0.25, 0.4, 0.25, 0.05])


def halved(x, odd_rule):
    """One axis (the last), by convolution with zeros outside and what the package adds at the borders."""
    y = scipy.ndimage.convolve1d(x, TAPS, mode="constant")[..., ::2]
    y[..., 0] += 0.25 * x[..., 0] + 0.05 * x[..., 1]
    y[..., -1] += 0.25 * x[..., -1] + 0.05 * x[..., -2] if odd_rule else 0.05 * x[..., -1]
    return y


def doubled(x, n):
    """One axis (the last), by zeros between samples."""
    z = np.zeros((*x.shape[:-1], n + 4))
    z[..., 2:-2:2], z[..., 0], z[..., -2 + n % 2] = x, x[..., 0], x[..., -1]
    return scipy.ndimage.convolve1d(z, 2 * TAPS, mode="constant")[..., 2:-2]


@pytest.mark.parametrize(("height", "width"), [(8, 6), (7, 6), (8, 5)])
def test_steps_by_another_route(height, width):
    planes = np.random.default_rng(0).normal(size=(2, height, width))
    odd = height % 2 == 1  # of both axes
    down = np.moveaxis(halved(np.moveaxis(planes, 1, 2), odd), 2, 1)
    down = halved(down, odd)
    np.testing.assert_allclose(jax.jit(pyramid.halve)(planes), down, rtol=1e-12)
    up = np.moveaxis(doubled(np.moveaxis(down, 1, 2), height), 2, 1)
    found = jax.jit(pyramid.double, static_argnums=(1, 2))(down, height, width)
    np.testing.assert_allclose(found, doubled(up, width), rtol=1e-12)


def test_a_flat_plane_stays_flat():
    levels = jax.jit(pyramid.gaussian_pyramid, static_argnums=1)(np.full((9, 13), 3.0), 3)
    assert [level.shape for level in levels] == [(9, 13), (5, 7), (3, 4)]
    np.testing.assert_allclose(levels[2], 3.0)


@pytest.mark.parametrize("shape", [(2, 9, 11), (2, 131, 300)])  # the second takes several blocks
def test_the_blur_mirrors_at_borders(shape):
    planes = np.random.default_rng(0).normal(size=shape)
    taps = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    expected = scipy.ndimage.convolve1d(planes, taps, axis=1, mode="mirror")
    expected = scipy.ndimage.convolve1d(expected, taps, mode="mirror")
    np.testing.assert_allclose(pyramid.correlate(planes, taps), expected, rtol=0, atol=1e-12)


def test_frequencies():
    # 60 pixels per degree: 30, 9.684 and halves, until one is not above 0.2; it is the last before the base band.
    found = pyramid.band_frequencies(2000, 3000, 60.0)
    np.testing.assert_allclose(found, [30, *(9.684 / 2**k for k in range(7)), 0.1], rtol=1e-12)
    assert found[-2] < 0.2 < found[-3]
    assert len(pyramid.band_frequencies(64, 100, 60.0)) == 6 and list(pyramid.band_frequencies(3, 2, 60.0)) == [0.1]
    with pytest.raises(ValueError, match="at least 2 pixels each way, got 1 x 5"):
        pyramid.band_frequencies(1, 5, 60.0)


def test_no_loop_over_pixels():
    program = str(jax.make_jaxpr(pyramid.halve)(np.zeros((64, 64))))
    assert "while" not in program and "scan" not in program
