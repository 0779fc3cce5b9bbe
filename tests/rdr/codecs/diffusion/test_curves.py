import numpy as np

from rdr.codecs.diffusion import curves, process


def test_circle_s_denoiser_is_a_ratio_of_bessel_functions():
    from scipy.special import ive

    source = curves.circle()
    for t in (1e-4, 1e-2, 0.1, 0.5, 0.95):
        x = np.array([[0.0, 0.0], [0.1, -0.2], [1.0, 0.0], [-2.0, 3.0]])
        kappa = np.linalg.norm(x, axis=1) * np.sqrt(1 - t) / t
        expected = (ive(1, kappa) / ive(0, kappa))[:, None] * x / np.maximum(np.linalg.norm(x, axis=1), 1e-9)[:, None]
        np.testing.assert_allclose(source.denoise(x, t), expected, atol=1e-13)
    np.testing.assert_array_equal(source.denoise(np.array([[0.6, 0.8]]), 0.0), [[0.6, 0.8]])


def test_banana_s_denoiser_agrees_with_a_plain_grid():
    source = curves.banana()
    rng = np.random.default_rng(8)
    y = np.stack(np.meshgrid(np.linspace(-18, 18, 1801), np.linspace(-3.5, 3.5, 141), indexing="ij"), -1).reshape(-1, 2)
    points = np.stack([y[:, 0], y[:, 1] - 0.1 * y[:, 0] ** 2], -1) @ curves._ROTATION - 1.0
    prior = -y[:, 0] ** 2 / 18 - 2 * y[:, 1] ** 2
    for t in (0.02, 0.5, 0.97):
        for x in process.diffuse(source.sample(rng, 3), t, rng.standard_normal((3, 2))):
            log_weight = prior - np.square(x - np.sqrt(1 - t) * points).sum(-1) / (2 * t)
            weight = np.exp(log_weight - log_weight.max())
            np.testing.assert_allclose(source.denoise(x[None], t)[0], weight @ points / weight.sum(), atol=1e-9)
