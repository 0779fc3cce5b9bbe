"""Bits of weights in the loss beside what the coder takes."""

import jax
import numpy as np
import pytest

from rdr.codecs.overfitted.architecture import Architecture
from rdr.codecs.overfitted.pretrained_init import pretrained_weights
from rdr.codecs.overfitted.weight_quantization import weight_bits
from rdr.codecs.overfitted.weight_rate import soft_weight_bits


@pytest.fixture(scope="module")
def start():
    return pretrained_weights(Architecture(32, 32))


def test_pretrained_weights_are_free_and_pull(start):
    assert soft_weight_bits(start, start) == 0
    moved = {name: w + np.float32(0.1) for name, w in start.items()}
    gradient = jax.grad(soft_weight_bits)(moved, start)
    assert all((np.asarray(g) > 0).all() for g in gradient.values())


@pytest.mark.parametrize("scale", [1.0, 4.0, 20.0])
def test_bits_are_nearly_those_of_the_coder(start, scale):
    """Oracle: the integer tables, for Laplace differences of `scale` steps of the typical sizes 2^-5 and 2^-6."""
    rng, moved, coded = np.random.default_rng(0), {}, 0.0
    for name, w in start.items():
        exponent = 6 if name.startswith(("pixel", "refine")) else 5
        steps = np.rint(rng.laplace(size=w.shape) * scale).astype(np.int32)
        moved[name] = (w + steps * 2.0**-exponent).astype(np.float32)
        coded += weight_bits(steps)
    assert soft_weight_bits(moved, start) == pytest.approx(coded, rel=0.12)
