import numpy as np
import pytest

from rdr.bitstream import container
from rdr.bitstream.container import Message, fingerprint, pack, peek, unpack

MESSAGE = Message("scalar", b"12345678", (300, 2, 1), (b"payload", b"", bytes(range(256))))


@pytest.mark.parametrize("message", [MESSAGE, Message("a", b"", (), ()), Message("b", b"x", (0, 5), (b"",))])
def test_round_trip(message):
    assert unpack(pack(message)) == message


def test_overhead_is_small():
    assert len(pack(MESSAGE)) - sum(map(len, MESSAGE.payloads)) <= 40


def test_every_truncation_and_every_flipped_bit_is_refused():
    data = pack(Message("scalar", b"12345678", (30,), (b"payload",)))
    for end in range(len(data)):
        with pytest.raises(ValueError, match="message"):
            unpack(data[:end])
    for bit in range(8 * len(data)):
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match="message"):
            unpack(bytes(spoilt))
    with pytest.raises(ValueError, match="damaged message"):
        unpack(data + b"\0")


def seal(body: bytes) -> bytes:
    import zlib
    return body + zlib.crc32(body).to_bytes(4, "little")


def test_well_sealed_nonsense_is_refused_without_allocating():
    head = pack(MESSAGE)[:6]
    forged = {
        "more than 16777216 elements": head + b"\x01a\x00\x02\xff\xff\xff\xff\x0f\xff\xff\xff\xff\x0f\x00",
        "shorter than it says": head + b"\x01a\x00\x00\x01\xff\xff\xff\xff\x0f",
        "does not end": head + b"\xff" * 12,
        "left over at its end": head + b"\x01a\x00\x00\x00extra",
        "not ASCII": head + b"\x01\xff\x00\x00\x00",
        "more than 16777216": head + b"\x01a\x00\x7f" + b"\x01" * 127 + b"\x00",
    }
    for said, body in forged.items():
        with pytest.raises(ValueError, match=said):
            unpack(seal(body))


@pytest.mark.parametrize("data, said", [
    (b"", "not an rdr message"),
    (b"\x89PNG\r\n\x1a\n and more of it", "not an rdr message"),
    ("text", "a message is bytes, got str"),
])
def test_foreign_input_is_refused(data, said):
    with pytest.raises(ValueError, match=said):
        unpack(data)


def test_other_versions_say_what_to_do(monkeypatch):
    data = pack(MESSAGE)
    with pytest.raises(ValueError, match="format version 9, this program reads version 2"):
        unpack(data[:3] + b"\x09" + data[4:])
    monkeypatch.setattr(container, "coder_version", lambda: (9, 9))
    with pytest.raises(ValueError, match="install that version to decode it"):
        unpack(data)


def test_fingerprints_tell_trees_apart():
    tree = {"a": np.zeros(3, np.float32), "b": np.ones((), np.int32)}
    variants = [tree, {**tree, "a": np.float32([0, 0, 1e-45])}, {**tree, "a": np.zeros((3, 1), np.float32)},
                {**tree, "a": np.zeros(3, np.float64)}, {"a": tree["a"], "c": tree["b"]}]
    assert len({fingerprint(variant) for variant in variants}) == len(variants)
    assert fingerprint(tree) == fingerprint({"b": tree["b"], "a": tree["a"].copy()}) and len(fingerprint(tree)) == 8


def test_numbers_written_longer_than_they_are_are_refused():
    """Fault 34: another message for the same image; every number of the head, one byte longer, is refused."""
    head = pack(MESSAGE)[:6]
    assert unpack(seal(head + b"\x01a\x00\x01\x02\x01\x01x")).shape == (2,)
    for body in (b"\x81\x00a\x00\x01\x02\x01\x01x", b"\x01a\x80\x00\x01\x02\x01\x01x",
                 b"\x01a\x00\x81\x00\x02\x01\x01x", b"\x01a\x00\x01\x82\x00\x01\x01x",
                 b"\x01a\x00\x01\x02\x81\x80\x00\x01x", b"\x01a\x00\x01\x02\x01\x81\x00x"):
        with pytest.raises(ValueError, match="damaged message: a number is written longer than it is"):
            unpack(seal(head + body))


def test_a_glance_says_which_codec_wrote_a_message():
    data = pack(MESSAGE)
    assert peek(data) == peek(data[:30]) == peek(bytearray(data)) == "scalar"
    for wrong, said in ((data[:6] + b"\x7f" + bytes(9), "shorter than it says"), (b"\x89PNG" * 9, "not an rdr message"),
                        ("text", "is bytes"), (data[:6] + b"\x01\xff" + bytes(9), "not ASCII")):
        with pytest.raises(ValueError, match=said):
            peek(wrong)


@pytest.mark.parametrize(("shape", "length", "believed"), [
    ((2**18,), 20, True), ((2**18 + 1,), 20, False), ((2**20, 2), 2**8, True), ((2**20, 2), 2**8 - 1, False),
    ((2**15, 1024), 2**12, True),  # a bit for a curve of 1024 points, which `experiments.sources.sawbridge` needs
    ((2**24, 0), 60, False), ((), 1, True),
])
def test_few_bytes_cannot_announce_any_number_of_symbols(shape, length, believed):
    """Fault 31: 60 bytes that said 2^24 x 1 took minutes and gigabytes."""
    if believed:
        container.check_announced(shape, length)
        return
    with pytest.raises(ValueError, match=f"a message of {length} bytes cannot be trusted with .* code fewer at a time"):
        container.check_announced(shape, length)


def test_byte_strings_are_joined_and_split():
    payloads = (b"", b"abc", bytes(200))
    assert container.split_payloads(container.join_payloads(payloads)) == payloads
    assert container.split_payloads(b"") == ()
    with pytest.raises(ValueError, match="shorter than it says"):
        container.split_payloads(container.join_payloads(payloads)[:-1])


def test_a_message_s_end_is_found_before_other_bytes():
    message = container.pack(container.Message("mine", b"1234", (3, 5), (b"abc", bytes(200))))
    assert container.first_length(message) == container.first_length(message + b"more") == len(message)
    with pytest.raises(ValueError, match="shorter than it says"):
        container.first_length(message[:-1])
