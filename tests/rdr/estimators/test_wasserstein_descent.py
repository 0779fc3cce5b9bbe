"""Particles against sources whose R(D) is known, and against one step written out in numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from rdr.estimators import evaluate_particles, fit_particles, mean_estimate, particles
from rdr.estimators.tilting import tilt_curve

KEY = jax.random.key(0)
SLOPES = np.asarray([1.5, 6.0])  # bits per unit: of a Gaussian of variance 1, D = 1 / (2 ln 2 s) = .48 and .12
SETTINGS = {"slopes": SLOPES, "key": KEY, "num_particles": 24, "steps": 40, "batch": 1000}


def gaussian(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 1)) + 100.0


@functools.cache
def fitted():
    return fit_particles(gaussian(20_000), **SETTINGS)


def gaussian_terms(x, slope):
    """R(D) + s D of a Gaussian by the best reproductions, N(0, 1 - D), sample by sample, bits."""
    beta = slope * np.log(2)
    d = 1 / (2 * beta)
    return (0.5 * np.log(1 / d) + beta * x**2 * d) / np.log(2)  # -log of E exp(-beta (x - Y)^2)


def test_a_gaussian_is_bounded_from_above_and_nearly_reached():
    held_out = gaussian(4000, seed=1)
    found = evaluate_particles(fitted(), held_out)
    best = np.asarray([gaussian_terms(held_out - 100.0, slope).mean() for slope in SLOPES])
    excess = found.rate + SLOPES * found.distortion - best
    assert (excess > -0.01).all() and (excess < 0.01).all()  # on a sample the best one may lose
    np.testing.assert_allclose(found.rate, 0.5 * np.log2(1 / found.distortion), atol=0.05)
    assert found.kind == "upper" and found.held_out == 4000
    assert fitted().cap_bits == pytest.approx(np.log2(24))


def test_one_step_on_all_samples_is_that_of_a_mixture_of_gaussians():
    """Expectation-maximization with variance 1 / (2 s), in numpy; a squared error of another name goes the same way."""
    x = np.random.default_rng(3).normal(size=(9, 2))
    options = {"slopes": 1.5, "key": KEY, "num_particles": 4, "steps": 1, "batch": 9}
    found = fit_particles(x, **options)
    order = np.asarray(jax.random.permutation(jax.random.fold_in(KEY, 1), 9))
    y = x[order][:4]
    log_r = -1.5 * np.log(2) * ((x[:, None] - y) ** 2).sum(-1)
    r = np.exp(log_r - logsumexp(log_r, axis=1, keepdims=True))
    np.testing.assert_allclose(found.weights[0], r.mean(0), rtol=1e-4)
    np.testing.assert_allclose(found.points[0] + found.center, (r.T @ x) / r.sum(0)[:, None], rtol=1e-4, atol=1e-5)
    other = fit_particles(x, distortion=lambda x, y: jnp.sum(jnp.square(x[:, None] - y[None]), -1), **options)
    np.testing.assert_allclose(other.points[0], found.points[0] + found.center, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(other.center, 0.0)


def test_the_expectation_of_the_bound_is_covered_by_its_intervals():
    """200 sets of 4000 held-out samples; distortions beyond the outermost particle make their distribution skewed."""
    held_out = gaussian(800_000, seed=7)
    everything = evaluate_particles(fitted(), held_out)
    x = (held_out - fitted().center).astype(np.float32)
    curve = tilt_curve(fitted().points, fitted().weights, fitted().slopes, x)
    nats, distortions = (values.reshape(2, 200, 4000) for values in curve)
    covered = np.zeros((2, 2))
    for i in range(200):
        found = mean_estimate(nats[:, i] / np.log(2), distortions[:, i], shape=(2,), estimator="")
        for j, name in enumerate(("rate", "distortion")):
            low, high = found.interval(name)
            truth = np.asarray(getattr(everything, name))
            covered[j] += (low <= truth) & (truth <= high)
    assert (covered >= 182).all() and (covered <= 198).all()  # 91 to 99 %


def test_an_interrupted_fit_ends_in_the_same_particles_and_a_directory_has_one_owner(tmp_path, monkeypatch):
    from rdr.estimators import wasserstein_descent
    monkeypatch.setattr(wasserstein_descent, "chunk_of", lambda steps: 20)
    saved, calls = wasserstein_descent.train_scanned, []

    def interrupted(state, update, *, steps, **rest):
        calls.append(steps)
        saved(state, update, steps=20, **rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(wasserstein_descent, "train_scanned", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_particles(gaussian(20_000), **SETTINGS, workdir=tmp_path)
    monkeypatch.setattr(wasserstein_descent, "train_scanned", saved)
    resumed = fit_particles(gaussian(20_000), **SETTINGS, workdir=tmp_path)
    np.testing.assert_array_equal(resumed.points, fitted().points)
    with pytest.raises(ValueError, match="holds the progress of other data"):
        fit_particles(gaussian(20_000, seed=5), **SETTINGS, workdir=tmp_path)


def test_repeated_samples_and_fewer_samples_than_particles_are_right():
    """Two letters: with a reproduction for each the rate is at most a bit; at a large slope it is one."""
    x = np.repeat([[0.0], [1.0]], 2, axis=0)
    found = particles(x, np.repeat(x, 5, axis=0), slopes=30.0, key=KEY, num_particles=7, steps=3)
    np.testing.assert_allclose([found.rate, found.distortion], [1.0, 0.0], atol=1e-5)
    assert np.shape(found.rate) == ()
    same = particles(np.ones((4, 1)), np.ones((20, 1)), slopes=30.0, key=KEY, num_particles=7, steps=3)
    np.testing.assert_allclose([same.rate, same.distortion, same.rate_se], 0.0, atol=1e-6)


@pytest.mark.parametrize(("change", "message"), [
    ({"num_particles": 0}, "num_particles must be a whole number, at least 1, got 0"),
    ({"steps": 1.5}, "steps must be a whole number"),
    ({"batch": -1}, "batch must be"),
    ({"slopes": 0.0}, "slopes must be positive"),
    ({"curvature": 0.0}, "curvature must be positive"),
    ({"samples": np.ones((1, 1))}, "samples must hold at least 2 samples, got 1"),
    ({"samples": np.full((4, 1), np.nan)}, "samples must be finite"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_before_anything_is_written(change, message, tmp_path):
    settings = {"samples": gaussian(20), **SETTINGS, "workdir": tmp_path / "new", **change}
    with pytest.raises(ValueError, match=message):
        fit_particles(settings.pop("samples"), **settings)
    assert not (tmp_path / "new").exists()


def test_held_out_samples_are_checked():
    for wrong, message in ((np.ones((5, 2)), "held_out must have vectors of dimension 1"),
                           (np.ones((1, 1)), "at least 2")):
        with pytest.raises(ValueError, match=message):
            evaluate_particles(fitted(), wrong)


def uniform_on_sphere_with_noise(dimension, count, seed):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(count, dimension))
    return y / np.linalg.norm(y, axis=1, keepdims=True) + np.sqrt(0.1) * rng.normal(size=y.shape)


@pytest.mark.stress
@pytest.mark.parametrize(("dimension", "count", "truth"), [
    (2, 50, 2.540630480), (5, 300, 5.178030147), (10, 1000, 8.448071225)])
def test_the_deconvolution_benchmark_is_met_within_a_percent(dimension, count, truth):
    """min of R + 10 D in nats, d = |x - y|^2 / 2: 5 nats per unit of squared error."""
    x, held_out = (uniform_on_sphere_with_noise(dimension, 50_000, seed) for seed in (0, 1))
    result = fit_particles(x, slopes=5 / np.log(2), key=KEY, num_particles=count, steps=200)
    found = evaluate_particles(result, held_out)
    assert found.rate * np.log(2) + 5 * found.distortion == pytest.approx(truth, rel=0.01)


@pytest.mark.stress
def test_a_gaussian_of_forty_dimensions_is_met_within_a_percent():
    """sigma_k = 2 exp(-k / 2) against reverse water-filling."""
    sigma = 2 * np.exp(-np.arange(40) / 2)
    x, held_out = (np.random.default_rng(seed).normal(size=(50_000, 40)) * sigma for seed in (0, 1))
    slopes = np.asarray([0.3, 0.7])
    found = particles(x, held_out, slopes=slopes, key=KEY, num_particles=1000, steps=200)
    level = 1 / (2 * np.log(2) * slopes)[:, None]
    rate, distortion = (0.5 * np.log2(np.maximum(sigma**2 / level, 1))).sum(1), np.minimum(sigma**2, level).sum(1)
    np.testing.assert_allclose(found.rate + slopes * found.distortion, rate + slopes * distortion, rtol=0.01)
