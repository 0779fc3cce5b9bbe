"""Oracles: moments of Gaussians; the W2 geodesic in closed form."""

import numpy as np
import pytest

from experiments.sources import sample_realism_codecs
from experiments.sources.harness import Schedule
from rdr.codecs.vectors import water_filling
from rdr.data.samples import Samples

RNG = np.random.default_rng(0)


def test_decoders_go_from_least_error_to_the_components_own_variance():
    made = water_filling.plan(np.array([2.0, 0.5, 0.01]), 0.1)
    decoded = RNG.normal(size=(4000, 3)) * np.sqrt([1.9, 0.4, 0.0])
    np.testing.assert_array_equal(sample_realism_codecs.decode_universally(made, decoded, 0.0, seed=1), decoded)
    real = sample_realism_codecs.decode_universally(made, decoded, 1.0, seed=1)
    np.testing.assert_allclose(np.square(real).mean(0), made.variances, rtol=0.1)
    half = sample_realism_codecs.decode_universally(made, decoded, 0.5, seed=1)
    np.testing.assert_allclose(half, 0.5 * (decoded + real), atol=1e-12)


def test_transport_has_the_target_s_moments_and_the_cost_of_the_gaussians_distance():
    """The second direction of what is decoded is empty: its part of the target is noise, and costs its variance."""
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    decoded = (RNG.normal(size=(20_000, 3)) * [1.0, 0.0, 0.5]) @ turn.T + 4.0
    target = (RNG.normal(size=(20_000, 3)) * [2.0, 0.7, 0.5]) @ turn.T - 1.0
    made = sample_realism_codecs.gaussian_transport(decoded, target)
    y = sample_realism_codecs.transported(made, decoded, 1.0, seed=3)
    np.testing.assert_allclose(y.mean(0), target.mean(0), atol=0.03)
    np.testing.assert_allclose(np.cov(y.T), np.cov(target.T), atol=0.08)
    cost = np.square(y - decoded).sum(1).mean()
    assert cost == pytest.approx(3 * 25 + (2 - 1) ** 2 + 0.7**2, rel=0.01)
    np.testing.assert_array_equal(sample_realism_codecs.transported(made, decoded, 0.0, seed=3), decoded)
    np.testing.assert_allclose(sample_realism_codecs.transported(made, decoded, 0.25, seed=3),
                               0.75 * decoded + 0.25 * y, atol=1e-12)


@pytest.mark.stress
def test_one_message_of_a_trained_codec_has_decoders_of_rising_error_and_realism(tmp_path):
    x = (RNG.normal(size=(5000, 4)) * [2.0, 1.0, 0.5, 0.1]).astype(np.float32)
    rows = sample_realism_codecs.trained_rows(
        Samples(x[:1000], x[1000:], (4,), "gaussian", ""), rates=(1.0,), decoders=(0.0, 1.0), hidden=(8,), seed=0,
        schedule=Schedule(100, 50, 64, 0.003, hard_fraction=1.0), directory=tmp_path)
    (_, _, rate, least, _, *_), (_, _, same, most, real, *_) = rows
    assert rate == same and least < most < 3 * least and real < 0.5 * rows[0][4]
