"""Laplace tables made of whole numbers."""

import hashlib

import numpy as np
import pytest

from rdr.bitstream.tables import check_tables
from rdr.codecs.overfitted.quantized_laplace import LOCATION_STEPS, SCALES, laplace_tables


@pytest.mark.parametrize("scale", [0, 7, 20, 33, 48])
@pytest.mark.parametrize("place", [0, 3, 7])
def test_tables_are_laplace_distributions(scale, place):
    # Oracle: the distribution function in float64. Counts are rounded to 2^-24, keep 1 for each symbol, and the
    # most probable one takes what is left over.
    tables = laplace_tables()
    t = LOCATION_STEPS * scale + place
    b, middle = 2.0 ** (scale / 4 - 6), place / LOCATION_STEPS
    k = tables.offsets[t] + np.arange(tables.lengths[t])

    def below(x):
        return np.where(x < 0, 0.5 * np.exp(np.minimum(x, 0) / b), 1 - 0.5 * np.exp(-np.maximum(x, 0) / b))

    pmf = below(k + 0.5 - middle) - below(k - 0.5 - middle)
    counts = tables.counts[t, : len(k)]
    top = np.argmax(counts)
    np.testing.assert_allclose(np.delete(counts, top), np.delete(pmf, top) * (2**24 - len(k)), atol=1.001, rtol=1e-9)
    np.testing.assert_allclose(counts[top], pmf[top] * 2**24, atol=2 * len(k) + 2)
    assert tables.counts[t, len(k)] >= 1


def test_tables_are_valid_and_the_same_everywhere():
    # Files depend on every count: the digest was taken once and must not change without a new format number.
    tables = laplace_tables()
    check_tables(tables)
    assert len(tables.lengths) == LOCATION_STEPS * SCALES
    whole = b"".join(np.asarray(part, "<i4").tobytes() for part in tables)
    assert hashlib.sha256(whole).hexdigest()[:16] == "5d8931c59d5280c7"
