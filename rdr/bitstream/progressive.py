"""Progressive messages: a head that says what follows, and packets of which any number from the first on will do.

Layout: a message of `rdr.bitstream.container` whose one payload lists the packets, and then the packets themselves:

    message with payload (v length, CRC-32 u32) for each packet | packet | packet | ..

The head has a checksum of its own. A message that was cut off is the head and the packets that are whole; bytes that
were changed are refused, and so are bytes after the last packet.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

from rdr.bitstream import container

MAX_PACKETS = 2**16


class Progressive(NamedTuple):
    """A progressive message taken apart.

    Attributes:
      codec: name of the codec that wrote it.
      fingerprint: of the parameters that the decoder must be given.
      shape: of the reconstruction.
      packets: those that are whole, from the first on.
      total: how many there were when it was written.
    """

    codec: str
    fingerprint: bytes
    shape: tuple[int, ...]
    packets: tuple[bytes, ...]
    total: int


def pack(codec: str, fingerprint: bytes, shape: Sequence[int], packets: Sequence[bytes]) -> bytes:
    """Writes a progressive message.

    Args:
      codec: name, ASCII.
      fingerprint: of the parameters.
      shape: of the reconstruction.
      packets: in the order in which they are decoded, at most 2^16.

    Returns:
      The bytes.

    Raises:
      ValueError: if there are too many packets.
    """
    if len(packets) > MAX_PACKETS:
        raise ValueError(f"a progressive message has at most {MAX_PACKETS} packets, got {len(packets)}")
    index = container.join_payloads([_entry(packet) for packet in packets])
    head = container.pack(container.Message(codec, fingerprint, tuple(shape), (index,)))
    return head + b"".join(packets)


def _entry(packet: bytes) -> bytes:
    length = len(packet)
    return length.to_bytes(max((length.bit_length() + 7) // 8, 1), "little") + zlib.crc32(packet).to_bytes(4, "little")


def unpack(data: bytes, *, max_elements: int = container.MAX_ELEMENTS) -> Progressive:
    """Reads a progressive message, or the beginning of one.

    Args:
      data: what `pack` wrote, or its first bytes, at least the head.
      max_elements: how many numbers the reconstruction may have.

    Returns:
      Its parts.

    Raises:
      ValueError: if the head is cut off or damaged, a packet is damaged, or bytes follow the last packet.
    """
    data = bytes(data)
    position = container.first_length(data)
    head = container.unpack(data[:position], max_elements=max_elements)
    if len(head.payloads) != 1:
        raise ValueError(f"damaged message: {len(head.payloads)} lists of packets instead of 1")
    entries = container.split_payloads(head.payloads[0])
    if len(entries) > MAX_PACKETS or any(not 5 <= len(entry) <= 12 for entry in entries):
        raise ValueError("damaged message: its list of packets is none")
    packets = []
    for number, entry in enumerate(entries):
        length = int.from_bytes(entry[:-4], "little")
        packet = data[position : position + length]
        if len(packet) < length:
            return Progressive(head.codec, head.fingerprint, head.shape, tuple(packets), len(entries))
        if zlib.crc32(packet) != int.from_bytes(entry[-4:], "little"):
            raise ValueError(f"damaged message: the checksum of packet {number} is wrong")
        packets.append(packet)
        position += length
    if position != len(data):
        raise ValueError("damaged message: bytes are left over at its end")
    return Progressive(head.codec, head.fingerprint, head.shape, tuple(packets), len(entries))
