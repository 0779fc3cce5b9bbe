import jax
import numpy as np
import pytest
from scipy import stats

from rdr.codecs.channel import base, block, selection
from rdr.codecs.channel.block import block_channel
from rdr.codecs.channel.selection import EXACT, RULES
from rdr.randomness import shared_key

BLOCKS = 1000  # of messages and of fits: the same programs
KEY = shared_key(21)


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch):
    """Blocks are padded to as many as are looked at in one go: to no more than these tests send."""
    monkeypatch.setattr(selection, "_NUMBERS", 2**18)


def noise_scale(rate):
    return float(np.float32((2.0 ** (2.0 * rate) - 1.0) ** -0.5))


def sent(codec, x, scale, *, design=None, key=KEY):
    params = codec.finalize(1.0, noise_scale=scale if design is None else design)
    message = codec.encode(params, x, noise_scale=scale, shared_key=key)
    return message, codec.decode(message, params=params, noise_scale=scale, shared_key=key)


def check_noise(error, x, least=1e-4):
    error, x = error.reshape(len(error), -1), x.reshape(len(error), -1)
    flat = error.ravel()
    assert stats.kstest(flat, "norm").pvalue > least
    assert stats.cramervonmises(flat, "norm").pvalue > least
    assert stats.kstest(0.5 * (error**2).sum(1), stats.gamma(0.5 * error.shape[1]).cdf).pvalue > least
    centered = ((x - x.mean()) / (x.std() or 1.0)).ravel()
    deviations = [flat.mean() * flat.size**0.5, (flat**2 - 1).mean() * (flat.size / 2) ** 0.5,
                  (flat**3).mean() * (flat.size / 15) ** 0.5, (flat**4 - 3).mean() * (flat.size / 96) ** 0.5,
                  (flat * centered).mean() * flat.size**0.5, (flat[1:] * flat[:-1]).mean() * flat.size**0.5,
                  (error[1:] * error[:-1]).mean() * flat.size**0.5,
                  ((flat**2 - 1) * (centered**2 - 1)).mean() * (flat.size / 4) ** 0.5]
    assert np.abs(deviations).max() < 4.5, deviations


# Functional information of blocks of n Gaussian samples at I bits each (n = 1, 2 at .5, 1, 2: from theory).
FUNCTIONAL = {(1, 2.0): 2.5198745094, (2, 1.0): 2.8116668, (2, 2.0): 4.8313825, (8, 0.25): 3.3053006}


@pytest.mark.parametrize("dimension, rate, rule", [
    pytest.param(*case, rule, marks=[] if (*case, rule) == (8, 0.25, "poisson")
                 else pytest.mark.stress)
    for case in ((1, 2.0), (2, 1.0), (2, 2.0), (8, 0.25)) for rule in EXACT
])  # fmt: skip
def test_cost_is_between_functional_information_and_its_bound(rule, dimension, rate):
    """Less than the functional information would be a mistake; greedy rejection's bound is log2(e + 1) more."""
    codec = block_channel(rule, dimension=dimension, fit_blocks=BLOCKS)
    x = np.random.default_rng(1).standard_normal((BLOCKS, dimension))
    message, y = sent(codec, x, noise_scale(rate))
    measured, functional = 8 * len(message) / len(x), FUNCTIONAL[dimension, rate]
    assert functional < measured < functional + 1.9
    check_noise((y - x) / noise_scale(rate), x)


@pytest.mark.stress
@pytest.mark.parametrize("rule", ["poisson", "gprs"])
def test_eight_bits_in_a_block(rule):
    """F_2 at 4 bits per sample: 8 + g(2) = 8.8327, from below. Tolerance: the standard error of 2,000 blocks is .05."""
    codec = block_channel(rule, dimension=2, fit_blocks=2000)
    x = np.random.default_rng(2).standard_normal((2000, 2))
    message, _ = sent(codec, x, noise_scale(4.0))
    assert 8.8 < 8 * len(message) / len(x) < 8.83 + 1.9


def test_very_low_rates_cost_less_in_blocks():
    """At .01 bit per sample single numbers cost .1227 bit (their functional information)."""
    codec = block_channel("greedy", dimension=64, fit_blocks=BLOCKS)
    x = np.random.default_rng(3).standard_normal((BLOCKS, 64))
    message, y = sent(codec, x, noise_scale(0.01))
    assert 0.01 < 8 * len(message) / x.size < 0.06
    check_noise((y - x) / noise_scale(0.01), x)


@pytest.mark.parametrize("rule", ["ordered", pytest.param("importance", marks=pytest.mark.stress)])
def test_approximate_rules_come_near_with_many_candidates(rule):
    codec = block_channel(rule, dimension=2, max_candidates=2**10, fit_blocks=1500)
    assert not codec.exact
    x = np.random.default_rng(4).standard_normal((1500, 2))
    message, y = sent(codec, x, noise_scale(1.0))
    error = (y - x) / noise_scale(1.0)
    assert error.std() == pytest.approx(1.0, abs=0.06)
    assert 8 * len(message) / len(x) == pytest.approx({"ordered": 3.5, "importance": 12.0}[rule], abs=0.8)
    rough = block_channel(rule, dimension=2, max_candidates=128, fit_blocks=1500)
    _, y = sent(rough, 2.0 * x, noise_scale(4.0))
    assert stats.kstest(((y - 2.0 * x) / noise_scale(4.0)).ravel(), "norm").pvalue < 1e-6


@pytest.mark.stress  # near, test_each_sample..; far out, test_selection.py
@pytest.mark.parametrize("value", [0.0, 1000.0])
@pytest.mark.parametrize("rule", EXACT)
def test_noise_is_the_same_for_a_fixed_x(rule, value):
    codec = block_channel(rule, dimension=2, fit_blocks=BLOCKS)
    x = np.full((BLOCKS, 2), 0.5 * value)
    _, y = sent(codec, x, 0.5)
    check_noise((y - x) / 0.5, x)


def test_each_sample_has_its_own_noise_scale():
    codec, scale = block_channel("gprs", dimension=2, fit_blocks=BLOCKS), np.float32([[0.5, 2.0]])
    x = np.random.default_rng(5).laplace(size=(BLOCKS, 2))
    _, y = sent(codec, x, scale, design=1.0)
    check_noise((y - x) / scale, x)


@pytest.mark.parametrize("rule", [  # what is read does not depend on the rule
    pytest.param(rule, marks=[] if rule == "gprs" else pytest.mark.stress) for rule in RULES])
def test_what_is_damaged_is_refused(rule):
    codec = block_channel(rule, dimension=2, max_candidates=256, fit_blocks=100)
    params = codec.finalize(1.0, noise_scale=0.3)
    x = np.random.default_rng(6).standard_normal((100, 2))  # as many as are fitted
    known = {"params": params, "noise_scale": 0.3, "shared_key": KEY}
    message = codec.encode(params, x, noise_scale=0.3, shared_key=KEY)
    for wrong in (message[:-1], message[:30] + bytes([message[30] ^ 1]) + message[31:], b""):
        with pytest.raises(ValueError, match="message"):
            codec.decode(wrong, **known)
    parts = base.open_message(message, name=codec.name, params=params, noise_scale=np.float32(0.3), payloads=3)

    def forged(*payloads):
        return base.pack_message(codec.name, params, np.float32(0.3), parts.shape, payloads)

    noise = np.random.default_rng(7).integers(1, 256, 400, np.uint8).tobytes()
    for payloads in ((noise, *parts.payloads[1:]), (*parts.payloads[:2], parts.payloads[2] + b"1"),
                     (parts.payloads[0], noise, parts.payloads[2])):
        with pytest.raises(ValueError, match="damaged message"):
            codec.decode(forged(*payloads), **known)


def test_plain_numbers():
    y = np.array([[0.0, -1.5], [2.0**22, -(2.0**22) + 2.0**-24]])
    np.testing.assert_array_equal(block._from_bytes(block._to_bytes(y)).reshape(2, 2), y)
    with pytest.raises(ValueError, match="x must be within 2\\^23 noise scales of 0"):
        block._to_bytes(np.array([2.0**23]))


def test_edges():
    codec = block_channel("gprs", dimension=1, fit_blocks=100)
    params = codec.finalize(1.0, noise_scale=1.0)
    for shape in ((0,), (3, 0), (), (2, 5)):  # single numbers of any shape
        x = np.zeros(shape)
        message = codec.encode(params, x, noise_scale=1.0, shared_key=KEY)
        assert codec.decode(message, params=params, noise_scale=1.0, shared_key=KEY).shape == shape
    with pytest.raises(ValueError, match="shared_key"):
        codec.encode(params, np.zeros(3), noise_scale=1.0, shared_key=jax.random.key(0, impl="rbg"))
    for wrong in ({"rule": "best"}, {"dimension": 0}, {"max_candidates": 100}, {"widening": 2.0}, {"fit_blocks": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            block_channel(**wrong)


@pytest.mark.stress
@pytest.mark.parametrize("rule", EXACT)
def test_noise_is_exact_in_large_samples(rule):
    codec = block_channel(rule, dimension=2)
    x = np.random.default_rng(8).standard_normal((500_000, 2))
    for value in (x, np.full_like(x, 0.3), np.full((50_000, 2), 500.0)):
        _, y = sent(codec, value, 0.5)
        check_noise((y - value) / 0.5, value, least=1e-3)
