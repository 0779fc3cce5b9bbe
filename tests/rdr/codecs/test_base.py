import numpy as np
import pytest

from rdr.bitstream.container import Message, fingerprint, pack
from rdr.codecs.base import Codec, open_message
from rdr.codecs.vectors.scalar import scalar_codec

PARAMS = {"gain": np.float32(2.0)}


def test_a_codec_is_a_tuple_of_functions_with_a_name():
    codec = scalar_codec()
    assert isinstance(codec, Codec) and codec.name == "scalar"
    assert all(callable(part) for part in codec[1:])
    assert Codec._fields == ("name", "init", "forward", "finalize", "symbols", "encode", "decode")


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
