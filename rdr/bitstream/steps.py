"""Coding in steps, where what was decoded so far decides with which tables the next symbols are coded.

A step is an array of symbols that are coded side by side. The encoder, who knows all symbols, names all tables
before anything is written; the decoder names those of a step when it has decoded the steps before.
"""

import constriction
import numpy as np

from rdr.bitstream.coder import check_ids, escape_values, groups, model
from rdr.bitstream.escapes import GammaReader, encode_gamma
from rdr.entropy_models.tables import Tables, check_tables

_INT32 = np.iinfo(np.int32)


class StepEncoder:
    """Collects steps and writes them."""

    def __init__(self) -> None:
        self._steps = []
        self._checked = []

    def add(self, symbols: np.ndarray, tables: Tables, table_ids: np.ndarray) -> None:
        """Adds a step.

        Args:
          symbols: integers of any shape; every int32 can be coded.
          tables: the tables of this step.
          table_ids: index of each symbol's table, same shape.

        Raises:
          ValueError: if a symbol is no int32, or indices or tables are invalid.
        """
        if not any(tables is known for known in self._checked):
            check_tables(tables)
            self._checked.append(tables)
        symbols = np.asarray(symbols).reshape(-1)
        if symbols.size and (
            symbols.dtype.kind not in "iu" or symbols.min() < _INT32.min or symbols.max() > _INT32.max
        ):
            raise ValueError("symbols must be integers in the range of int32")
        ids = check_ids(table_ids, symbols.size, tables)
        self._steps.append((symbols.astype(np.int64), tables, ids))

    def finish(self) -> tuple[bytes, bytes]:
        """Writes everything.

        Returns:
          Two byte strings: the coded symbols, and the escape codes.
        """
        coder, outside = constriction.stream.stack.AnsCoder(), []
        prepared = []
        for symbols, tables, ids in self._steps:
            order, parts = groups(ids)
            lengths = tables.lengths[ids[order]].astype(np.int64)
            column = symbols[order] - tables.offsets[ids[order]]
            far = escape_values(column, lengths)
            outside.append(far[far > 0])
            prepared.append((np.where(far > 0, lengths, column).astype(np.int32), tables, parts))
        for column, tables, parts in reversed(prepared):  # the coder is a stack: first in, last out
            for t, part in reversed(parts):
                coder.encode_reverse(column[part], model(tables, t))
        escapes = np.concatenate(outside) if outside else np.zeros(0, np.int64)
        return coder.get_compressed().astype("<u4").tobytes(), encode_gamma(escapes)


class StepDecoder:
    """Reads what a `StepEncoder` wrote, step by step.

    Args:
      coded: the first byte string.
      escapes: the second one.

    Raises:
      ValueError: if the bytes are damaged.
    """

    def __init__(self, coded: bytes, escapes: bytes) -> None:
        if len(coded) % 4:
            raise ValueError("damaged message: the coded symbols are not whole words")
        try:
            self._coder = constriction.stream.stack.AnsCoder(np.frombuffer(coded, "<u4").astype(np.uint32))
        except ValueError:
            raise ValueError("damaged message: the coded symbols end in a zero word") from None
        self._escapes = GammaReader(escapes)

    def read(self, tables: Tables, table_ids: np.ndarray) -> np.ndarray:
        """Decodes a step.

        Args:
          tables: the tables of the step.
          table_ids: index of each symbol's table.

        Returns:
          int32 symbols, of the shape of `table_ids`.

        Raises:
          ValueError: if the bytes are damaged, or indices are invalid.
        """
        shape = np.shape(table_ids)
        ids = check_ids(table_ids, int(np.prod(shape)), tables)
        order, parts = groups(ids)
        column = np.zeros(ids.size, np.int64)
        for t, part in parts:
            column[part] = self._coder.decode(model(tables, t), part.stop - part.start)
        lengths = tables.lengths[ids[order]].astype(np.int64)
        outside = column >= lengths
        far = self._escapes.read(int(outside.sum()))
        column[outside] = np.where(far % 2 == 1, lengths[outside] + far // 2, -(far // 2))
        values = column + tables.offsets[ids[order]]
        if values.size and (values.min() < _INT32.min or values.max() > _INT32.max):
            raise ValueError("damaged message: an escape code leaves the range of int32")
        symbols = np.zeros(ids.size, np.int32)
        symbols[order] = values
        return symbols.reshape(shape)

    def finish(self) -> None:
        """Makes sure that nothing is left.

        Raises:
          ValueError: if something is.
        """
        if not self._coder.is_empty():
            raise ValueError("damaged message: symbols are left over after the last one")
        self._escapes.finish()
