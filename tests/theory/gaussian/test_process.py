"""Oracles: the innovation variance (Kolmogorov-Szego), long Toeplitz blocks, a finer grid, white noise."""

import jax
import numpy as np
import pytest

from theory import gaussian
from theory.gaussian import process as gaussian_process
from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_common_randomness as gaussian_vector_common_randomness
from theory.gaussian import vector_perception as vector
from theory.gaussian import vector_realism as gaussian_vector_realism

NODES = gaussian_process.uniform_frequencies(128)


def test_low_distortion_costs_half_the_log_of_the_innovation_variance_over_it():
    a, variance = 0.8, 2.0
    spectrum = gaussian_process.autoregressive_spectrum(NODES, a, variance)
    np.testing.assert_allclose(spectrum.mean(), variance, rtol=1e-14)  # a^256 is nothing
    d = np.linspace(0.02, variance * (1 - a) / (1 + a), 5)  # up to min S
    np.testing.assert_allclose(
        gaussian_process.rate_distortion(d, spectrum),
        0.5 * np.log2(variance * (1 - a**2) / d), rtol=1e-12)


def test_no_memory_is_the_scalar_source():
    spectrum = gaussian_process.autoregressive_spectrum(NODES, 0.0, 1.5)
    d, p = np.linspace(0.05, 2.9, 7), 0.1
    np.testing.assert_allclose(
        gaussian_process.rate_distortion(d, spectrum), gaussian.rate_distortion(d, 1.5), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        gaussian_process.perfect_realism_rate_distortion(d, spectrum),
        gaussian.rate_distortion_perception(d, 0.0, 1.5), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(
        gaussian_process.rate_distortion_perception(d, p, spectrum).rate,
        gaussian.rate_distortion_perception(d, p, 1.5), rtol=1e-9, atol=1e-11)


def test_it_is_the_limit_of_long_blocks():
    """Oracle: eigenvalues of Toeplitz covariances; the difference to the limit halves with each doubling."""
    a, d, p = 0.7, 0.3, 0.02
    spectrum = gaussian_process.autoregressive_spectrum(NODES, a)
    limits = [gaussian_process.rate_distortion(d, spectrum),
              gaussian_process.perfect_realism_rate_distortion(d, spectrum),
              gaussian_process.rate_distortion_perception(d, p, spectrum).rate]
    gaps = []
    for n in (48, 96):
        lam = np.linalg.eigvalsh(a ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))))
        lam = np.append(lam, np.zeros(NODES.size - n))  # which cost nothing: the programs of the limit
        rates = [gaussian_vector.rate_distortion(n * d, lam),
                 gaussian_vector_realism.perfect_realism_rate_distortion(n * d, lam),
                 vector.rate_distortion_perception(n * d, n * p, lam).rate]
        gaps.append(np.array(rates) / n - np.array(limits))
    assert (np.abs(gaps[1]) < 8e-3).all()
    # The edge effect is c/n; the next order and the kink of water-filling leave a few per cent.
    np.testing.assert_allclose(gaps[0] / gaps[1], 2.0, rtol=0.05)


def test_quadrature_converges_and_fast_where_nothing_is_dropped():
    fine = gaussian_process.uniform_frequencies(4096)
    coarse = gaussian_process.uniform_frequencies(64)
    spectra = [gaussian_process.autoregressive_spectrum(f, 0.5) for f in (coarse, fine)]
    smooth = [gaussian_process.perfect_realism_rate_distortion(0.4, s) for s in spectra]
    np.testing.assert_allclose(smooth[0], smooth[1], rtol=1e-12)
    kinked = [gaussian_process.rate_distortion(0.6, s) for s in spectra]
    np.testing.assert_allclose(kinked[0], kinked[1], rtol=64.0**-2)


def test_rate_and_distortion_are_inverse_per_sample():
    spectrum = gaussian_process.autoregressive_spectrum(NODES, 0.9)
    rate = np.array([0.1, 1.0, 3.0])
    for forth, back in [
        (gaussian_process.distortion_rate, gaussian_process.rate_distortion),
        (gaussian_process.perfect_realism_distortion_rate, gaussian_process.perfect_realism_rate_distortion),
    ]:
        np.testing.assert_allclose(back(forth(rate, spectrum), spectrum), rate, rtol=1e-10)


@pytest.mark.parametrize("size", [8, 9])
def test_an_image_spectrum_counts_every_frequency_once(size):
    """Oracle: all frequencies of the discrete Fourier transform, one by one."""
    spectrum, weights = gaussian_process.image_spectrum(size, 0.5, exponent=1.6)
    f = np.fft.fftfreq(size)
    squared = (f[:, None] ** 2 + f[None, :] ** 2).reshape(-1)[1:]
    every = squared**-0.8
    every *= 0.5 * size**2 / every.sum()
    np.testing.assert_allclose(weights.sum(), 1 - size**-2, rtol=1e-14)
    np.testing.assert_allclose((weights * spectrum).sum(), 0.5, rtol=1e-14)
    d = np.array([0.01, 0.1, 0.4])
    np.testing.assert_allclose(
        gaussian_process.rate_distortion(d, spectrum, weights=weights),
        gaussian_vector.rate_distortion(d * size**2, every) / size**2, rtol=1e-12)


def test_a_power_law_image_needs_fewer_bits_than_white_noise_of_its_variance():
    spectrum, weights = gaussian_process.image_spectrum(32)
    white, _ = gaussian_process.image_spectrum(32, exponent=0.0)
    d = np.array([0.01, 0.1])
    plain = gaussian_process.rate_distortion(d, spectrum, weights=weights)
    realistic = gaussian_process.perfect_realism_rate_distortion(d, spectrum, weights=weights)
    between = gaussian_process.rate_distortion_perception(d, 0.01, spectrum, weights=weights)
    assert (plain <= between.rate).all() and (between.rate < realistic).all()
    assert plain[1] < between.rate[1] - 1e-4 and plain[0] == between.rate[0]  # at D = 0.01 P = 0.01 is idle
    assert (np.asarray(between.kkt_residual) < 1e-10).all()
    assert (realistic < gaussian_process.rate_distortion(d, white, weights=weights)).all()


@pytest.mark.parametrize("call, said", [
    (lambda: gaussian_process.autoregressive_spectrum(NODES, 1.0), "coefficient"),
    (lambda: gaussian_process.autoregressive_spectrum(NODES, -1.0), "coefficient"),
    (lambda: gaussian_process.autoregressive_spectrum(NODES, 0.5, -1.0), "variance"),
    (lambda: gaussian_process.image_spectrum(1), "size"),
    (lambda: gaussian_process.image_spectrum(8, 0.0), "variance"),
    (lambda: gaussian_process.image_spectrum(8, exponent=-1.0), "exponent"),
    (lambda: gaussian_process.uniform_frequencies(0), "count"),
    (lambda: gaussian_process.rate_distortion(0.1, 2.0), "spectrum"),
    (lambda: gaussian_process.rate_distortion(-0.1, [2.0]), "distortion"),
])
def test_arguments_outside_their_domain_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_traced_spectra_outside_of_the_domain_are_nan():
    frequencies = gaussian_process.uniform_frequencies(4)
    spectrum = jax.jit(gaussian_process.autoregressive_spectrum)
    assert np.isnan(spectrum(frequencies, 1.0, 1.0)).all() and np.isnan(spectrum(frequencies, 0.5, -1.0)).all()
    image = jax.jit(lambda v, a: gaussian_process.image_spectrum(4, v, exponent=a)[0])
    assert np.isnan(image(0.0, 2.0)).all() and np.isnan(image(1.0, -1.0)).all() and np.isfinite(image(1.0, 2.0)).all()


def test_shared_randomness_per_sample_is_the_vectors():
    spectrum = gaussian_process.autoregressive_spectrum(gaussian_process.uniform_frequencies(4), 0.6, 1.5)
    # 500 rows, as in the tests of vectors: nothing new is compiled.
    rate = np.full(500, 0.7)
    found = gaussian_process.strong_realism_distortion(rate, 0.25, spectrum)
    # Four components of one sample each are four samples' bits and error.
    whole = gaussian_vector_common_randomness.strong_realism_distortion(4.0 * rate, 1.0, spectrum)
    np.testing.assert_allclose(found, whole / 4.0, rtol=1e-13)
    np.testing.assert_allclose(gaussian_process.strong_realism_rate(found, 0.25, spectrum), rate, rtol=1e-12)
