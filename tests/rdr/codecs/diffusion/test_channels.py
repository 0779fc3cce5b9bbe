import numpy as np
import pytest
from scipy import stats

from rdr.codecs.diffusion import channels
from rdr.randomness import shared_key

SIZES = np.array([0.05, 1.0, 1.02, 5.0])


@pytest.mark.parametrize("name", ["layered", "uniform", "E8"])
def test_every_component_gets_noise_of_the_stated_variance(name):
    channel = channels.make_channel(name)
    rng = np.random.default_rng(0)
    scale = channels.channel_scale(channel, 0.3)
    assert scale == np.float32(0.9**0.5 if name == "uniform" else 0.3**0.5)  # a half-width, or a standard deviation
    params = channels.finalize_step(channel, rng.standard_normal((4096, 4)) * SIZES, scale)
    np.testing.assert_array_equal(params["group"], [0, 1, 1, 2])
    x = rng.standard_normal((1003, 4)) * SIZES  # no multiple of a block
    packet = channels.encode_step(channel, params, x, scale, shared_key(1))
    y = channels.decode_step(channel, params, packet, x.shape, scale, shared_key(1))
    noise = stats.norm(0, 0.3**0.5) if name != "uniform" else stats.uniform(-(0.9**0.5), 2 * 0.9**0.5)
    for error in (y - x).T:
        assert stats.kstest(error, noise.cdf).pvalue > 1e-3
    with pytest.raises(ValueError, match="damaged message"):
        channels.decode_step(channel, params, packet[:-5], x.shape, scale, shared_key(1))


def test_models_of_what_is_sent_are_chosen_by_what_fits():
    rng = np.random.default_rng(0)
    gaussian = channels.fit_source(rng.standard_normal(8192), 0.5)
    np.testing.assert_allclose(gaussian(np.linspace(-3, 3, 9)), stats.norm.cdf(np.linspace(-3, 3, 9)), atol=0.005)
    two = rng.choice([-1.0, 1.0], 8192) + 0.05 * rng.standard_normal(8192)
    model = channels.fit_source(two, 0.05)
    np.testing.assert_allclose(model(np.array([-1.5, -0.5, 0.0, 0.5, 1.5])), [0, 0.5, 0.5, 0.5, 1], atol=0.02)
    assert model(np.array([-1e6]))[0] == 0 and model(np.array([1e6]))[0] == 1
    assert (np.diff(model(np.linspace(-9, 9, 10_001))) >= 0).all()


def test_channels_have_names():
    assert channels.make_channel("greedy-32").dimension == 32
    assert channels.make_channel("E8-adaptive").name == "channel-E8-adaptive"
    for name in ("E9", "greedy", "greedy-", "-8"):
        with pytest.raises(ValueError, match="channel must be one of"):
            channels.make_channel(name)


@pytest.mark.parametrize("name", ["layered", "uniform"])
def test_one_stream_is_shorter_and_says_the_same(name):
    channel = channels.make_channel(name)
    rng = np.random.default_rng(0)
    scale = channels.channel_scale(channel, 0.3)
    fit, x = rng.standard_normal((4096, 4)) * SIZES, rng.standard_normal((100, 4)) * SIZES
    made = [channels.finalize_step(channel, fit, scale, one_stream=one) for one in (False, True)]
    packets = [channels.encode_step(channel, params, x, scale, shared_key(1)) for params in made]
    assert len(packets[1]) < len(packets[0]) - 6  # two of three streams end no more
    y = [channels.decode_step(channel, params, packet, x.shape, scale, shared_key(1))
         for params, packet in zip(made, packets)]
    np.testing.assert_array_equal(y[0], y[1])
    for broken in (packets[1][:-5], packets[1][:4], packets[1] + packets[1]):
        with pytest.raises(ValueError, match="damaged message"):
            channels.decode_step(channel, made[1], broken, x.shape, scale, shared_key(1))
    lattice = channels.make_channel("E8")
    assert "one_stream" not in channels.finalize_step(lattice, fit, scale, one_stream=True)
