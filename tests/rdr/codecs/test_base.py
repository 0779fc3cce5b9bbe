import numpy as np
import pytest

from rdr.bitstream.container import Message, fingerprint, pack
from rdr.codecs.base import Codec, VectorCodec, draw_dither, open_message, stored_tables
from rdr.codecs.vectors.scalar import scalar_codec
from rdr.randomness import shared_key

PARAMS = {"gain": np.float32(2.0)}


def test_a_codec_is_a_tuple_of_functions_with_a_name():
    codec = scalar_codec()
    assert isinstance(codec, VectorCodec) and codec.name == "scalar"
    assert all(callable(part) for part in codec[1:])
    assert VectorCodec._fields == (*Codec._fields, "code_lengths")
    assert Codec._fields == ("name", "init", "forward", "finalize", "symbols", "encode", "decode")


def test_a_dither_needs_its_key_and_no_dither_none():
    assert draw_dither(None, (3,), levels=0) is None
    dither = np.asarray(draw_dither(shared_key(1), (40,), levels=4))
    assert dither.dtype == np.int32 and set(dither) == {0, 1, 2, 3}
    with pytest.raises(ValueError, match="this codec shares no randomness: shared_key must be None"):
        draw_dither(shared_key(1), (3,), levels=0)
    with pytest.raises(ValueError, match="this codec needs the shared_key"):
        draw_dither(None, (3,), levels=4)


def test_tables_are_those_of_finalize():
    assert stored_tables({"tables": 1}) == stored_tables({"coding": 1}, "coding") == 1
    for params in (None, {"gain": 1}):
        with pytest.raises(ValueError, match="these parameters have no integer tables yet"):
            stored_tables(params)


def test_messages_are_opened_for_their_codec_and_parameters_only():
    parts = Message("mine", fingerprint(PARAMS), (3, 2), (b"ab", b""))
    options = {"name": "mine", "params": PARAMS, "payloads": 2, "max_elements": 6}
    assert open_message(pack(parts), **options) == parts
    for changed, said in [({"name": "yours"}, "written by codec 'mine', not by 'yours'"),
                          ({"params": None}, "give params"),
                          ({"params": {"gain": np.float32(3.0)}}, "with other parameters"),
                          ({"payloads": 3}, "damaged message: 2 payloads instead of 3"),
                          ({"max_elements": 5}, "more than 5 elements")]:
        with pytest.raises(ValueError, match=said):
            open_message(pack(parts), **(options | changed))
