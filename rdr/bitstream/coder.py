"""Symbols and integer tables to bytes and back, with constriction's asymmetric numeral systems.

Symbols are grouped by table, so that each table costs one call. Integers outside of their table are coded as
the escape symbol; how far outside is written as an Elias-gamma code behind.
"""

import importlib.metadata

import constriction
import numpy as np
from scipy.sparse import csr_array

from rdr.bitstream.escapes import decode_gamma, encode_gamma
from rdr.bitstream.tables import PRECISION, Tables, check_tables

_INT32 = np.iinfo(np.int32)


def coder_version() -> tuple[int, int]:
    """The entropy coder's version, major and minor: messages name it, because bytes depend on it.

    Returns:
      For example (0, 5).
    """
    major, minor, *_ = importlib.metadata.version("constriction").split(".")
    return int(major), int(minor)


def model(tables: Tables, t: int) -> constriction.stream.model.Categorical:
    """The coder's model of one table.

    Args:
      tables: the tables.
      t: index of the table.

    Returns:
      A model of the columns 0, 1, .. of the table, the escape symbol last.
    """
    # The coder takes floats, gives each of n columns 1 of 2^24, and shares the other 2^24 - n out in proportion: of
    # counts less 1, which add up to that many, it makes exactly the counts.
    weights = tables.counts[t, : tables.lengths[t] + 1].astype(np.float64) - 1.0
    if weights.size == 1:  # only the escape symbol: the coder wants two, and the second costs next to nothing
        weights = np.array([weights[0], 0.0])
    return constriction.stream.model.Categorical(weights, perfect=False, lazy=False)


def groups(table_ids: np.ndarray, count: int, values: np.ndarray | None = None
           ) -> tuple[np.ndarray, list[tuple[int, slice]]]:
    """Puts symbols of one table side by side, in their order.

    Args:
      table_ids: [n], integers in [0, count).
      count: number of tables.
      values: [n], what is to be put into this order, or None for the order itself.

    Returns:
      The values, or the symbols' indices, in the order of tables, and (table, slice) for each table in use.
    """
    # Columns of a sparse matrix with one entry a row: scipy transposes it by counting, which no sort is as fast as.
    n = table_ids.size
    entries = np.zeros(n, np.int8) if values is None else values
    rows = csr_array((entries, table_ids.astype(np.int32, copy=False), np.arange(n + 1, dtype=np.int32)),
                     shape=(n, count)).tocsc()
    starts = rows.indptr
    parts = [(int(t), slice(int(starts[t]), int(starts[t + 1]))) for t in np.flatnonzero(np.diff(starts))]
    return rows.indices if values is None else rows.data, parts


def check_ids(table_ids: np.ndarray | None, size: int, tables: Tables) -> np.ndarray:
    """Flattens indices of tables, and refuses what cannot be one.

    Args:
      table_ids: indices, or None for table 0 throughout.
      size: how many there must be.
      tables: the tables.

    Returns:
      Integers [size].

    Raises:
      ValueError: if there is another number of them, or one is no index of a table.
    """
    ids = np.zeros(size, np.int32) if table_ids is None else np.asarray(table_ids).reshape(-1)
    if ids.size != size:
        raise ValueError(f"table_ids must name a table for each of {size} symbols, got {ids.size}")
    if ids.dtype.kind not in "iu" or (ids.size and (ids.min() < 0 or ids.max() >= len(tables.lengths))):
        raise ValueError(f"table_ids must be integers in [0, {len(tables.lengths)})")
    return ids


def check_symbols(symbols: np.ndarray) -> np.ndarray:
    """Flattens symbols, and refuses what is no int32.

    Args:
      symbols: any shape.

    Returns:
      int32 [n].

    Raises:
      ValueError: if a symbol is no integer in the range of int32.
    """
    symbols = np.asarray(symbols).reshape(-1)
    if symbols.size and (symbols.dtype.kind not in "iu" or symbols.min() < _INT32.min or symbols.max() > _INT32.max):
        raise ValueError("symbols must be integers in the range of int32")
    return symbols.astype(np.int32, copy=False)


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
    far = _escape_values(symbols - tables.offsets[ids], tables.lengths[ids].astype(np.int64))
    return np.where(far > 0, 2.0 * np.floor(np.log2(np.maximum(far, 1))) + 1.0, 0.0)


def _escape_values(column, length):
    """1, 3, 5, .. above the range; 2, 4, 6, .. below it; 0 inside."""
    return np.where(column < 0, -2 * column, np.where(column >= length, 2 * (column - length) + 1, 0))


def to_columns(symbols: np.ndarray, tables: Tables, table_ids: np.ndarray
               ) -> tuple[list[tuple[int, np.ndarray]], np.ndarray]:
    """What is coded of integers: columns of their tables, grouped by table, and what follows the escapes.

    Args:
      symbols: int32 [n].
      tables: the tables.
      table_ids: [n].

    Returns:
      (table, int32 columns) for each table in use, and the escapes' values, int64, in the same order.
    """
    ordered, parts = groups(table_ids, len(tables.lengths), symbols)
    columns, outside = [], []
    for t, part in parts:
        values, first, length = ordered[part], int(tables.offsets[t]), int(tables.lengths[t])
        if first <= values.min() and values.max() < first + length:
            columns.append((t, values - np.int32(first)))
            continue
        column = values.astype(np.int64) - first
        far = _escape_values(column, length)
        outside.append(far[far > 0])
        columns.append((t, np.where(far > 0, length, column).astype(np.int32)))
    return columns, np.concatenate(outside) if outside else np.zeros(0, np.int64)


def escapes_in(column: np.ndarray, tables: Tables, t: int) -> int:
    """How many of a table's columns are the escape symbol.

    Args:
      column: int32 [n], decoded columns, n >= 1.
      tables: the tables.
      t: index of the table.

    Returns:
      The number.
    """
    length = tables.lengths[t]
    return int((column >= length).sum()) if column.max() >= length else 0


def column_bits(column: np.ndarray, tables: Tables, t: int) -> float:
    """Sums the ideal code lengths of decoded columns.

    Args:
      column: int32 [n], columns of one table.
      tables: the tables.
      t: index of the table.

    Returns:
      Bits, of the escape symbol without what follows it.
    """
    counts = tables.counts[t, : tables.lengths[t] + 1]
    numbers = np.bincount(np.minimum(column, counts.size - 1), minlength=counts.size)
    return float(numbers @ (PRECISION - np.log2(counts)))


def least_bits(tables: Tables, t: int) -> float:
    """Computes the ideal code length of the most probable column of a table.

    Args:
      tables: the tables.
      t: index of the table.

    Returns:
      Bits.
    """
    return float(PRECISION - np.log2(tables.counts[t].max()))


def from_columns(column: np.ndarray, far: np.ndarray, tables: Tables, t: int) -> np.ndarray:
    """The inverse of `to_columns` for one table.

    Args:
      column: int32 [n], decoded columns; may be overwritten.
      far: values of the escapes among them.
      tables: the tables.
      t: index of the table.

    Returns:
      int32 [n] symbols.

    Raises:
      ValueError: if a symbol leaves the range of int32.
    """
    first, length = int(tables.offsets[t]), int(tables.lengths[t])
    if not far.size:
        return np.add(column, np.int32(first), out=column)
    values = column.astype(np.int64)
    values[column >= length] = np.where(far % 2 == 1, length + far // 2, -(far // 2))
    values += first
    if values.min() < _INT32.min or values.max() > _INT32.max:
        raise ValueError("damaged message: an escape code leaves the range of int32")
    return values.astype(np.int32)


def open_coder(coded: bytes) -> constriction.stream.stack.AnsCoder:
    """A coder that reads bytes.

    Args:
      coded: what a coder wrote.

    Returns:
      The coder.

    Raises:
      ValueError: if no coder writes such bytes.
    """
    if len(coded) % 4:
        raise ValueError("damaged message: the coded symbols are not whole words")
    try:
        return constriction.stream.stack.AnsCoder(np.frombuffer(coded, "<u4").astype(np.uint32))
    except ValueError:
        raise ValueError("damaged message: the coded symbols end in a zero word") from None


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
    symbols = check_symbols(symbols)
    columns, escapes = to_columns(symbols, tables, check_ids(table_ids, symbols.size, tables))
    coder = constriction.stream.stack.AnsCoder()
    for t, column in reversed(columns):  # the coder is a stack: first in, last out
        coder.encode_reverse(column, model(tables, t))
    return coder.get_compressed().astype("<u4").tobytes(), encode_gamma(escapes)


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
    coder = open_coder(coded)
    order, parts = groups(ids, len(tables.lengths))
    columns = [coder.decode(model(tables, t), part.stop - part.start) for t, part in parts]
    if not coder.is_empty():
        raise ValueError("damaged message: symbols are left over after the last one")
    outside = [escapes_in(column, tables, t) for (t, _), column in zip(parts, columns)]
    far = np.split(decode_gamma(escapes, sum(outside)), np.cumsum(outside)[:-1])
    symbols = np.empty(count, np.int32)
    for (t, part), column, beyond in zip(parts, columns, far):
        symbols[order[part]] = from_columns(column, beyond, tables, t)
    return symbols
