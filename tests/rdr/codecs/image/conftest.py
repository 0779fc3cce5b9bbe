"""Small models of latents with parameters that are no initial values, and their distributions in float64."""

import jax
import numpy as np
import pytest
from scipy import special

from rdr.bitstream.adaptive_coder import StepEncoder
from rdr.bitstream.tables import table_bits


def draw_parameters(model, *, seed=1):
    """Parameters under which latents around +-8 are likely, but no two of them have one distribution."""
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        name = jax.tree_util.keystr(path)
        if "kernel" in name:
            # Hyper-latents that say something; half of what goes into rectifiers that do not leak is lost.
            gain = (3.0 if "analysis" in name else 2.0) if model.name == "bmshj2018-hyperprior" else 1.5
            gain = 0.6 if "merge" in name else gain
            return (gain * rng.standard_normal(leaf.shape) / np.sqrt(np.prod(leaf.shape[:3]))).astype(np.float32)
        if "matrix" in name:
            return rng.normal(-1.2, 0.2, leaf.shape).astype(np.float32)
        return (0.3 * rng.standard_normal(leaf.shape)).astype(np.float32)

    params = jax.tree_util.tree_map_with_path(draw, jax.eval_shape(model.init, jax.random.key(0)))
    for part, tree in params.items():  # scales of a few units
        if part.startswith("merge") or (part == "synthesis" and "merge_0" not in params):
            bias = tree["Convolution_2"]["bias"]
            bias[: bias.size if model.name == "bmshj2018-hyperprior" else bias.size // 2] += 4.0
    return params


def logits(prior, values):
    """Logits of the cumulative at values [..., channels], layer by layer in float64."""
    prior = {name: np.asarray(value, np.float64) for name, value in prior.items()}
    layers = sum(name.startswith("matrix") for name in prior)
    found = np.empty(values.shape)
    for c in range(values.shape[-1]):
        h = np.asarray(values[..., c], np.float64).reshape(1, -1)
        for k in range(layers):
            h = np.log1p(np.exp(prior[f"matrix_{k}"][c])) @ h + prior[f"bias_{k}"][c][:, None]
            if k < layers - 1:
                h = h + np.tanh(h) * np.tanh(prior[f"factor_{k}"][c])[:, None]
        found[..., c] = h.reshape(values.shape[:-1])
    return found


def prior_bits(prior, values):
    """-log2 of the probability of (value - 1/2, value + 1/2), on the side where the sigmoid does not cancel."""
    low, high = logits(prior, values - 0.5), logits(prior, values + 0.5)
    sign = np.where(low + high > 0, -1.0, 1.0)
    return -np.log2(np.abs(special.expit(sign * high) - special.expit(sign * low)))


def normal_bits(values, mean, scale):
    """The same of a normal distribution with a scale of at least 0.11, however far out."""
    scale = np.maximum(np.asarray(scale, np.float64), 0.11)
    distance = np.abs(np.asarray(values, np.float64) - mean)
    high, low = special.log_ndtr((0.5 - distance) / scale), special.log_ndtr((-0.5 - distance) / scale)
    return -(high + np.log1p(-np.exp(low - high))) / np.log(2.0)


def check_whole(coding):
    """What both sides share are whole numbers, those among floats too."""
    for leaf in jax.tree.leaves(coding):
        assert np.asarray(leaf).dtype in (np.int32, np.float32)
        np.testing.assert_array_equal(leaf, np.round(leaf))


class Distributions:
    """What the tests compare with."""

    check_whole = staticmethod(check_whole)
    draw_parameters = staticmethod(draw_parameters)
    prior_bits = staticmethod(prior_bits)
    normal_bits = staticmethod(normal_bits)


@pytest.fixture(scope="session")
def oracle():
    return Distributions


@pytest.fixture
def steps(monkeypatch):
    """What encoders were given: symbols, the bits that the tables say, and the tables' numbers, of each step."""
    seen, add = [], StepEncoder.add

    def record(self, symbols, tables, table_ids=None):
        seen.append((symbols, table_bits(symbols, tables, table_ids), table_ids))
        add(self, symbols, tables, table_ids)

    monkeypatch.setattr(StepEncoder, "add", record)
    return seen
