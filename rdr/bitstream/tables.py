"""Integer probability tables: what encoder and decoder agree on exactly.

A table gives each integer of a range a count >= 1 and one further count to an escape symbol, which stands for
every integer outside of the range. Counts add up to 2^24. Floats that a network predicted must never select
or make a table at decoding time, because floats differ between devices: tables are made once and stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

PRECISION = 24
BIT_PROBABILITY_PRECISION = 16  # probabilities of single bits are multiples of 2^-16


class Tables(NamedTuple):
    """Integer probability tables.

    Attributes:
      counts: int32 [tables, width + 1]. In row t the first `lengths[t]` columns are the counts of the integers
        `offsets[t]`, `offsets[t] + 1`, ..; the next is that of the escape symbol; the rest is zero.
      lengths: int32 [tables], 0 <= length <= width.
      offsets: int32 [tables], the smallest integer in each range.
    """

    counts: np.ndarray
    lengths: np.ndarray
    offsets: np.ndarray


def tables_from_tree(stored: Mapping[str, ArrayLike]) -> Tables:
    """Makes tables of what a tree of parameters holds of them; the inverse of `Tables._asdict`.

    Args:
      stored: "counts", "lengths" and "offsets".

    Returns:
      The tables, as numpy arrays.
    """
    return Tables(**{part: np.asarray(value) for part, value in stored.items()})


def quantize_pmf(pmf: ArrayLike) -> np.ndarray:
    """Turns probabilities into positive integer counts that add up to 2^24.

    Every entry gets 1, and the rest is shared out in proportion by largest remainders.

    Args:
      pmf: [n] non-negative, at least one positive, n <= 2^23; it is normalized here.

    Returns:
      int32 [n] counts.

    Raises:
      ValueError: if an entry is negative or not finite, all are zero, or n is out of range.
    """
    pmf = np.asarray(pmf, np.float64)
    if pmf.ndim != 1 or not 1 <= pmf.size <= 2 ** (PRECISION - 1):
        raise ValueError(f"pmf must have shape [n] with 1 <= n <= 2^{PRECISION - 1}, got shape {pmf.shape}")
    if not np.isfinite(pmf).all() or (pmf < 0).any() or pmf.sum() <= 0:
        raise ValueError("pmf must be finite and non-negative with a positive sum")
    free = 2**PRECISION - pmf.size
    share = free * (pmf / pmf.sum())
    counts = np.floor(share).astype(np.int64)
    missing = free - int(counts.sum())
    largest = np.argsort(counts - share, kind="stable")[:missing]
    counts[largest] += 1
    return (counts + 1).astype(np.int32)


def make_tables(pmfs: ArrayLike, offset: int, *, floor: float = 2.0**-30) -> Tables:
    """Makes tables from probabilities on a common range of integers.

    Leading and trailing integers with a probability below `floor` are left to the escape symbol, whose
    probability is what is missing to 1.

    Args:
      pmfs: [tables, width], P(integer = offset + column).
      offset: the integer of the first column.
      floor: probability below which a tail is not tabulated.

    Returns:
      The tables.

    Raises:
      ValueError: if a pmf is negative, not finite, or adds up to more than 1 by over 1e-4.
    """
    pmfs = np.asarray(pmfs, np.float64)
    if pmfs.ndim != 2 or not np.isfinite(pmfs).all() or (pmfs < 0).any():
        raise ValueError("pmfs must be finite and non-negative with shape [tables, width]")
    if (pmfs.sum(1) > 1 + 1e-4).any():
        raise ValueError(f"pmfs must add up to at most 1, got {pmfs.sum(1).max():g}")
    counts = np.zeros((len(pmfs), pmfs.shape[1] + 1), np.int32)
    lengths, offsets = np.zeros(len(pmfs), np.int32), np.full(len(pmfs), offset, np.int32)
    for t, pmf in enumerate(pmfs):
        retained = np.flatnonzero(pmf >= floor)
        first, last = (retained[0], retained[-1] + 1) if retained.size else (0, 0)
        inside = pmf[first:last]
        rest = max(1.0 - inside.sum(), 0.0)
        counts[t, : inside.size + 1] = quantize_pmf(np.append(inside, rest))
        lengths[t], offsets[t] = inside.size, offset + first
    width = int(lengths.max(initial=0))
    return Tables(counts[:, : width + 1], lengths, offsets)


def check_tables(tables: Tables) -> None:
    """Refuses tables that are not what `Tables` says.

    Args:
      tables: from `make_tables`, or read from somewhere.

    Raises:
      ValueError: if shapes, ranges or sums are wrong.
    """
    counts, lengths, offsets = (np.asarray(part) for part in tables)
    if counts.ndim != 2 or lengths.shape != (len(counts),) or offsets.shape != (len(counts),) or not len(counts):
        raise ValueError(f"tables have shapes {counts.shape}, {lengths.shape}, {offsets.shape} instead of "
                         "[tables, width + 1], [tables], [tables]")
    used = np.arange(counts.shape[1]) <= lengths[:, None]
    if (lengths < 0).any() or (lengths >= counts.shape[1]).any() or (counts[used] < 1).any() or counts[~used].any():
        raise ValueError("tables must have a count >= 1 for every integer of the range and the escape symbol only")
    if (counts.sum(1, dtype=np.int64) != 2**PRECISION).any():
        raise ValueError(f"the counts of a table must add up to 2^{PRECISION}")


def table_bits(symbols: np.ndarray, tables: Tables, table_ids: np.ndarray | None = None) -> np.ndarray:
    """Ideal code length of each integer under its table, escapes without the bits that follow them.

    Args:
      symbols: integers of any shape.
      tables: the tables.
      table_ids: index of each symbol's table, same shape; default table 0.

    Returns:
      float64 bits, same shape.
    """
    symbols = np.asarray(symbols, np.int64)
    ids = np.zeros(symbols.shape, np.int64) if table_ids is None else np.asarray(table_ids)
    column = symbols - tables.offsets[ids]
    inside = (column >= 0) & (column < tables.lengths[ids])
    column = np.where(inside, column, tables.lengths[ids])
    return PRECISION - np.log2(tables.counts[ids, column])
