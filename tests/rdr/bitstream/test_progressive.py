import numpy as np
import pytest

from rdr.bitstream import container, progressive

PACKETS = (b"first", b"", bytes(300), b"\x01\x02")
MESSAGE = progressive.pack("mine", b"12345678", (7, 3), PACKETS)
HEAD = len(MESSAGE) - sum(map(len, PACKETS))


def test_whole_messages_and_beginnings_are_read():
    parts = progressive.unpack(MESSAGE)
    assert parts == progressive.Progressive("mine", b"12345678", (7, 3), PACKETS, 4)
    assert container.peek(MESSAGE) == "mine"
    for length in range(HEAD, len(MESSAGE)):
        ends = HEAD + np.cumsum([len(packet) for packet in PACKETS])
        assert progressive.unpack(MESSAGE[:length]).packets == PACKETS[: int((ends <= length).sum())]
        assert progressive.unpack(MESSAGE[:length]).total == 4
    assert progressive.unpack(progressive.pack("none", b"", (), ())).packets == ()


def test_damage_is_refused():
    for length in range(HEAD):
        with pytest.raises(ValueError, match="message"):
            progressive.unpack(MESSAGE[:length])
    for place in range(len(MESSAGE)):
        changed = bytearray(MESSAGE)
        changed[place] ^= 0x10
        with pytest.raises(ValueError, match=r"message|format|coded"):
            progressive.unpack(bytes(changed))
    assert progressive.unpack(MESSAGE, max_elements=21).shape == (7, 3)
    with pytest.raises(ValueError, match="message"):
        progressive.unpack(MESSAGE, max_elements=20)
    with pytest.raises(ValueError, match="left over"):
        progressive.unpack(MESSAGE + b"x")
    with pytest.raises(ValueError, match="at most"):
        progressive.pack("mine", b"", (1,), [b""] * (progressive.MAX_PACKETS + 1))
    for payloads in ((), (b"\x01",), (container.join_payloads([b"abc"]),), (container.join_payloads([bytes(13)]),)):
        with pytest.raises(ValueError, match="damaged message"):
            progressive.unpack(container.pack(container.Message("mine", b"", (1,), payloads)))
