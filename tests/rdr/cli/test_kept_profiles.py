"""Colors that are kept: from the image's profile into the message, and from the message into the decoded image."""

import json
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from rdr.bitstream import container
from rdr.cli import encode, encode_job, study_make
from rdr.cli.codec_options import Config
from rdr.cli.encode_job import Source
from rdr.codecs import overfitted, profiled
from rdr.data.color_spaces import Profile
from rdr.data.image_io import read_image, read_image_data
from tests.rdr.data.test_color_spaces import P3, SRGB, profile
from tests.rdr.data.test_image_decoders import png

ICC, GRAY = profile(P3, 1.8), profile(P3, 1.8, gray=True)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def kept(tmp_path_factory, rdr, small_image, without_fits):
    """A folder with in.png, the image of `encoded` with a profile, and out.rdr, its message."""
    folder = tmp_path_factory.mktemp("kept")
    Image.fromarray(small_image).save(folder / "in.png", icc_profile=GRAY)
    with without_fits():  # whose messages say which pixels they are of
        assert rdr("encode", folder / "in.png", folder / "out.rdr", "--color=keep") == 0
    return folder


def test_the_values_are_coded_as_they_are_and_the_profile_comes_back(kept, encoded, rdr, tmp_path, capsys):
    """Fault 10: profiles can be kept."""
    message, plain = ((folder / "out.rdr").read_bytes() for folder in (kept, encoded))
    assert profiled.split(message) == (plain, GRAY)
    for suffix in ("png", "tif", "webp"):
        Image.fromarray(np.zeros((1, 1), np.uint8)).save(tmp_path / f"a.{suffix}")
        assert rdr("decode", kept / "out.rdr", tmp_path / f"a.{suffix}") == 0
        written = read_image_data(tmp_path / f"a.{suffix}", color="keep")
        assert written.profile == GRAY
        np.testing.assert_array_equal(written.pixels[:, :, :1], overfitted.decode(plain))
    for suffix, lossy in (("bmp", ()), ("pgm", ("--lossy",))):
        assert rdr("decode", kept / "out.rdr", tmp_path / f"a.{suffix}", *lossy) == 1
        assert "cannot hold the color profile" in capsys.readouterr().err
        assert not (tmp_path / f"a.{suffix}").exists()


def test_images_that_are_srgb_have_the_files_that_they_have_without_the_flag(encoded, rdr, tmp_path, small_image,
                                                                             without_fits):
    for name, options in (("nothing", {}), ("srgb", {"icc_profile": SRGB})):
        Image.fromarray(small_image).save(tmp_path / f"{name}.png", **options)
        with without_fits() as asked:
            assert rdr("encode", tmp_path / f"{name}.png", tmp_path / "a.rdr", "--color=keep") == 0
        assert len(asked) == 1
        assert (tmp_path / "a.rdr").read_bytes() == (encoded / "out.rdr").read_bytes()


def test_commands_that_read_messages_know_profiles(kept, rdr, tmp_path, capsys):
    message = (kept / "out.rdr").read_bytes()
    inner = profiled.split(message).message
    assert rdr("info", kept / "out.rdr", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bytes"] == len(message) and said["bytes_profile"] == len(message) - len(inner)
    assert said["profile"] == "test" and said["height"] == 17 and said["bits_per_pixel"] == 8 * len(message) / 51
    assert rdr("export", kept / "out.rdr", f"--html={tmp_path / 'a.html'}") == 1
    assert "keeps a color profile" in capsys.readouterr().err and not (tmp_path / "a.html").exists()
    shown = Profile(GRAY).to_srgb(overfitted.decode(inner))
    assert (shown != overfitted.decode(inner)).any()
    np.testing.assert_array_equal(study_make.read_stimulus(kept / "out.rdr"), np.repeat(shown, 3, 2))
    page = tmp_path / "view.html"
    assert rdr("view", kept / "out.rdr", f"--reference={kept / 'in.png'}", f"--out={page}", "--metrics=psnr",
               "--maps=none") == 0
    text = page.read_text(encoding="utf-8")
    assert '"kind": "message"' not in text and text.count('"kind": "png"') == 2
    truth = np.square(read_image(kept / "in.png").astype(float) - shown).mean()
    assert f'"psnr": "{10 * np.log10(255**2 / truth):.4g}"' in text


def test_damage_of_the_profile_is_refused(kept, rdr, tmp_path, capsys):
    parts = container.unpack((kept / "out.rdr").read_bytes())
    damaged = parts._replace(payloads=(parts.payloads[0][:-1], parts.payloads[1]))
    (tmp_path / "a.rdr").write_bytes(container.pack(damaged))
    for words in (("decode", tmp_path / "a.rdr", tmp_path / "a.png"), ("info", tmp_path / "a.rdr"),
                  ("export", tmp_path / "a.rdr", f"--html={tmp_path / 'a.html'}"),
                  ("view", tmp_path / "a.rdr", f"--out={tmp_path / 'a.html'}")):
        assert rdr(*words) == 1
        assert "profile does not end where it should" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.rdr"]


def test_amortized_codecs_keep_profiles_and_sizes(small_codec, rdr, tmp_path, capsys):
    checkpoint, source = f"--checkpoint={small_codec / 'codec.npz'}", tmp_path / "images" / "a.png"
    pixels = read_image(small_codec / "images" / "a.png", channels=3)
    source.parent.mkdir()
    Image.fromarray(pixels).save(source, icc_profile=ICC)
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    files = {}
    for name, file, words in (("kept", source, ("--color=keep",)), ("plain", tmp_path / "plain.png", ())):
        assert rdr("encode", file, tmp_path / f"{name}.rdr", checkpoint, "--level=1", *words) == 0
        files[name] = (tmp_path / f"{name}.rdr").read_bytes()
    assert profiled.split(files["kept"]) == (files["plain"], ICC)
    size = len(files["kept"]) - 1  # what a level below the highest has, with its profile
    assert rdr("encode", source, tmp_path / "a.rdr", checkpoint, f"--size={size}", "--color=keep", "--strict") == 0
    found = (tmp_path / "a.rdr").read_bytes()
    assert len(found) <= size and len(profiled.split(found).message) < len(files["plain"])
    capsys.readouterr()
    assert rdr("encode", source, tmp_path / "b.rdr", checkpoint, "--size=60", "--color=keep") == 1
    assert "its color profile takes" in capsys.readouterr().err and not (tmp_path / "b.rdr").exists()
    assert rdr("evaluate", source.parent, f"--workdir={tmp_path / 'out'}", checkpoint, "--level=1",
               "--color=keep") == 0
    assert (tmp_path / "out" / "messages" / "a.rdr").read_bytes() == files["kept"]
    decoded = read_image_data(tmp_path / "out" / "decoded" / "a.png", color="keep")
    assert decoded.profile == ICC
    psnr = 10 * np.log10(255**2 / np.square(decoded.pixels.astype(float) - pixels).mean())
    assert f"{psnr:.2f} dB" in capsys.readouterr().out




@pytest.mark.parametrize(("kind", "words"), [
    ("gamma", "only ICC profiles are kept: let them be converted (--color=convert)"),
    ("cmyk", "its colors are CMYK"), ("gray", "is of the color model 'RGB', and the image has 1 channel"),
    ("broken", "its color profile is damaged"), ("lab", "color model 'Lab'"),
])  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_the_remedy(kind, words, tmp_path):
    path = tmp_path / ("a.tif" if kind == "cmyk" else "a.png")
    if kind == "gamma":
        path.write_bytes(png(PIXELS, 8, 2, chunks=[(b"gAMA", struct.pack(">I", 100_000))]))
    elif kind == "cmyk":
        Image.fromarray(PIXELS).convert("CMYK").save(path)
    elif kind == "gray":
        Image.fromarray(PIXELS[:, :, 0]).save(path, icc_profile=ICC)
    else:
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        Image.fromarray(PIXELS).save(path, icc_profile=lab if kind == "lab" else ICC[:200])
    with pytest.raises(ValueError) as refusal:
        encode_job.read(path, Config(color="keep"))
    assert words in str(refusal.value) and str(path) in str(refusal.value)
    if kind == "gray":  # which such a codec codes as three equal channels
        assert encode_job.read(path, Config(color="keep", checkpoint="pretrained")).profile == ICC


def test_files_with_profiles_have_the_size_that_was_asked_for(monkeypatch, tmp_path):
    asked = []

    def fit(images, options):
        asked.append(options.size)
        return [container.pack(container.Message("overfitted", b"", image.shape, (bytes(options.size - 33),)))
                for image in images]

    monkeypatch.setattr(overfitted, "encode", lambda image, options, **_: fit([image], options)[0])
    monkeypatch.setattr(overfitted, "encode_batch", lambda images, options, **_: fit(images, options))
    longer = ICC + bytes(400) + RNG.bytes(300)
    for count in (1, 2):
        for icc in (None, ICC, longer):
            messages = encode_job.encode_images([Source(PIXELS, icc)] * count, Config(size=2000), tmp_path)
            assert {profiled.split(message).profile for message in messages} == {icc}
            assert all(1990 <= len(message) <= 2000 for message in messages)
    shapes = {}
    for name, icc in (("a", ICC), ("b", None), ("c", ICC), ("d", longer)):
        shapes[name] = *PIXELS.shape, encode_job.profile_bytes(Source(PIXELS, icc), Config(size=2000))
    assert sorted(encode._batches(shapes, Config(size=2000))) == [["a", "c"], ["b"], ["d"]]
    assert encode_job.profile_bytes(Source(PIXELS, ICC), Config()) == 0
