"""Files of a given PSNR: which is taken. That it is met: test_codec.py, whose programs are there."""

import numpy as np
import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted import target_psnr

FAST = overfitted.Options(schedule=overfitted.Schedule(steps=100))


def test_of_several_files_the_shortest_that_has_it_is_taken():
    found = [(30.1, b"1234"), (31.0, b"123"), (29.9, b"1")]
    assert target_psnr.choose(found, 30.0) == b"123"
    assert target_psnr.choose(found, 40.0) == b"123"
    assert target_psnr.choose(found, 30.5) == b"123" and target_psnr.choose(found[::2], 30.0) == b"1234"


def test_one_goal_at_a_time():
    image = np.zeros((24, 24, 3), np.uint8)
    with pytest.raises(ValueError, match="psnr and size are two goals"):
        overfitted.encode(image, FAST._replace(psnr=30.0, size=300))
    for wrong in (-1.0, 0.0, 101.0, float("nan")):
        with pytest.raises(ValueError, match="psnr must be positive"):
            overfitted.encode(image, FAST._replace(psnr=wrong))
