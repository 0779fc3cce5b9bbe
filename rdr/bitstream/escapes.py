"""Elias-gamma codes for the rare integers that lie outside of their table."""

import numpy as np


def encode_gamma(values: np.ndarray) -> bytes:
    """Writes positive integers as Elias-gamma codes, one after the other.

    Args:
      values: integers [n], 1 <= value < 2^40.

    Returns:
      The code words, padded with zero bits to whole bytes.

    Raises:
      ValueError: if a value is out of range.
    """
    values = np.asarray(values, np.int64)
    if values.size and (values.min() < 1 or values.max() >= 2**40):
        raise ValueError("Elias-gamma codes are for integers in [1, 2^40)")
    pieces = [f"{int(value):0{2 * int(value).bit_length() - 1}b}" for value in values]
    bits = np.frombuffer("".join(pieces).encode(), np.uint8) - ord("0")
    return np.packbits(bits).tobytes()


class GammaReader:
    """Reads Elias-gamma codes a few at a time.

    Args:
      data: from `encode_gamma`.
    """

    def __init__(self, data: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(data, np.uint8))
        self._ones = np.flatnonzero(self._bits)
        self._position = 0

    def read(self, count: int) -> np.ndarray:
        """Reads positive integers.

        Args:
          count: how many.

        Returns:
          int64 [count].

        Raises:
          ValueError: if the data ends early or holds a number of 2^40 or more.
        """
        values = np.zeros(count, np.int64)
        for i in range(count):
            # The first one-bit at or after the position: as many zeros before it as digits after it.
            index = np.searchsorted(self._ones, self._position)
            if index == self._ones.size:
                raise ValueError("damaged message: the escape codes end early")
            start = int(self._ones[index])
            digits = start - self._position + 1
            if digits > 40 or start + digits > self._bits.size:
                raise ValueError("damaged message: the escape codes end early")
            values[i] = int("".join(map(str, self._bits[start : start + digits])), 2)
            self._position = start + digits
        return values

    def finish(self) -> None:
        """Makes sure that only padding is left.

        Raises:
          ValueError: if anything else is.
        """
        if self._bits.size - self._position >= 8 or self._bits[self._position :].any():
            raise ValueError("damaged message: bytes are left over after the escape codes")


def decode_gamma(data: bytes, count: int) -> np.ndarray:
    """Reads positive integers from Elias-gamma codes.

    Args:
      data: from `encode_gamma`.
      count: how many integers to read.

    Returns:
      int64 [count].

    Raises:
      ValueError: if the data ends early, holds a number of 2^40 or more, or has anything left but padding.
    """
    reader = GammaReader(data)
    values = reader.read(count)
    reader.finish()
    return values
