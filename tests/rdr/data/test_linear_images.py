"""OpenEXR and Radiance: values and headers, and what is no light."""

import struct

import numpy as np
import pytest

from rdr.data import linear_images
from rdr.data.color_spaces import PRIMARIES, linear_space
from rdr.data.folders import list_images
from rdr.data.image_io import read_image, read_image_data, read_image_header

LIGHT = np.random.default_rng(0).gamma(0.5, 300.0, (6, 9, 3)).astype(np.float32)


def radiance(pixels, *, header=b"", order=b"-Y 6 +X 9"):
    """A Radiance file of [6, 9, 4] bytes, not packed."""
    return b"#?RADIANCE\n" + header + b"FORMAT=32-bit_rle_rgbe\n\n" + order + b"\n" + pixels.tobytes()


def exr_attribute(name, kind, value):
    return name + b"\0" + kind + b"\0" + struct.pack("<I", len(value)) + value


def plain_exr(channels, *, window=(0, 0, 8, 5), display=(0, 0, 8, 5)):
    """An OpenEXR file without compression, by its published layout: name -> float16 or float32 [6, 9]."""
    names = sorted(channels)
    listed = b"".join(name.encode() + b"\0" + struct.pack("<iBxxxii", 1 if channels[name].dtype == np.float16 else 2, 0,
                                                         1, 1) for name in names) + b"\0"
    head = b"\x76\x2f\x31\x01\x02\0\0\0" + b"".join((
        exr_attribute(b"channels", b"chlist", listed), exr_attribute(b"compression", b"compression", b"\0"),
        exr_attribute(b"dataWindow", b"box2i", struct.pack("<4i", *window)),
        exr_attribute(b"displayWindow", b"box2i", struct.pack("<4i", *display)),
        exr_attribute(b"lineOrder", b"lineOrder", b"\0"),
        exr_attribute(b"pixelAspectRatio", b"float", struct.pack("<f", 1)),
        exr_attribute(b"screenWindowCenter", b"v2f", bytes(8)),
        exr_attribute(b"screenWindowWidth", b"float", struct.pack("<f", 1)))) + b"\0"
    lines = [b"".join(channels[name][row].tobytes() for name in names) for row in range(6)]
    offsets, place = b"", len(head) + 8 * len(lines)
    for line in lines:
        offsets += struct.pack("<Q", place)
        place += 8 + len(line)
    return head + offsets + b"".join(struct.pack("<ii", window[1] + row, len(line)) + line
                                     for row, line in enumerate(lines))


@pytest.fixture(autouse=True)
def reader():
    return pytest.importorskip("OpenImageIO", reason="the extra hdr is not installed")


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("names", ["RGB", "Y", "RGBA", "RGBZ"])
def test_openexr_that_was_written_byte_by_byte(tmp_path, names, dtype):
    values = np.concatenate([LIGHT, np.ones((6, 9, 1), np.float32)], 2).astype(dtype)
    (tmp_path / "a.exr").write_bytes(plain_exr({name: values[:, :, i] for i, name in enumerate(names)}))
    found = read_image_data(tmp_path / "a.exr", hdr="keep")
    np.testing.assert_array_equal(found.pixels, values[:, :, : 1 if names == "Y" else 3].astype(np.float32))
    assert found.pixels.dtype == np.float32 and found.depth == 8 * np.dtype(dtype).itemsize
    assert found.space.code_points == (1, 8) and found.space.white_luminance is None and found.profile is None
    assert bool(found.notes) == (names == "RGBZ")
    assert read_image_header(tmp_path / "a.exr", hdr="keep")[:3] == ("EXR", 6, 9)


@pytest.mark.parametrize(("suffix", "primaries", "white"), [(".exr", 9, 203.0), (".exr", 12, None), (".hdr", 1, None)])
def test_what_is_written_is_read(tmp_path, suffix, primaries, white):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(linear_images.linear_bytes(suffix, LIGHT, linear_space(PRIMARIES[primaries], white)))
    found = read_image_data(path, hdr="keep")
    assert found.space.code_points == (primaries, 8) and found.space.white_luminance == white
    largest = LIGHT.max(2, keepdims=True)  # Radiance: 8 bits of a pixel's largest value
    assert (np.abs(found.pixels - LIGHT) <= (largest / 128 if suffix == ".hdr" else 0)).all()
    assert list_images(tmp_path) == [path]


def test_radiance_that_was_written_byte_by_byte(tmp_path):
    coded = np.random.default_rng(1).integers(128, 256, (6, 9, 4), dtype=np.uint8)
    coded[:, :, 3] = np.arange(120, 129)
    coded[0, 0] = 0
    wanted = coded[:, :, :3] * 2.0 ** (coded[:, :, 3:].astype(float) - 136)
    wide = " ".join(map(str, (*PRIMARIES[9][2:], *PRIMARIES[9][:2]))).encode()
    (tmp_path / "a.hdr").write_bytes(radiance(coded, header=b"PRIMARIES=" + wide + b"\n"))
    found = read_image_data(tmp_path / "a.hdr", hdr="keep")
    np.testing.assert_allclose(found.pixels, wanted, rtol=1 / 128, atol=0)  # some readers add half a step
    assert found.space.code_points == (9, 8) and found.depth == 32
    (tmp_path / "a.hdr").write_bytes(radiance(coded, order=b"+Y 6 +X 9"))  # the lowest row first
    np.testing.assert_array_equal(read_image(tmp_path / "a.hdr", hdr="keep"), found.pixels[::-1])


@pytest.mark.parametrize(("value", "words"), [(np.nan, "1 of its values are infinite or not numbers"),
                                              (np.inf, "infinite"), (-0.5, "negative, down to -0.5")])
def test_what_is_no_light_is_refused(tmp_path, value, words):
    values = {name: LIGHT[:, :, i].copy() for i, name in enumerate("RGB")}
    values["G"][2, 3] = value
    (tmp_path / "a.exr").write_bytes(plain_exr(values))
    with pytest.raises(ValueError, match=words):
        read_image_data(tmp_path / "a.exr", hdr="keep")


def test_negative_values_are_clipped_where_that_is_asked_for(tmp_path):
    values = {name: LIGHT[:, :, i].copy() for i, name in enumerate("RGB")}
    values["G"][2, 3] = -0.5
    (tmp_path / "a.exr").write_bytes(plain_exr(values))
    found = read_image_data(tmp_path / "a.exr", hdr="keep", negative="clip")
    expected = np.stack([np.maximum(values[name], 0) for name in "RGB"], -1)
    np.testing.assert_array_equal(found.pixels, expected)
    assert found.notes == ("1 negative values, down to -0.5, are set to 0",)
    values["R"][0, 0] = np.nan
    (tmp_path / "a.exr").write_bytes(plain_exr(values))
    with pytest.raises(ValueError, match="1 of its values are infinite or not numbers"):
        read_image_data(tmp_path / "a.exr", hdr="keep", negative="clip")
    with pytest.raises(ValueError, match="negative must be one of clip, refuse, got 'keep'"):
        read_image_data(tmp_path / "a.exr", negative="keep")


def test_other_files_are_refused_in_a_sentence(tmp_path):
    values = {name: LIGHT[:, :, i] for i, name in enumerate("RGB")}
    whole = plain_exr(values)
    clear = values | {"A": np.where(LIGHT[:, :, 0] > 50, 1, 0).astype(np.float32)}
    for data, words in (
        (whole[:-30], "damaged"), (whole[:60], "damaged"), (b"\x76\x2f\x31\x01junk", "damaged"),
        (plain_exr({"U": LIGHT[:, :, 0]}), "none of R, G and B"), (plain_exr(clear), "transparent"),
        (plain_exr(values, display=(0, 0, 9, 9)), "display window"), (b"#?RADIANCE\njunk", "damaged"),
        (b"#?RADIANCE\nPRIMARIES=1 2\nFORMAT=32-bit_rle_rgbe\n\n-Y 6 +X 9\n" + bytes(216), "primaries are none"),
    ):
        (tmp_path / "a.exr").write_bytes(data)
        with pytest.raises(ValueError, match=rf"a\.exr cannot be read as an image \(.*{words}"):
            read_image_data(tmp_path / "a.exr", hdr="keep")
    (tmp_path / "a.exr").write_bytes(whole)
    for policy, words in (({}, "high dynamic range"), ({"color": "keep"}, "high dynamic range"),
                          ({"hdr": "keep", "color": "refuse"}, "not sRGB, but linear light"),
                          ({"hdr": "keep", "depth": "refuse"}, "32 bits"),
                          ({"hdr": "keep", "depth": "eight"}, "8 bits")):
        with pytest.raises(ValueError, match=words):
            read_image_data(tmp_path / "a.exr", **policy)
    with pytest.raises(ValueError, match="high dynamic range"):
        read_image_header(tmp_path / "a.exr")
    with pytest.raises(ValueError, match="write .exr"):
        linear_images.linear_bytes(".hdr", LIGHT[:, :, :1], linear_space(PRIMARIES[1]))


def test_without_the_reader_the_way_to_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "OpenImageIO", None)
    (tmp_path / "a.exr").write_bytes(plain_exr({"Y": LIGHT[:, :, 0]}))
    with pytest.raises(ValueError, match="pip install openimageio"):
        read_image_data(tmp_path / "a.exr", hdr="keep")
