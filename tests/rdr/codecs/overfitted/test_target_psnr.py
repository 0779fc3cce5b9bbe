"""Files of a given PSNR: it is met in few bytes, and the closest file is written where it cannot be."""

import numpy as np
import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted import target_psnr
from rdr.metrics.psnr import image_psnr

FAST = overfitted.Options(schedule=overfitted.Schedule(steps=100))


@pytest.fixture(scope="module")
def image():
    rows, columns = np.mgrid[:24, :24]
    waves = 128 + 60 * np.sin(rows / 2) * np.cos(columns / 1.5) + 50 * ((rows // 5 + columns // 7) % 2)
    return np.clip(waves[..., None] * [0.6, 0.8, 1.0], 0, 255).astype(np.uint8)


def test_psnrs_are_met_and_better_files_are_longer(image):
    first = overfitted.encode(image, FAST)
    usual = image_psnr(image, overfitted.decode(first))
    lengths = []
    for wanted in (usual - 4.0, usual + 1.0):
        message = overfitted.encode(image, FAST._replace(psnr=wanted))
        # So short a fit goes on getting better while its PSNR is sought: a shorter file may be better, too.
        assert wanted <= image_psnr(image, overfitted.decode(message)) < wanted + 3.0
        lengths.append(len(message))
    assert lengths[0] < min(lengths[1], len(first))


def test_of_several_files_the_shortest_that_has_it_is_taken():
    found = [(30.1, b"1234"), (31.0, b"123"), (29.9, b"1")]
    assert target_psnr.choose(found, 30.0) == b"123"
    assert target_psnr.choose(found, 40.0) == b"123"
    assert target_psnr.choose(found, 30.5) == b"123" and target_psnr.choose(found[::2], 30.0) == b"1234"


def test_one_goal_at_a_time(image):
    with pytest.raises(ValueError, match="psnr and size are two goals"):
        overfitted.encode(image, FAST._replace(psnr=30.0, size=300))
    for wrong in (-1.0, 0.0, 101.0, float("nan")):
        with pytest.raises(ValueError, match="psnr must be positive"):
            overfitted.encode(image, FAST._replace(psnr=wrong))
