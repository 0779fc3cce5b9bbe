"""Conventional codecs at a number of bytes."""

import numpy as np
import pytest

from rdr.codecs.conventional import CODECS, encode_at_most

ROWS, COLUMNS = np.mgrid[:48, :64]
IMAGE = (128 + 60 * np.sin(ROWS / 4)[..., None] * np.cos(COLUMNS / np.asarray([3.0, 5.0, 9.0])[:, None, None]
                                                         ).transpose(1, 2, 0)).astype(np.uint8)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("channels", [1, 3])
def test_larger_files_are_closer_and_fit(name, channels):
    codec = CODECS[name]
    if not codec.available():
        pytest.skip(f"Pillow has no {name} here")
    image = IMAGE[:, :, :channels]
    smallest, _ = encode_at_most(codec, image, 0)
    errors = []
    for size in (len(smallest) + 100, len(smallest) + 1000):
        data, decoded = encode_at_most(codec, image, size)
        assert len(data) <= size and decoded.shape == image.shape and decoded.dtype == np.uint8
        errors.append(np.mean((decoded.astype(float) - image) ** 2))
    assert errors[1] < errors[0]
