import numpy as np
import pytest

from rdr.bitstream import tables as tables_lib
from rdr.bitstream.tables import Tables, check_tables, make_tables, quantize_pmf, table_bits


@pytest.mark.parametrize("size", [1, 2, 3, 100, 70_000])
def test_counts_are_positive_and_add_up(size):
    pmf = np.random.default_rng(size).dirichlet(np.full(size, 0.05))
    counts = quantize_pmf(pmf)
    assert counts.dtype == np.int32 and counts.min() >= 1 and counts.sum(dtype=np.int64) == 2**24
    # Largest remainders: no count is off by more than one from its share.
    assert np.abs(counts - 1 - (2**24 - size) * pmf / pmf.sum()).max() <= 1.0


def test_what_is_missing_goes_to_the_largest_remainders():
    pmf = np.random.default_rng(0).dirichlet(np.ones(9))
    share = (2**24 - 9) * pmf
    missing = 2**24 - 9 - int(np.floor(share).sum())
    gained = np.flatnonzero(quantize_pmf(pmf) - 1 - np.floor(share) > 0)
    assert 0 < missing < 9
    np.testing.assert_array_equal(gained, np.sort(np.argsort(share - np.floor(share))[-missing:]))


@pytest.mark.parametrize("pmf", [[], [[0.5, 0.5]], [0.0, 0.0], [-0.1, 1.1], [np.nan, 1.0], [np.inf, 1.0]])
def test_what_is_no_pmf_is_refused(pmf):
    with pytest.raises(ValueError, match="pmf must"):
        quantize_pmf(pmf)


def example() -> tuple[np.ndarray, Tables]:
    k = np.arange(-40, 41)
    pmfs = np.stack([np.exp(-0.5 * (k / s) ** 2) for s in (0.3, 1.0, 6.0)])
    pmfs /= pmfs.sum(1, keepdims=True)
    return pmfs, make_tables(pmfs, -40)


def test_tables_hold_the_pmfs_without_their_far_tails():
    pmfs, tables = example()
    check_tables(tables)
    for t, pmf in enumerate(pmfs):
        inside = tables.counts[t, : tables.lengths[t]] / 2**24
        first = tables.offsets[t] + 40
        np.testing.assert_allclose(inside, pmf[first : first + tables.lengths[t]], atol=2e-5)
        assert pmf[:first].sum() + pmf[first + tables.lengths[t] :].sum() < 1e-7
    assert tables.lengths[0] == 3 and tables.lengths[2] > 60  # 2^-30 is 6.4 deviations out


def test_bits_are_those_of_the_pmf_and_of_the_escape_outside():
    pmfs, tables = example()
    k = np.array([[0, 1, -3], [5, 0, 1000]])
    ids = np.array([[1, 1, 2], [2, 0, 1]])
    bits = table_bits(k, tables, ids)
    expected = -np.log2(pmfs[ids, np.minimum(k, 40) + 40].ravel()[:5])
    np.testing.assert_allclose(bits.ravel()[:5], expected, rtol=1e-4, atol=1e-4)
    assert 20 < bits[1, 2] <= 24
    np.testing.assert_allclose(table_bits(np.array(0), tables), -np.log2(pmfs[0, 40]), rtol=1e-4)


def test_a_pmf_below_the_floor_leaves_the_escape_only():
    tables = make_tables(np.zeros((1, 5)), 3)
    check_tables(tables)
    assert tables.lengths[0] == 0 and tables.counts[0, 0] == 2**24


def test_pmfs_of_more_than_one_are_refused():
    with pytest.raises(ValueError, match="pmfs must add up to at most 1, got 1.2"):
        make_tables(np.full((1, 2), 0.6), 0)
    with pytest.raises(ValueError, match="pmfs must be finite and non-negative"):
        make_tables(np.full((1, 2), -0.6), 0)


@pytest.mark.parametrize("spoil", [
    lambda t: t._replace(counts=t.counts + 1),
    lambda t: t._replace(lengths=t.lengths + 100),
    lambda t: t._replace(lengths=t.lengths - 1),
    lambda t: t._replace(offsets=t.offsets[:2]),
    lambda t: t._replace(counts=t.counts[0]),
])
def test_spoilt_tables_are_refused(spoil):
    with pytest.raises(ValueError):
        check_tables(spoil(example()[1]))


def test_the_precision_fits_the_coder():
    assert tables_lib.PRECISION == 24
