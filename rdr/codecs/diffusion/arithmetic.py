"""Arithmetic that is the same on every machine: sums in a fixed order, and an exponential of IEEE operations alone.

NumPy's elementwise +, -, *, / and sqrt on float64 are rounded as IEEE 754 says, one by one. Matrix products are not
(libraries choose the order), nor are `exp` and `log` (processors have their own). What a decoder computes with is
made of the former, and of products of matrices whose numbers are so coarse that no order rounds (`product`).
"""

from __future__ import annotations

import math

import numpy as np

_LOG2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # 33 bits of ln 2: products with integers below 2^20 are exact
_LOG2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_TERMS = tuple(1.0 / math.factorial(k) for k in range(13, -1, -1))
_LEAST = -700.0
LARGEST = 64.0  # of what `product` takes


def exp(x: np.ndarray) -> np.ndarray:
    """Computes e^x for x <= 0, bit for bit the same everywhere.

    x = k ln 2 + r with |r| <= ln(2) / 2, and Taylor's polynomial of degree 13 in r, whose rest is below 2^-57.

    Args:
      x: float64, at most 709; below -700 the result is 0.

    Returns:
      float64, within 2^-51 of e^x.
    """
    small = x < _LEAST
    x = np.where(small, 0.0, x)
    k = np.rint(x * 1.4426950408889634)
    r = (x - k * _LOG2_HIGH) - k * _LOG2_LOW
    value = np.full_like(r, _TERMS[0])
    for term in _TERMS[1:]:
        value *= r
        value += term
    return np.where(small, 0.0, np.ldexp(value, k.astype(np.int32)))


def transform(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiplies rows with a matrix, adding up in the order of its rows.

    Args:
      x: float64 [.., n].
      matrix: float64 [n, m].

    Returns:
      float64 [.., m], x @ matrix.
    """
    result = x[..., :1] * matrix[0]
    for i in range(1, matrix.shape[0]):
        result = result + x[..., i : i + 1] * matrix[i]
    return result


def product(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiplies rows with a matrix, both rounded so that float64 holds every sum exactly, in whatever order.

    Rows are rounded to multiples of 2^-16 and cut at 2^6 in size, the matrix to multiples of 2^-20: with up to 1024
    rows of entries up to 1 sums take 52 bits.

    Args:
      x: float64 [batch, n].
      matrix: float64 [n, m], n at most 1024, entries at most 1 in size.

    Returns:
      float64 [batch, m], x @ matrix up to what was rounded.

    Raises:
      ValueError: if the matrix is too large.
    """
    if matrix.shape[0] > 1024 or np.abs(matrix).max() > 1.0:
        raise ValueError(f"matrix must have at most 1024 rows and entries up to 1, got shape {matrix.shape} and "
                         f"{np.abs(matrix).max()}")
    rows = np.rint(np.clip(x, -LARGEST, LARGEST) * 2.0**16)
    return (rows @ np.rint(matrix * 2.0**20)) * 2.0**-36


def total(x: np.ndarray) -> np.ndarray:
    """Adds up the last axis from its first element to its last.

    Args:
      x: float64 [.., n].

    Returns:
      float64 [..].
    """
    result = x[..., 0]
    for i in range(1, x.shape[-1]):
        result = result + x[..., i]
    return result
