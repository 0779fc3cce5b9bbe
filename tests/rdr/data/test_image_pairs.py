"""Folders of images: what is paired, what is read, and what is refused in which words."""

import numpy as np
import pytest
from PIL import Image

from rdr.data.color_spaces import PRIMARIES, linear_space
from rdr.data.image_io import read_image
from rdr.data.image_pairs import Light, as_float, file_digest, pair_folders, read_light
from rdr.data.linear_images import linear_bytes

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


def save(path, pixels=PIXELS, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def folders(tmp_path, names=("a.png", "b.png"), others=("a.jpg", "b.jpg")):
    for name in names:
        save(tmp_path / "ref" / name)
    for name in others:
        save(tmp_path / "cand" / name)
    return str(tmp_path / "ref"), str(tmp_path / "cand")


def test_images_are_paired_by_name_and_lossy_files_are_their_own_messages(tmp_path):
    reference, candidate = folders(tmp_path)
    (tmp_path / "ref" / "notes.txt").write_text("not an image")
    pairs = pair_folders(reference, candidate)
    assert [pair.name for pair in pairs] == ["a", "b"] and (pairs[0].height, pairs[0].width) == (12, 16)
    assert pairs[0].bits == 8 * (tmp_path / "cand" / "a.jpg").stat().st_size
    np.testing.assert_array_equal(read_image(pairs[0].reference), PIXELS)


def test_decoded_images_have_a_rate_only_with_their_messages(tmp_path):
    reference, candidate = folders(tmp_path, others=("a.png", "b.png"))
    assert pair_folders(reference, candidate)[0].bits is None
    (tmp_path / "bits").mkdir()
    (tmp_path / "bits" / "a.bin").write_bytes(b"12345")
    with pytest.raises(ValueError, match="--bitstreams: there is no file for b in"):
        pair_folders(reference, candidate, str(tmp_path / "bits"))
    (tmp_path / "bits" / "b.bin").write_bytes(b"1")
    assert [pair.bits for pair in pair_folders(reference, candidate, str(tmp_path / "bits"))] == [40, 8]
    with pytest.raises(ValueError, match="--bitstreams: there is no folder"):
        pair_folders(reference, candidate, str(tmp_path / "none"))


def test_gray_palette_and_opaque_images_are_read_as_color(tmp_path):
    gray = PIXELS[..., 0]
    save(tmp_path / "gray.png", gray)
    np.testing.assert_array_equal(read_image(tmp_path / "gray.png", channels=3), np.repeat(gray[..., None], 3, 2))
    opaque = np.concatenate([PIXELS, np.full((12, 16, 1), 255, np.uint8)], 2)
    save(tmp_path / "opaque.png", opaque)
    np.testing.assert_array_equal(read_image(tmp_path / "opaque.png"), PIXELS)
    opaque[3, 4, 3] = 200
    save(tmp_path / "glass.png", opaque)
    with pytest.raises(ValueError, match=r"glass.png cannot be read .*transparent in places"):
        read_image(tmp_path / "glass.png")
    assert as_float(np.uint8([0, 255])).tolist() == [0.0, 1.0] and as_float(np.uint8([7])).dtype == np.float32
    assert as_float(np.uint16([0, 65535])).tolist() == [0.0, 1.0] and as_float(np.uint16([7])).dtype == np.float32


def test_unpaired_images_are_named(tmp_path):
    reference, candidate = folders(tmp_path, names=("a.png", "b.png", "c.png"))
    with pytest.raises(ValueError, match="there is no candidate for c$"):
        pair_folders(reference, candidate)
    with pytest.raises(ValueError, match="there is no reference for c$"):
        pair_folders(candidate, reference)
    save(tmp_path / "cand" / "c_decoded.png")
    with pytest.raises(ValueError, match=r"there is no candidate for c \(but there is c_decoded\)$"):
        pair_folders(reference, candidate)
    (tmp_path / "cand" / "c_decoded.png").unlink()
    for i in range(7):
        save(tmp_path / "ref" / f"x{i}.png")
    with pytest.raises(ValueError, match="no candidate for c, x0, x1, x2, x3 and 3 more"):
        pair_folders(reference, candidate)


def test_other_faults_are_told_in_words(tmp_path):
    reference, candidate = folders(tmp_path)
    save(tmp_path / "cand" / "b.jpg", PIXELS[:10])
    with pytest.raises(ValueError, match=r"b.png has 16 x 12 pixels \(width x height\) and .*b.jpg has 16 x 10"):
        pair_folders(reference, candidate)
    (tmp_path / "cand" / "b.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="b.jpg is empty"):
        pair_folders(reference, candidate)
    (tmp_path / "cand" / "b.jpg").write_bytes(b"this is text")
    with pytest.raises(ValueError, match="b.jpg cannot be read as an image"):
        pair_folders(reference, candidate)
    save(tmp_path / "cand" / "b.png")
    (tmp_path / "cand" / "b.jpg").unlink()
    save(tmp_path / "cand" / "b.webp")
    with pytest.raises(ValueError, match="--candidate: b.png and b.webp in .* have one name"):
        pair_folders(reference, candidate)
    with pytest.raises(ValueError, match="--candidate: there is no folder ''"):
        pair_folders(reference, "")


def test_deep_and_turned_images_are_paired_by_their_upright_sizes(tmp_path):
    """Fault 9, 26: `evaluate` refused files of 16 bits, and photographs that are stored turned."""
    reference, candidate = folders(tmp_path, names=("a.png", "b.png"), others=())
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "cand" / "a.jpg", np.swapaxes(PIXELS, 0, 1), exif=exif)
    save(tmp_path / "cand" / "b.png", PIXELS[..., 0].astype(np.uint16) * 257)
    pairs = pair_folders(reference, candidate)
    assert [(pair.height, pair.width) for pair in pairs] == [(12, 16)] * 2
    assert len(file_digest(pairs[0].reference)) == 64


def write_light(path, pixels, *, primaries=1, white=None):
    pytest.importorskip("OpenImageIO", reason="the extra hdr is not installed")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(linear_bytes(path.suffix, np.float32(pixels), linear_space(PRIMARIES[primaries], white)))


def test_linear_light_comes_in_candelas_and_in_the_display_s_primaries(tmp_path):
    rng = np.random.default_rng(0)
    light = rng.uniform(0.1, 2.0, (5, 4, 3)).astype(np.float32)
    write_light(tmp_path / "ref/a.exr", light)
    write_light(tmp_path / "cand/a.exr", light, white=50.0)
    [pair] = pair_folders(str(tmp_path / "ref"), str(tmp_path / "cand"), light=Light(unit=200.0))
    assert pair.light == Light(unit=200.0) and (pair.height, pair.width) == (5, 4)
    reference, candidate = pair.load()
    np.testing.assert_allclose(reference, 200 * light, rtol=1e-6)
    np.testing.assert_allclose(candidate, 50 * light, rtol=1e-6)
    # BT.709 in BT.2020 (BT.2087, with more digits): gray stays, red becomes 0.6274, 0.0691, 0.0164.
    write_light(tmp_path / "red.exr", [[[1, 0, 0], [2, 2, 2]]])
    found = read_light(tmp_path / "red.exr", Light("bt2020", 1.0))
    np.testing.assert_allclose(found[0], [[0.6274, 0.0691, 0.0164], [2, 2, 2]], atol=1e-4)
    write_light(tmp_path / "gray.exr", [[[3.0], [1.0]]])
    np.testing.assert_allclose(read_light(tmp_path / "gray.exr", Light("p3", 1.0))[0], [[3] * 3, [1] * 3], rtol=1e-6)


def test_colors_that_the_display_lacks_mixed_kinds_and_no_light_are_refused(tmp_path):
    write_light(tmp_path / "wide.exr", [[[0, 1, 0], [1, 1, 1]]], primaries=9)
    with pytest.raises(ValueError, match=r"wide.exr has 1 pixels .* the display's primaries \(bt709\) do not"):
        read_light(tmp_path / "wide.exr", Light())
    assert read_light(tmp_path / "wide.exr", Light(negative="clip")).min() == 0
    save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="a.png holds no linear light"):
        read_light(tmp_path / "a.png", Light())
    save(tmp_path / "ref/a.png")
    write_light(tmp_path / "cand/a.exr", np.ones((12, 16, 3)))
    folders = str(tmp_path / "ref"), str(tmp_path / "cand")
    with pytest.raises(ValueError, match=r"of one kind, but .*a.png holds coded values and .*a.exr linear light"):
        pair_folders(*folders, light=Light())
    with pytest.raises(ValueError, match="high dynamic range"):
        pair_folders(*folders)
    write_light(tmp_path / "ref/a.exr", np.ones((12, 15, 3)))
    (tmp_path / "ref/a.png").unlink()
    with pytest.raises(ValueError, match="images of a pair must have one size"):
        pair_folders(*folders, light=Light())
