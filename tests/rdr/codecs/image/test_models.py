"""Models and codecs by name: made once, unknown names refused."""

import pytest

from rdr.codecs.image.models import NAMES, make_codec, make_model


@pytest.mark.parametrize("name", NAMES)
def test_models_are_made_once_and_carry_their_name(name):
    model = make_model(name, channels=8, latents=16)
    assert model.name == name and make_model(name, latents=16, channels=8) is model
    codec = make_codec(name, channels=8, latents=16, rate_levels=2, realism=True)
    assert codec.name == name
    assert make_codec(name, realism=True, rate_levels=2, channels=8, latents=16) is codec


def test_unknown_names_and_dithers_are_refused():
    with pytest.raises(ValueError, match="codec must be one of bmshj2018-factorized, .*, got 'jpeg'"):
        make_model("jpeg")
    with pytest.raises(ValueError, match="dither_levels must be 0 or a power of two up to 64, got 128"):
        make_model(NAMES[0], dither_levels=128)
    with pytest.raises(ValueError, match="takes no dither"):
        make_model(NAMES[-1], dither_levels=2)
