"""Latent-variable bounds of a Gaussian, whose optimal networks are linear, against its R(D)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors import scalar_codec
from rdr.estimators import codec_bound, evaluate_latent_model, fit_latent_model, variational
from rdr.estimators.latent_variable import normalized_start

KEY = jax.random.key(0)
SIGMA = np.asarray([20.0, 6.0])
SLOPES = np.asarray([0.05, 0.2])  # bits per unit; levels of 14.4 and 3.6
SETTINGS = {"slopes": SLOPES, "key": KEY, "hidden": (), "steps": 300, "batch": 128}


def gaussian(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2)) * SIGMA + 7.0


@functools.cache
def fitted():
    return fit_latent_model(gaussian(2000), **SETTINGS)


def lagrangian():
    level = 1 / (2 * np.log(2) * SLOPES)[:, None]
    return (0.5 * np.log2(SIGMA**2 / level)).sum(1) + SLOPES * (2 * level[:, 0])


def test_linear_networks_reach_a_gaussian_and_stay_above():
    found = evaluate_latent_model(fitted(), gaussian(4000, seed=1), key=KEY)
    value, reach = found.rate + SLOPES * found.distortion, 4 * (found.rate_se + SLOPES * found.distortion_se)
    assert (value > lagrangian() - reach).all()
    assert (value < 1.01 * lagrangian() + reach).all()
    assert found.kind == "upper" and found.held_out == 4000 and np.shape(found.rate) == (2,)


@pytest.mark.stress
def test_the_scale_of_the_samples_does_not_matter():
    """Powers of two change no digit; slopes go with their squares."""
    settings = {**SETTINGS, "steps": 20, "slopes": SLOPES * 64**2}
    small = variational(gaussian(100) / 64, gaussian(50, seed=1) / 64, **settings)
    plain = variational(gaussian(100), gaussian(50, seed=1), **{**settings, "slopes": SLOPES})
    np.testing.assert_allclose(small.rate, plain.rate, rtol=1e-3)
    np.testing.assert_allclose(small.distortion * 64**2, plain.distortion, rtol=1e-3)


@pytest.mark.stress
def test_two_levels_and_components_train_and_bound():
    held_out = gaussian(500, seed=1)
    found = variational(gaussian(500), held_out, slopes=0.2, key=KEY, hidden=(8,), steps=100, levels=2, components=3)
    reach = 4 * (found.rate_se + 0.2 * found.distortion_se)
    assert lagrangian()[1] - reach < found.rate + 0.2 * found.distortion < 1.6 * lagrangian()[1]


@pytest.mark.stress
def test_a_dithered_codec_s_estimate_is_that_of_its_forward_pass():
    codec = scalar_codec(dither_levels=256, hidden=(4,))
    params = codec.init(KEY)
    x = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    found = codec_bound(codec, params, x, key=KEY)
    reconstruction, bits = codec.forward(params, x, key=KEY)
    np.testing.assert_allclose(found.rate, np.mean(bits), rtol=1e-5)
    np.testing.assert_allclose(found.distortion, 2 * np.mean(np.square(reconstruction - x)), rtol=1e-5)
    assert found.rate > np.log2(2 / found.distortion)  # two components of variance 1: R(D)
    assert found.kind == "upper" and found.held_out == 300 and found.estimator == codec.name


def test_a_codec_s_estimate_is_the_mean_of_its_forward_pass():
    x = np.asarray([[1.0, -2.0], [0.5, 0.0], [3.0, 1.0]], np.float32)
    fields = dict.fromkeys(VectorCodec._fields)
    codec = VectorCodec(**{**fields, "name": "half", "forward": lambda params, x, *, key: (params * x, abs(x).sum(1))})
    found = codec_bound(codec, 0.5, x, key=KEY)
    np.testing.assert_allclose([found.rate, found.distortion], [7.5 / 3, 0.25 * (5 + 0.25 + 10) / 3])
    assert (found.kind, found.held_out, found.estimator) == ("upper", 3, "half")
    with pytest.raises(ValueError, match="held_out must hold at least 2 samples, got 1"):
        codec_bound(codec, 0.5, x[:1], key=KEY)


@pytest.mark.parametrize(("change", "message"), [
    ({"levels": 3}, "levels must be 1 or 2, got 3"),
    ({"latent": 3}, "latent must be at most the dimension, 2, got 3"),
    ({"hidden": (4, 0)}, r"hidden\[1\] must be a whole number"),
    ({"components": 0}, "components must be"),
    ({"slopes": [0.1, np.nan]}, "slopes must be positive"),
    ({"samples": np.ones((1, 2))}, "at least 2 samples"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(change, message):
    settings = {"samples": gaussian(20), **SETTINGS, **change}
    with pytest.raises(ValueError, match=message):
        fit_latent_model(settings.pop("samples"), **settings)


def test_held_out_samples_and_proposals_are_checked():
    with pytest.raises(ValueError, match="held_out must have vectors of dimension 2, got 3"):
        evaluate_latent_model(fitted(), np.ones((5, 3)), key=KEY)
    with pytest.raises(ValueError, match="proposals must be a whole number"):
        evaluate_latent_model(fitted(), gaussian(5), key=KEY, proposals=0)


def test_samples_that_are_all_the_same_have_scale_one():
    rows, center, scale, _ = normalized_start(np.full((5, 2), 3.0), KEY, fitted().sizes)
    assert scale == 1.0
    np.testing.assert_array_equal(rows, 0.0)
    np.testing.assert_array_equal(center, 3.0)


@pytest.mark.stress
def test_a_gradient_of_the_loss_is_that_of_finite_differences():
    from rdr.estimators.latent_variable import elbo_loss
    sizes = fitted().sizes
    rows, _, scale, params = normalized_start(gaussian(40), KEY, sizes)
    loss, slope = elbo_loss(sizes), jnp.float32(SLOPES[1] * np.log(2) * scale**2)

    def moved(step):
        changed = {**params, "decoder": {**params["decoder"], "bias": params["decoder"]["bias"] + jnp.float32(step)}}
        return loss(changed, jnp.asarray(rows), slope, KEY, None)

    gradient = float(jax.grad(moved)(0.0))
    assert gradient == pytest.approx(float(moved(1e-2) - moved(-1e-2)) / 2e-2, rel=1e-2)
