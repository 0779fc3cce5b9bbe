"""Whole vectors of integers to bytes and back: coordinate by coordinate, or each given those before it."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from rdr.bitstream import coder
from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.tables import Tables, table_bits, tables_from_tree
from rdr.entropy_models import autoregressive


@dataclasses.dataclass(frozen=True)
class BlockCoder:
    """The coder of a block codec's latents.

    Attributes:
      latent: coordinates of a vector.
      dither_levels: values of the dither of a coordinate; 0 without.
      cells: what each coordinate can be, if it is coded given those before; None if coordinates are independent.
      reach: contexts are limited to this.
    """

    latent: int
    dither_levels: int
    cells: tuple[autoregressive.Cells, ...] | None
    reach: int

    def encode(self, k: np.ndarray, dither: np.ndarray, stored: Any) -> tuple[bytes, bytes]:
        """Codes integers.

        Args:
          k: int32 [batch, latent].
          dither: integers of the dither, same shape.
          stored: tables, of `finalize`.

        Returns:
          Two byte strings: the coded symbols, and the escape codes.
        """
        if self.cells is None:
            return coder.encode_symbols(k, tables_from_tree(stored), self._table_ids(dither))
        encoder = StepEncoder()
        for z, tables, ids in self._steps(k.astype(np.int64), stored):
            encoder.add(z, tables, ids)
        return encoder.finish()

    def code_lengths(self, k: np.ndarray, dither: np.ndarray, stored: Any) -> np.ndarray:
        """Computes ideal code lengths.

        Args:
          k: int32 [batch, latent].
          dither: integers of the dither, same shape.
          stored: tables, of `finalize`.

        Returns:
          float64 bits [batch, latent].
        """
        if self.cells is None:
            tables, ids = tables_from_tree(stored), self._table_ids(dither)
            return table_bits(k, tables, ids) + coder.escape_bits(k, tables, ids)
        steps = self._steps(k.astype(np.int64), stored)
        return np.stack([table_bits(z, t, ids) + coder.escape_bits(z, t, ids) for z, t, ids in steps], -1)

    def decode(self, coded: bytes, escapes: bytes, dither: np.ndarray, stored: Any) -> np.ndarray:
        """Decodes what `encode` wrote.

        Args:
          coded: the first byte string.
          escapes: the second one.
          dither: integers of the dither [batch, latent].
          stored: the same tables.

        Returns:
          Integers [batch, latent].

        Raises:
          ValueError: if the bytes are damaged.
        """
        if self.cells is None:
            ids = self._table_ids(dither).reshape(-1)
            return coder.decode_symbols(coded, escapes, ids.size, tables_from_tree(stored), ids).reshape(dither.shape)
        k = np.zeros(dither.shape, np.int64)
        decoder, weights = StepDecoder(coded, escapes), np.asarray(stored["weights"])
        for i, cell in enumerate(self.cells):
            context = autoregressive.integer_contexts(k, weights, i, self.reach)
            ids = autoregressive.table_index(context, k[:, i - 1], i, cell, self.reach)
            z = decoder.read(tables_from_tree(stored["laws"][i]), ids).astype(np.int64)
            k[:, i] = cell.step * z + (k[:, i - 1] & 1 if cell.follows else 0)
        decoder.finish()
        return k

    def _table_ids(self, dither: np.ndarray) -> np.ndarray:
        return np.arange(self.latent) * max(self.dither_levels, 1) + dither

    def _steps(self, k: np.ndarray, stored: Any) -> Iterator[tuple[np.ndarray, Tables, np.ndarray]]:
        """For each coordinate: its coded integers, tables and their indices."""
        if self.cells is None:
            raise ValueError("cells must be given for coordinates that are coded one after the other, got None")
        weights = np.asarray(stored["weights"])
        for i, cell in enumerate(self.cells):
            context = autoregressive.integer_contexts(k, weights, i, self.reach)
            before = k[:, i - 1]
            ids = autoregressive.table_index(context, before, i, cell, self.reach)
            z = (k[:, i] - (before & 1 if cell.follows else 0)) // cell.step
            yield z, tables_from_tree(stored["laws"][i]), ids
