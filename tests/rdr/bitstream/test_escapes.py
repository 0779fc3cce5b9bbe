import numpy as np
import pytest

from rdr.bitstream.escapes import GammaReader, decode_gamma, encode_gamma


def test_known_code_words():
    """Oracle: Elias 1975: 1 -> 1, 2 -> 010, 5 -> 00101."""
    assert encode_gamma(np.array([1, 2, 5])) == bytes([0b10100010, 0b10000000])


def test_round_trip_of_extreme_values():
    values = np.array([1, 2, 3, 2**33 + 1, 1, 2**40 - 1, 7])
    np.testing.assert_array_equal(decode_gamma(encode_gamma(values), values.size), values)
    assert encode_gamma(np.array([], np.int64)) == b""
    assert decode_gamma(b"", 0).size == 0


@pytest.mark.parametrize("value", [0, -1, 2**40])
def test_values_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match="Elias-gamma"):
        encode_gamma(np.array([value]))


@pytest.mark.parametrize("data, count", [(b"", 1), (b"\x00", 1), (b"\x01", 1), (b"\xff\x00", 1), (b"\x80\x00", 1),
                                         (b"\x00\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff", 1)])
def test_damage_is_refused(data, count):
    with pytest.raises(ValueError, match="damaged message"):
        decode_gamma(data, count)


def test_reading_a_few_at_a_time():
    values = np.array([1, 9, 2**35, 3, 3, 70])
    reader = GammaReader(encode_gamma(values))
    read = [reader.read(count) for count in (2, 0, 1, 3)]
    np.testing.assert_array_equal(np.concatenate(read), values)
    reader.finish()
    reader = GammaReader(encode_gamma(values))
    reader.read(5)
    with pytest.raises(ValueError, match="damaged message: bytes are left over after the escape codes"):
        reader.finish()
