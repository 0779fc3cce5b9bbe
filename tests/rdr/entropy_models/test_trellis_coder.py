import numpy as np
import pytest

from rdr.entropy_models.trellis import trellis_prior
from rdr.entropy_models.trellis_coder import decode_path, encode_path, path_bits
from rdr.quantize import nearest_path, trellis

STEP = 0.7


def some(states: int, shape: tuple[int, int], levels: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    dither = rng.integers(0, levels, shape) if levels > 4 else np.zeros(shape, np.int64)
    x = rng.standard_normal(shape) / STEP + 4 * dither / levels
    integers = np.array(nearest_path(x, trellis(states)))
    return trellis(states), trellis_prior(beta=0.45, step=STEP, levels=levels), integers, dither


@pytest.mark.parametrize("levels", [4, 64])
@pytest.mark.parametrize("states", [8, 256])
def test_round_trip_and_size(states, levels):
    found, prior, integers, dither = some(states, (40, 150), levels)
    coded, escapes = encode_path(integers, dither, found, prior)
    decoded = decode_path(coded, escapes, dither, found, prior)
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, integers)
    bits = path_bits(integers, dither, found, prior)
    assert bits.shape == integers.shape and bits.sum() / 8 - 8 <= len(coded) <= 1.001 * bits.sum() / 8 + 64


def test_several_priors_are_each_their_own():
    """Integers whose priors differ from step to step cost what each prior alone says, and come back."""
    found, levels, weights = trellis(16), 32, np.array([0.1, 0.4, 2.0])
    rng = np.random.default_rng(1)
    which, dither = rng.integers(0, 3, (7, 90)), rng.integers(0, levels, (7, 90))
    x = rng.standard_normal((7, 90)) / np.sqrt(2 * weights[which]) / STEP + 4 * dither / levels
    integers = np.array(nearest_path(x, found))
    prior = trellis_prior(beta=weights, step=STEP, levels=levels)
    rows = dither + levels * which
    alone = [path_bits(integers, dither, found, trellis_prior(beta=b, step=STEP, levels=levels)) for b in weights]
    bits = path_bits(integers, rows, found, prior, levels=levels)
    likely = np.choose(which, alone) < 12  # tails may be tables or escapes
    np.testing.assert_allclose(bits[likely], np.choose(which, alone)[likely], atol=0.02)
    assert bits.sum() < min(a.sum() for a in alone)
    coded = encode_path(integers, rows, found, prior, levels=levels)
    np.testing.assert_array_equal(decode_path(*coded, rows, found, prior, levels=levels), integers)
    assert bits.sum() / 8 - 8 <= len(coded[0]) <= 1.001 * bits.sum() / 8 + 64


def test_far_integers_are_escapes():
    found, prior, integers, dither = some(16, (3, 20), 16)
    integers[1, 4] += 4 * 2**28
    integers[2, 0] -= 4 * 2**27
    coded, escapes = encode_path(integers, dither, found, prior)
    assert len(escapes) > 0
    np.testing.assert_array_equal(decode_path(coded, escapes, dither, found, prior), integers)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (1, 1)])
def test_few_integers(shape):
    found, prior, integers, dither = some(8, shape, 16)
    decoded = decode_path(*encode_path(integers, dither, found, prior), dither, found, prior)
    np.testing.assert_array_equal(decoded, integers)
    assert decoded.shape == shape


def test_what_is_no_path_is_refused():
    found, prior, integers, dither = some(8, (2, 20), 4)
    integers[1, 3] += 1
    with pytest.raises(ValueError, match="integers must follow a path of the trellis"):
        encode_path(integers, dither, found, prior)


def test_damage_is_refused():
    found, prior, integers, dither = some(8, (20, 50), 16)
    integers[1, 4] += 4000
    coded, escapes = encode_path(integers, dither, found, prior)
    for bad in [(coded[:-1], escapes), (coded + coded[-4:], escapes), (coded, b""), (coded, escapes + b"\x01")]:
        with pytest.raises(ValueError, match="damaged message"):
            decode_path(*bad, dither, found, prior)
