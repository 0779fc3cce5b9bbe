"""Meaning of the values that a file decodes to: bits of a channel, transfer function and primaries."""

import struct
from typing import NamedTuple

from rdr.data.color_spaces import HDR_CODE_POINTS

# Code points of ITU-T H.273.
TRANSFERS = {"linear": 8, "srgb": 13, **HDR_CODE_POINTS}
PRIMARIES = {"bt709": 1, "bt2020": 9, "p3": 12}
MIN_DEPTH, MAX_DEPTH = 8, 16
MAX_UNIT = 1e9  # cd/m^2, more than the sun's
PACKED_BYTES = 7


class Signal(NamedTuple):
    """What values are.

    Attributes:
      depth: bits of a channel, 8 to 16.
      transfer: "srgb", "pq" (SMPTE ST 2084), "hlg" (ITU-R BT.2100) or "linear".
      primaries: "bt709", which are sRGB's, "bt2020" or "p3" (Display P3).
      unit: cd/m^2 that 1 stood for in an image of linear light that was coded as PQ or linear; 0 where it was none.
    """

    depth: int = 8
    transfer: str = "srgb"
    primaries: str = "bt709"
    unit: float = 0.0

    @property
    def code_points(self) -> tuple[int, int]:
        """Of primaries and transfer function, ITU-T H.273."""
        return PRIMARIES[self.primaries], TRANSFERS[self.transfer]

    @property
    def hdr(self) -> bool:
        """Whether it has high dynamic range."""
        return self.transfer != "srgb"


SRGB = Signal()


def signal_of(code_points: tuple[int, int], depth: int) -> Signal | None:
    """Finds the signal of code points.

    Args:
      code_points: of primaries and transfer function, ITU-T H.273; primaries that are not said (2) are BT.709's.
      depth: bits of a channel.

    Returns:
      The signal; None if files cannot say it.
    """
    primaries = next((name for name, code in PRIMARIES.items() if code == (code_points[0] if code_points[0] != 2 else 1)
                      ), None)
    transfer = next((name for name, code in TRANSFERS.items() if code == code_points[1]), None)
    if primaries is None or transfer is None:
        return None
    return Signal(min(max(depth, MIN_DEPTH), MAX_DEPTH), transfer, primaries)


def check_signal(signal: Signal) -> None:
    """Refuses what is no signal.

    Args:
      signal: what values are.

    Raises:
      ValueError: naming the part that is wrong.
    """
    if not MIN_DEPTH <= signal.depth <= MAX_DEPTH:
        raise ValueError(f"depth must be between {MIN_DEPTH} and {MAX_DEPTH} bits, got {signal.depth}")
    for name, known in (("transfer", TRANSFERS), ("primaries", PRIMARIES)):
        if getattr(signal, name) not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(signal, name)!r}")
    if not 0 <= signal.unit <= MAX_UNIT:
        raise ValueError(f"unit must be between 0 and {MAX_UNIT:g} cd/m^2, got {signal.unit}")
    if signal.unit and signal.transfer not in ("pq", "linear"):
        raise ValueError(f"unit is of linear light, coded as pq or linear, not as {signal.transfer}")


def pack_signal(signal: Signal) -> bytes:
    """Writes a signal.

    Args:
      signal: what values are.

    Returns:
      Seven bytes: depth, transfer function, primaries, and the unit as float32.
    """
    primaries, transfer = signal.code_points
    return struct.pack("<BBBf", signal.depth, transfer, primaries, signal.unit)


def unpack_signal(data: bytes) -> Signal:
    """Reads a signal.

    Args:
      data: from `pack_signal`.

    Returns:
      What values are.

    Raises:
      ValueError: if it is none, or sRGB of 8 bits, which the older format has.
    """
    if len(data) < PACKED_BYTES:
        raise ValueError("damaged message: its settings have another length than they say")
    depth, transfer, primaries, unit = struct.unpack("<BBBf", data[:PACKED_BYTES])
    names = [next((name for name, code in table.items() if code == value), "")
             for table, value in ((TRANSFERS, transfer), (PRIMARIES, primaries))]
    signal = Signal(depth, names[0], names[1], unit)
    try:
        check_signal(signal)
    except ValueError as error:
        raise ValueError(f"damaged message: {error}") from None
    if signal == SRGB:
        raise ValueError("damaged message: sRGB of 8 bits is not of this format")
    return signal
