"""Formats, depths, color models, alpha and orientations: read right, or refused in a sentence.

What is right is known without the reader: the pixels that were written by an encoder of another make (tifffile, NumPy,
or the few lines of PNG here), or, of lossy formats, Pillow's own decoding.
"""

import struct
import time
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from rdr.data import image_decoders, image_headers
from rdr.data.image_io import read_image, read_image_data, read_image_header

RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65536, (5, 7, 4), dtype=np.uint16)
KIND = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> PNG's color type


def png(samples, depth, kind, *, chunks=(), filters=(0,), interlaced=False):
    """A PNG file of samples [height, width, channels], with any filter, written byte by byte."""
    height, width, channels = samples.shape

    def packed(row):
        if depth == 16:
            return row.astype(">u2").tobytes()
        bits = (row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1
        return np.packbits(bits.astype(np.uint8)).tobytes()

    def filtered(part):
        step, last, out = max(1, channels * depth // 8), None, b""
        for number, row in enumerate(part):
            line = packed(row)
            last = bytes(len(line)) if last is None else last
            kind = filters[number % len(filters)]
            left = bytes(step) + line
            corner = bytes(step) + last
            coded = bytearray()
            for i, value in enumerate(line):
                a, b, c = left[i], last[i], corner[i]
                p = a + b - c
                paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
                coded.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
            out += bytes([kind]) + bytes(coded)
            last = line
        return out

    if interlaced:
        passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
        parts = [samples[top::down, left::right] for top, left, down, right in passes]
        rows = b"".join(filtered(part) for part in parts if part.size)
    else:
        rows = filtered(samples)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    parts = ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_all_color_types(tmp_path, channels, depth, interlaced):
    """Fault 9: 16-bit gray with alpha became 8-bit color, 16-bit color was cut to 8 bits."""
    samples = DEEP[:, :, :channels].copy() >> (16 - depth)
    if channels in (2, 4):
        samples[:, :, -1] = 2**depth - 1
    path = tmp_path / "a.png"
    path.write_bytes(png(samples, depth, KIND[channels], filters=(0, 1, 2, 3, 4), interlaced=interlaced))
    colors = samples[:, :, :-1] if channels in (2, 4) else samples
    image = read_image(path)
    assert image.dtype == (np.uint16 if depth == 16 else np.uint8)
    np.testing.assert_array_equal(image, colors)
    np.testing.assert_array_equal(read_image(path, depth="eight"),
                                  np.floor(colors / (257 if depth == 16 else 1) + 0.5).astype(np.uint8))
    header = read_image_header(path)
    assert (header.height, header.width, header.depth, header.alpha) == (5, 7, depth, channels in (2, 4))
    if channels in (2, 4):
        samples[2, 3, -1] -= 1
        path.write_bytes(png(samples, depth, KIND[channels]))
        with pytest.raises(ValueError, match="transparent in places"):
            read_image(path)
        np.testing.assert_array_equal(read_image(path, alpha="drop"), colors)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_png_with_a_transparent_color(tmp_path, depth, channels):
    """Fault 9: a 16-bit PNG with a tRNS key was read as opaque."""
    if channels == 3 and depth < 8:
        pytest.skip("PNG has no color of fewer than 8 bits")
    samples = DEEP[:, :, :channels] >> (16 - depth)
    scaled = samples.astype(int) * (65535 if depth == 16 else 255) // (2**depth - 1)
    for key, transparent in ((samples[1, 1], True), (samples[1, 1] + 1, False)):
        if not transparent and depth < 8:
            continue  # every value occurs
        path = tmp_path / "a.png"
        path.write_bytes(png(samples, depth, KIND[channels], chunks=[(b"tRNS", key.astype(">u2").tobytes())]))
        if transparent:
            with pytest.raises(ValueError, match="transparent in places"):
                read_image(path)
        np.testing.assert_array_equal(read_image(path, alpha="drop" if transparent else "refuse"), scaled)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_palettes(tmp_path, depth):
    palette = RNG.integers(0, 256, (2**depth, 3), np.uint8)
    samples = (DEEP[:, :, :1] >> (16 - depth)).astype(np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(png(samples, depth, 3, chunks=[(b"PLTE", palette.tobytes())]))
    np.testing.assert_array_equal(read_image(path), palette[samples[:, :, 0]])
    transparency = b"\xff" * int(samples[2, 2, 0]) + b"\xfe"
    path.write_bytes(png(samples, depth, 3, chunks=[(b"PLTE", palette.tobytes()), (b"tRNS", transparency)]))
    with pytest.raises(ValueError, match="transparent in places"):
        read_image(path)


@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
@pytest.mark.parametrize("maximum", [15, 255, 1000, 65535])
def test_pnm_of_all_depths(tmp_path, kind, maximum):
    """Fault 9: 16-bit PPM was cut to 8 bits, so that `evaluate` printed 54.02 dB where 59.00 is true."""
    values = DEEP[:, :, : 3 if kind in ("P3", "P6") else 1].astype(int) % (maximum + 1)
    values.flat[0] = maximum
    if kind in ("P2", "P3"):
        body = "\n".join(" ".join(map(str, row.ravel())) for row in values).encode()
    else:
        body = values.astype(">u2" if maximum > 255 else np.uint8).tobytes()
    path = tmp_path / "a.ppm"
    path.write_bytes(f"{kind}\n# a comment\n7 5\n{maximum}\n".encode() + body)
    full = 255 if maximum <= 255 else 65535
    image = read_image(path)
    assert image.dtype == (np.uint8 if full == 255 else np.uint16)
    np.testing.assert_array_equal(image, np.floor(values * full / maximum + 0.5))
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(ValueError, match=r"a\.ppm cannot be read as an image"):
        read_image(path)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_by_planes_and_by_pixels(tmp_path, depth, planar, order, compression):
    """Fault 9: planar 16-bit TIFF gave wrong pixels."""
    values = (DEEP[:, :, :3] >> (16 - depth)).astype(np.uint16 if depth == 16 else np.uint8)
    path = tmp_path / "a.tif"
    stored = np.moveaxis(values, -1, 0) if planar == "separate" else values
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, byteorder=order, compression=compression)
    image = read_image(path)
    assert image.dtype == values.dtype
    np.testing.assert_array_equal(image, values)
    assert read_image_header(path).depth == depth


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("depth", [8, 16])
def test_tiff_of_gray(tmp_path, photometric, depth):
    values = (DEEP[:, :, 0] >> (16 - depth)).astype(np.uint16 if depth == 16 else np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric=photometric)
    expected = values if photometric == "minisblack" else np.iinfo(values.dtype).max - values
    np.testing.assert_array_equal(read_image(path)[:, :, 0], expected)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
def test_tiff_with_alpha(tmp_path, depth, extra):
    values = (DEEP >> (16 - depth)).astype(np.uint16 if depth == 16 else np.uint8)
    values[:, :, 3] = np.iinfo(values.dtype).max
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="rgb", extrasamples=[extra])
    np.testing.assert_array_equal(read_image(path), values[:, :, :3])
    values[0, 0] = 0
    tifffile.imwrite(path, values, photometric="rgb", extrasamples=[extra])
    with pytest.raises(ValueError, match="transparent in places"):
        read_image(path)


@pytest.mark.parametrize("values", [np.ones((5, 7), np.float32), np.ones((5, 7), np.uint32), np.ones((5, 7), np.int16),
                                    np.ones((2, 5, 7), np.uint8), np.ones((2, 5, 7), np.uint16)])
def test_tiff_of_other_numbers_is_refused(tmp_path, values):
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    with pytest.raises(ValueError, match=r"a\.tif cannot be read as an image \(.*(is not read|integers|2 images)"):
        read_image(tmp_path / "a.tif")


def test_a_cielab_tiff_is_converted_and_not_called_transparent(tmp_path):
    """Fault 9: a CIELAB TIFF was called transparent."""
    lab = np.stack([RNG.integers(30, 90, (5, 7)), RNG.integers(-15, 15, (5, 7)), RNG.integers(-15, 15, (5, 7))], -1)
    stored = np.stack([np.round(lab[..., 0] * 2.55), lab[..., 1] % 256, lab[..., 2] % 256], -1).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="cielab")
    data = read_image_data(tmp_path / "a.tif")
    # CIE's formulas, D50, and the matrix from XYZ (D50, Bradford) to linear sRGB as Lindbloom lists it.
    f = np.stack([(np.round(lab[..., 0] * 2.55) / 2.55 + 16) / 116] * 3, -1)
    f[..., 0] += lab[..., 1] / 500
    f[..., 2] -= lab[..., 2] / 200
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2) * [0.9642, 1.0, 0.8249]
    linear = np.clip(xyz @ np.array([[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540],
                                     [0.0719453, -0.2289914, 1.4052427]]).T, 0, 1)
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(data.pixels - expected).max() < 2
    assert data.notes == ("colors are converted from CIELAB to sRGB",)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "avif", "deep.tif"])
def test_images_are_turned_upright_in_every_format(tmp_path, orientation, suffix):
    if suffix == "jpg":
        pixels = np.kron(RNG.integers(0, 2, (2, 3), np.uint8) * 255, np.ones((16, 16), np.uint8))
    else:
        pixels = RNG.integers(0, 256, (5, 7), np.uint8)
    pixels = np.repeat(pixels[..., None], 3, -1)
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    if suffix == "deep.tif":
        tifffile.imwrite(path, pixels.astype(np.uint16) * 257, photometric="rgb",
                         extratags=[(0x0112, 3, 1, orientation, False)])
    else:
        options = {"webp": {"lossless": True}, "avif": {"quality": 100, "subsampling": "4:4:4"}}.get(suffix, {})
        Image.fromarray(pixels).save(path, exif=exif, **options)
    turned = {1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1], 5: pixels.swapaxes(0, 1),
              6: np.rot90(pixels, -1), 7: np.rot90(pixels, 2).swapaxes(0, 1), 8: np.rot90(pixels)}[orientation]
    image = read_image(path, depth="eight")
    assert image.shape == turned.shape
    assert np.abs(image.astype(int) - turned).max() <= (8 if suffix in ("jpg", "avif") else 0)
    header = read_image_header(path)
    assert (header.height, header.width) == turned.shape[:2] and header.orientation == orientation
    if orientation > 1:
        with pytest.raises(ValueError, match=f"not stored upright, its EXIF orientation is {orientation}"):
            read_image(path, orientation="refuse")


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif", "jp2", "bmp", "gif", "jxl"])
def test_lossy_and_simple_formats_are_read_as_pillow_reads_them(tmp_path, suffix):
    if suffix == "jxl":
        pytest.importorskip("pillow_jxl")
    pixels = (DEEP[:, :, :3] >> 8).astype(np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path)
    with Image.open(path) as image:
        np.testing.assert_array_equal(read_image(path), np.asarray(image.convert("RGB")))
    assert read_image_header(path).depth == 8


@pytest.mark.parametrize("suffix", ["webp", "avif", "jp2", "jxl", "gif", "png"])
def test_transparency_is_seen_in_every_format(tmp_path, suffix):
    if suffix == "jxl":
        pytest.importorskip("pillow_jxl")
    pixels = np.full((16, 16, 4), 255, np.uint8)
    pixels[:, :, :3] = 90
    path = tmp_path / f"a.{suffix}"
    options = {} if suffix == "gif" else {"lossless": True} if suffix in ("webp", "jxl") else {}
    for transparent in (False, True):
        pixels[:8, :, 3] = 0 if transparent else 255
        Image.fromarray(pixels).save(path, **options)
        if transparent:
            with pytest.raises(ValueError, match="transparent in places"):
                read_image(path)
        else:
            assert np.abs(read_image(path).astype(int) - 90).max() <= 1


def test_deep_jpeg_2000_is_exact_in_gray_and_refused_in_color(tmp_path):
    deep = DEEP[:, :, 0]
    Image.fromarray(deep).save(tmp_path / "a.jp2", irreversible=False)
    image = read_image(tmp_path / "a.jp2")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image[:, :, 0], deep)
    Image.fromarray(DEEP[:, :, :3].astype(np.uint8)).save(tmp_path / "b.jp2", irreversible=False)
    data = bytearray((tmp_path / "b.jp2").read_bytes())
    size = data.index(b"\xff\x51")
    for i in range(3):
        data[size + 40 + 3 * i] = 15  # the header says 16 bits
    assert data[size + 38 : size + 40] == b"\x00\x03"
    (tmp_path / "b.jp2").write_bytes(bytes(data))
    assert read_image_header(tmp_path / "b.jp2").depth == 16
    with pytest.raises(ValueError, match=r"b\.jp2 cannot be read .*16 bits a channel"):
        read_image(tmp_path / "b.jp2")


def test_deep_avif_is_refused_or_read_as_eight_bits(tmp_path):
    pixels = np.full((16, 16, 3), 100, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.avif", quality=100)
    data = bytearray((tmp_path / "a.avif").read_bytes())
    data[data.index(b"av1C") + 6] |= 0x40  # high bit depth
    (tmp_path / "b.avif").write_bytes(bytes(data))  # the pixels have 8 bits, so that this one cannot be opened itself
    with Image.open(tmp_path / "a.avif") as image:
        assert image_headers.read_header(tmp_path / "a.avif", image).depth == 8
        header = image_headers.read_header(tmp_path / "b.avif", image)
        assert header.depth == 10
        with pytest.raises(ValueError, match="AVIF of 10 bits a channel cannot be read here: convert it to PNG"):
            image_decoders.decode(tmp_path / "a.avif", image, header)
        samples = image_decoders.decode(tmp_path / "a.avif", image, header, deep=False)
    assert samples.note == "10 bits a channel are read as 8" and samples.pixels.dtype == np.uint8


def test_jpeg_xl_of_sixteen_bits_says_so(tmp_path):
    pytest.importorskip("pillow_jxl")
    Image.fromarray(DEEP[:, :, 0]).save(tmp_path / "a.jxl", lossless=True)
    assert read_image_header(tmp_path / "a.jxl").depth == 16
    # The plug-in says of them that they are linear.
    np.testing.assert_array_equal(read_image(tmp_path / "a.jxl", color="keep")[:, :, 0], DEEP[:, :, 0])


def test_of_a_cameras_several_images_the_first_is_read(tmp_path):
    """Fault 11: camera JPEGs that are MPO were refused ("holds 2 pictures")."""
    first, second = (np.full((16, 16, 3), value, np.uint8) for value in (50, 200))
    Image.fromarray(first).save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.fromarray(second)])
    data = read_image_data(tmp_path / "a.jpg")
    assert np.abs(data.pixels.astype(int) - 50).max() <= 2
    assert data.notes == ("it holds 2 images, of which the first is read",)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_other_files_of_several_images_are_refused(tmp_path, suffix):
    images = [Image.fromarray((DEEP[:, :, :3] >> 8).astype(np.uint8) + np.uint8(i)) for i in range(2)]
    images[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=images[1:], lossless=True)
    with pytest.raises(ValueError, match="it holds 2 images: give one"):
        read_image(tmp_path / f"a.{suffix}")


def test_formats_that_are_not_read_are_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.tga")
    with pytest.raises(ValueError, match="none of PNG, JPEG, TIFF"):
        read_image(tmp_path / "a.tga")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "avif", "jp2", "bmp", "gif", "ppm", "deep.png",
                                    "deep.tif"])
def test_damaged_files_are_refused_in_a_sentence(tmp_path, suffix):
    """Fault 12: damaged files gave tracebacks in `evaluate`, which knew 3 of the exceptions that decoders raise."""
    path = tmp_path / f"a.{suffix}"
    pixels = np.kron((DEEP[:, :, :3] >> 8).astype(np.uint8), np.ones((3, 3, 1), np.uint8))
    if suffix == "deep.png":
        path.write_bytes(png(pixels.astype(np.uint16) * 257, 16, 2))
    elif suffix == "deep.tif":
        tifffile.imwrite(path, pixels.astype(np.uint16) * 257, photometric="rgb", compression="zlib")
    else:
        Image.fromarray(pixels).save(path)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(1), 0
    for trial in range(60):
        data = bytearray(whole)
        if trial < 20:
            data = data[: len(data) * trial // 20]
        else:
            for place in rng.integers(0, len(data), 4):
                data[place] = rng.integers(256)
        path.write_bytes(bytes(data))
        try:
            image = read_image(path)
            assert image.dtype in (np.uint8, np.uint16) and image.ndim == 3
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
    assert refused >= 10


@pytest.mark.stress
def test_five_thousand_mutated_images_are_read_or_refused_in_a_sentence(tmp_path):
    """Fault 12: whatever a damaged file makes a decoder do, it ends in two seconds and one sentence."""
    pixels = np.kron((DEEP[:, :, :3] >> 8).astype(np.uint8), np.ones((3, 3, 1), np.uint8))
    whole, rng = {"deep.png": png(pixels.astype(np.uint16) * 257, 16, 2)}, np.random.default_rng(2)
    for suffix in ("png", "jpg", "tif", "webp", "avif", "jp2", "bmp", "gif", "ppm"):
        Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
        whole[suffix] = (tmp_path / f"a.{suffix}").read_bytes()
    tifffile.imwrite(tmp_path / "a.deep.tif", pixels.astype(np.uint16) * 257, photometric="rgb", compression="zlib")
    whole["deep.tif"] = (tmp_path / "a.deep.tif").read_bytes()
    for trial in range(5000):
        suffix = list(whole)[trial % len(whole)]
        data, kind = bytearray(whole[suffix]), rng.integers(3)
        if kind == 0:
            data = data[: rng.integers(len(data))]
        else:
            for place in rng.integers(0, len(data) if kind == 1 else min(len(data), 120), rng.integers(1, 6)):
                data[place] = rng.integers(256)
        path = tmp_path / f"x.{suffix}"
        path.write_bytes(bytes(data))
        started = time.process_time()
        try:
            read_image(path)
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error)
        assert time.process_time() - started < 2


def test_the_policy_is_checked(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    for policy in ({"color": "no"}, {"alpha": "keep"}, {"depth": 8}, {"orientation": "ignore"}):
        with pytest.raises(ValueError, match=f"{next(iter(policy))} must be one of"):
            read_image(tmp_path / "a.png", **policy)
    with pytest.raises(ValueError, match="channels must be 3"):
        read_image(tmp_path / "a.png", channels=1)
