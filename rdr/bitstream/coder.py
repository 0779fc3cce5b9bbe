"""Symbols and integer tables to bytes and back, with constriction's asymmetric numeral systems.

Symbols are grouped by table, so that each table costs one call. Integers outside of their table are coded as
the escape symbol; how far outside is written as an Elias-gamma code behind.
"""

import importlib.metadata

import constriction
import numpy as np

from rdr.bitstream.escapes import decode_gamma, encode_gamma
from rdr.entropy_models.tables import Tables, check_tables

_INT32 = np.iinfo(np.int32)


def coder_version() -> tuple[int, int]:
    """The entropy coder's version, major and minor: messages name it, because bytes depend on it.

    Returns:
      For example (0, 5).
    """
    major, minor, *_ = importlib.metadata.version("constriction").split(".")
    return int(major), int(minor)


def model(tables: Tables, t: int) -> constriction.stream.model.Categorical:
    """The coder's model of one table."""
    # The coder takes floats; counts are integers below 2^24, so nothing is lost on the way.
    counts = tables.counts[t, : tables.lengths[t] + 1].astype(np.float64)
    if counts.size == 1:  # only the escape symbol: the coder wants two, and the second costs next to nothing
        counts = np.array([counts[0], 0.0])
    return constriction.stream.model.Categorical(counts, perfect=False)


def groups(table_ids: np.ndarray) -> tuple[np.ndarray, list[tuple[int, slice]]]:
    """Order that puts symbols of one table side by side, and each used table's slice of it."""
    # A stable sort of 16-bit integers is a radix sort, many times faster than that of wider ones.
    order = np.argsort(table_ids.astype(np.uint16) if table_ids.max(initial=0) < 2**16 else table_ids, kind="stable")
    used, starts = np.unique(table_ids[order], return_index=True)
    ends = np.append(starts[1:], table_ids.size)
    return order, [(int(t), slice(int(a), int(b))) for t, a, b in zip(used, starts, ends)]


def check_ids(table_ids: np.ndarray | None, size: int, tables: Tables) -> np.ndarray:
    """Flattens indices of tables, and refuses what cannot be one."""
    ids = np.zeros(size, np.int64) if table_ids is None else np.asarray(table_ids).reshape(-1)
    if ids.size != size:
        raise ValueError(f"table_ids must name a table for each of {size} symbols, got {ids.size}")
    if ids.dtype.kind not in "iu" or (ids.size and (ids.min() < 0 or ids.max() >= len(tables.lengths))):
        raise ValueError(f"table_ids must be integers in [0, {len(tables.lengths)})")
    return ids


def escape_bits(symbols: np.ndarray, tables: Tables, table_ids: np.ndarray | None = None) -> np.ndarray:
    """Bits written behind the escape symbol for each integer: 0 inside its table's range.

    Args:
      symbols: integers of any shape.
      tables: the tables.
      table_ids: index of each symbol's table, same shape; default table 0.

    Returns:
      float64 bits, same shape.
    """
    symbols = np.asarray(symbols, np.int64)
    ids = np.zeros(symbols.shape, np.int64) if table_ids is None else np.asarray(table_ids)
    far = escape_values(symbols - tables.offsets[ids], tables.lengths[ids].astype(np.int64))
    return np.where(far > 0, 2.0 * np.floor(np.log2(np.maximum(far, 1))) + 1.0, 0.0)


def escape_values(column: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """1, 3, 5, .. above the range; 2, 4, 6, .. below it; 0 inside."""
    return np.where(column < 0, -2 * column, np.where(column >= lengths, 2 * (column - lengths) + 1, 0))


def encode_symbols(symbols: np.ndarray, tables: Tables, table_ids: np.ndarray | None = None) -> tuple[bytes, bytes]:
    """Codes integers with the tables that their indices select.

    Args:
      symbols: integers of any shape; every int32 can be coded.
      tables: the tables.
      table_ids: index of each symbol's table, same shape; default table 0 for all.

    Returns:
      Two byte strings: the coded symbols, and the escape codes.

    Raises:
      ValueError: if a symbol is no int32, or indices or tables are invalid.
    """
    check_tables(tables)
    symbols = np.asarray(symbols).reshape(-1)
    if symbols.size and (symbols.dtype.kind not in "iu" or symbols.min() < _INT32.min or symbols.max() > _INT32.max):
        raise ValueError("symbols must be integers in the range of int32")
    ids = check_ids(table_ids, symbols.size, tables)
    order, parts = groups(ids)
    lengths = tables.lengths[ids[order]].astype(np.int64)
    column = symbols[order].astype(np.int64) - tables.offsets[ids[order]]
    far = escape_values(column, lengths)
    column = np.where(far > 0, lengths, column)
    coder = constriction.stream.stack.AnsCoder()
    for t, part in reversed(parts):
        coder.encode_reverse(column[part].astype(np.int32), model(tables, t))
    return coder.get_compressed().astype("<u4").tobytes(), encode_gamma(far[far > 0])


def decode_symbols(coded: bytes, escapes: bytes, count: int, tables: Tables,
                   table_ids: np.ndarray | None = None) -> np.ndarray:
    """Decodes what `encode_symbols` wrote.

    Args:
      coded: the first byte string.
      escapes: the second one.
      count: how many symbols to decode.
      tables: the same tables.
      table_ids: the same indices [count].

    Returns:
      int32 [count] symbols.

    Raises:
      ValueError: if the bytes are damaged, or indices or tables are invalid.
    """
    check_tables(tables)
    ids = check_ids(table_ids, count, tables)
    if len(coded) % 4:
        raise ValueError("damaged message: the coded symbols are not whole words")
    try:
        coder = constriction.stream.stack.AnsCoder(np.frombuffer(coded, "<u4").astype(np.uint32))
    except ValueError:
        raise ValueError("damaged message: the coded symbols end in a zero word") from None
    order, parts = groups(ids)
    column = np.zeros(count, np.int64)
    for t, part in parts:
        column[part] = coder.decode(model(tables, t), part.stop - part.start)
    if not coder.is_empty():
        raise ValueError("damaged message: symbols are left over after the last one")
    lengths = tables.lengths[ids[order]].astype(np.int64)
    outside = column >= lengths
    far = decode_gamma(escapes, int(outside.sum()))
    column[outside] = np.where(far % 2 == 1, lengths[outside] + far // 2, -(far // 2))
    values = column + tables.offsets[ids[order]]
    if values.size and (values.min() < _INT32.min or values.max() > _INT32.max):
        raise ValueError("damaged message: an escape code leaves the range of int32")
    symbols = np.zeros(count, np.int32)
    symbols[order] = values
    return symbols
