import numpy as np
import pytest

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.coder import encode_symbols
from rdr.bitstream.tables import make_tables, table_bits


def random_tables(count, seed=0):
    return make_tables(np.random.default_rng(seed).dirichlet(np.full(33, 0.3), size=count), -16)


def test_what_was_decoded_selects_the_next_tables():
    """A chain: every symbol's table is the residue of the one before; bits with chances of their own between."""
    rng = np.random.default_rng(1)
    tables = random_tables(5)
    symbols = rng.integers(-16, 17, (40, 300))
    symbols[3, 7], symbols[5, 0], symbols[39, 299] = -(2**31), 2**31 - 1, 18
    chances = rng.integers(1, 2**16, (40, 300))
    bits = (rng.integers(0, 2**16, (40, 300)) < chances).astype(np.int64)
    encoder = StepEncoder()
    for t in range(40):
        encoder.add_bits(bits[t], chances[t])
        encoder.add(symbols[t], tables, (symbols[t - 1] + bits[t]) % 5 if t else bits[t])
    coded, escapes = encoder.finish()
    decoder = StepDecoder(coded, escapes)
    before = np.zeros(300, np.int64)
    for t in range(40):
        bit = decoder.read_bits(chances[t])
        np.testing.assert_array_equal(bit, bits[t])
        before = decoder.read(tables, (before + bit) % 5)
        np.testing.assert_array_equal(before, symbols[t])
    decoder.finish()


def test_size_is_that_of_the_chances_and_tables():
    rng = np.random.default_rng(2)
    chances = np.concatenate([rng.integers(1, 2**16, 40_000), np.full(20_000, 1), np.full(20_000, 2**16 - 1)])
    bits = rng.integers(0, 2**16, chances.size) < chances
    tables = random_tables(1)
    symbols = rng.integers(-16, 17, 20_000)
    encoder = StepEncoder()
    encoder.add_bits(bits.astype(int), chances)
    encoder.add(symbols, tables)
    coded, _ = encoder.finish()
    ideal = table_bits(symbols, tables).sum() - np.log2(np.where(bits, chances, 2**16 - chances) / 2**16).sum()
    # The coder's state starts and ends with up to 32 bits that are not written.
    assert ideal / 8 - 8 <= len(coded) <= 1.001 * ideal / 8 + 64


def test_one_step_is_what_one_call_writes():
    tables = random_tables(3)
    rng = np.random.default_rng(3)
    symbols, ids = rng.integers(-30, 30, (20, 5)), rng.integers(0, 3, (20, 5))
    encoder = StepEncoder()
    encoder.add(symbols, tables, ids)
    coded = encoder.finish()
    assert coded == encode_symbols(symbols, tables, ids)
    decoded = StepDecoder(*coded).read(tables, ids)
    assert decoded.shape == (20, 5) and decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, symbols)


def test_empty_steps():
    encoder = StepEncoder()
    encoder.add(np.zeros(0, np.int32), random_tables(2), np.zeros(0, np.int32))
    encoder.add_bits(np.zeros(0, np.int32), np.zeros(0, np.int32))
    coded = encoder.finish()
    assert coded == (b"", b"") == StepEncoder().finish()
    decoder = StepDecoder(*coded)
    assert decoder.read(random_tables(2), np.zeros((0, 3), np.int32)).shape == (0, 3)
    assert decoder.read_bits(np.zeros((2, 0), np.int32)).shape == (2, 0)
    decoder.finish()


def test_refusals():
    tables = random_tables(2)
    spoilt = tables._replace(counts=tables.counts + 1)
    cases = [
        (lambda: StepEncoder().add([0], spoilt, [0]), "must have a count|add up"),
        (lambda: StepEncoder().add([2**31], tables, [0]), "symbols must be integers in the range of int32"),
        (lambda: StepEncoder().add([0], tables, [2]), "table_ids must be integers in"),
        (lambda: StepEncoder().add_bits([2], [5]), "bits must be 0 or 1"),
        (lambda: StepEncoder().add_bits([0.5], [5]), "bits must be 0 or 1"),
        (lambda: StepEncoder().add_bits([0, 1], [5]), "one for each of 1 chances"),
        (lambda: StepEncoder().add_bits([0], [0]), "chances must be integers in"),
        (lambda: StepEncoder().add_bits([0], [2**16]), "chances must be integers in"),
        (lambda: StepEncoder().add_bits([0], [0.5]), "chances must be integers in"),
        (lambda: StepDecoder(b"", b"").read_bits([0]), "chances must be integers in"),
        (lambda: StepDecoder(b"abc", b""), "damaged message: the coded symbols are not whole words"),
        (lambda: StepDecoder(bytes(4), b""), "damaged message: the coded symbols end in a zero word"),
    ]
    for call, said in cases:
        with pytest.raises(ValueError, match=said):
            call()


def test_what_is_left_over_is_refused():
    encoder = StepEncoder()
    encoder.add(np.arange(-20, 20), random_tables(1))
    decoder = StepDecoder(*encoder.finish())
    with pytest.raises(ValueError, match="symbols are left over"):
        decoder.finish()
    decoder.read(random_tables(1), np.zeros(40, np.int32))
    decoder.finish()
    with pytest.raises(ValueError, match="escape codes end early"):
        StepDecoder(encoder.finish()[0], b"").read(random_tables(1), np.zeros(40, np.int32))


def test_bytes_that_cannot_hold_what_is_announced_are_refused():
    """Fault 31: a coder whose bytes are used up reads on, so that a few of them stood for any number of symbols."""
    tables = random_tables(2)
    ids = np.zeros(100_000, np.int32)
    assert StepDecoder(b"", b"").read(tables, ids).size == ids.size  # for who does not ask
    with pytest.raises(ValueError, match="announces more symbols than its bytes can hold"):
        StepDecoder(b"", b"", max_surplus=1000).read(tables, ids)
    encoder = StepEncoder()
    for seed in range(3):
        encoder.add(np.random.default_rng(seed).integers(-16, 17, 500), tables)
    coded, escapes = encoder.finish()
    decoder = StepDecoder(coded, escapes, max_surplus=64)
    for _ in range(3):
        decoder.read(tables, np.zeros(500, np.int32))
    decoder.finish()
    decoder = StepDecoder(coded[: len(coded) // 8 * 4], escapes, max_surplus=100)
    with pytest.raises(ValueError, match="announces more symbols|escape codes end early"):
        for _ in range(3):
            decoder.read(tables, np.zeros(500, np.int32))
