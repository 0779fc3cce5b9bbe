"""What a codec asks of a model of latents, whichever it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.image import NAMES, make_model
from rdr.codecs.image.entropy_model import EntropyModel

N, M = 3, 8
CASES = [(name, levels) for name in NAMES for levels in ((0,) if name == NAMES[3] else (0, 4))]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request, oracle):
    name, levels = request.param
    model = make_model(name, channels=N, latents=M, dither_levels=levels)
    return model, levels, oracle.draw_parameters(model)


def test_it_says_what_it_is(case):
    model, levels, params = case
    assert isinstance(model, EntropyModel) and model.name in NAMES and model.dither_levels == levels
    assert model.stride == (1 if model.name == NAMES[0] else 4)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    assert EntropyModel._fields == ("name", "stride", "dither_levels", "init", "bits", "finalize", "encode", "decode",
                                    "coding_layout", "draw")


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 8, 4)])
def test_bits_are_float32_for_each_image_and_latents_keep_their_shape(case, shape, noisy):
    model, _, params = case
    y = jax.ShapeDtypeStruct((*shape, M), jnp.float32)
    y_hat, bits = jax.eval_shape(lambda y: model.bits(params, y, jax.random.key(0) if noisy else None), y)
    assert (y_hat.shape, y_hat.dtype) == (y.shape, jnp.float32)
    assert (bits.shape, bits.dtype) == (shape[:1], jnp.float32)


def test_what_is_encoded_is_decoded_from_bytes_and_integers_alone(oracle):
    """The decoder sees no parameters, and the encoder leaves what it is given as it was."""
    levels = 4
    model = make_model(NAMES[0], channels=N, latents=M, dither_levels=levels)
    params = oracle.draw_parameters(model)
    coding = model.finalize(params)
    oracle.check_whole(coding)
    rng = np.random.default_rng(2)
    for shape in ((1, 4, 4, M), (2, 8, 4, M)):
        y = (5.0 * rng.standard_normal(shape)).astype(np.float32)
        dither = rng.integers(0, levels, shape)
        before = [np.copy(part) for part in jax.tree.leaves((params, coding, y, dither))]
        payloads, symbols = model.encode(params, coding, y, dither)
        jax.tree.map(np.testing.assert_array_equal, before, jax.tree.leaves((params, coding, y, dither)))
        assert [type(part) for part in payloads] == [bytes, bytes]
        assert {name: (value.dtype, value.shape) for name, value in symbols.items()} == {"y": (np.int32, shape)}
        decoded = model.decode(coding, payloads, shape, dither)
        assert (decoded.shape, decoded.dtype) == (shape, jnp.float32)
        assert np.abs(decoded - y).max() <= 0.5 + 1e-6
        assert model.encode(params, coding, y, dither)[0] == payloads


def test_unknown_models_and_dithers_are_refused():
    for arguments, words in (
        ({"name": "vtm"}, f"codec must be one of {', '.join(NAMES)}, got 'vtm'"),
        ({"name": NAMES[3], "dither_levels": 4}, "takes no dither"),
        *(({"name": NAMES[0], "dither_levels": levels}, f"power of two up to 64, got {levels}")
          for levels in (-1, 3, 128)),
    ):
        with pytest.raises(ValueError, match=words):
            make_model(**arguments)
