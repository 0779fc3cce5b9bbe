"""`rdr view`: pages that compare images."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from rdr.cli import view
from rdr.codecs import overfitted


def _content(path):
    return json.loads(re.search(r'id="content">(.*?)</script>', path.read_text(encoding="utf-8"), re.S)[1])


def test_images_stand_beside_their_original(encoded, rdr, tmp_path, capsys):
    pixels = overfitted.decode((encoded / "out.rdr").read_bytes())
    Image.fromarray(pixels[:, :, 0] ^ 1).save(tmp_path / "<b>.png")
    page = tmp_path / "new" / "page.html"
    assert rdr("view", encoded / "out.rdr", tmp_path / "<b>.png", f"--reference={encoded / 'in.png'}", f"--out={page}",
               "--maps=squared_error", "--metrics=psnr") == 0
    assert "3 images" in capsys.readouterr().out
    content = _content(page)
    assert content["reference"] == 2
    assert [image["name"] for image in content["images"]] == ["out.rdr", "<b>.png", "in.png (original)"]
    assert [image["kind"] for image in content["images"]] == ["message", "png", "png"]
    original = np.asarray(Image.open(encoded / "in.png"), np.float64)
    error = np.square(pixels[:, :, 0] - original).mean()
    first = content["images"][0]
    assert float(first["metrics"]["psnr"]) == pytest.approx(10 * np.log10(255**2 / error), rel=1e-3)
    assert [one["name"][:13] for one in first["maps"]] == ["squared error"]
    assert float(first["maps"][0]["mean"]) == pytest.approx(error, rel=1e-3)
    assert first["bytes"] == f"{(encoded / 'out.rdr').stat().st_size:,}"
    assert content["images"][2]["maps"] == [] and content["images"][2]["metrics"] == {}
    assert "<b>" not in page.read_text(encoding="utf-8")


def test_images_without_an_original(encoded, rdr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert rdr("view", encoded / "out.rdr") == 0
    content = _content(tmp_path / "view.html")
    assert content["reference"] is None and len(content["images"]) == 1 and content["images"][0]["metrics"] == {}


def test_amortized_messages_are_shown_as_pixels(small_codec, rdr, tmp_path):
    checkpoint = f"--checkpoint={small_codec / 'codec.npz'}"
    assert rdr("encode", small_codec / "images" / "a.png", tmp_path / "a.rdr", checkpoint, "--level=1") == 0
    assert rdr("view", tmp_path / "a.rdr", checkpoint, f"--out={tmp_path / 'a.html'}") == 0
    [image] = _content(tmp_path / "a.html")["images"]
    assert image["kind"] == "png" and image["bytes"] == f"{(tmp_path / 'a.rdr').stat().st_size:,}"


@pytest.mark.parametrize(("words", "status", "sentence"), [
    ((), 2, "say what to show"),
    (("{good}", "--reference=missing.png"), 1, "missing.png"),
    (("{good}", "{other}"), 1, "images must have one size"),
    (("{good}", "--reference={other}"), 1, "images must have one size"),
    (("{good}", "--metrics=beauty"), 2, "--metrics must be among"),
    (("{good}", "--maps=beauty"), 2, "--maps must be among"),
    (("{good}", "--sigma=-1"), 2, "--sigma must be"),
    (("{good}", "--out="), 2, "name is empty"),
    (("{good}", "--reference={same}", "--metrics=ssim"), 1, "ssim needs images of 11 pixels"),
])  # fmt: skip
def test_wrong_calls_write_nothing(words, status, sentence, encoded, rdr, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "other.png")
    names = {"good": encoded / "out.rdr", "other": tmp_path / "other.png", "same": encoded / "in.png"}
    assert rdr("view", *(word.format(**names) for word in words)) == status
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1 and not (tmp_path / "view.html").exists()


def test_small_images_have_the_metrics_and_maps_that_their_size_allows():
    pixels = np.zeros((8, 9, 1), np.uint8)
    config = view.Config(maps="auto", features="pixels", sigma=1.0)
    assert list(view.measure(pixels, pixels + np.uint8(1), config)) == ["psnr"]
    maps = view.make_maps(pixels, pixels + np.uint8(1), config)
    assert [one.name.split(" (")[0] for one in maps] == ["squared error", "Wasserstein distortion"]
    np.testing.assert_allclose(maps[0].values, 1.0, rtol=1e-5)
