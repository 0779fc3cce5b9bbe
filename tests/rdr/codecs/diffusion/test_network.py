"""The network in exact arithmetic: against itself in JAX, against the Gaussian, and whatever the order of sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.diffusion import network
from rdr.codecs.diffusion.arithmetic import product


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    vectors = 0.5 + 0.4 * rng.standard_normal((500, 12)) @ rng.standard_normal((12, 12)) / 3
    model = network.statistics(vectors)
    weights = dict(network.init(jax.random.key(1), 12, width=24, blocks=2))
    for number, name in enumerate(sorted(weights)):  # nothing is 0 any more
        weights[name] = weights[name] + 0.2 * jax.random.normal(jax.random.key(number), weights[name].shape)
    return vectors, model, network.round_weights(weights)


def test_statistics_are_the_moments(made):
    vectors, model, _ = made
    z = (vectors - model["mean"]) @ model["axes"]
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(z.T, bias=True), np.diag(model["variances"]), atol=1e-5)
    assert (np.diff(model["variances"]) <= 0).all()
    np.testing.assert_array_equal(model["axes"] * 2.0**20, np.rint(model["axes"] * 2.0**20))


def test_exact_arithmetic_is_the_network_of_training(made):
    _, _, weights = made
    u = np.random.default_rng(2).standard_normal((50, 12))
    for t in (0.001, 0.3, 1.0):
        exact = network.exact_correction({k: v.astype(np.float64) for k, v in weights.items()}, u, t)
        plain = network.correction(weights, jnp.asarray(u, jnp.float32), network.levels(jnp.float32(t)))
        np.testing.assert_allclose(exact, plain, atol=0.02)
        assert np.abs(exact).max() > 1.0
        assert np.sqrt(np.mean(np.square(exact - plain))) < 3e-3


def test_no_order_of_sums_changes_a_bit(made):
    """Permuted hidden units and vectors, and one vector at a time: the same bits."""
    vectors, model, weights = made
    x = vectors[:40]
    order = np.random.default_rng(3).permutation(24)
    moved = {"input": weights["input"][:, order], "input_level": weights["input_level"][:, order],
             "input_bias": weights["input_bias"][order], "first": weights["first"][:, order],
             "first_level": weights["first_level"], "first_bias": weights["first_bias"], "gate": weights["gate"],
             "second": weights["second"][:, :, order], "output": weights["output"][order]}
    wide, other = ({name: value.astype(np.float64) for name, value in w.items()} for w in (weights, moved))
    u = np.random.default_rng(5).standard_normal((40, 12))
    np.testing.assert_array_equal(network.exact_correction(wide, u, 0.2), network.exact_correction(other, u, 0.2))
    denoise = network.exact_denoiser(model, weights)
    expected = denoise(x, 0.2)
    np.testing.assert_array_equal(expected, np.concatenate([denoise(one[None], 0.2) for one in x]))
    # A product in floating point is not like that.
    a, b = np.random.default_rng(4).standard_normal((2, 40, 24))
    assert (a @ b.T != a[:, order] @ b[:, order].T).any()
    small = b.T / 8
    np.testing.assert_array_equal(product(a, small), product(a[:, order], small[order]))
    np.testing.assert_allclose(product(a, small), a @ small, atol=1e-4)


def test_without_a_network_it_is_the_gaussian_s(made):
    vectors, model, _ = made
    covariance = np.cov(vectors.T, bias=True)
    x = np.sqrt(0.7) * vectors[:20] + np.sqrt(0.3) * np.random.default_rng(5).standard_normal((20, 12))
    gain = np.sqrt(0.7) * covariance @ np.linalg.inv(0.7 * covariance + 0.3 * np.eye(12))
    expected = vectors.mean(0) + (x - np.sqrt(0.7) * vectors.mean(0)) @ gain.T
    np.testing.assert_allclose(network.exact_denoiser(model, None)(x, 0.3), expected, atol=1e-3)
    zero = {k: np.zeros_like(v) for k, v in network.init(jax.random.key(0), 12, width=24, blocks=2).items()}
    plain = network.exact_denoiser(model, None)(x, 0.3)
    np.testing.assert_array_equal(network.exact_denoiser(model, zero)(x, 0.3), plain)


def test_the_loss_is_relative_to_the_best_linear_denoiser(made):
    vectors, model, weights = made
    rng = np.random.default_rng(6)
    z = jnp.asarray((vectors - model["mean"]) @ model["axes"], jnp.float32)
    noise, t = rng.standard_normal(z.shape).astype(np.float32), np.full(len(z), 0.2, np.float32)
    untrained = network.init(jax.random.key(0), 12, width=24, blocks=2)
    assert abs(float(network.relative_error(model, untrained, z, jnp.asarray(t), noise).mean()) - 1) < 0.05
    x = np.sqrt(0.8) * vectors + np.sqrt(0.2) * noise @ model["axes"].T
    lam = model["variances"].astype(np.float64)
    errors = np.square(network.exact_denoiser(model, weights)(x, 0.2) - vectors).sum(1) / (
        lam * 0.2 / (0.8 * lam + 0.2)).sum()
    np.testing.assert_allclose(network.relative_error(model, weights, z, jnp.asarray(t), noise), errors, rtol=0.02)


def test_what_does_not_fit_is_refused():
    for size in ({"dimension": 0}, {"dimension": 4, "width": 2000}, {"dimension": 4, "blocks": 0}):
        with pytest.raises(ValueError, match="dimension and width"):
            network.init(jax.random.key(0), **size)
    with pytest.raises(ValueError, match="vectors must be finite"):
        network.statistics(np.full((4, 2), np.nan))
    with pytest.raises(ValueError, match="least must be"):
        network.statistics(np.zeros((4, 2)), least=0.0)
    for fraction in (0, 13):
        with pytest.raises(ValueError, match="fraction must be"):
            network.round_weights({}, fraction=fraction)
    with pytest.raises(ValueError, match="input is not"):
        network.round_weights({"input": np.array([np.inf])})
    with pytest.raises(ValueError, match="matrix must"):
        product(np.zeros((1, 2)), np.full((2, 2), 1.5))
