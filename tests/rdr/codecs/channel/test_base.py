import jax
import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs.channel import base
from rdr.randomness import shared_key

PARAMS = {"tables": {"counts": np.arange(6, dtype=np.int32)}}


def _message(scale=1.5, shape=(4, 2)):
    return base.pack_message("test", PARAMS, base.check_noise_scale(scale), shape, (b"one", b"two"))


def _open(message, *, params=PARAMS, scale=1.5, name="test", payloads=2, dimension=2):
    return base.open_message(message, name=name, params=params, noise_scale=base.check_noise_scale(scale),
                             payloads=payloads, dimension=dimension)


def test_a_message_opens_with_what_it_was_packed_with():
    parts = _open(_message())
    assert parts.payloads == (b"one", b"two") and parts.shape == (4, 2) and parts.codec == "test"


@pytest.mark.parametrize("wrong, match", [
    ({"scale": 1.25}, "another noise_scale"), ({"scale": [[1.5]]}, "another noise_scale"),
    ({"params": {"tables": {"counts": np.zeros(6, np.int32)}}}, "other parameters"), ({"params": None}, "give params"),
    ({"name": "other"}, "was written by codec 'test'"), ({"payloads": 1}, "2 payloads instead of 1"),
    ({"dimension": 8}, "blocks of 8 numbers cannot have the shape"),
])
def test_a_message_for_someone_else_is_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        _open(_message(), **wrong)


def test_few_bytes_cannot_announce_any_number_of_samples():
    """Fault 31: 60 bytes that announced 2^24 samples were decoded."""
    with pytest.raises(ValueError, match="cannot be trusted with the 8388608 numbers"):
        _message(shape=(2**22, 2))
    parts = container.unpack(_message())
    with pytest.raises(ValueError, match="cannot be trusted with the 8388608 numbers"):
        _open(container.pack(parts._replace(shape=(2**22, 2))))


def test_every_damaged_byte_is_noticed():
    message = _message()
    for i in range(len(message)):
        with pytest.raises(ValueError):
            _open(message[:i] + bytes([message[i] ^ 1]) + message[i + 1:])
        with pytest.raises(ValueError):
            _open(message[:i])


def test_a_noise_scale_is_rounded_to_the_bits_that_both_sides_use():
    np.testing.assert_array_equal(base.check_noise_scale(0.1), np.float32(0.1))
    assert base.check_noise_scale(np.ones((3, 1)), (3, 4)).shape == (3, 1)
    assert base.check_noise_scale(2).dtype == np.float32


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, 1e60, 1e-60, 1e-40, [1.0, 0.0], "1", 1j, None])
def test_an_impossible_noise_scale_is_refused(scale):
    with pytest.raises(ValueError, match="noise_scale must be"):
        base.check_noise_scale(scale)


def test_a_noise_scale_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="broadcast to the shape"):
        base.check_noise_scale(np.ones(3), (4,))
    with pytest.raises(ValueError, match="broadcast to the shape"):
        base.check_noise_scale(np.ones((2, 3)), (3,))


@pytest.mark.parametrize("x, dimension, match", [
    ([np.nan], 1, "finite"), ([np.inf], 1, "finite"), (np.zeros(9), 1, "at most 8"), (np.zeros(4), 2, "shape"),
    (np.zeros((2, 3)), 2, "shape"),
])
def test_impossible_samples_are_refused(x, dimension, match):
    with pytest.raises(ValueError, match=match):
        base.check_samples(x, dimension=dimension, max_elements=8)


@pytest.mark.parametrize("key", [None, 3, jax.random.split(shared_key(0)), np.zeros(2, np.uint32)])
def test_an_impossible_key_is_refused(key):
    with pytest.raises(ValueError, match="shared_key"):
        base.check_shared_key(key)
