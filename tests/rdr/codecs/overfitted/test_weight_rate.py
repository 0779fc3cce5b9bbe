"""Bits of weights in the loss beside what the coder takes."""

import jax
import numpy as np
import pytest

from rdr.codecs.overfitted.architecture import Architecture
from rdr.codecs.overfitted.pretrained_init import pretrained_weights
from rdr.codecs.overfitted.weight_quantization import weight_bits
from rdr.codecs.overfitted.weight_rate import soft_weight_bits

bits_and_slopes = jax.jit(jax.value_and_grad(soft_weight_bits))


@pytest.fixture(scope="module")
def start():
    return pretrained_weights(Architecture(32, 32))


def test_pretrained_weights_are_free_and_pull(start):
    start = {name: np.asarray(w, np.float32) for name, w in start.items()}
    assert bits_and_slopes(start, start)[0] == 0
    moved = {name: w + np.float32(0.1) for name, w in start.items()}
    gradient = bits_and_slopes(moved, start)[1]
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
    assert bits_and_slopes(moved, start)[0] == pytest.approx(coded, rel=0.12)
