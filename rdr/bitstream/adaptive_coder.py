"""Coding in steps, where what was decoded so far decides with which tables the next symbols are coded.

A step is an array of symbols that are coded side by side. The encoder, who knows all symbols, names all tables
before anything is written; the decoder names those of a step when it has decoded the steps before.
"""

import constriction
import numpy as np

from rdr.bitstream.coder import (
    check_ids,
    check_symbols,
    column_bits,
    escapes_in,
    from_columns,
    groups,
    least_bits,
    model,
    open_coder,
    to_columns,
)
from rdr.bitstream.escapes import GammaReader, encode_gamma
from rdr.bitstream.tables import BIT_PROBABILITY_PRECISION, Tables, check_tables


def _bit_probabilities(chances: np.ndarray) -> np.ndarray:
    chances = np.asarray(chances)
    limit = 2**BIT_PROBABILITY_PRECISION
    if chances.size and (chances.dtype.kind not in "iu" or chances.min() < 1 or chances.max() >= limit):
        raise ValueError(f"chances must be integers in [1, 2^{BIT_PROBABILITY_PRECISION})")
    return chances.reshape(-1).astype(np.float64) / 2**BIT_PROBABILITY_PRECISION  # exact


class StepEncoder:
    """Collects steps and writes them."""

    def __init__(self) -> None:
        self._calls = []  # (columns, model, parameters) in the order in which they are decoded
        self._outside = []
        self._checked = []

    def add(self, symbols: np.ndarray, tables: Tables, table_ids: np.ndarray | None = None) -> None:
        """Adds a step.

        Args:
          symbols: integers of any shape; every int32 can be coded.
          tables: the tables of this step.
          table_ids: index of each symbol's table, same shape; default table 0 for all.

        Raises:
          ValueError: if a symbol is no int32, or indices or tables are invalid.
        """
        if not any(tables is known for known in self._checked):
            check_tables(tables)
            self._checked.append(tables)
        symbols = check_symbols(symbols)
        columns, outside = to_columns(symbols, tables, check_ids(table_ids, symbols.size, tables))
        self._outside.append(outside)
        self._calls += [(column, model(tables, t), ()) for t, column in columns]

    def add_bits(self, bits: np.ndarray, chances: np.ndarray) -> None:
        """Adds a step of bits, each with a probability of its own.

        Args:
          bits: 0 or 1, any shape.
          chances: integers of the same shape, 2^16 P(bit = 1), from 1 to 2^16 - 1.

        Raises:
          ValueError: if a bit or a chance is none, or their numbers differ.
        """
        bits = np.asarray(bits).reshape(-1)
        probabilities = _bit_probabilities(chances)
        if bits.size != probabilities.size or not ((bits == 0) | (bits == 1)).all():
            raise ValueError(f"bits must be 0 or 1, one for each of {probabilities.size} chances")
        if bits.size:
            family = constriction.stream.model.Bernoulli(perfect=False)
            self._calls.append((bits.astype(np.int32), family, (probabilities,)))

    def finish(self) -> tuple[bytes, bytes]:
        """Writes everything.

        Returns:
          Two byte strings: the coded symbols, and the escape codes.
        """
        coder = constriction.stream.stack.AnsCoder()
        for columns, family, parameters in reversed(self._calls):  # the coder is a stack: first in, last out
            coder.encode_reverse(columns, family, *parameters)
        escapes = np.concatenate(self._outside) if self._outside else np.zeros(0, np.int64)
        return coder.get_compressed().astype("<u4").tobytes(), encode_gamma(escapes)


class StepDecoder:
    """Reads what a `StepEncoder` wrote, step by step.

    The coder reads on when its bytes are used up, so that a few of them can stand for any number of symbols. With
    `max_surplus` a step is refused before it is decoded if its cheapest symbols would cost more than is there, and
    after it if its symbols did. Coders start at state 0, where symbols that are least in their tables cost less than
    their probability says: what is legitimate may exceed the bytes by some bits.

    Args:
      coded: the first byte string.
      escapes: the second one.
      max_surplus: bits by which ideal code lengths may exceed the bytes; None for no such check.

    Raises:
      ValueError: if the bytes are damaged.
    """

    def __init__(self, coded: bytes, escapes: bytes, *, max_surplus: int | None = None) -> None:
        self._coder = open_coder(coded)
        self._escapes = GammaReader(escapes)
        self._bits_left = None if max_surplus is None else 8.0 * len(coded) + max_surplus

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
        order, parts = groups(ids, len(tables.lengths))
        if self._bits_left is not None:
            self._check_left(sum((part.stop - part.start) * least_bits(tables, t) for t, part in parts))
        symbols = np.empty(ids.size, np.int32)
        for t, part in parts:
            column = self._coder.decode(model(tables, t), part.stop - part.start)
            if self._bits_left is not None:
                self._bits_left -= column_bits(column, tables, t)
                self._check_left(0.0)
            far = self._escapes.read(escapes_in(column, tables, t))
            symbols[order[part]] = from_columns(column, far, tables, t)
        return symbols.reshape(shape)

    def _check_left(self, bits: float) -> None:
        if self._bits_left is not None and bits > self._bits_left:
            raise ValueError("damaged message: it announces more symbols than its bytes can hold")

    def read_bits(self, chances: np.ndarray) -> np.ndarray:
        """Decodes a step of bits.

        Args:
          chances: integers, 2^16 P(bit = 1), as they were encoded with.

        Returns:
          int32 bits, of the shape of `chances`.

        Raises:
          ValueError: if a chance is none.
        """
        family = constriction.stream.model.Bernoulli(perfect=False)
        probabilities = _bit_probabilities(chances)
        if not probabilities.size:
            return np.zeros(np.shape(chances), np.int32)
        return self._coder.decode(family, probabilities).reshape(np.shape(chances))

    def finish(self) -> None:
        """Makes sure that nothing is left.

        Raises:
          ValueError: if something is.
        """
        if not self._coder.is_empty():
            raise ValueError("damaged message: symbols are left over after the last one")
        self._escapes.finish()
