"""Headers: what files say of themselves, and damage."""

import pytest
from PIL import Image

from rdr.data import image_headers


@pytest.mark.parametrize("start, depth", [
    # small (1), height 8 (5), ratio 1:1 (3), not all default (1), no extra fields (1), integers (1), depth's choice (2)
    ([(1, 1), (0, 5), (1, 3), (1, 1)], 8),
    ([(1, 1), (0, 5), (1, 3), (0, 1), (0, 1), (0, 1), (0, 2)], 8),
    ([(1, 1), (0, 5), (1, 3), (0, 1), (0, 1), (0, 1), (1, 2)], 10),
    ([(1, 1), (0, 5), (1, 3), (0, 1), (0, 1), (0, 1), (2, 2)], 12),
    ([(1, 1), (0, 5), (1, 3), (0, 1), (0, 1), (0, 1), (3, 2), (15, 6)], 16),
    ([(0, 1), (1, 2), (100, 13), (0, 3), (0, 2), (10, 9), (0, 1), (1, 1), (5, 3), (0, 3), (0, 1), (1, 2)], 10),
])  # fmt: skip
def test_the_depth_of_jpeg_xl(tmp_path, start, depth):
    value = place = 0
    for number, count in start:
        value |= number << place
        place += count
    path = tmp_path / "a.jxl"
    path.write_bytes(b"\xff\x0a" + value.to_bytes(60, "little"))
    assert image_headers._jpeg_xl(path, Image.new("RGB", (8, 8))).depth == depth


@pytest.mark.parametrize("data, header", [
    (b"P5 3 4 255\n", (b"P5", 3, 4, 255, 11)), (b"P6\n# c 9\n3\n# d\n4\n65535 ", (b"P6", 3, 4, 65535, 23)),
    (b"P4\t12 7\n", (b"P4", 12, 7, 1, 8)),
])  # fmt: skip
def test_headers_of_pnm(data, header):
    assert image_headers.pnm_header(data) == header


@pytest.mark.parametrize("data", [b"P7 3 4 255\n", b"P5 3 x 255\n", b"P5 3", b""])
def test_damaged_headers_of_pnm_are_refused(data):
    with pytest.raises(ValueError):
        image_headers.pnm_header(data)


def test_a_png_that_is_cut_short_is_refused(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    assert set(image_headers.png_chunks(data)) == {b"IHDR"}
    with pytest.raises(ValueError, match="cut short"):
        image_headers.png_chunks(data[:33])
