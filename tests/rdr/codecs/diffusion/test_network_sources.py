"""Codecs whose denoiser is a network: bytes, beginnings, damage, other processes, other devices, files."""

import hashlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr import codecs
from rdr.bitstream import progressive
from rdr.codecs.diffusion import network, network_sources
from rdr.codecs.diffusion.codec import diffusion_codec
from rdr.randomness import shared_key

DIMENSION = 40  # more than what is added up in a fixed order


def images(count=3000, seed=0):
    """Bright or dark, with smooth noise: no Gaussian."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((count, DIMENSION)).cumsum(1) * 0.03
    return 0.5 + 0.3 * rng.choice([-1.0, 1.0], (count, 1)) + steps


def small_source(samples=None):
    """A network with random weights, small enough to leave a Gaussian's denoiser useful."""
    model = network.statistics(images())
    weights = dict(network.init(jax.random.key(1), DIMENSION, width=16, blocks=1))
    weights["output"] = 0.02 * jax.random.normal(jax.random.key(2), weights["output"].shape)
    return network_sources.network_source(model, network.round_weights(weights), samples=samples)


@pytest.fixture(scope="module")
def sent():
    codec = codecs.get("uqdm", source=small_source(images()), times=(1.0, 0.3, 0.05, 0.01), decode_steps=4, least=0.1)
    params, x = codec.finalize(codec.init()), images(300, seed=9)
    return codec, params, x, codec.encode(params, x, shared_key=shared_key(3))


def test_more_of_a_message_is_more_of_an_image(sent):
    codec, params, x, message = sent
    given = {"params": params, "shared_key": shared_key(3), "condition": "mean"}
    packets = progressive.unpack(message).packets
    head = len(message) - sum(map(len, packets))
    ends = head + np.cumsum([0, *map(len, packets)])
    errors = [np.square(codec.decode(message[:end], **given) - x).sum(1).mean() for end in ends]
    assert (np.diff(errors) < 0).all() and errors[-1] < 0.1 * errors[0]
    whole = codec.decode(message[: ends[2]], **given)
    np.testing.assert_array_equal(whole, codec.decode(message[: ends[2] + 5], **given))
    # Components that tell little are not sent.
    drawn = [np.asarray(params["tables"][f"{k:05d}"]["drawn"]).sum() for k in range(3)]
    assert DIMENSION > drawn[0] > drawn[2]
    for place in (6, head - 2, ends[1] + 3, len(message) - 1):
        broken = message[:place] + bytes([message[place] ^ 4]) + message[place + 1 :]
        with pytest.raises(ValueError, match=r"message|format"):
            codec.decode(broken, **given)
    forged = progressive.pack(codec.name, progressive.unpack(message).fingerprint, x.shape, [b"", *packets[1:]])
    with pytest.raises(ValueError, match="damaged message"):
        codec.decode(forged, **given)


def test_what_is_not_sent_has_the_variance_that_the_source_gives_it():
    """One step from nothing: sent or drawn, x_s has the second moments of (1 - s) C + s I."""
    source = network_sources.network_source(network.statistics(images()), None, samples=images())
    x, moments = images(4000, seed=5), []
    for least in (0.0, 0.5):
        codec = diffusion_codec(source, channel="uniform", times=(1.0, 0.02), least=least)
        params = codec.finalize(codec.init())
        message = codec.encode(params, x, shared_key=shared_key(1))
        noisy = codec.decode(message, params=params, shared_key=shared_key(1), condition="noisy")
        z = (noisy - np.sqrt(0.98) * x.mean(0)) @ source.basis
        moments.append((np.square(z).mean(0), len(message)))
    expected = 0.98 * np.square((x - x.mean(0)) @ source.basis).mean(0) + 0.02
    for found, _ in moments:
        np.testing.assert_allclose(found, expected, rtol=0.12)
    assert moments[1][1] < 0.9 * moments[0][1]
    nothing = diffusion_codec(source, times=(1.0, 0.02), least=1e6)  # every component is drawn
    params = nothing.finalize(nothing.init())
    message = nothing.encode(params, x, shared_key=shared_key(1))
    assert len(message) < 120
    y = nothing.decode(message, params=params, shared_key=shared_key(1), condition="mean")
    assert abs(np.mean((x - x.mean(0)) * (y - y.mean(0)))) < 0.01
    _, bits = nothing.forward(params, x[:5], key=jax.random.key(0))
    assert (bits == 0).all()


SCRIPT = """
import hashlib, sys
sys.path.insert(0, {root!r})
from tests.rdr.codecs.diffusion import test_network_sources as t
from rdr import codecs
from rdr.randomness import shared_key
source = t.network_sources.load_network({path!r}, samples=t.images())
codec = codecs.get("uqdm", source=source, end=0.05, steps=2, decode_steps=4, least=0.5)
params = codec.finalize(codec.init())
y = codec.decode(open({message!r}, "rb").read(), params=params, shared_key=shared_key(4))
print(hashlib.sha256(y.tobytes()).hexdigest())
"""


def test_another_process_with_other_threads_decodes_the_same_bits(tmp_path, request):
    plain, path, file = small_source(), tmp_path / "network.npz", tmp_path / "message"
    digest = network_sources.save_network(path, plain.identity, plain.identity["network"], notes={"made": "here"})
    source = network_sources.load_network(path, samples=images(), sha256=digest)
    codec = codecs.get("uqdm", source=source, end=0.05, steps=2, decode_steps=4, least=0.5)
    params = codec.finalize(codec.init())
    file.write_bytes(codec.encode(params, images(60, seed=8), shared_key=shared_key(4)))
    y = codec.decode(file.read_bytes(), params=params, shared_key=shared_key(4))
    script = SCRIPT.format(root=str(request.config.rootpath), path=str(path), message=str(file))
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                            cwd=request.config.rootpath, env={**__import__("os").environ, "OPENBLAS_NUM_THREADS": "1"})
    assert result.stdout.strip() == hashlib.sha256(y.tobytes()).hexdigest()


def test_files_come_back_and_damage_is_refused(tmp_path):
    source, path = small_source(), tmp_path / "network.npz"
    digest = network_sources.save_network(path, source.identity, source.identity["network"], notes={})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    back = network_sources.load_network(path)
    assert back.name == "network"
    x = images(5)
    np.testing.assert_array_equal(back.denoise(x, 0.3), source.denoise(x, 0.3))
    # Without samples it draws its own.
    drawn = back.sample(np.random.default_rng(0), 2000)
    np.testing.assert_allclose(np.cov(drawn.T), source.covariance, atol=0.04)
    with pytest.raises(ValueError, match="expected 00"):
        network_sources.load_network(path, sha256="00")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="damaged"):
        network_sources.load_network(path)
    with pytest.raises(ValueError, match="there is no file"):
        network_sources.load_network(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="name must be one of"):
        network_sources.pretrained("nothing")


def test_messages_of_another_network_or_device_are_refused(monkeypatch):
    matrix = jnp.eye(DIMENSION) * 0.9

    @jax.jit
    def call(x, t):
        return 0.5 + (x - 0.5 * jnp.sqrt(1.0 - t)) @ matrix * (1.0 - t)

    def make(identity):
        source = network_sources.denoiser_source(lambda x, t: call(x, t), images(), identity=identity)
        codec = diffusion_codec(source, channel="uniform", end=0.01)
        return codec, codec.finalize(codec.init())

    codec, params = make({"matrix": np.asarray(matrix)})
    x = images(50)
    message = codec.encode(params, x, shared_key=shared_key(0))
    y = codec.decode(message, params=params, shared_key=shared_key(0), condition="mean")
    assert np.square(x - y).sum() < 0.2 * np.square(x - x.mean(0)).sum()
    assert progressive.unpack(message).codec == f"diffusion-uniform@{network_sources.runtime()}"
    other, others = make({"matrix": np.asarray(matrix) * 0.5})
    with pytest.raises(ValueError, match="other parameters"):
        other.decode(message, params=others, shared_key=shared_key(0))
    monkeypatch.setattr(network_sources.jax, "__version__", "0.0")
    elsewhere, params = make({"matrix": np.asarray(matrix)})
    with pytest.raises(ValueError, match="same device and software only, so decode it there"):
        elsewhere.decode(message, params=params, shared_key=shared_key(0))


def test_what_does_not_fit_is_refused():
    source = small_source(images())
    for wrong in ({"input": np.zeros((DIMENSION, 4), np.float32)}, {"input": np.full((DIMENSION, 16), 1e-5)}):
        with pytest.raises(ValueError, match="weights must be"):
            network_sources.network_source(source.identity, {**source.identity["network"], **wrong})
    with pytest.raises(ValueError, match="model must have"):
        network_sources.network_source({**source.identity, "mean": np.zeros(3)}, None)
    with pytest.raises(ValueError, match="samples must be finite"):
        network_sources.network_source(source.identity, None, samples=np.zeros((4, 3)))
    codec = diffusion_codec(source, channel="uniform", end=0.5)
    params = codec.finalize(codec.init())
    with pytest.raises(ValueError, match="at most 32 in size"):
        codec.encode(params, np.full((1, DIMENSION), 255.0), shared_key=shared_key(0))
    ddcm = codecs.get("ddcm", source=source, bits=1, steps=1)
    with pytest.raises(ValueError, match="at most 32 in size"):
        ddcm.encode(ddcm.init(), np.full((1, DIMENSION), 255.0), shared_key=shared_key(0))
    with pytest.raises(ValueError, match="least must be"):
        diffusion_codec(source, least=-1.0)


def test_the_network_of_the_package_computes_the_same_bits_everywhere():
    """The hash was made once, on x86-64 with OpenBLAS; the input is made of whole numbers."""
    x = (np.arange(3 * 256).reshape(3, 256) * 7919 % 1009) / 1024.0
    source = network_sources.pretrained("fashion_mnist")
    y = np.stack([source.denoise(x, t) for t in (0.9, 0.5, 0.125, 0.03125)])
    assert hashlib.sha256(y.astype("<f8").tobytes()).hexdigest()[:16] == "ef20d0311827af35"
    assert source.dimension == 256 and 17 < np.trace(source.covariance) < 19
    assert codecs.get("uqdm", source="fashion_mnist").name == "diffusion-uniform"
