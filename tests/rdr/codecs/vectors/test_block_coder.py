"""Integers of vectors come back from bytes, and cost what is said."""

import numpy as np
import pytest

from rdr.bitstream.tables import make_tables
from rdr.codecs.vectors.block_coder import BlockCoder
from rdr.entropy_models.autoregressive import A2_CELLS, plain_cells

RNG = np.random.default_rng(0)
REACH = 4
K = RNG.integers(-3, 4, (200, 2)).astype(np.int32)


def random_tables(count):
    return make_tables(RNG.dirichlet(np.ones(9), count), -4)._asdict()


def causal(cells):
    contexts = [1, (8 * REACH + 1) * (2 if cells[1].follows else 1)]
    weights = np.array([[0, 0], [200, 0]], np.int64)  # in units of 2^-8
    return {"weights": weights, "laws": [random_tables(count) for count in contexts]}


@pytest.mark.parametrize(("levels", "cells"), [(0, None), (4, None), (0, plain_cells(2)), (0, A2_CELLS)])
def test_integers_come_back_and_cost_what_is_said(levels, cells):
    coder = BlockCoder(2, levels, cells, REACH)
    stored = random_tables(2 * max(levels, 1)) if cells is None else causal(cells)
    dither = RNG.integers(0, max(levels, 1), K.shape)
    k = K.copy()
    if cells == A2_CELLS:
        k[:, 1] = 2 * (k[:, 1] // 2) + (k[:, 0] & 1)  # both even or both odd
    k[7] = (31, -41)  # outside of the tables
    coded, escapes = coder.encode(k, dither, stored)
    np.testing.assert_array_equal(coder.decode(coded, escapes, dither, stored), k)
    bits = coder.code_lengths(k, dither, stored)
    assert bits.shape == k.shape
    assert 0 <= 8 * (len(coded) + len(escapes)) - bits.sum() < 1e-3 * bits.sum() + 64
    with pytest.raises(ValueError, match="damaged message"):
        coder.decode(coded[:-4], escapes, dither, stored)
