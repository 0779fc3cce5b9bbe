"""PNG files of 16 bits, read again by two readers: ours, and Pillow where it keeps all bits."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from rdr.data.image_headers import png_chunks
from rdr.data.image_io import read_image_data, write_image
from rdr.data.png_writer import png_bytes

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 65536, (9, 7, 3), dtype=np.uint16)
SMOOTH = (np.add.outer(np.arange(40.0), np.arange(30.0))[:, :, None] * [900, 700, 500] + 99).astype(np.uint16)


@pytest.mark.parametrize("pixels", [NOISE, NOISE[:, :, :1], SMOOTH, (NOISE >> 8).astype(np.uint8), NOISE[:1, :1]])
def test_what_is_written_is_read(tmp_path, pixels):
    (tmp_path / "a.png").write_bytes(png_bytes(pixels))
    found = read_image_data(tmp_path / "a.png")
    assert found.pixels.dtype == pixels.dtype and found.depth == 8 * pixels.dtype.itemsize and found.space is None
    np.testing.assert_array_equal(found.pixels, pixels)
    if pixels.dtype == np.uint8 or pixels.shape[2] == 1:  # Pillow cuts color to 8 bits
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")).reshape(pixels.shape), pixels)


def test_smooth_images_are_filtered():
    assert len(png_bytes(SMOOTH)) < 0.1 * SMOOTH.nbytes


def test_headers_say_what_the_values_are(tmp_path):
    ten = ((NOISE >> 6).astype(np.uint32) * 65535 + 511) // 1023
    data = png_bytes(ten.astype(np.uint16), depth=10, code_points=(9, 16))
    chunks = png_chunks(data)
    assert chunks[b"cICP"] == bytes([9, 16, 0, 1]) and chunks[b"sBIT"] == bytes([10, 10, 10])
    (tmp_path / "a.png").write_bytes(data)
    found = read_image_data(tmp_path / "a.png", hdr="keep")
    assert found.depth == 10 and found.space.code_points == (9, 16) and found.space.name == "PQ"
    icc = b"x" * 36 + b"acsp" + b"y" * 100
    with Image.open(io.BytesIO(png_bytes(NOISE, profile=icc, code_points=(9, 16)))) as image:
        assert image.info["icc_profile"] == icc
    assert b"cICP" not in png_chunks(png_bytes(NOISE, profile=icc, code_points=(9, 16)))


def test_depths_that_samples_do_not_bear_out_are_not_believed(tmp_path):
    for values, depth in ((NOISE, 16), (NOISE >> 4 << 4, 16), ((NOISE >> 4 << 4) | (NOISE >> 12), 12)):
        (tmp_path / "a.png").write_bytes(png_bytes(values, depth=12))
        assert read_image_data(tmp_path / "a.png").depth == depth


def test_wrong_arguments_are_refused(tmp_path):
    for wrong in (NOISE.astype(np.float32), NOISE[:, :, :2], NOISE[0], NOISE[:0]):
        with pytest.raises(ValueError, match="pixels must be uint8 or uint16"):
            png_bytes(wrong)
    with pytest.raises(ValueError, match="depth must be between 1 and 16, got 17"):
        png_bytes(NOISE, depth=17)
    with pytest.raises(ValueError, match="not written with 16 bits"):
        write_image(tmp_path / "a.jpg", NOISE)
    assert not list(tmp_path.iterdir())
    write_image(tmp_path / "a.png", NOISE, depth=16, code_points=(12, 13))
    assert struct.unpack(">BB", png_chunks((tmp_path / "a.png").read_bytes())[b"cICP"][:2]) == (12, 13)
