"""Images of all kinds, in and out."""

import errno

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from rdr import files
from rdr.data import image_io

COLORS = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)


def _saved(path, image, **options):
    image.save(path, **options)
    return path


def test_color_gray_and_black_and_white(tmp_path):
    color = image_io.read_image(_saved(tmp_path / "a.png", Image.fromarray(COLORS)))
    np.testing.assert_array_equal(color, COLORS)
    gray = image_io.read_image(_saved(tmp_path / "b.png", Image.fromarray(COLORS[:, :, 0])))
    np.testing.assert_array_equal(gray, COLORS[:, :, :1])
    two = image_io.read_image(_saved(tmp_path / "c.png", Image.fromarray(COLORS[:, :, 0] > 99)))
    np.testing.assert_array_equal(two[:, :, 0], np.where(COLORS[:, :, 0] > 99, 255, 0))


def test_sixteen_bits_are_kept(tmp_path):
    deep = (COLORS[:, :, 0].astype(np.uint16) * 257) ^ 5
    got = image_io.read_image(_saved(tmp_path / "a.png", Image.fromarray(deep)))
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got[:, :, 0], deep)


def test_palettes_and_cmyk_become_color(tmp_path):
    few = Image.fromarray(COLORS // 128 * 255)
    got = image_io.read_image(_saved(tmp_path / "a.png", few.convert("P", palette=Image.Palette.ADAPTIVE)))
    np.testing.assert_array_equal(got, COLORS // 128 * 255)
    cmyk = few.convert("CMYK")
    got = image_io.read_image(_saved(tmp_path / "a.tif", cmyk))
    np.testing.assert_array_equal(got, COLORS // 128 * 255)


def test_opaque_alpha_is_dropped_and_transparency_refused(tmp_path):
    image = Image.fromarray(COLORS).convert("RGBA")
    np.testing.assert_array_equal(image_io.read_image(_saved(tmp_path / "a.png", image)), COLORS)
    image.putpixel((1, 1), (0, 0, 0, 10))
    with pytest.raises(ValueError, match="transparent"):
        image_io.read_image(_saved(tmp_path / "b.png", image))
    palette = Image.fromarray(COLORS).convert("P")
    with pytest.raises(ValueError, match="transparent"):
        image_io.read_image(_saved(tmp_path / "c.png", palette, transparency=palette.getpixel((0, 0))))


def test_images_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    path = _saved(tmp_path / "a.png", Image.fromarray(COLORS), exif=exif)
    np.testing.assert_array_equal(image_io.read_image(path), np.rot90(COLORS, -1))


def test_animations_are_refused(tmp_path):
    frames = [Image.fromarray(COLORS + np.uint8(i)) for i in range(2)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="holds 2 images"):
        image_io.read_image(tmp_path / "a.gif")


@pytest.mark.parametrize("error", [RuntimeError("damage"), ValueError("damage"), KeyError("damage")])
def test_whatever_a_damaged_file_makes_pillow_raise_is_one_sentence(tmp_path, monkeypatch, error):
    path = _saved(tmp_path / "a.png", Image.fromarray(COLORS))

    def load(*_):
        raise error

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    with pytest.raises(ValueError, match=r"a\.png cannot be read as an image .*damage"):
        image_io.read_image(path)


@pytest.mark.parametrize("name", ["a.psd", "a", "a.txt"])
def test_formats_that_cannot_be_written_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="must end like an image"):
        image_io.write_image(tmp_path / name, COLORS)


def test_what_is_no_image_is_refused(tmp_path):
    empty, text, cut = (tmp_path / name for name in ("a.png", "b.png", "c.png"))
    empty.write_bytes(b"")
    text.write_text("hello")
    whole = _saved(tmp_path / "d.png", Image.fromarray(COLORS)).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    for path, words in ((empty, "is empty"), (text, "cannot be read"), (cut, "cannot be read"),
                        (tmp_path / "none.png", "there is no file"), (tmp_path, "there is no file")):
        with pytest.raises(ValueError, match=words):
            image_io.read_image(path)


def test_files_that_may_not_be_read_are_named(tmp_path, monkeypatch):
    path = _saved(tmp_path / "a.png", Image.fromarray(COLORS))

    def locked(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(image_io.Image, "open", locked)
    with pytest.raises(ValueError, match=r"a\.png cannot be read as an image .*Permission denied"):
        image_io.read_image(path)


def test_huge_images_are_refused_before_they_are_read(tmp_path):
    path = _saved(tmp_path / "a.png", Image.new("1", (18_000, 10_000)))
    with pytest.raises(ValueError, match="exceeds limit"):
        image_io.read_image(path)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_written_and_read(tmp_path, channels):
    image_io.write_image(tmp_path / "a.png", COLORS[:, :, :channels])
    np.testing.assert_array_equal(image_io.read_image(tmp_path / "a.png"), COLORS[:, :, :channels])
    with pytest.raises(ValueError, match="must end like an image"):
        image_io.write_image(tmp_path / "a.what", COLORS)


def test_full_disks_leave_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        image_io.write_image(tmp_path / "a.png", COLORS)
    assert not list(tmp_path.iterdir())
