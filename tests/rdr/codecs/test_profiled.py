"""Messages with a color profile: what goes in comes back, and what is damaged is refused."""

import tracemalloc
import zlib

import pytest

from rdr.bitstream import container
from rdr.codecs import profiled
from tests.rdr.data.test_color_spaces import P3, profile

ICC, GRAY = profile(P3, 1.8), profile(P3, 2.2, gray=True)
INNER = container.pack(container.Message("overfitted", b"", (300, 200, 3), (b"one", bytes(400))))


def _packed(settings, inner=INNER, **more):
    parts = {"codec": profiled.NAME, "fingerprint": b"", "shape": (300, 200, 3), "payloads": (settings, inner)} | more
    return container.pack(container.Message(**parts))


def test_a_profile_is_beside_the_message_and_comes_back():
    """Fault 10: kept profiles are in the file."""
    message = profiled.wrap(INNER, ICC)
    assert profiled.split(message) == (INNER, ICC)
    parts = container.unpack(message)
    assert parts.codec == "profiled" and parts.shape == (300, 200, 3) and parts.payloads[1] == INNER
    assert parts.payloads[0][0] == 1 and zlib.decompress(parts.payloads[0][1:]) == ICC
    assert profiled.wrap(INNER, None) is INNER and profiled.split(INNER) == (INNER, None)


def test_the_bytes_of_a_profile_are_counted():
    for length in (0, 50, 127, 128, 16_300, 40_000):
        inner = container.pack(container.Message("overfitted", b"", (300, 200, 3), (bytes(length),)))
        more = len(profiled.wrap(inner, ICC)) - len(inner)
        assert profiled.overhead(ICC, (300, 200, 3), len(inner) + more) - more in (0, 1)
        assert profiled.overhead(None, (300, 200, 3), len(inner)) == 0


def test_every_changed_byte_is_noticed():
    message = profiled.wrap(INNER, ICC)
    for place in range(len(message)):
        for damaged in (message[:place] + bytes([message[place] ^ 1]) + message[place + 1 :], message[:place]):
            with pytest.raises(ValueError):  # by the next reader, where it is the name that is damaged
                container.unpack(profiled.split(damaged).message)


@pytest.mark.parametrize(("message", "words"), [
    (_packed(b""), "parts are not"), (_packed(b"\1" + zlib.compress(ICC), fingerprint=b"x"), "parts are not"),
    (_packed(b"\1", payloads=(b"\1" + zlib.compress(ICC),)), "parts are not"),
    (_packed(b"\2" + zlib.compress(ICC)), "another format"), (_packed(b"\1" + ICC), "cannot be read"),
    (_packed(b"\1" + zlib.compress(ICC)[:-1]), "does not end"), (_packed(b"\1" + zlib.compress(ICC) + b"x"), "not end"),
    (_packed(b"\1" + zlib.compress(b"no profile" * 40)), "no profile's header"),
    (_packed(b"\1" + zlib.compress(GRAY)), "color model 'GRAY', and the image has 3 channels"),
    (_packed(b"\1" + zlib.compress(ICC), shape=(300, 200, 1)), "of codec 'overfitted' and shape"),
    (_packed(b"\1" + zlib.compress(ICC), inner=INNER[:-1]), "within the one with a color profile: damaged"),
    (_packed(b"\1" + zlib.compress(ICC), inner=profiled.wrap(INNER, ICC)), "of codec 'profiled'"),
])  # fmt: skip
def test_forged_messages_are_refused(message, words):
    with pytest.raises(ValueError, match=words):
        profiled.split(message)


def test_a_bomb_takes_no_memory():
    bomb = _packed(b"\1" + zlib.compress(bytes(32 * 2**20), 9))
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than 4,194,304 bytes"):
        profiled.split(bomb)
    assert tracemalloc.get_traced_memory()[1] < 12 * 2**20
    tracemalloc.stop()
    largest = ICC + bytes(profiled.MAX_PROFILE_BYTES - len(ICC))
    assert profiled.split(profiled.wrap(INNER, largest)).profile == largest
    with pytest.raises(ValueError, match="more than"):
        profiled.wrap(INNER, largest + b"x")


@pytest.mark.parametrize(("icc", "words"), [(b"", "no profile's header"), (ICC[:36] + b"ABCD" + ICC[40:], "header"),
                                            (GRAY, "color model 'GRAY'")])
def test_what_is_no_profile_of_such_an_image_is_not_added(icc, words):
    with pytest.raises(ValueError, match=words):
        profiled.wrap(INNER, icc)
