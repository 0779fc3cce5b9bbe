import jax
import numpy as np
import pytest
from scipy import stats

from rdr.bitstream.coder import decode_symbols, encode_symbols
from rdr.bitstream.tables import check_tables, table_bits
from rdr.entropy_models import scale_table


def test_scales_are_geometric():
    table = scale_table.scales()
    assert table.size == 64 and np.isclose(table[0], 0.11) and np.isclose(table[-1], 256.0)
    np.testing.assert_allclose(table[1:] / table[:-1], (256 / 0.11) ** (1 / 63))
    np.testing.assert_array_equal(scale_table.nearest_index(table * 1.05, table), np.arange(64))
    np.testing.assert_array_equal(scale_table.nearest_index(np.array([1e-9, 1e9]), table), [0, 63])
    with pytest.raises(ValueError, match="needs count >= 2"):
        scale_table.scales(1)


def test_the_straight_through_scale_is_one_of_the_table():
    table = scale_table.scales(8, 0.2, 20.0)
    value, slope = jax.value_and_grad(lambda s: scale_table.straight_through_scale(s, table))(np.float32(1.3))
    assert np.abs(table - float(value)).min() < 1e-6 and slope == 1.0


@pytest.fixture(scope="module")
def tables():
    return scale_table.location_scale_tables(scale_table.scales(12, 0.11, 16.0), fractions=4)


def test_tables_are_the_distribution_at_each_location(tables):
    """Oracle: scipy's normal distribution; locations of either sign go to the fraction at or above their floor."""
    check_tables(tables)
    scales = scale_table.scales(12, 0.11, 16.0)
    location = np.array([-5, 3, 6, -1])  # in quarters: -1.25, 0.75, 1.5, -0.25
    index = np.array([11, 6, 3, 8])
    chosen = scale_table.select(location, index, fractions=4, count=12)
    for i in range(4):
        k = np.arange(-6, 7)
        bits = table_bits(k - chosen.shifts[i], tables, np.full(13, chosen.table_ids[i]))
        distribution = stats.norm(location[i] / 4, scales[index[i]])
        p = distribution.cdf(k + 0.5) - distribution.cdf(k - 0.5)
        np.testing.assert_allclose(bits[p > 1e-3], -np.log2(p[p > 1e-3]), atol=2e-3)


def test_any_integer_travels_under_selected_tables(tables):
    rng = np.random.default_rng(0)
    location, index = rng.integers(-400, 400, 500), rng.integers(-3, 20, 500)  # indices beyond the ends, too
    symbols = np.round(location / 4 + rng.standard_normal(500) * 3).astype(np.int64)
    symbols[:2] = [2**31 - 1, -(2**31)]
    location[:2] = 0
    chosen = scale_table.select(location, index, fractions=4, count=12)
    coded = encode_symbols(symbols - chosen.shifts, tables, chosen.table_ids)
    decoded = decode_symbols(*coded, 500, tables, chosen.table_ids) + chosen.shifts
    np.testing.assert_array_equal(decoded, symbols)


def test_floats_select_nothing(tables):
    with pytest.raises(ValueError, match="scale_index must hold integers, got float64: floats differ"):
        scale_table.select(np.zeros(2, int), np.zeros(2))
    with pytest.raises(ValueError, match="fractions must be a power of two"):
        scale_table.location_scale_tables(scale_table.scales(4), fractions=3)
