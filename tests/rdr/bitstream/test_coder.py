import numpy as np
import pytest

from rdr.bitstream.coder import decode_symbols, encode_symbols, escape_bits, groups
from rdr.bitstream.tables import make_tables, table_bits


def random_tables(rng, count):
    pmfs = rng.dirichlet(np.full(33, 0.3), size=count)
    return make_tables(pmfs, -16)


def draw(rng, tables, ids):
    symbols = np.zeros(ids.size, np.int64)
    for t in np.unique(ids):
        counts = tables.counts[t, : tables.lengths[t]]
        rows = np.flatnonzero(ids == t)
        symbols[rows] = rng.choice(counts.size, rows.size, p=counts / counts.sum()) + tables.offsets[t]
    return symbols


def test_round_trip_and_size():
    rng = np.random.default_rng(0)
    tables = random_tables(rng, 7)
    ids = rng.integers(0, 7, 50_000)
    symbols = draw(rng, tables, ids)
    coded, escapes = encode_symbols(symbols, tables, ids)
    assert escapes == b""
    assert len(coded) <= table_bits(symbols, tables, ids).sum() / 8 * 1.001 + 8
    np.testing.assert_array_equal(decode_symbols(coded, escapes, symbols.size, tables, ids), symbols)


def test_every_int32_can_be_coded():
    tables = random_tables(np.random.default_rng(1), 2)
    symbols = np.array([[-(2**31), 2**31 - 1, 0], [17, -17, 16]])
    ids = np.array([[0, 1, 0], [1, 0, 1]])
    coded, escapes = encode_symbols(symbols, tables, ids)
    decoded = decode_symbols(coded, escapes, 6, tables, ids.reshape(-1))
    np.testing.assert_array_equal(decoded, symbols.reshape(-1))
    bits = escape_bits(symbols, tables, ids)
    assert bits[0, 0] == 2 * 32 - 1 and bits[0, 2] == 0  # 2 (2^31 - 16) has 32 binary digits
    assert len(escapes) == np.ceil(bits.sum() / 8)


@pytest.mark.parametrize("symbols", [[], [3], [0] * 1000])
def test_few_and_dull_symbols(symbols):
    tables = random_tables(np.random.default_rng(2), 1)
    symbols = np.array(symbols, np.int32)
    decoded = decode_symbols(*encode_symbols(symbols, tables), symbols.size, tables)
    np.testing.assert_array_equal(decoded, symbols)
    assert decoded.dtype == np.int32


def test_a_table_of_nothing_but_the_escape():
    tables = make_tables(np.zeros((1, 4)), 0)
    symbols = np.array([5, -9, 0])
    np.testing.assert_array_equal(decode_symbols(*encode_symbols(symbols, tables), 3, tables), symbols)


@pytest.mark.parametrize("symbols, ids, said", [
    ([2**31], [0], "symbols must be integers in the range of int32"),
    ([0.5], [0], "symbols must be integers"),
    ([0], [7], "table_ids must be integers in"),
    ([0], [-1], "table_ids must be integers in"),
    ([0, 1], [0], "table_ids must name a table for each of 2"),
])
def test_bad_arguments_are_named(symbols, ids, said):
    with pytest.raises(ValueError, match=said):
        encode_symbols(np.array(symbols), random_tables(np.random.default_rng(3), 2), np.array(ids))


def test_symbols_left_over_are_refused():
    rng = np.random.default_rng(5)
    tables = random_tables(rng, 1)
    symbols = draw(rng, tables, np.zeros(1000, int))
    with pytest.raises(ValueError, match="symbols are left over"):
        decode_symbols(*encode_symbols(symbols, tables), 900, tables)


def test_damage_is_refused():
    rng = np.random.default_rng(4)
    tables = random_tables(rng, 3)
    ids = rng.integers(0, 3, 1000)
    symbols = draw(rng, tables, ids)
    symbols[7] = 1000
    coded, escapes = encode_symbols(symbols, tables, ids)
    for bad in [(coded[:-1], escapes), (coded[:-4], escapes), (coded + coded[-4:], escapes), (coded, b""),
                (coded, escapes + b"\x01"), (b"\0\0\0\0", escapes)]:
        with pytest.raises(ValueError, match="damaged message"):
            decode_symbols(*bad, 1000, tables, ids)


@pytest.mark.parametrize("size, count", [(0, 1), (1, 1), (1000, 3), (1000, 4097)])
def test_groups_are_a_stable_sort(size, count):
    """Oracle: numpy's stable argsort."""
    ids = np.random.default_rng(size).integers(0, count, size)
    order, parts = groups(ids, count)
    np.testing.assert_array_equal(order, np.argsort(ids, kind="stable"))
    values = np.random.default_rng(1).integers(-1, 2, size).astype(np.int32)  # zeros among them
    moved, again = groups(ids, count, values)
    np.testing.assert_array_equal(moved, values[order])
    assert moved.dtype == np.int32 and again == parts
    assert [t for t, _ in parts] == sorted(set(ids.tolist()))
    for t, part in parts:
        assert (ids[order[part]] == t).all()
    assert sum(part.stop - part.start for _, part in parts) == size


@pytest.mark.parametrize("seed", range(20))
def test_any_stream_round_trips(seed):
    """Random tables of random widths and offsets, some next to the ends of int32, and any symbols."""
    rng = np.random.default_rng(seed)
    count, width = int(rng.integers(1, 40)), int(rng.integers(1, 200))
    tables = make_tables(rng.dirichlet(np.full(width, rng.choice([0.05, 1.0])), size=count), 0, floor=0.0)
    places = [rng.integers(-300, 300, count), np.full(count, -(2**31)), np.full(count, 2**31 - 1 - width)]
    tables = tables._replace(offsets=places[rng.integers(3)].astype(np.int32))
    size = int(rng.choice([1, 2, 500, 3000]))
    ids = rng.integers(0, count, size)
    symbols = tables.offsets[ids].astype(np.int64) + rng.integers(-3, width + 3, size)
    wild = rng.random(size) < 0.05
    symbols[wild] = rng.choice([-(2**31), 2**31 - 1, 0, -1], wild.sum())
    symbols = np.clip(symbols, -(2**31), 2**31 - 1)
    coded, escapes = encode_symbols(symbols, tables, ids)
    np.testing.assert_array_equal(decode_symbols(coded, escapes, size, tables, ids), symbols)
    bits = table_bits(symbols, tables, ids).sum()
    assert bits / 8 - 8 <= len(coded) <= 1.001 * bits / 8 + 64
    assert len(escapes) == np.ceil(escape_bits(symbols, tables, ids).sum() / 8)


@pytest.mark.parametrize("column", [1, 7, 33])
def test_the_coder_s_probabilities_are_the_counts(column):
    """Oracle: 24 - log2(count) bits a symbol, for a likely one, a rare one (count 1 to 3) and the escape."""
    pmf = np.full(33, 1e-9)
    pmf[0], pmf[1] = 0.7, 0.3 - 31e-9
    tables = make_tables(pmf[None], -16, floor=0.0)
    bits = 24 - np.log2(tables.counts[0, column])
    assert column == 1 or bits > 22
    coded, _ = encode_symbols(np.full(4000, column - 16), tables)
    np.testing.assert_allclose(8 * len(coded), 4000 * bits, atol=64, rtol=1e-6)


def test_size_is_the_entropy_of_the_model():
    """Oracle: the entropy of the pmfs that the tables were made from, for symbols drawn in exact proportion."""
    k = np.arange(-40, 41)
    pmfs = np.exp(-0.5 * (k / np.array([0.4, 1.0, 5.0])[:, None]) ** 2)
    pmfs /= pmfs.sum(1, keepdims=True)
    tables = make_tables(pmfs, -40)
    each = [np.repeat(k, np.rint(200_000 * pmf).astype(int)) for pmf in pmfs]
    symbols, ids = np.concatenate(each), np.repeat(np.arange(3), [part.size for part in each])
    order = np.random.default_rng(0).permutation(symbols.size)
    entropy = sum(part.size * -(pmf * np.log2(np.maximum(pmf, 1e-300))).sum() for part, pmf in zip(each, pmfs))
    written = sum(map(len, encode_symbols(symbols[order], tables, ids[order])))
    assert abs(written - entropy / 8) < 0.001 * entropy / 8 + 64


@pytest.mark.parametrize("size", [10**6, pytest.param(10**7, marks=pytest.mark.stress)])
def test_many_symbols(size):
    rng = np.random.default_rng(6)
    tables = random_tables(rng, 64)
    ids = rng.integers(0, 64, size)
    symbols = rng.integers(-16, 17, size)
    symbols[:: size // 10] = 2**31 - 1
    coded, escapes = encode_symbols(symbols, tables, ids)
    np.testing.assert_array_equal(decode_symbols(coded, escapes, size, tables, ids), symbols)
