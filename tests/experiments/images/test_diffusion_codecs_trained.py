"""The codec's messages through their bytes: two decoders of each, and their rows in the table."""

import types

import jax
import numpy as np
import pytest

from experiments.images import diffusion_codecs_trained as trained
from experiments.images.diffusion_codecs_cases import add_row
from experiments.images.diffusion_codecs_measures import Realism
from experiments.sources import sample_bounds_codecs
from rdr.codecs.diffusion import network
from rdr.data.samples import Samples

BOUNDS = {"estimator": ["a", "a"], "kind": ["upper", "upper"], "rate_bits": [20.0, 0.0], "distortion": [1e-3, 2.0],
          "rate_se": [0.0, 0.0], "distortion_se": [0.0, 0.0], "held_out": [100, 100]}


@pytest.fixture(scope="module")
def samples():
    vectors = (0.5 + np.random.default_rng(0).standard_normal((1600, 9)).cumsum(1) * 0.1).astype(np.float32)
    return Samples(vectors[:1200], vectors[1200:], (3, 3, 1), "walks", "walks")


class Principal:
    """Four principal components in whole steps of half of the last one's deviation, a byte each."""

    def __init__(self, samples):
        self.mean, variances, axes = sample_bounds_codecs.principal_axes(samples.vectors)
        self.axes, self.step = axes[:, :4], np.sqrt(variances[3]) / 2

    def finalize(self, params):
        return params

    def encode(self, params, x, *, shared_key):
        return np.rint((2.0 * x - self.mean) @ self.axes / self.step).astype(np.int8).tobytes()

    def decode(self, message, *, params, shared_key):
        return (self.mean + self.step * np.frombuffer(message, np.int8).reshape(-1, 4) @ self.axes.T) / 2.0

    def code_lengths(self, params, x, *, shared_key):
        return np.full((len(x), 4), 8.0)


def test_a_message_has_two_decoders(samples, tmp_path, monkeypatch):
    def train(name, samples, rates, schedule, *, hidden, seed, directory):
        """A codec without training, which takes seconds to compile; vectors are in units of 2."""
        assert (name, rates, hidden, seed, directory) == ("scalar_dither", (4.0,), (4,), 3, tmp_path)
        assert (schedule.steps, schedule.batch, schedule.hard_fraction) == (60, 64, 1.0)
        return Principal(samples), {}, 2.0

    monkeypatch.setattr(sample_bounds_codecs, "train", train)
    weights = network.round_weights(network.init(jax.random.key(0), 9, width=8, blocks=1))
    identity = {**network.statistics(samples.vectors), "network": weights}
    keep, x = {}, samples.held_out.astype(np.float64)
    mean, real = rows = trained.rows(samples, x, identity, keep, rates=(4.0,), steps=60, hidden=(4,), batch=64,
                                     messages=2, shown=3, seed=3, directory=tmp_path)
    assert [(row["aim"], row["decoder"]) for row in rows] == [(4.0, "mean"), (4.0, "realistic")]
    assert mean["bytes"] == real["bytes"] == [800, 800]
    for row in rows:
        y = keep[f"trained-4/{row['decoder']}"]
        np.testing.assert_allclose(np.square(y - x[:3]).sum(1), row["errors"][:3])
        assert np.mean(row["errors"]) < 0.5 * x.var(0).sum()
    # Components that are not coded are noise of their own variance for one decoder, constant for the other.
    left_out = np.sort(np.linalg.eigvalsh(np.cov(samples.vectors.T)))[:5].sum()
    assert mean["frechet"] > 0.9 * left_out and real["frechet"] < 0.3 * left_out
    table, config = {}, types.SimpleNamespace(vectors=200, seed=3)
    for row in rows:
        add_row(table, config, samples, BOUNDS, None, row, Realism(0.0, 0.0, 0.0))
    np.testing.assert_allclose(table["rate_bits"], 32.0)
    assert table["codec"] == ["trained dither", "trained dither realistic"] and set(table["denoiser"]) == {"none"}
