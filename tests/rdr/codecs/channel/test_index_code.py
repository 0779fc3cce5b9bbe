import numpy as np
import pytest

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.codecs.channel import index_code


def test_half_octaves():
    index = np.arange(-1, 5000)
    octave, rest = index_code.half_octaves(index)
    assert octave[:8].tolist() == [0, 1, 2, 3, 4, 4, 5, 5]
    bits = index_code.left_bits(octave)
    assert (rest >= 0).all() and (rest < 2**bits).all()
    assert len(set(zip(octave.tolist(), rest.tolist(), strict=True))) == index.size
    assert (np.diff(octave) >= 0).all()


@pytest.mark.parametrize("most", [128, 2**13, 2**20])
def test_round_trip_and_size(most):
    rng = np.random.default_rng(0)
    index = np.minimum((2 ** rng.uniform(0, np.log2(most), 4000)).astype(np.int64), most - 1) - 1
    index[:2] = most - 1, -1
    table = index_code.fit_table(index, most)
    encoder = StepEncoder()
    index_code.add_index(encoder, index, table)
    coded = encoder.finish()
    decoder = StepDecoder(*coded)
    np.testing.assert_array_equal(index_code.read_index(decoder, index.size, table, most), index)
    decoder.finish()
    octave, _ = index_code.half_octaves(index)
    pmf = np.bincount(octave) / index.size
    entropy = -(pmf[pmf > 0] * np.log2(pmf[pmf > 0])).sum() + index_code.left_bits(octave).mean()
    assert 8 * len(coded[0]) / index.size == pytest.approx(entropy, abs=0.03)


def test_no_index_is_beyond_the_format():
    table = index_code.fit_table(np.arange(2000), 2000)
    for index in (2001, 2**30):
        encoder = StepEncoder()
        index_code.add_index(encoder, np.array([index]), table)
        with pytest.raises(ValueError, match="not below 2000"):
            index_code.read_index(StepDecoder(*encoder.finish()), 1, table, 2000)
