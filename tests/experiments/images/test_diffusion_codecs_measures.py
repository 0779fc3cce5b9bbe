"""Measures against closed forms of a Gaussian source."""

import jax
import numpy as np
import pytest

from experiments.images import diffusion_codecs_measures as measures
from rdr.codecs.diffusion import network
from rdr.data.samples import Samples

LAM = np.array([2.0, 0.5, 0.1, 0.02])


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(0).standard_normal((4000, 4)) * np.sqrt(LAM)


def test_the_ideal_of_a_gaussian_s_denoiser_is_its_information(vectors):
    found = measures.ideal(network.exact_denoiser(network.statistics(vectors), None), vectors, least=0.05, points=60,
                           seed=0)
    v = np.square(found.deviations)[:, None]
    rates, errors = 0.5 * np.log2(1 + LAM / v).sum(1), (LAM * v / (LAM + v)).sum(1)
    np.testing.assert_allclose(found.errors, errors, rtol=0.06)
    np.testing.assert_allclose(found.rates, rates, rtol=0.03)
    assert (np.abs(found.rates - rates) < 6 * found.rate_se + 0.01 * rates).all()
    # A worse denoiser is an upper bound still, and a larger one.
    worse = measures.ideal(lambda x, t: 0.9 * np.sqrt(1 - t) * x, vectors, least=0.05, points=60, seed=0)
    assert (worse.rates > found.rates).all()


def test_times_share_the_information_out_equally():
    times = np.array(measures.equal_times(LAM, 0.01, 4))
    told = 0.5 * np.log2(1 + LAM * ((1 - times) / times)[:, None]).sum(1)
    np.testing.assert_allclose(np.diff(told), told[-1] / 4, rtol=0.01)
    assert times[0] == 1 and times[-1] == 0.01
    assert measures.equal_times(LAM, 0.3, 1) == (1.0, 0.3)


@pytest.fixture(scope="module")
def identity(vectors):
    weights = network.init(jax.random.key(0), 4, width=12, blocks=1)
    return {**network.statistics(vectors), "network": network.round_weights(weights)}


def test_realism_is_of_distributions(vectors, identity):
    same = measures.realism(vectors[:2000], vectors[2000:], identity, seed=0)
    shrunk = measures.realism(0.5 * vectors[:2000], vectors[2000:], identity, seed=0)
    assert shrunk.features > 20 * same.features
    assert same.frechet < 0.01 and same.sliced < 0.01
    np.testing.assert_allclose(shrunk.frechet, LAM.sum() / 4, rtol=0.06)  # deviations halved
    assert shrunk.sliced > 10 * same.sliced


def test_features_are_the_last_layer_before_the_output(vectors, identity):
    found = measures.features(identity, vectors[:5])
    t = 0.01 / 1.01
    lam = identity["variances"].astype(np.float64)
    z = np.sqrt(1 - t) * (vectors[:5] - identity["mean"]) @ identity["axes"].astype(np.float64)
    u = np.sqrt((1 - t) * lam) / ((1 - t) * lam + t) * z
    weights = {name: value.astype(np.float64) for name, value in identity["network"].items()}
    weights["output"] = np.eye(12)[:, :4]
    np.testing.assert_allclose(found[:, :4], network.exact_correction(weights, u, t), atol=2e-3)
    assert found.shape == (5, 12) and found.std() > 0.05


def test_the_linear_codec_gives_components_their_variance_back(vectors):
    samples = Samples(vectors[:2000].astype(np.float32), vectors[2000:].astype(np.float32), (4,), "gaussian", "")
    low, high = measures.reference_codec(samples, samples.held_out, (2.0, 6.0), seed=0)
    assert low.rate < high.rate and abs(high.rate - 6.0) < 1.5
    for found in (low, high):
        errors = {weight: np.square(y - samples.held_out).sum(1).mean() for weight, y in found.decoded.items()}
        assert errors[0.0] < errors[1.0] < 2.2 * errors[0.0]
        np.testing.assert_allclose(found.decoded[1.0].var(0).sum(), LAM.sum(), rtol=0.1)
        assert abs(found.bits.mean() - found.rate) < 0.7
    assert found.decoded[0.0].var(0).sum() < LAM.sum()
