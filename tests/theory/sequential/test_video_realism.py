"""Oracles: the covariance of an explicit code, random linear codes, limits, finite differences, the noncausal bound."""

import jax
import numpy as np
import pytest

from theory.gaussian import distortion_rate_perception
from theory.gaussian.vector_realism import perfect_realism_distortion_rate
from theory.sequential import video_realism
from theory.sequential.gauss_markov import sequential_rate

RATES = np.array([0.2, 1.5, 0.0, 0.7, 3.0])


def explicit_code(rates, a):
    """Frames, framewise and joint reconstructions as coefficients of independent standard normals, step by step."""
    size = len(rates)
    source, noise = np.eye(2 * size)[:size], np.eye(2 * size)[size:]
    frames, estimates, videos = [], [], []
    for t, rate in enumerate(rates):
        frames.append(source[0] if t == 0 else a * frames[-1] + np.sqrt(1 - a**2) * source[t])
        predicted = a * estimates[-1] if t else 0.0 * source[0]
        surprise = frames[-1] - predicted
        spread, g = np.linalg.norm(surprise), 4.0**-rate
        described = np.sqrt(1 - g) * surprise / spread + np.sqrt(g) * noise[t]
        estimates.append(predicted + np.sqrt(1 - g) * spread * described)
        videos.append(described if t == 0 else a * videos[-1] + np.sqrt(1 - a**2) * described)
    return np.array(frames), np.array(estimates), np.array(videos)


@pytest.mark.parametrize("a", [0.3, -0.9])
def test_the_explicit_code_has_these_errors_and_the_sources_law(a):
    frames, estimates, videos = explicit_code(RATES, a)
    found = video_realism.video_distortions(RATES, a)
    np.testing.assert_allclose(found.plain, np.sum((frames - estimates) ** 2, -1), rtol=1e-13)
    scaled = estimates / np.linalg.norm(estimates, axis=-1, keepdims=True)
    np.testing.assert_allclose(found.framewise, np.sum((frames - scaled) ** 2, -1), rtol=1e-12)
    np.testing.assert_allclose(found.joint, np.sum((frames - videos) ** 2, -1), rtol=1e-12)
    law = a ** np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    np.testing.assert_allclose(videos @ videos.T, law, atol=1e-14)
    assert np.abs(scaled @ scaled.T - law).max() > 0.05  # framewise realism is not joint


def test_no_linear_second_frame_of_this_rate_does_better():
    """Given an optimal first frame, random standard normal second frames Y_2 with I(X; Y_2 | Y_1) <= R_2."""
    rng, a, rates = np.random.default_rng(0), 0.7, np.array([0.4, 0.9])
    found = video_realism.video_distortions(rates, a)
    nu = np.sqrt(1 - 4.0 ** -rates[0])
    first = np.array([nu, 0.0, np.sqrt(1 - nu**2)])  # of X_1, W_2 and a private noise
    frame = np.array([a, np.sqrt(1 - a**2), 0.0])
    least = {"framewise": np.inf, "joint": np.inf}
    for _ in range(20000):
        heading = rng.normal(size=3)
        heading -= first * (heading @ first)  # the part of Y_2 that is new
        heading /= np.linalg.norm(heading)
        # Noise of weight g on top of a direction that Y_1 leaves open is a message of R_2 bits.
        along = np.sqrt(1 - 4.0 ** -rates[1]) * (heading @ frame)
        share = rng.uniform(-1, 1)
        for name, held in (("framewise", share), ("joint", a)):
            product = held * (first @ frame) + np.sqrt(1 - held**2) * along
            least[name] = min(least[name], 2 - 2 * product)
    for name, value in least.items():
        reached = float(getattr(found, name)[1])
        assert reached <= value * (1 + 1e-12) and value < reached * 1.01


def test_the_first_frame_is_the_scalar_function_and_plain_is_the_sequential_one():
    found = video_realism.video_distortions(np.full(60, 0.8), 0.9, 2.0)
    np.testing.assert_allclose(found.framewise[0], distortion_rate_perception(0.8, 0.0, 2.0), rtol=1e-13)
    np.testing.assert_allclose(found.joint[0], found.framewise[0], rtol=1e-13)
    np.testing.assert_allclose(sequential_rate(found.plain[-1], 0.9, 2.0 * 0.19), 0.8, rtol=1e-12)


def test_joint_realism_is_free_in_the_long_run_and_errors_fade_like_the_memory():
    a = 0.9
    found = video_realism.video_distortions(np.concatenate([[0.0], np.full(79, 1.0)]), a)
    price = np.asarray(found.joint - found.framewise)
    assert (price >= -1e-14).all() and price[1] > 0.5
    np.testing.assert_allclose(price[41] / price[40], a**2, rtol=1e-6)
    steady = video_realism.steady_distortion(1.0, a)
    np.testing.assert_allclose([found.framewise[-1], found.joint[-1]], [steady, steady], rtol=1e-5)


def test_error_permanence():
    found = video_realism.video_distortions(np.array([0.0, np.inf]), 0.95)
    np.testing.assert_allclose(found.framewise, [2.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.joint[1], 2 - 2 * np.sqrt(1 - 0.95**2), rtol=1e-13)
    # With little rate: correlations sqrt(2 eps) sqrt(1 + a^2) and sqrt(2 eps) (a^2 + sqrt(1 - a^2)).
    nats, a = 1e-8, 0.6
    found = video_realism.video_distortions(np.full(2, nats / np.log(2)), a)
    np.testing.assert_allclose(1 - found.framewise[1] / 2, np.sqrt(2 * nats * (1 + a**2)), rtol=1e-6)
    np.testing.assert_allclose(1 - found.joint[1] / 2, np.sqrt(2 * nats) * (a**2 + np.sqrt(1 - a**2)), rtol=1e-6)


def test_a_causal_video_is_no_better_than_the_noncausal_bound():
    rates, a = np.array([1.0, 0.5, 0.5, 0.5, 0.5]), 0.8
    covariance = a ** np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    bound = perfect_realism_distortion_rate(rates.sum(), np.linalg.eigvalsh(covariance))
    assert float(bound) < float(video_realism.video_distortions(rates, a).joint.sum())


def test_gradients_and_edges():
    def total(rates):
        return video_realism.video_distortions(rates, 0.7).joint.sum()
    grad, step = jax.grad(total)(np.array([0.5, 1.0, 0.2, 0.7, 1.0])), 1e-6
    for t in range(5):
        ends = [total(np.array([0.5, 1.0, 0.2, 0.7, 1.0]) + sign * step * np.eye(5)[t]) for sign in (1, -1)]
        np.testing.assert_allclose(grad[t], (ends[0] - ends[1]) / (2 * step), rtol=1e-7)
    still = video_realism.video_distortions(np.array([0.5, 0.0, 0.0, 0.0, 0.0]), 1.0)
    np.testing.assert_allclose(still.joint, np.full(5, still.framewise[0]), rtol=1e-13)  # frozen
    assert np.isnan(jax.jit(lambda r: video_realism.video_distortions(r, 0.5).joint)(-np.ones(5))).all()


@pytest.mark.parametrize(("arguments", "said"), [
    (([-1.0], 0.5), "rates"), (([1.0], 1.5), "coefficient"), ((1.0, 0.5), "rates"), (([1.0], 0.5, 0.0), "variance")])
def test_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        video_realism.video_distortions(*arguments)
