"""Diffusion codecs through their bytes, against closed forms of `theory`."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from scipy import stats

from rdr.bitstream import progressive
from rdr.codecs import diffusion
from rdr.codecs.diffusion import codec as module
from rdr.codecs.diffusion.codec import diffusion_codec
from rdr.codecs.diffusion.sources import mixture
from rdr.randomness import shared_key
from theory.channel_simulation import gaussian_functional_information
from theory.gaussian.diffusion import diffusion_compression
from theory.gaussian.vector_realism import perfect_realism_rate_distortion

LAM = np.array([4.0, 1.0, 0.25])
COUNT = 4000
MIXTURE = mixture([0.5, 0.3, 0.2], [[-2.0, 0.5], [1.0, -1.0], [0.5, 2.0]], [[0.1, 0.4], [0.5, 0.05], [0.2, 0.2]])


def sent(codec, source=None, *, count=COUNT, seed=0):
    params = codec.finalize(codec.init(jax.random.key(0)))
    x = (source or diffusion.gaussian_vector()).sample(np.random.default_rng(seed), count)
    return params, x, codec.encode(params, x, shared_key=shared_key(seed))


@pytest.fixture(scope="module")
def in_steps():
    codec = diffusion_codec(channel="layered", end=0.2, steps=2)
    return (codec, *sent(codec))


def test_distortions_and_rate_are_those_of_theory(in_steps):
    codec, params, x, message = in_steps
    given = {"params": params, "shared_key": shared_key(0)}
    theory = diffusion_compression(0.2, LAM)
    np.testing.assert_allclose([theory.ancestral_distortion, theory.flow_distortion], [1.120588235, 0.596452226],
                               atol=1e-8)
    for decoder, expected, key in (("flow", theory.flow_distortion, None),
                                   ("ancestral", theory.ancestral_distortion, jax.random.key(7)),
                                   ("mean", theory.ancestral_distortion / 2, None)):
        y = codec.decode(message, **given, private_key=key, condition=decoder)
        errors = np.square(x - y).sum(1)
        assert abs(errors.mean() - expected) < 4.5 * errors.std() / np.sqrt(len(x))
        if decoder != "mean":  # exactly the source's distribution
            for i, deviation in enumerate(np.sqrt(LAM)):
                assert stats.kstest(y[:, i] / deviation, "norm").pvalue > 1e-3
    # The least that exact coding of single numbers takes, step by step; tables and the packets' ends cost 2 % here.
    times = params["times"][:, None]
    information = 0.5 * np.log2(1 + LAM * (1 - times) / times)
    steps_bits = np.diff(information, axis=0)
    least = np.asarray(gaussian_functional_information(steps_bits.ravel(), 1)).sum()
    head = 8 * (len(message) - sum(map(len, progressive.unpack(message).packets))) / len(x)
    assert 0.98 * least < 8 * len(message) / len(x) - head < 1.02 * least + 0.05


def test_forward_s_bits_are_the_information(in_steps):
    codec, params, x, _ = in_steps
    y, bits = codec.forward(params, x, key=jax.random.key(3))
    assert bits.shape == (len(x),)
    assert abs(bits.mean() - 2.567899219 / np.log(2)) < 4.5 * bits.std() / np.sqrt(len(x))
    errors = np.square(x - y).sum(1)
    assert abs(errors.mean() - 0.596452226) < 4.5 * errors.std() / np.sqrt(len(x))


def test_beginnings_of_messages_decode_and_damage_is_refused(in_steps):
    codec, params, x, message = in_steps
    given = {"params": params, "shared_key": shared_key(0)}
    packets = progressive.unpack(message).packets
    head = len(message) - sum(map(len, packets))
    ends = head + np.cumsum([0, *map(len, packets)])
    for end, t in zip(ends, params["times"]):
        y = codec.decode(message[:end], **given)
        errors = np.square(x - y).sum(1)
        expected = float(diffusion_compression(t, LAM).flow_distortion)
        assert abs(errors.mean() - expected) < 4.5 * errors.std() / np.sqrt(len(x))
        np.testing.assert_array_equal(y, codec.decode(message[: end + 1 if end < ends[-1] else end], **given))
        for i, deviation in enumerate(np.sqrt(LAM)):  # realistic at every rate, from 0 on
            assert stats.kstest(y[:, i] / deviation, "norm").pvalue > 1e-3
    changed = [message[:place] + bytes([message[place] ^ 1]) + message[place + 1 :]
               for place in (5, 30, head, ends[1] + 7)]
    for broken in (message[: head - 1], message + b"\0", *changed):
        with pytest.raises(ValueError, match=r"message|format"):
            codec.decode(broken, **given)
    with pytest.raises(ValueError, match="other parameters"):
        codec.decode(message, params={**params, "times": params["times"] * 0.99}, shared_key=shared_key(0))
    with pytest.raises(ValueError, match="give params"):
        codec.decode(message, shared_key=shared_key(0))
    with pytest.raises(ValueError, match="was written by codec"):
        diffusion_codec(channel="uniform", end=0.2, steps=2).decode(message, **given)
    for key, decoder in ((None, "ancestral"), (jax.random.key(0), "flow")):
        with pytest.raises(ValueError, match="private_key"):
            codec.decode(message, **given, private_key=key, condition=decoder)
    parts = progressive.unpack(message)  # forged, each with a checksum of its own
    for shape, sent_packets in ((x.shape, [*packets, b""]), (x.shape, packets[:1]), ((len(x), 2), packets),
                                ((3 * len(x),), packets), ((0, 3), packets)):
        with pytest.raises(ValueError, match="were expected"):
            codec.decode(progressive.pack(codec.name, parts.fingerprint, shape, sent_packets), **given)
    # A forged packet, too short for its checksum to help.
    forged = progressive.pack(codec.name, progressive.unpack(message).fingerprint, x.shape,
                              [packets[0][:-9], *packets[1:]])
    with pytest.raises(ValueError, match="damaged message"):
        codec.decode(forged, **given)


SCRIPT = """
import hashlib, sys
import jax, numpy as np
sys.path.insert(0, {root!r})
from tests.rdr.codecs.diffusion import test_codec as t
from rdr.codecs.diffusion.ddcm import ddcm_codec
from rdr.randomness import shared_key
for number, (codec, source) in enumerate(t.portable()):
    params = codec.finalize(codec.init())
    message = open({folder!r} + f"/{{number}}", "rb").read()
    y = codec.decode(message, params=params, shared_key=shared_key(5))
    print(hashlib.sha256(y.tobytes()).hexdigest())
"""


def portable():
    """Codecs whose messages another process decodes, with the sources of their vectors."""
    from rdr.codecs.diffusion.ddcm import ddcm_codec

    return [(diffusion_codec(MIXTURE, channel="layered", end=0.1, decode_steps=8), MIXTURE),
            (diffusion_codec("banana", channel="uniform", end=0.1, steps=2, decode_steps=8), diffusion.banana()),
            (ddcm_codec("circle", bits=3, steps=4), diffusion.circle())]


def test_another_process_decodes_the_same_bits(tmp_path, request):
    import hashlib

    expected = []
    for number, (codec, source) in enumerate(portable()):
        params, x, _ = sent(codec, source, count=50)
        message = codec.encode(params, x, shared_key=shared_key(5))
        (tmp_path / str(number)).write_bytes(message)
        y = codec.decode(message, params=params, shared_key=shared_key(5))
        expected.append(hashlib.sha256(y.tobytes()).hexdigest())
    script = SCRIPT.format(root=str(request.config.rootpath), folder=str(tmp_path))
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                            cwd=request.config.rootpath)
    assert result.stdout.split() == expected


def test_every_source_comes_back_as_itself():
    codec = diffusion_codec(MIXTURE, channel="layered", end=0.2, decode_steps=16)
    params, x, message = sent(codec, MIXTURE, count=2000)
    fresh = MIXTURE.sample(np.random.default_rng(99), 30_000)
    for decoder, key in (("flow", None), ("ancestral", jax.random.key(1))):
        y = codec.decode(message, params=params, shared_key=shared_key(0), condition=decoder, private_key=key)
        for direction in ((1.0, 0.0), (0.0, 1.0), (0.6, 0.8), (0.8, -0.6)):
            assert stats.ks_2samp(y @ direction, fresh @ direction).pvalue > 1e-3
    bits = 8 * len(message) / len(x)
    assert codec.forward(params, x, key=jax.random.key(0))[1].mean() < bits


def test_turned_vectors_come_back_turned_and_what_is_decoded_is_made_of_what_came():
    """A process is sent along its eigenvectors, two steps of a Gaussian vector of its eigenvalues."""
    process = diffusion.gaussian_process(0.9, 3)
    codec = diffusion_codec(process, channel="layered", end=0.2, steps=2)
    params, x, message = sent(codec, process)
    given = {"params": params, "shared_key": shared_key(0)}
    noisy, flow, mean = (codec.decode(message, **given, condition=it) for it in ("noisy", None, "mean"))
    np.testing.assert_array_equal(flow, process.flow(noisy, 0.2))
    np.testing.assert_array_equal(mean, process.denoise(noisy, 0.2))
    error = (noisy - np.sqrt(0.8) * x) / np.sqrt(0.2)  # white, and independent of x
    np.testing.assert_allclose(np.cov(error.T), np.eye(3), atol=4.5 * np.sqrt(2 / COUNT))
    np.testing.assert_allclose(error.T @ x / COUNT, np.zeros((3, 3)), atol=4.5 / np.sqrt(COUNT))


def e8_gap(channel, per_dimension, count):
    """Rate over R(D, 0) at the codec's own distortion."""
    from scipy.optimize import brentq

    end = brentq(lambda t: float(perfect_realism_rate_distortion(diffusion_compression(t, LAM).flow_distortion, LAM))
                 - 3 * per_dimension, 1e-6, 0.9)
    codec = diffusion_codec(channel=channel, end=end)
    params, x, message = sent(codec, count=count)
    y = codec.decode(message, params=params, shared_key=shared_key(0))
    optimum = float(perfect_realism_rate_distortion(np.square(x - y).sum(1).mean(), LAM))
    return 8 * len(message) / len(x) / optimum


def test_e8_is_within_15_percent_of_the_optimum_at_two_and_a_half_bits():
    assert 1.10 < e8_gap("E8", 2.5, 24_000) < 1.15


@pytest.mark.stress
def test_bw16_is_within_15_percent_of_the_optimum_at_1_6_bits():
    assert 1.10 < e8_gap("BW16", 1.6, 60_000) < 1.15


@pytest.mark.stress
def test_blocks_at_low_rates_cost_what_greedy_rejection_promises():
    one, n = (1.0,), 16
    codec = diffusion_codec(diffusion.gaussian_vector(one), channel=f"greedy-{n}", end=0.93)
    message = sent(codec, diffusion.gaussian_vector(one), count=16 * 400)[2]
    information = 0.5 * np.log2(1 + 0.07 / 0.93)
    packets = progressive.unpack(message).packets
    per_block = 8 * sum(map(len, packets)) / 400
    least = float(gaussian_functional_information(n * information, n))
    assert least - 0.3 < per_block < least + 1.9
    # Cheaper than any coder of single numbers can be.
    assert per_block / n < 0.8 * float(gaussian_functional_information(information, 1))


def test_invalid_arguments_are_refused():
    for options in ({"source": "unknown"}, {"channel": "E7"}, {"channel": "greedy-x"}, {"decoder": "none"},
                    {"end": 0.0}, {"steps": 0}, {"times": (0.9, 0.1)}, {"times": (1.0, 0.0)}, {"decode_steps": 0}):
        with pytest.raises(ValueError, match=r"must (be|start)"):
            diffusion_codec(**options)
    codec = diffusion_codec()
    with pytest.raises(ValueError, match="no integer tables"):
        codec.encode(codec.init(), np.zeros((2, 3)), shared_key=shared_key(0))
    params = codec.finalize(codec.init())
    for x in (np.zeros((2, 4)), np.zeros((0, 3)), np.full((2, 3), np.nan), np.zeros(3)):
        with pytest.raises(ValueError, match="x must"):
            codec.encode(params, x, shared_key=shared_key(0))
    with pytest.raises(ValueError, match="shared_key"):
        codec.encode(params, np.zeros((2, 3)))
    assert codec.symbols(params, np.zeros((2, 3)), shared_key(0)).dtype == np.int32


def test_network_messages_say_where_they_decode():
    import dataclasses

    on_device = dataclasses.replace(diffusion.gaussian_vector(), arithmetic="cpu")
    assert diffusion_codec(on_device).name == "diffusion-layered@cpu" != diffusion_codec().name
    assert module.find_source(on_device) is on_device
