import numpy as np
import pytest
from scipy import stats

from rdr.codecs.diffusion import curves, process, sources

MIXTURE = sources.mixture([0.3, 0.5, 0.2], [[-2.0, 0.5], [1.0, -1.0], [0.0, 2.0]],
                          [[0.1, 0.4], [0.5, 0.05], [0.2, 0.2]])
ALL = {"gaussian_vector": sources.gaussian_vector(), "gaussian_process": sources.gaussian_process(0.9, 6),
       "mixture": MIXTURE, "swirl": sources.swirl(), "circle": curves.circle(), "banana": curves.banana()}


@pytest.mark.parametrize("name", ALL)
def test_denoiser_is_the_conditional_mean(name):
    # E f(x_t) (x_0 - denoise(x_t)) = 0 for every f: the orthogonality that defines the conditional mean.
    source = ALL[name]
    rng = np.random.default_rng(3)
    x = source.sample(rng, 12_000)
    for t in (0.02, 0.5):
        noisy = process.diffuse(x, t, rng.standard_normal(x.shape))
        error = x - source.denoise(noisy, t)
        tests = [np.ones(len(x)), *noisy.T, *np.square(noisy.T), *np.tanh(2 * noisy.T), np.sin(3 * noisy.sum(-1))]
        for f in tests:
            products = f[:, None] * error
            assert (np.abs(products.mean(0)) < 4.8 * products.std(0) / np.sqrt(len(x))).all()


@pytest.mark.parametrize("name", ALL)
def test_denoiser_agrees_with_self_normalized_importance_sampling(name):
    source = ALL[name]
    rng = np.random.default_rng(4)
    pool = source.sample(rng, 150_000)
    t = 0.5
    noisy = process.diffuse(source.sample(rng, 4), t, rng.standard_normal((4, source.dimension)))
    for x in noisy:
        log_weight = -np.square(x - np.sqrt(1 - t) * pool).sum(-1) / (2 * t)
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        mean = weight @ pool
        error = np.sqrt((weight**2) @ np.square(pool - mean))
        assert (np.abs(source.denoise(x[None], t)[0] - mean) < 5 * error).all()


@pytest.mark.parametrize("name", ALL)
def test_moments_are_those_of_samples(name):
    source = ALL[name]
    x = source.sample(np.random.default_rng(5), 100_000)
    spread = np.sqrt(np.diag(source.covariance).max())
    np.testing.assert_allclose(x.mean(0), source.mean, atol=5 * spread / np.sqrt(1e5))
    products = (x - source.mean)[:, :, None] * (x - source.mean)[:, None, :]
    assert (np.abs(products.mean(0) - source.covariance) < 5 * products.std(0) / np.sqrt(1e5) + 1e-12).all()


@pytest.mark.parametrize("name", [name for name in ALL if ALL[name].posterior_sample])
def test_posterior_samples_complete_the_joint_distribution(name):
    # (x_0, x_t) and (sample, x_t) have one distribution: marginals by Kolmogorov-Smirnov, products by their means.
    source = ALL[name]
    rng = np.random.default_rng(6)
    x = source.sample(rng, 20_000)
    noisy = process.diffuse(x, 0.4, rng.standard_normal(x.shape))
    y = source.posterior_sample(rng, noisy, 0.4)
    fresh = source.sample(rng, 20_000)
    for i in range(source.dimension):
        assert stats.ks_2samp(y[:, i], fresh[:, i]).pvalue > 1e-4
        for other in (noisy[:, i], noisy[:, 0] ** 2, np.sin(2 * noisy[:, i])):
            difference = (y[:, i] - x[:, i]) * other
            assert abs(difference.mean()) < 4.5 * difference.std() / np.sqrt(len(x))
    assert np.abs(np.square(y).mean() - np.square(x).mean()) < 0.05 * np.square(x).mean()


@pytest.mark.parametrize("name", ["gaussian_process", "mixture", "swirl", "circle", "banana"])
def test_flow_by_steps_has_the_source_s_distribution(name):
    source = ALL[name]
    rng = np.random.default_rng(7)
    count = 800
    noisy = process.diffuse(source.sample(rng, count), 0.3, rng.standard_normal((count, source.dimension)))
    y = process.probability_flow(source.denoise, noisy, process.decoding_times(0.3, 24))
    if source.flow:
        np.testing.assert_allclose(y, source.flow(noisy, 0.3), atol=5e-3)
    fresh = source.sample(rng, 20 * count)
    for direction in np.linalg.qr(rng.standard_normal((source.dimension, source.dimension)))[0]:
        assert stats.ks_2samp(y @ direction, fresh @ direction).pvalue > 1e-3


@pytest.mark.parametrize("name", ["mixture", "swirl"])
def test_mixture_s_denoiser_agrees_with_a_plain_grid(name):
    source = ALL[name]
    weights, means, variances = (source.identity[part] for part in ("weights", "means", "variances"))
    axis = np.arange(-6.0, 6.0, 0.04)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    density = sum(w / np.sqrt(v.prod()) * np.exp(-0.5 * (np.square(points - m) / v).sum(1))
                  for w, m, v in zip(weights, means, variances))
    rng = np.random.default_rng(9)
    for t in (0.1, 0.6):
        for x in process.diffuse(source.sample(rng, 2), t, rng.standard_normal((2, 2))):
            weight = density * np.exp(-np.square(x - np.sqrt(1 - t) * points).sum(1) / (2 * t))
            np.testing.assert_allclose(source.denoise(x[None], t)[0], weight @ points / weight.sum(), atol=1e-8)


def test_process_s_denoiser_solves_the_normal_equations():
    source = ALL["gaussian_process"]
    x = np.random.default_rng(10).standard_normal((3, 6))
    for t in (0.05, 0.7):
        given = (1 - t) * source.covariance + t * np.eye(6)
        expected = np.sqrt(1 - t) * source.covariance @ np.linalg.solve(given, x.T)
        np.testing.assert_allclose(source.denoise(x, t), expected.T, atol=1e-12)


def test_sources_refuse_what_they_are_not():
    for call in (lambda: sources.gaussian_vector((1.0, 0.0)), lambda: sources.gaussian_vector(()),
                 lambda: sources.gaussian_process(1.0), lambda: sources.gaussian_process(0.5, 0),
                 lambda: sources.gaussian_process(0.5, variance=-1.0), lambda: sources.mixture([1.0], [[0.0]], [[0.0]]),
                 lambda: sources.mixture([1.0, 1.0], [[0.0]], [[1.0]]), lambda: sources.swirl(0),
                 lambda: sources.swirl(turns=0.0)):
        with pytest.raises(ValueError, match="must be|of rank"):
            call()
