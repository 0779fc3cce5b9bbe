import dataclasses

import jax
import numpy as np
import pytest

from rdr.bitstream import progressive
from rdr.codecs import diffusion
from rdr.codecs.diffusion import process
from rdr.codecs.diffusion.codec import shared_normals
from rdr.codecs.diffusion.ddcm import ddcm_codec
from rdr.randomness import shared_key

GIVEN = {"shared_key": shared_key(2)}


def coded(**options):
    codec = ddcm_codec(**options)
    params = codec.finalize(codec.init())
    x = diffusion.gaussian_vector().sample(np.random.default_rng(0), 801)
    return codec, params, x, codec.encode(params, x, **GIVEN)


def test_indices_are_what_is_decoded_and_what_is_paid():
    codec, params, x, message = coded(bits=3, steps=6)
    chosen = codec.symbols(params, x, shared_key(2))
    assert chosen.dtype == np.int32 and chosen.shape == (801, 6) and set(np.unique(chosen)) == set(range(8))
    packets = progressive.unpack(message).packets
    assert [len(packet) for packet in packets] == [-(-801 * 3 // 8)] * 6
    bits = np.unpackbits(np.frombuffer(packets[4], np.uint8), count=2403).reshape(-1, 3)
    np.testing.assert_array_equal(bits @ [1, 2, 4], chosen[:, 4])


def test_chosen_noise_is_better_than_any_other_and_prefixes_decode():
    codec, params, x, message = coded(bits=4, steps=10)
    errors = [np.square(x - codec.decode(message[:end], params=params, **GIVEN)).sum(1).mean() for end in np.linspace(
        len(message) - sum(map(len, progressive.unpack(message).packets)), len(message), 5).astype(int)]
    assert (np.diff(errors) < 0).all()
    drawn, params_0, _, message_0 = coded(bits=0, steps=12)  # noise as it comes: a sample that knows nothing of x
    blind = np.square(x - drawn.decode(message_0, params=params_0, **GIVEN)).sum(1).mean()
    assert errors[-1] < 0.25 * blind and 8.0 < blind < 12.0
    other = codec.decode(message, params=params, shared_key=shared_key(3))
    assert np.square(x - other).sum(1).mean() > 4 * errors[-1]


def test_every_step_by_hand():
    """New codebooks in every step, the codeword along what the denoiser misses, and x_t, realistic or not."""
    codec, params, x, message = coded(bits=3, steps=4)
    chosen, source, key = codec.symbols(params, x, shared_key(2)), diffusion.gaussian_vector(), shared_key(2)
    noisy, seen = shared_normals(jax.random.fold_in(key, 0), x.shape), []
    for k, (t, s) in enumerate(zip(params["times"][:-1], params["times"][1:])):
        codebook = shared_normals(jax.random.fold_in(key, k + 1), (len(x), 8, 3))
        missed = np.einsum("nkd,nd->nk", codebook, x - source.denoise(noisy, t))
        np.testing.assert_array_equal(chosen[:, k], missed.argmax(1))
        seen.append(codebook)
        noisy = process.ancestral_step(source.denoise, noisy, t, s, codebook[np.arange(len(x)), chosen[:, k]])
    assert all(np.abs(np.corrcoef(one.ravel(), seen[0].ravel())[0, 1]) < 0.03 for one in seen[1:])
    given = {"params": params, **GIVEN}
    np.testing.assert_allclose(codec.decode(message, **given, condition="noisy"), noisy, rtol=1e-10)
    for decoder, expected in (("mean", source.denoise(noisy, s)), ("flow", source.flow(noisy, s))):
        np.testing.assert_allclose(codec.decode(message, **given, condition=decoder), expected, rtol=1e-10)


def test_networks_messages_say_where_they_decode_and_flows_take_the_steps_they_are_given():
    assert ddcm_codec(dataclasses.replace(diffusion.gaussian_vector(), arithmetic="cpu")).name == (
        "diffusion-codebook@cpu")
    x, banana = diffusion.banana().sample(np.random.default_rng(0), 20), diffusion.banana()
    made = {}
    for steps in (1, 5):
        codec = ddcm_codec("banana", bits=1, steps=1, decoder="flow", decode_steps=steps)
        message = codec.encode(codec.init(), x, **GIVEN)
        noisy, flow = (codec.decode(message, params=codec.init(), **GIVEN, condition=it) for it in ("noisy", None))
        times = process.decoding_times(codec.init()["times"][-1], steps)
        made[steps] = process.probability_flow(banana.denoise, noisy, times)
        np.testing.assert_array_equal(flow, made[steps])
    assert np.abs(made[1] - made[5]).max() > 1e-3


def test_forward_and_decoders():
    codec, params, x, message = coded(bits=4, steps=10)
    made, bits = codec.forward(params, x, key=shared_key(2))
    np.testing.assert_array_equal(made, codec.decode(message, params=params, **GIVEN))
    np.testing.assert_array_equal(bits, 40.0)
    flow = codec.decode(message, params=params, **GIVEN, condition="flow")
    ancestral = codec.decode(message, params=params, **GIVEN, condition="ancestral", private_key=jax.random.key(0))
    assert not np.array_equal(flow, made) and not np.array_equal(flow, ancestral)


def test_damage_and_invalid_arguments_are_refused():
    codec, params, x, message = coded(bits=3, steps=6)
    for broken in (message[:20], message + b"\0", message[:-1] + bytes([message[-1] ^ 1])):
        with pytest.raises(ValueError, match="message"):
            codec.decode(broken, params=params, **GIVEN)
    parts = progressive.unpack(message)
    forged = progressive.pack(codec.name, parts.fingerprint, parts.shape,
                              [parts.packets[0] + b"\0", *parts.packets[1:]])
    with pytest.raises(ValueError, match="longer or shorter"):
        codec.decode(forged, params=params, **GIVEN)
    with pytest.raises(ValueError, match="not of this codec"):
        codec.encode({**params, "bits": np.array(5)}, x, **GIVEN)
    for options in ({"bits": 11}, {"bits": -1}, {"decoder": "none"}, {"end": 1.0}, {"times": (0.5, 0.1)},
                    {"source": "none"}, {"decode_steps": 0}):
        with pytest.raises(ValueError, match=r"must (be|start)"):
            ddcm_codec(**options)
