import jax
import numpy as np
import pytest

from rdr.bitstream import progressive
from rdr.codecs import diffusion
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
