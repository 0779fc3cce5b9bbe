"""Container of messages: what one says about itself before its payloads, and how damage is noticed.

Layout, little-endian, with `v` a variable-length integer (7 bits a byte, low bits first, as few bytes as can be):

    "rdr" | format version u8 | coder major u8, minor u8
    | v length, codec name (ASCII) | v length, fingerprint of what the decoder must be given
    | v rank, v each dimension | v number of payloads, v each length | payloads | CRC-32 u32 of all before

A payload's meaning is the codec's business.
"""

import hashlib
import math
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rdr.bitstream.coder import coder_version

MAGIC = b"rdr"
FORMAT_VERSION = 2  # 1 gave rare symbols twice their count
MAX_ELEMENTS = 2**24
FREE_ELEMENTS, ELEMENTS_PER_BYTE = 2**18, 2**13
_FINGERPRINT_BYTES = 8


class Message(NamedTuple):
    """A message taken apart.

    Attributes:
      codec: name of the codec that wrote it.
      fingerprint: of the parameters that the decoder must be given; empty if it needs none.
      shape: of the reconstruction.
      payloads: byte strings.
    """

    codec: str
    fingerprint: bytes
    shape: tuple[int, ...]
    payloads: tuple[bytes, ...]


def fingerprint(params: Any) -> bytes:
    """Eight bytes that tell parameter trees apart.

    Args:
      params: a tree of arrays.

    Returns:
      The beginning of the SHA-256 of the tree's paths, dtypes, shapes and bytes.
    """
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.digest()[:_FINGERPRINT_BYTES]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def pack(message: Message) -> bytes:
    """Writes a message.

    Args:
      message: its parts; the codec's name is ASCII.

    Returns:
      The bytes.
    """
    name = message.codec.encode("ascii")
    head = [MAGIC, bytes([FORMAT_VERSION, *coder_version()]), _varint(len(name)), name,
            _varint(len(message.fingerprint)), message.fingerprint,
            _varint(len(message.shape)), *map(_varint, message.shape),
            _varint(len(message.payloads)), *(_varint(len(payload)) for payload in message.payloads)]
    body = b"".join(head) + b"".join(message.payloads)
    return body + zlib.crc32(body).to_bytes(4, "little")


def join_payloads(payloads: Sequence[bytes]) -> bytes:
    """Writes byte strings as one, each with its length before it.

    Args:
      payloads: the byte strings.

    Returns:
      One string, for `split_payloads`.
    """
    return b"".join(_varint(len(payload)) + payload for payload in payloads)


def split_payloads(data: bytes) -> tuple[bytes, ...]:
    """Reads what `join_payloads` wrote.

    Args:
      data: the string.

    Returns:
      The byte strings.

    Raises:
      ValueError: if it ends too early.
    """
    reader, payloads = _Reader(data), []
    while reader.position < len(data):
        payloads.append(reader.take(reader.varint()))
    return tuple(payloads)


class _Reader:
    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        if self.position + count > len(self.data):
            raise ValueError("damaged message: it is shorter than it says")
        self.position += count
        return self.data[self.position - count : self.position]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 63, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if shift and not byte:
                    raise ValueError("damaged message: a number is written longer than it is")
                return value
        raise ValueError("damaged message: a number does not end")


def check_announced(shape: tuple[int, ...], length: int) -> None:
    """Refuses messages that announce far more numbers than so few bytes hold, before work and memory are spent on them.

    An entropy coder whose bytes are used up reads on without end, so that a forged message of 60 bytes can ask for
    anything. Up to 2^18 numbers are allowed anyway, and 2^13 for each byte: rates below 1/1024 bit per number of more.

    Args:
      shape: of what is decoded.
      length: of the message, in bytes.

    Raises:
      ValueError: if there are more numbers.
    """
    elements = math.prod(max(n, 1) for n in shape)
    if elements > max(FREE_ELEMENTS, ELEMENTS_PER_BYTE * length):
        raise ValueError(f"a message of {length} bytes cannot be trusted with the {elements} numbers of the shape "
                         f"{tuple(shape)}: at most {max(FREE_ELEMENTS, ELEMENTS_PER_BYTE * length)} are decoded, so "
                         "code fewer at a time")


def peek(data: bytes) -> str:
    """Reads which codec wrote a message; whether the rest of it is intact is for `unpack` to say.

    Args:
      data: what `pack` wrote, or its beginning.

    Returns:
      The codec's name.

    Raises:
      ValueError: if the bytes are no message of this format.
    """
    return _name(_Reader(_check_start(data)))


def _check_start(data: bytes) -> bytes:
    """The message as bytes, if it starts like one."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ValueError(f"a message is bytes, got {type(data).__name__}")
    data = bytes(data)
    if data[:3] != MAGIC:
        raise ValueError("not an rdr message: it does not start with the format's magic bytes")
    if len(data) < 14:
        raise ValueError("damaged message: it is shorter than any message")
    if data[3] != FORMAT_VERSION:
        raise ValueError(f"the message has format version {data[3]}, this program reads version {FORMAT_VERSION}")
    return data


def _name(reader: _Reader) -> str:
    reader.take(6)
    try:
        return reader.take(reader.varint()).decode("ascii")
    except UnicodeDecodeError:
        raise ValueError("damaged message: the codec's name is not ASCII") from None


def first_length(data: bytes) -> int:
    """Finds where the message ends that other bytes follow; whether it is intact is for `unpack` to say.

    Args:
      data: what `pack` wrote, and more.

    Returns:
      The message's length.

    Raises:
      ValueError: if the bytes are no message of this format, or it is cut off.
    """
    reader = _Reader(_check_start(data))
    _name(reader)
    reader.take(reader.varint())
    for _ in range(min(reader.varint(), 17)):
        reader.varint()
    for length in [reader.varint() for _ in range(min(reader.varint(), 1 << 16))]:
        reader.take(length)
    reader.take(4)
    return reader.position


def unpack(data: bytes, *, max_elements: int = MAX_ELEMENTS) -> Message:
    """Reads a message, and refuses what is none.

    Args:
      data: what `pack` wrote.
      max_elements: how many numbers the reconstruction may have. A few bytes can announce any number of them, so this
        is what bounds the memory that a forged message can claim.

    Returns:
      Its parts.

    Raises:
      ValueError: if the bytes are no message of this format, of another coder's version, damaged, truncated, or
        announce more than `max_elements` elements.
    """
    data = _check_start(data)
    body = data[:-4]
    if zlib.crc32(body) != int.from_bytes(data[-4:], "little"):
        raise ValueError("damaged message: its checksum is wrong")
    if (data[4], data[5]) != coder_version():
        raise ValueError(f"the message was coded with constriction {data[4]}.{data[5]}, "
                         f"this is {'.'.join(map(str, coder_version()))}: install that version to decode it")
    reader = _Reader(body)
    name = _name(reader)
    mark = reader.take(reader.varint())
    shape = tuple(reader.varint() for _ in range(min(reader.varint(), 17)))
    if len(shape) > 16 or math.prod(shape) > max_elements or any(n > max_elements for n in shape):
        raise ValueError(f"the message announces the shape {shape}, more than {max_elements} elements")
    lengths = [reader.varint() for _ in range(min(reader.varint(), 1 << 16))]
    payloads = tuple(reader.take(length) for length in lengths)
    if reader.position != len(body):
        raise ValueError("damaged message: bytes are left over at its end")
    return Message(name, mark, shape, payloads)
