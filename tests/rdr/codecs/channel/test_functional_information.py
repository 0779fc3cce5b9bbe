"""No exact codec sends blocks of its size for less than their functional information."""

import functools

import jax
import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs.channel.block import block_channel
from rdr.codecs.channel.lattice import lattice_channel
from rdr.codecs.channel.layered import layered_channel
from rdr.codecs.channel.selection import EXACT
from rdr.randomness import shared_key

OPTIMIZED = True
MESSAGES, SAMPLES = 8, 4096
# Codec, information per sample, functional information of a block, both in bits: constants of theory, printed there.
CASES = {
    "layered": (layered_channel, 0.25, 0.6468580926),
    "E8": (lambda: lattice_channel("E8", layer_count=8), 0.25, 3.3053006),
    "E8-adaptive": (lambda: lattice_channel("E8", acceptance="adaptive", layer_count=8), 0.25, 3.3053006),
    "BW16": (lambda: lattice_channel("BW16", layer_count=8), 0.5, 9.9567584),
    **{rule: (functools.partial(block_channel, rule, dimension=8, fit_blocks=1000), 0.25, 3.3053006)
       for rule in EXACT},
}


def lies_below(rates, bound):
    """Whether the mean of messages' rates is less than a bound by more than three standard errors."""
    return np.mean(rates) < bound - 3.0 * np.std(rates, ddof=1) / len(rates) ** 0.5


@pytest.mark.parametrize("name", [
    name if name in ("layered", "E8") else pytest.param(name, marks=pytest.mark.stress) for name in CASES])
def test_no_rate_lies_below_the_functional_information(name):
    make, information, functional = CASES[name]
    codec, scale = make(), (2.0 ** (2.0 * information) - 1.0) ** -0.5
    n = codec.dimension
    params, rng = codec.finalize(1.0, noise_scale=scale), np.random.default_rng(0)
    rates = []
    for message in range(MESSAGES):
        x = rng.standard_normal((SAMPLES // n, n) if n > 1 else SAMPLES)
        data = codec.encode(params, x, noise_scale=scale, shared_key=jax.random.fold_in(shared_key(3), message))
        rates.append(8.0 * sum(map(len, container.unpack(data).payloads)) * n / SAMPLES)
    assert not lies_below(rates, functional)
    # Sharp enough to notice: rates around a mean that saves half of what exactness costs would be found out.
    cheaper = functional - 0.5 * (functional - n * information)
    assert lies_below(np.array(rates) - np.mean(rates) + cheaper, functional)
