"""Chunks of fits."""

import pytest

from rdr.codecs.overfitted import fitting


@pytest.mark.parametrize(("steps", "chunk"), [(1, 1), (4, 1), (30, 6), (300, 50), (500, 50), (400, 50), (601, 50)])
def test_fits_go_in_a_few_equal_parts(steps, chunk):
    assert fitting.chunk_of(steps) == chunk
