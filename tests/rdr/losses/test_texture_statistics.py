"""Texture statistics: invariances, numpy moments, and what they tell apart."""

import functools

import jax
import numpy as np
import pytest

from rdr.features.steerable_pyramid import steerable_pyramid
from rdr.losses.texture_statistics import texture_distance, texture_statistics

RNG = np.random.default_rng(0)
# Most of the time here goes into compiling.
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="module")
def statistics():
    return jit(lambda x: texture_statistics(x, num_scales=3, num_orientations=4, neighborhood=5))


@pytest.fixture(scope="module")
def distance():
    return jit(lambda x, y: texture_distance(x, y, num_scales=2))


pyramid_of = jit(lambda x: steerable_pyramid(x, num_scales=3, num_orientations=4))


def lines_and_edges(size=32):
    """Two images with equal amplitude spectra: a bright line, and its derivative's counterpart, an edge pair."""
    line = np.zeros((size, size))
    line[:, size // 2] = 1.0
    spectrum = np.fft.fft2(line)
    edge = np.fft.ifft2(spectrum * -1j * np.sign(np.fft.fftfreq(size))[None]).real
    return line[None, ..., None] * 0.5 + 0.3, edge[None, ..., None] * 0.5 + 0.3


def test_cyclic_shifts_change_nothing(statistics, distance):
    x = RNG.random((1, 32, 32, 1)) * np.linspace(0.2, 1, 32)[None, :, None, None]
    shifted = np.roll(x, (8, 16), (1, 2))  # whole samples at every scale
    for a, b in zip(jax.tree.leaves(statistics(x)), jax.tree.leaves(statistics(shifted))):
        np.testing.assert_allclose(a, b, atol=1e-10)
    np.testing.assert_allclose(distance(x, shifted), 0.0, atol=1e-18)
    assert distance(x, RNG.random(x.shape))[0] > 1e-3


def test_moments_and_autocorrelations_are_those_of_numpy(statistics):
    x = RNG.random((1, 32, 32, 1)) ** 2
    got = statistics(x)
    z = x - x.mean()
    v = (z**2).mean()
    expected = [x.mean(), np.sqrt(v + 1e-6) - 1e-3, (z**3).mean() / (v + 1e-6) ** 1.5, (z**4).mean() / (v + 1e-6) ** 2]
    np.testing.assert_allclose(got.pixels[0, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(got.channels[0], [[v / (v + 1e-6)]], rtol=1e-12)
    # Of the coarsest low-pass, by shifting.
    low = np.asarray(pyramid_of(x).lowpass)[0, ..., 0]
    low = low - low.mean()
    shifts = [[(low * np.roll(low, (i, j), (0, 1))).mean() for j in (-1, 0, 1)] for i in (-1, 0, 1)]
    center = np.array(got.lowpass_autocorrelations[-1][0, :, :, 0])
    assert center.shape == (3, 3)  # a map of 4 x 4 has no larger odd neighborhood
    np.testing.assert_allclose(center, shifts / ((low**2).mean() + 1e-6), rtol=1e-10)


def test_correlations_across_scales_are_those_of_numpy(statistics):
    x = RNG.random((1, 32, 32, 1))
    got = statistics(x)
    pyramid = pyramid_of(x)
    fine, coarse = (np.asarray(band)[0, :, :, 0] for band in pyramid.bands[:2])
    wide = np.zeros((32, 32, 4), complex)
    wide[8:24, 8:24] = np.fft.fftshift(np.fft.fft2(coarse, axes=(0, 1)), axes=(0, 1))
    parent = 4 * np.fft.ifft2(np.fft.ifftshift(wide, axes=(0, 1)), axes=(0, 1))

    def correlations(a, b):
        covariance = np.einsum("hwi,hwj->ij", a, b) / 1024
        return covariance / np.sqrt(np.outer((a**2).mean((0, 1)) + 1e-6, (b**2).mean((0, 1)) + 1e-6))

    doubled = np.abs(parent) * np.exp(2j * np.angle(parent))
    expected = correlations(fine.real, np.concatenate([doubled.real, doubled.imag], -1))
    np.testing.assert_allclose(got.parent_phase_correlations[0][0, 0], expected, atol=1e-11)
    magnitudes = [np.abs(z) - np.abs(z).mean((0, 1)) for z in (fine, parent)]
    np.testing.assert_allclose(got.parent_magnitude_correlations[0][0, 0], correlations(*magnitudes), atol=1e-11)
    np.testing.assert_allclose(
        got.magnitude_correlations[0][0, 0], correlations(magnitudes[0], magnitudes[0]), atol=1e-11
    )


def test_edges_and_lines_of_equal_spectrum_differ_in_the_phase_correlations(statistics):
    line, edge = map(statistics, lines_and_edges())
    spectra = [np.abs(np.fft.fft2(z[0, ..., 0])) for z in lines_and_edges()]
    np.testing.assert_allclose(spectra[0][:, 1:16], spectra[1][:, 1:16], atol=1e-12)
    np.testing.assert_allclose(
        line.lowpass_autocorrelations[1], edge.lowpass_autocorrelations[1], atol=2e-3
    )
    # Vertical bands (k = 0), the real part with the parent's: opposite signs for lines and edges.
    a, b = (s.parent_phase_correlations[0][0, 0, 0] for s in (line, edge))
    assert np.abs(np.asarray(a - b)).max() > 0.3


def test_flat_images_have_finite_statistics_and_gradients(distance):
    x, flat = RNG.random((1, 32, 32, 1)), np.full((1, 32, 32, 1), 0.5)
    gradient = jit(jax.grad(lambda y, x: texture_distance(y, x, num_scales=2).sum()))
    for image in (flat, np.zeros_like(flat)):
        assert np.isfinite(distance(image, x)).all() and distance(image, image) == 0.0
        assert np.isfinite(gradient(image, x)).all()


def test_an_even_neighborhood_is_refused():
    with pytest.raises(ValueError, match="neighborhood must be odd and positive, got 4"):
        texture_statistics(np.zeros((1, 8, 8, 1)), neighborhood=4)
