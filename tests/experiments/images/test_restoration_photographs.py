"""Restoring photographs: times of the diffusion, samplers with denoisers of Gaussian pixels, transport of patches."""

import types

import numpy as np
import pytest

from experiments.images import restoration_photographs as photographs
from experiments.images import restoration_training as training

CONFIG = types.SimpleNamespace(channels=2, sampling_steps=200, flow_noise=(0.0, 0.1), seed=0, alphas=(0.0, 1.0),
                               sigmas=())
DENOISE, ENLARGE = photographs.tasks((0.35,))


def pixels(count, deviation=0.1, side=8):
    return (deviation * np.random.default_rng(0).normal(size=(count, side, side, 1))).astype(np.float32)


def test_times_fall_from_the_noise_to_nothing():
    times = photographs.falling_times(0.35, 10)
    assert times[0] == pytest.approx(0.35**2 / (1 + 0.35**2)) and times[-1] == 0.0 and len(times) == 11
    deviations = np.sqrt(np.array(times[:-1]) / (1 - np.array(times[:-1])))
    np.testing.assert_allclose(deviations[1:] / deviations[:-1], deviations[1] / deviations[0], rtol=1e-9)


def test_samplers_with_the_denoiser_of_independent_gaussian_pixels(monkeypatch):
    """Variances, squared errors and mixtures as for a number: D = 2 D* for samples, D* + (s - e)^2 for flows."""
    v, n = 0.01, 0.35**2
    monkeypatch.setattr(training, "denoise",
                        lambda channels, params, x, noise, mean=None: x * (v / (v + noise**2))[:, None, None, None])
    error = v * n / (v + n)
    monkeypatch.setattr(training, "velocity", lambda channels, params, z, t, noise: z * (
        t * error / (v - error + t**2 * error))[:, None, None, None])
    x = pixels(96)  # 6,144 pixels: 1.8 % of a variance; 200 steps take 1.4 % off that of samples
    params = {"denoiser": None, "denoiser_flow": None}
    found = {(method, parameter): images for method, parameter, images in photographs.outputs(
        DENOISE, params, CONFIG, x, pixels(400))}
    d = {key: float(np.mean((x - images) ** 2)) for key, images in found.items()}
    assert d["mean", 0.0] == pytest.approx(error, rel=0.07)
    assert d["posterior sample", 1.0] == pytest.approx(2 * error, rel=0.07)
    assert d["posterior sample", 0.5] == pytest.approx(1.25 * error, rel=0.07)
    best = error + (v**0.5 - (v - error) ** 0.5) ** 2
    for method in ("probability flow", "rectified flow"):
        assert d[method, 1.0] == pytest.approx(best, rel=0.07)
        assert found[method, 1.0].var() == pytest.approx(v, rel=0.07)
    assert found["posterior sample", 1.0].var() == pytest.approx(v, rel=0.07)
    assert found["observation", 0.0].var() == pytest.approx(v + n, rel=0.07)


def test_chunks_leave_no_trace():
    x = pixels(photographs.CHUNK + 3)
    np.testing.assert_array_equal(photographs._in_chunks(lambda a: 2 * a, x), 2 * x)


def test_transport_of_overlapping_patches_restores_contrast():
    """Estimates that are the originals at half the contrast: the map is a factor of two, whatever overlaps."""
    x = pixels(400, side=16)
    apply = photographs.transport_map(0.5 * x + np.float32(0.1), x)
    np.testing.assert_allclose(apply(0.5 * x[:5] + np.float32(0.1)), x[:5], atol=2e-3)


def test_observations_are_drawn_once_for_each_purpose():
    x = pixels(4)
    np.testing.assert_array_equal(photographs.observe(DENOISE, x, seed=1), photographs.observe(DENOISE, x, seed=1))
    other = photographs.observe(DENOISE, x, seed=1, what="training")
    assert np.abs(other - photographs.observe(DENOISE, x, seed=1)).max() > 0.1
    small = photographs.observe(ENLARGE, x, seed=1)
    np.testing.assert_allclose(small[:, 0, 1, 0], x[:, :4, 4:, 0].mean((1, 2)), atol=1e-6)
