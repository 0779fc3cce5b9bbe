"""High dynamic range and more than 8 bits from file to message, page and file again."""

import hashlib
import json
import re

import numpy as np
import pytest
from PIL import Image

from rdr.cli import deep_images, encode_job, reports
from rdr.cli.codec_options import Config
from rdr.cli.outcome import Outcome
from rdr.codecs import overfitted
from rdr.codecs.overfitted.signals import SRGB, Signal
from rdr.data import light, linear_images
from rdr.data.color_spaces import PRIMARIES, linear_space
from rdr.data.image_io import ImageData, read_image_data
from rdr.data.png_writer import png_bytes
from tests.rdr.data.test_image_decoders import png

RNG = np.random.default_rng(0)
CODES = np.add.outer(np.arange(17) * 36, np.arange(3) * 80)[:, :, None]  # of 10 bits
DEEP = ((CODES * 65535 + 511) // 1023).astype(np.uint16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, rdr, without_fits):
    """a.png and a.rdr: gray, 17 x 3 pixels, 10 bits of PQ."""
    folder = tmp_path_factory.mktemp("deep")
    (folder / "a.png").write_bytes(png_bytes(DEEP, depth=10, code_points=(9, 16)))
    with without_fits() as asked:
        assert rdr("encode", folder / "a.png", folder / "a.rdr") == 0
    [(image, options)] = asked
    np.testing.assert_array_equal(image, DEEP)
    assert options.signal == Signal(10, "pq", "bt2020")
    return folder


def test_messages_say_what_they_hold_and_decode_to_it(folder, rdr, tmp_path, capsys):
    message = (folder / "a.rdr").read_bytes()
    pixels = overfitted.decode(message)
    assert pixels.dtype == np.uint16 and overfitted.signal_of_message(message) == Signal(10, "pq", "bt2020")
    assert rdr("info", folder / "a.rdr", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["depth"], said["transfer"], said["primaries"]) == (10, "pq", "bt2020")
    assert rdr("decode", folder / "a.rdr", tmp_path / "a.png", "--json") == 0
    found = read_image_data(tmp_path / "a.png", hdr="keep")
    assert found.depth == 10 and found.space.code_points == (9, 16)
    np.testing.assert_array_equal(found.pixels, pixels)
    for name, sentence in (("a.jpg", ".jpg cannot hold 10 bits a channel of PQ"), ("no/a.exr", "there is no folder")):
        assert rdr("decode", folder / "a.rdr", tmp_path / name, "--lossy") == 1
        assert sentence in capsys.readouterr().err and not (tmp_path / name).exists()


def test_psnrs_are_of_the_values_as_they_are_coded(folder, rdr, tmp_path, capsys, without_fits):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes((folder / "a.png").read_bytes())
    with without_fits():
        assert rdr("evaluate", tmp_path / "in", f"--workdir={tmp_path / 'out'}", "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    message = (tmp_path / "out" / "messages" / "a.rdr").read_bytes()
    assert message == (folder / "a.rdr").read_bytes()  # of the same pixels and signal
    decoded = overfitted.decode(message)
    psnr = -10 * np.log10(np.square(decoded / 65535 - DEEP / 65535).mean())
    assert said["psnr_scale"] == "pq" and said["psnr_db"] == pytest.approx(psnr)
    table = (tmp_path / "out" / "images.csv").read_text()
    assert float(table.splitlines()[-1].split(",")[3]) == pytest.approx(psnr) and "as they are coded" in table
    found = read_image_data(tmp_path / "out" / "decoded" / "a.png", hdr="keep")
    np.testing.assert_array_equal(found.pixels, decoded)
    digest = hashlib.sha256(decoded.tobytes()).hexdigest()
    assert reports.measure(DEEP, message, decoded, 1.0, scale="pq") == Outcome(
        len(message), 8 * len(message) / 51, pytest.approx(psnr), 1.0, digest, "pq")


def test_pages_say_that_they_tone_map(folder, rdr, tmp_path, capsys):
    assert rdr("view", folder / "a.rdr", f"--reference={folder / 'a.png'}", f"--out={tmp_path / 'a.html'}",
               "--metrics=psnr", "--maps=none") == 0
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    content = json.loads(re.search(r'id="content">(.*?)</script>', page, re.S)[1])
    assert [image["name"] for image in content["images"]] == ["a.rdr (tone-mapped)",
                                                              "a.png (tone-mapped) (original)"]
    assert [image["kind"] for image in content["images"]] == ["message", "png"] and "is tone-mapped" in page
    signal = Signal(10, "pq", "bt2020")
    shown = [deep_images.shown(image, signal) for image in (overfitted.decode((folder / "a.rdr").read_bytes()), DEEP)]
    psnr = -10 * np.log10(np.square(shown[0] / 255 - shown[1] / 255).mean())
    assert float(content["images"][0]["metrics"]["psnr"]) == pytest.approx(psnr, rel=1e-3)
    assert rdr("export", folder / "a.rdr", f"--html={tmp_path / 'b.html'}") == 0


def test_codecs_without_high_dynamic_range_refuse_it(folder, rdr, tmp_path, capsys):
    for words in (("--checkpoint=pretrained",), ("--checkpoint=pretrained", "--color=keep")):
        assert rdr("encode", folder / "a.png", tmp_path / "a.rdr", *words) == 1
        error = capsys.readouterr().err
        assert "has high dynamic range (PQ), which an amortized codec has not" in error and error.count("\n") == 1
    assert rdr("encode", folder / "a.png", tmp_path / "a.rdr", "--color=refuse") == 1
    assert "not sRGB, but of PQ" in capsys.readouterr().err
    assert rdr("encode", folder / "a.png", tmp_path / "a.rdr", "--depth=17") == 2
    assert "--depth must be between 8 and 16 bits" in capsys.readouterr().err
    assert rdr("encode", folder / "a.png", tmp_path / "a.rdr", "--depth=10", "--checkpoint=pretrained") == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("chunk", "depth", "signal"), [
    (None, 8, SRGB), (None, 16, Signal(16)), ((1, 13), 16, Signal(16)), ((12, 16), 8, Signal(8, "pq", "p3")),
    ((2, 18), 16, Signal(16, "hlg", "bt709")), ((9, 18), 16, Signal(16, "hlg", "bt2020")),
])  # fmt: skip
def test_files_say_what_the_codec_is_told(tmp_path, chunk, depth, signal):
    pixels = RNG.integers(0, 2**depth, (3, 4, 3), np.uint16)
    chunks = [] if chunk is None else [(b"cICP", bytes([*chunk, 0, 1]))]
    (tmp_path / "a.png").write_bytes(png(pixels, depth, 2, chunks=chunks))
    found = encode_job.read(tmp_path / "a.png", Config())
    assert found.signal == signal and found.profile is None
    np.testing.assert_array_equal(found.pixels, pixels)
    assert encode_job.read(tmp_path / "a.png", Config(depth=12)).signal == signal._replace(depth=12)


def test_wide_colors_are_kept_by_their_code_points(tmp_path):
    values = RNG.integers(0, 256, (3, 4, 3))
    (tmp_path / "a.png").write_bytes(png(values, 8, 2, chunks=[(b"cICP", bytes([12, 13, 0, 1]))]))
    assert encode_job.read(tmp_path / "a.png", Config(color="keep")).signal == Signal(8, "srgb", "p3")
    assert encode_job.read(tmp_path / "a.png", Config()).signal == SRGB  # converted
    with pytest.raises(ValueError, match="an amortized codec has only sRGB and ICC profiles"):
        encode_job.read(tmp_path / "a.png", Config(color="keep", checkpoint="pretrained"))
    (tmp_path / "b.png").write_bytes(png(values, 8, 2, chunks=[(b"cICP", bytes([9, 16, 0, 0]))]))
    with pytest.raises(ValueError, match="no RGB of full range"):
        encode_job.read(tmp_path / "b.png", Config())


def linear(pixels, *, primaries=9, white=None):
    return ImageData(np.asarray(pixels, np.float32), None, (), linear_space(PRIMARIES[primaries], white), 32)


def test_linear_light_is_coded_as_pq_and_comes_back():
    values = np.geomspace(1e-2, 99, 300).reshape(10, 10, 3)
    for white, unit in ((None, 100.0), (50.0, 50.0), (1000.0, float(np.float32(1e4 / np.float32(99))))):
        found = deep_images.coded(linear(values, white=white))
        assert found.signal == Signal(16, "pq", "bt2020", unit) and f"{unit:.6g} cd/m^2" in found.note
        assert ("beyond" in found.note) == (white == 1000.0)
        back, of_one = deep_images._as_light(found.pixels, found.signal)
        assert of_one == unit and np.abs(back / np.float32(values) - 1).max() < 3e-4  # from .1 cd/m^2 on
    assert (deep_images.coded(linear(np.zeros((2, 2, 1)))).pixels == 0).all()
    with pytest.raises(ValueError, match="primaries are none of"):
        deep_images.coded(ImageData(np.ones((2, 2, 3), np.float32), None, (), linear_space((0.32, 0.33) * 4), 32))
    # A file may say anything of its white: such messages could not be read, or were black without a word.
    with pytest.raises(ValueError, match=r"1 stands for 1e.30 cd/m.2, as the file says, and messages say up to 1e.09"):
        deep_images.coded(linear(np.zeros((2, 2, 3)), white=1e30))
    with pytest.raises(ValueError, match="brightest value is 1e-20 cd/m.2, as the file says, which PQ codes as black"):
        deep_images.coded(linear(np.ones((2, 2, 3)), white=1e-20))


def test_openexr_from_end_to_end(rdr, tmp_path, capsys, without_fits):
    pytest.importorskip("OpenImageIO", reason="the extra hdr is not installed")
    values = (light.luminance_from_pq(DEEP / 65535) / 50).astype(np.float32)
    (tmp_path / "a.exr").write_bytes(linear_images.linear_bytes(".exr", values, linear_space(PRIMARIES[9], 50.0)))
    with without_fits() as asked:
        assert rdr("encode", tmp_path / "a.exr", tmp_path / "a.rdr") == 0
    assert np.abs(asked[0][0] - DEEP.astype(float)).max() <= 1  # PQ of linear light in float32
    shown = capsys.readouterr()
    assert "coded as PQ of 16 bits, with 1 as 50 cd/m^2" in shown.err and "dB of PQ values" in shown.out
    assert rdr("decode", tmp_path / "a.rdr", tmp_path / "b.exr") == 0
    found = read_image_data(tmp_path / "b.exr", hdr="keep")
    assert found.space.code_points == (9, 8) and found.space.white_luminance == 50.0
    decoded = overfitted.decode((tmp_path / "a.rdr").read_bytes())
    np.testing.assert_allclose(found.pixels, light.luminance_from_pq(decoded / 65535) / 50, rtol=1e-6)
    assert rdr("decode", tmp_path / "a.rdr", tmp_path / "b.hdr") == 1
    assert ".hdr holds red, green and blue of BT.709: write .exr" in capsys.readouterr().err
    assert rdr("encode", tmp_path / "a.exr", tmp_path / "c.rdr", "--checkpoint=pretrained") == 1
    values[3, 1] = -1
    (tmp_path / "c.exr").write_bytes(linear_images.linear_bytes(".exr", values, linear_space(PRIMARIES[9])))
    assert rdr("encode", tmp_path / "c.exr", tmp_path / "c.rdr") == 1
    assert "1 of its values are negative, down to -1" in capsys.readouterr().err
    with without_fits() as asked:
        assert rdr("encode", tmp_path / "c.exr", tmp_path / "c.rdr", "--negative=clip") == 0
    assert asked[0][0][3, 1] == 0
    assert "1 negative values, down to -1, are set to 0" in capsys.readouterr().err
    with pytest.raises(ValueError, match="HLG, which depends on a display: write .png"):
        deep_images.file_bytes(DEEP, ".exr", Signal(10, "hlg"))


def test_folders_keep_images_of_other_values_apart(instant_fits, rdr, tmp_path):
    from rdr.cli import encode

    shapes = {"a": (17, 3, 1, 0, SRGB), "b": (17, 3, 1, 0, Signal(10, "pq")), "c": (17, 3, 1, 0, SRGB)}
    assert sorted(encode._batches(shapes, Config())) == [["a", "c"], ["b"]]
    (tmp_path / "in").mkdir()
    for name, points in (("a", (9, 16)), ("b", (9, 18)), ("c", None)):
        (tmp_path / "in" / f"{name}.png").write_bytes(png_bytes(DEEP, code_points=points))
    assert rdr("encode", tmp_path / "in", tmp_path / "out") == 0 and len(instant_fits) == 3
    (tmp_path / "in" / "a.png").write_bytes(png_bytes(DEEP, code_points=(9, 18)))  # the same numbers are other light
    assert rdr("encode", tmp_path / "in", tmp_path / "out") == 1


def test_what_is_shown_of_deep_values():
    image = RNG.integers(0, 65536, (6, 5, 3), np.uint16)
    np.testing.assert_array_equal(deep_images.shown(image, Signal(16)), np.floor(image / 257 + 0.5))
    white = np.full((1, 1, 3), 65535, np.uint16)
    assert (deep_images.shown(white, Signal(16, "srgb", "p3")) == 255).all()
    codes = np.floor(65535 * light.pq_from_luminance(np.array([0, 101.5, 203, 1e4])) + 0.5)
    pq = codes.astype(np.uint16)[None, :, None]
    assert deep_images.shown(pq, Signal(16, "pq", "bt2020")).ravel().tolist() == [0, 188, 225, 254]
    # Of linear light, a value of 1 is white, whatever its luminance.
    assert deep_images.shown(pq, Signal(16, "pq", "bt2020", 101.5)).ravel().tolist()[:2] == [0, 225]


def test_other_images_are_read_as_ever(tmp_path):
    Image.fromarray(np.full((4, 4), 77, np.uint8)).save(tmp_path / "a.png")
    pixels, bent = deep_images.read_shown(tmp_path / "a.png")
    assert not bent and (pixels == 77).all()
