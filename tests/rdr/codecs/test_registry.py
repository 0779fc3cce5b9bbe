"""Codecs by name."""

import pytest

from rdr import codecs
from rdr.codecs.vectors.lattice import lattice_codec
from rdr.codecs.vectors.scalar import scalar_codec
from rdr.codecs.vectors.trellis import trellis_codec

SMALL = {"block": {"dimension": 2}, "codebook": {"dimension": 2, "codewords": 3}, "lattice_transform": {"dimension": 2}}


@pytest.mark.parametrize("name", codecs.names())
def test_every_name_makes_a_codec_that_is_made_once(name):
    codec = codecs.get(name, **SMALL.get(name, {}))
    assert codec.name and callable(codec.encode)
    assert codecs.get(name, **SMALL.get(name, {})) is codec


def test_options_reach_the_factories():
    assert codecs.get("lattice", lattice="Leech", dither_levels=64) is lattice_codec("Leech", dither_levels=64)
    assert codecs.get("trellis", states=8) is trellis_codec(8)
    assert codecs.get("scalar", hidden=(5,)) is scalar_codec(hidden=(5,))


def test_codecs_can_be_added_and_given():
    mine = scalar_codec(hidden=(3,))
    assert codecs.get(mine) is mine
    codecs.register("mine", lambda **options: mine)
    try:
        assert "mine" in codecs.names() and codecs.get("mine", any=1) is mine
        with pytest.raises(ValueError, match="the name of a codec must be new"):
            codecs.register("mine", lambda: mine)
    finally:
        codecs.unregister("mine")
    with pytest.raises(ValueError, match="codec must be one of 'block', .*'trellis', .*got 'mine'"):
        codecs.get("mine")
    for nothing in (None, 3, lambda: mine):
        with pytest.raises(ValueError, match="codec must be one of 'block'"):
            codecs.get(nothing)
    with pytest.raises(TypeError, match="takes no options, got dimension"):
        codecs.get(mine, dimension=2)
