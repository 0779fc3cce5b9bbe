"""Colors that are not sRGB are converted, kept or refused; those that are stay as they are."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from rdr.data import color_spaces
from rdr.data.color_spaces import PRIMARIES, ColorSpace, space_to_srgb
from rdr.data.image_io import read_image, read_image_data
from rdr.vision import transfer as curves
from tests.rdr.data.test_image_decoders import KIND, png

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = PRIMARIES[12]


def profile(primaries, exponent, *, gray=False):
    """An ICC profile (version 2) with D50-adapted primaries and a power, made by hand."""
    def xyz(x, y):
        return np.array([x / y, 1.0, (1 - x - y) / y])

    def fixed(values):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    white, *colors = (xyz(*primaries[2 * i : 2 * i + 2]) for i in range(4))
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d50 = np.array([0.9642, 1.0, 0.8249])
    adapt = np.linalg.inv(cone) @ np.diag((cone @ d50) / (cone @ white)) @ cone
    matrix = adapt @ (np.stack(colors, 1) * np.linalg.solve(np.stack(colors, 1), white))
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78 + 1)
    tags = {b"desc": name, b"cprt": b"text\0\0\0\0-\0\0\0", b"wtpt": fixed(d50)}
    if gray:
        tags |= {b"kTRC": curve}
    else:
        tags |= {key: fixed(matrix[:, i]) for i, key in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
        tags |= {key: curve for key in (b"rTRC", b"gTRC", b"bTRC")}
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for key, value in tags.items():
        table += key + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    space = b"GRAY" if gray else b"RGB "
    header = struct.pack(">I4sI4s4s4s12x4s28x3I", start + len(body), b"test", 0x02200000, b"mntr", space, b"XYZ ",
                         b"acsp", 63190, 65536, 54061)
    return header + bytes(128 - len(header)) + table + body


def expected(values, primaries, exponent):
    """Direct computation through XYZ, each with its white at D65."""
    def matrix(xy):
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in np.reshape(xy, (4, 2))])
        return columns[1:].T * np.linalg.solve(columns[1:].T, columns[0])

    linear = (values / 255) ** exponent
    if values.shape[-1] == 3:
        linear = linear @ (np.linalg.inv(matrix(PRIMARIES[1])) @ matrix(primaries)).T
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "avif", "jp2"])
def test_profiles_are_converted_kept_or_refused_in_every_format(tmp_path, suffix):
    """Fault 10: ICC profiles were dropped in silence."""
    icc, path = profile(P3, 1.8), tmp_path / f"a.{suffix}"
    # Pairs of one image, with and without the profile: what the format loses is in both.
    pixels = np.kron(PIXELS, np.ones((8, 8, 1), np.uint8))
    options = {"jpg": {"quality": 95}, "webp": {"lossless": True}, "avif": {"quality": 95}}.get(suffix, {})
    Image.fromarray(pixels).save(path, **options)
    plain = read_image(path)
    Image.fromarray(pixels).save(path, icc_profile=icc, **options)
    if suffix == "jp2":  # which Pillow writes without: put it into the header by hand
        data = path.read_bytes()
        place = data.index(b"colr") - 4
        (length,) = struct.unpack(">I", data[place : place + 4])
        box = struct.pack(">I", 11 + len(icc)) + b"colr\x02\0\0" + icc
        header = data.index(b"jp2h") - 4
        (whole,) = struct.unpack(">I", data[header : header + 4])
        data = data[:place] + box + data[place + length :]
        path.write_bytes(data[:header] + struct.pack(">I", whole + len(box) - length) + data[header + 4 :])
    data = read_image_data(path)
    assert np.abs(data.pixels - expected(plain, P3, 1.8)).max() < 3
    assert data.notes == ("colors are converted from test to sRGB",) and data.profile is None
    kept = read_image_data(path, color="keep")
    np.testing.assert_array_equal(kept.pixels, plain)
    assert kept.profile == icc and kept.notes == ()
    with pytest.raises(ValueError, match="not sRGB, but of the profile 'test'"):
        read_image(path, color="refuse")


def test_profiles_of_srgb_change_nothing(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png", icc_profile=SRGB)
    data = read_image_data(tmp_path / "a.png", color="refuse")
    np.testing.assert_array_equal(data.pixels, PIXELS)
    assert data.notes == ()


@pytest.mark.parametrize("icc", [profile(PRIMARIES[1], 1.0, gray=True), profile(P3, 1.0)])
def test_gray_values_are_converted_by_gray_and_by_color_profiles(tmp_path, icc):
    gray = PIXELS[:, :, :1]
    Image.fromarray(gray[:, :, 0]).save(tmp_path / "a.png", icc_profile=icc)
    data = read_image_data(tmp_path / "a.png")
    assert data.pixels.shape == gray.shape and np.abs(data.pixels - expected(gray, P3, 1.0)).max() < 2


def test_profiles_that_cannot_be_used_are_refused(tmp_path):
    for icc, words in ((b"nothing", "damaged"), (profile(P3, 1.0, gray=True), "another color model")):
        Image.fromarray(PIXELS).save(tmp_path / "a.png", icc_profile=icc)
        with pytest.raises(ValueError, match=words):
            read_image(tmp_path / "a.png")
        np.testing.assert_array_equal(read_image(tmp_path / "a.png", color="keep"), PIXELS)


def test_deep_images_with_profiles_are_refused_unless_they_are_srgb(tmp_path):
    import zlib

    deep = PIXELS.astype(np.uint16) * 257
    for icc, right in ((SRGB, True), (profile(P3, 1.8), False)):
        chunk = (b"iCCP", b"test\0\0" + zlib.compress(icc))
        (tmp_path / "a.png").write_bytes(png(deep, 16, 2, chunks=[chunk]))
        if right:
            np.testing.assert_array_equal(read_image(tmp_path / "a.png"), deep)
        else:
            with pytest.raises(ValueError, match="16 bits a channel and the color profile 'test'"):
                read_image(tmp_path / "a.png")
            np.testing.assert_array_equal(read_image(tmp_path / "a.png", color="keep"), deep)


def chunks(gamma=None, primaries=None):
    found = [] if gamma is None else [(b"gAMA", struct.pack(">I", round(gamma * 1e5)))]
    return found + ([] if primaries is None else [(b"cHRM", struct.pack(">8I", *(round(v * 1e5) for v in primaries)))])


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("gamma, primaries", [(1.0, None), (1 / 1.8, P3), (0.55, PRIMARIES[9])])
def test_gamma_and_primaries_of_png(tmp_path, depth, channels, gamma, primaries):
    """Fault 10: gAMA and cHRM were dropped in silence."""
    values = PIXELS[:, :, :channels].astype(np.uint16) * (257 if depth == 16 else 1)
    (tmp_path / "a.png").write_bytes(png(values, depth, KIND[channels], chunks=chunks(gamma, primaries)))
    data = read_image_data(tmp_path / "a.png")
    right = expected(PIXELS[:, :, :channels], primaries or PRIMARIES[1], 1 / (round(gamma * 1e5) / 1e5))
    assert np.abs(data.pixels / (257 if depth == 16 else 1) - right).max() < (0.51 if depth == 8 else 0.02)
    assert "gamma" in data.notes[0]
    with pytest.raises(ValueError, match="not sRGB"):
        read_image(tmp_path / "a.png", color="refuse")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", color="keep"), values)


@pytest.mark.parametrize("extra", [chunks(0.45455), chunks(0.45455, PRIMARIES[1]), chunks(None, PRIMARIES[1]),
                                   [(b"sRGB", b"\0"), *chunks(1.0, P3)], [(b"cICP", bytes((1, 13, 0, 1)))]])
def test_headers_of_srgb_change_nothing(tmp_path, extra):
    (tmp_path / "a.png").write_bytes(png(PIXELS, 8, 2, chunks=extra))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", color="refuse"), PIXELS)


@pytest.mark.parametrize("transfer, name", [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_refused_by_name(tmp_path, transfer, name):
    """Fault 10: an HDR PNG was read as sRGB."""
    deep = PIXELS.astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(png(deep, 16, 2, chunks=[(b"cICP", bytes((9, transfer, 0, 1)))]))
    with pytest.raises(ValueError, match=rf"high dynamic range \({name}\)"):
        read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", color="keep"), deep)


def test_display_p3_by_code_points(tmp_path):
    (tmp_path / "a.png").write_bytes(png(PIXELS, 8, 2, chunks=[(b"cICP", bytes((12, 13, 0, 1)))]))
    linear = np.where(PIXELS / 255 <= 0.04045, PIXELS / 255 / 12.92, ((PIXELS / 255 + 0.055) / 1.055) ** 2.4)
    right = expected(255 * linear, P3, 1.0)
    assert np.abs(read_image(tmp_path / "a.png") - right).max() < 0.51
    (tmp_path / "a.png").write_bytes(png(PIXELS, 8, 2, chunks=[(b"cICP", bytes((5, 13, 0, 1)))]))
    with pytest.raises(ValueError, match=r"code points 5, 13\) is not read"):
        read_image(tmp_path / "a.png")


def test_cmyk_is_converted_with_its_profile_or_by_the_formula(tmp_path):
    image = Image.fromarray(RNG.integers(0, 256, (5, 7, 4), dtype=np.uint8), "CMYK")
    image.save(tmp_path / "a.tif")
    data = read_image_data(tmp_path / "a.tif")
    np.testing.assert_array_equal(data.pixels, np.asarray(image.convert("RGB")))
    assert "CMYK without a profile" in data.notes[0]
    with pytest.raises(ValueError, match="CMYK"):
        read_image(tmp_path / "a.tif", color="keep")


def test_white_points_are_adapted():
    """White stays white, whatever it was."""
    space = ColorSpace("", (0.3457, 0.3585, *P3[2:]), 2.2)
    white = np.full((1, 1, 3), 65535, np.uint16)
    assert np.abs(space_to_srgb(white, space).astype(int) - 65535).max() <= 1
    with pytest.raises(ValueError, match="primaries are none"):
        space_to_srgb(white, space._replace(primaries=(0.3, 0.3, 0.6, 0, 0.3, 0.6, 0.1, 0.1)))


def test_the_curve_of_srgb_is_undone_and_is_that_with_gradients():
    values = np.linspace(0, 1, 101)
    linear = color_spaces.linear_from_srgb(values)
    np.testing.assert_allclose(linear, curves.linear_from_srgb(values), rtol=1e-12)
    np.testing.assert_allclose(color_spaces.srgb_from_linear(linear), values, atol=1e-7)  # its pieces meet that closely
