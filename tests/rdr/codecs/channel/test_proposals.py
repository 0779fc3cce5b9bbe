import jax
import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from rdr.codecs.channel import proposals
from rdr.randomness import shared_key

KEY = shared_key(1)


def test_the_words_are_threefry_s():
    """Oracle: jax.random.bits uses half of every hash, so threefry in counter mode is compared through fold_in."""
    words = proposals._words(KEY, np.uint32(3), np.uint32(4), 0, 2)
    key = KEY
    for number in (3, 4, 0):
        key = jax.random.fold_in(key, number)
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(words, jax.random.bits(key, (128, 2), "uint32"))
    with pytest.raises(ValueError, match="threefry2x32"):
        proposals._words(jax.random.key(0, impl="rbg"), np.uint32(0), np.uint32(0), 0, 1)


def test_quantiles_from_tails():
    tail = np.float32([0.499, 0.3, 0.1, 0.01, 1e-4, 1e-6, 1e-8])
    np.testing.assert_allclose(proposals._from_tail(tail), -ndtri(tail.astype(np.float64)), rtol=4e-6)
    assert float(proposals._from_tail(np.float32(2.0**-33))) == pytest.approx(-ndtri(2.0**-33), abs=0.01)


def test_candidates_are_distributed_as_they_say():
    found = jax.vmap(lambda block: proposals.candidates(KEY, block, np.uint32(2), 2, 3))(np.arange(40, dtype=np.uint32))
    assert found.normals.shape == (40, 256, 3)
    assert stats.kstest(np.asarray(found.normals, np.float64).ravel(), "norm").pvalue > 1e-4
    assert stats.kstest(np.asarray(found.waits, np.float64).ravel(), "expon").pvalue > 1e-4
    assert stats.kstest(np.asarray(found.uniforms, np.float64).ravel(), "uniform").pvalue > 1e-4
    together = np.concatenate([np.asarray(part).reshape(40 * 256, -1) for part in found], 1)
    correlation = np.corrcoef(together, rowvar=False) - np.eye(5)
    assert np.abs(correlation).max() < 4.5 / len(together) ** 0.5
    assert len(np.unique(found.normals)) > 0.999 * found.normals.size


def test_a_decoder_makes_the_candidate_that_the_encoder_saw():
    blocks, index = np.array([5, 6, 7, 9]), np.array([0, 127, 128, 700])
    chosen = proposals.chosen_normals(KEY, blocks, index, 3)
    assert chosen.dtype == np.float64
    for block, k, y in zip(blocks, index, chosen, strict=True):
        seen = proposals.candidates(KEY, np.uint32(block), np.uint32(0), 6, 3).normals[k]
        np.testing.assert_allclose(y, seen, atol=3e-6)
