"""The complex steerable pyramid: tight, invertible, steerable, analytic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.features import steerable_pyramid as module

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size, orientations", [((16, 24), 4), ((23, 14), 3), ((1, 9), 2), ((1, 1), 4)])
def test_the_frame_is_tight_and_invertible_at_any_size(size, orientations):
    x = RNG.random((2, *size, 2))

    @jax.jit
    def both(x):
        pyramid = module.steerable_pyramid(x, num_scales=3, num_orientations=orientations)
        return pyramid, module.reconstruct(pyramid)

    pyramid, back = both(x)
    np.testing.assert_allclose(back, x, atol=1e-14)
    energy = np.mean(pyramid.highpass**2, (1, 2)) + np.mean(pyramid.lowpass**2, (1, 2))
    for scale, band in enumerate(pyramid.bands):
        assert band.shape == (2, *(-(-n // 2**scale) for n in size), 2, orientations)
        energy += 0.5 * np.sum(np.mean(np.abs(band) ** 2, (1, 2)), -1)
    np.testing.assert_allclose(energy, np.mean(x**2, (1, 2)), rtol=1e-13)


@pytest.fixture(scope="module")
def four():
    return jax.jit(lambda x: module.steerable_pyramid(x, num_scales=2, num_orientations=4))


def grating(row_cycles, column_cycles, size=32):
    rows, columns = np.mgrid[:size, :size] / size
    return np.cos(2 * np.pi * (row_cycles * rows + column_cycles * columns))[None, ..., None]


def test_a_grating_excites_its_own_orientation_with_constant_magnitude(four):
    # Horizontal frequency pi/2 per sample, where the finest band passes all: angle 0, band 0.
    band = np.abs(four(grating(0, 8)).bands[0])[0, ..., 0, :]
    gain = 2**3 * 6 / np.sqrt(4 * 720)  # a_4
    np.testing.assert_allclose(band[..., 0], gain, rtol=1e-12)
    # cos^3 of 45 degrees at the neighbors; 0 at the perpendicular.
    np.testing.assert_allclose(band[..., 1], gain * np.cos(np.pi / 4) ** 3, rtol=1e-12)
    np.testing.assert_allclose(band[..., 2], 0.0, atol=1e-12)
    vertical = np.abs(four(grating(8, 0)).bands[0])[0, ..., 0, :]
    np.testing.assert_allclose(vertical[..., 2], gain, rtol=1e-12)


def test_bands_are_steerable(four):
    # cos^3(t - a) is a combination of cos^3(t - t_k) at four angles: band k of one angle from the four.
    basis = np.pi * np.arange(4) / 4
    angle, frequencies = 0.3, np.array([1, 3])
    matrix = np.cos(np.outer(frequencies, basis))
    system = np.concatenate([matrix, np.sin(np.outer(frequencies, basis))])
    target = np.concatenate([np.cos(frequencies * angle), np.sin(frequencies * angle)])
    weights = np.linalg.solve(system, target)
    x = RNG.random((1, 24, 24, 1))
    real = np.asarray(four(x).bands[0].real)[0, ..., 0, :] @ weights
    # The same band from its own filter, real and symmetric.
    v, h = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(24),) * 2, indexing="ij")
    radius, theta = np.hypot(v, h), np.arctan2(v, h)
    octaves = np.log2(np.maximum(radius, 1e-9) / np.pi)
    low = np.where(octaves < -1, 1.0, np.where(octaves >= 0, 0.0, np.cos(np.pi / 2 * (octaves + 1))))
    inner = np.where(octaves < -2, 1.0, np.where(octaves >= -1, 0.0, np.cos(np.pi / 2 * (octaves + 2))))
    gain = 2**3 * 6 / np.sqrt(4 * 720)
    mask = low * np.sqrt(1 - inner**2) * (-1j) ** 3 * gain * np.cos(theta - angle) ** 3
    direct = np.fft.ifft2(mask * np.fft.fft2(x[0, ..., 0]))
    np.testing.assert_allclose(real, direct.real, atol=1e-14)


def test_bands_are_analytic(four):
    x = RNG.random((1, 16, 16, 1))
    spectrum = np.fft.fft2(four(x).bands[1][0, ..., 0, :], axes=(0, 1))
    rows, columns = np.meshgrid(*(np.fft.fftfreq(8),) * 2, indexing="ij")
    for k in range(4):
        angle = np.pi * k / 4
        behind = np.cos(angle) * columns + np.sin(angle) * rows < -1e-9
        np.testing.assert_allclose(spectrum[..., k][behind], 0.0, atol=1e-12)


def test_shifting_the_image_by_two_to_the_scale_shifts_the_band(four):
    x = RNG.random((1, 16, 24, 1))
    bands, shifted = four(x).bands, four(np.roll(x, (2, 4), (1, 2))).bands
    np.testing.assert_allclose(np.roll(bands[1], (1, 2), (1, 2)), shifted[1], atol=1e-14)


def test_features_are_real_maps_with_gradients_finite_at_zero():
    x = jnp.zeros((1, 9, 12, 2), jnp.float32)

    def total(x):
        maps = module.features(None, x, num_scales=2, num_orientations=3, parts=("real", "magnitude"))
        assert [m.shape for m in maps.values()] == [(1, 9, 12, 2), (1, 9, 12, 12), (1, 5, 6, 12), (1, 3, 3, 2)]
        assert all(m.dtype == jnp.float32 for m in maps.values())
        return sum(m.sum() for m in maps.values())

    assert np.isfinite(jax.jit(jax.grad(total))(x)).all()


def test_padding_a_spectrum_undoes_cropping_it():
    low = RNG.random((1, 5, 6, 1))
    spectrum = np.fft.fft2(low, axes=(1, 2))
    spectrum[:, :, 3] = 0.0  # the Nyquist frequency has no place in an odd number of samples
    wide = module.pad_spectrum(jnp.asarray(spectrum), (11, 13))
    np.testing.assert_allclose(module.crop_spectrum(wide, (5, 6)), spectrum, atol=1e-13)


def test_bad_numbers_are_refused():
    x = np.zeros((1, 8, 8, 1))
    with pytest.raises(ValueError, match="num_orientations must be at least 2, got 1"):
        module.steerable_pyramid(x, num_orientations=1)
    with pytest.raises(ValueError, match="num_scales must be at least 1, got 0"):
        module.steerable_pyramid(x, num_scales=0)
    with pytest.raises(ValueError, match="parts must be among 'real', 'imaginary', 'magnitude', got 'phase'"):
        module.features(None, x, parts=("phase",))
