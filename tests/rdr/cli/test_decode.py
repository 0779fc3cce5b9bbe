"""`rdr decode`: files, folders, standard input and output, formats, damaged messages."""

import errno
import hashlib
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from rdr import files as rdr_files
from rdr.cli import decode
from rdr.codecs import overfitted
from rdr.codecs.image import files
from rdr.codecs.overfitted import format
from rdr.data import image_io


def test_decoded_files_hold_the_pixels(encoded, rdr, tmp_path, capsys):
    pixels = overfitted.decode((encoded / "out.rdr").read_bytes())
    assert rdr("decode", encoded / "out.rdr", tmp_path / "out.png", "--json") == 0
    np.testing.assert_array_equal(image_io.read_image(tmp_path / "out.png"), pixels)
    said = json.loads(capsys.readouterr().out)
    assert said["psnr_db"] is None and said["bytes"] == (encoded / "out.rdr").stat().st_size
    assert said["sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()


def test_standard_input_and_output(encoded, rdr, monkeypatch, capfdbinary):
    message = (encoded / "out.rdr").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(message)))
    assert rdr("decode", "-", "-") == 0
    shown = capfdbinary.readouterr().out
    assert shown.startswith(b"\x89PNG")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(shown)))[:, :, None], overfitted.decode(message))


def test_folders_are_decoded_and_damaged_messages_listed(encoded, rdr, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    message = (encoded / "out.rdr").read_bytes()
    for name, data in (("a", message), ("b", message[:-1]), ("c", message)):
        (tmp_path / "in" / f"{name}.rdr").write_bytes(data)
    assert rdr("decode", tmp_path / "in", tmp_path / "out") == 1
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    error = capsys.readouterr().err
    assert "1 of 3 messages could not be decoded" in error and "b.rdr" in error and error.count("\n") == 1
    assert rdr("decode", tmp_path / "in" / "[ac].rdr", tmp_path / "wild") == 0
    assert len(list((tmp_path / "wild").iterdir())) == 2


def test_a_realism_weight_reaches_the_decoder(small_codec, tmp_path, rdr):
    checkpoint, message = f"--checkpoint={small_codec / 'codec.npz'}", tmp_path / "a.rdr"
    assert rdr("encode", small_codec / "images" / "a.png", message, checkpoint, "--level=1") == 0
    loaded, decoded = files.load_codec(small_codec / "codec.npz"), []
    for realism in (0.0, 1.0):
        assert rdr("decode", message, tmp_path / "a.png", checkpoint, f"--realism={realism}") == 0
        decoded.append(image_io.read_image(tmp_path / "a.png"))
        np.testing.assert_array_equal(decoded[-1], files.decode_image(loaded, message.read_bytes(), realism=realism))
    assert (decoded[0] != decoded[1]).any()


IMAGE = np.random.default_rng(0).integers(0, 256, (300, 20, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm", ".webp", ".jp2", ".tga"])
def test_formats_that_hold_the_pixels_are_written(suffix):
    data, note = decode.image_bytes(IMAGE, f"x{suffix}", lossy=False, quality=95)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), IMAGE)
    assert not note


@pytest.mark.parametrize("suffix", [".jpg", ".gif", ".ico", ".avif", ".pdf", ".eps"])
def test_formats_that_change_the_pixels_are_refused(suffix):
    """Fault 15: .ico shrank images, .gif has 256 colors, .pdf is a document, .jpg is lossy, and none of it was said."""
    if Image.registered_extensions().get(suffix) not in Image.SAVE:
        pytest.skip("this Pillow does not write it")
    with pytest.raises(ValueError, match=f"{suffix} (would change|cannot hold)|cannot be written"):
        decode.image_bytes(IMAGE, f"x{suffix}", lossy=False, quality=95)


def test_lossy_formats_are_written_where_they_are_asked_for(encoded, rdr, tmp_path, capsys):
    data, note = decode.image_bytes(IMAGE, "x.jpg", lossy=True, quality=95)
    assert data[:2] == b"\xff\xd8" and "PSNR" in note
    assert len(decode.image_bytes(IMAGE, "x.jpg", lossy=True, quality=10)[0]) < len(data)
    assert rdr("decode", encoded / "out.rdr", tmp_path / "out.jpg") == 1
    assert "--lossy" in capsys.readouterr().err and not list(tmp_path.iterdir())
    assert rdr("decode", encoded / "out.rdr", tmp_path / "out.jpg", "--lossy") == 0
    assert "PSNR" in capsys.readouterr().err and (tmp_path / "out.jpg").exists()
    with pytest.raises(ValueError, match="cannot hold"):
        decode.image_bytes(IMAGE, "x.ico", lossy=True, quality=95)


@pytest.mark.parametrize(("words", "status", "message"), [
    (("decode", "none.rdr", "a.png"), 1, "there is no file"), (("decode", "a.rdr"), 2, "say what to decode"),
    (("decode", "a.rdr", "-", "--json"), 2, "both write to standard output"),
    (("decode", "a.rdr", "b.rdr", "-"), 2, "stands for one"),
    (("decode", "junk.rdr", "a.png"), 1, "error: junk.rdr: not an rdr message"),
    (("info", "junk.rdr"), 1, "error: junk.rdr: not an rdr message"),
    (("decode", "a.rdr", "a.png", "--quality=0.5"), 2, "--quality must be a whole number"),
])  # fmt: skip
def test_wrong_words_give_a_sentence_and_a_status(words, status, message, capsys, tmp_path, monkeypatch, rdr):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk.rdr").write_bytes(b"junk")
    assert rdr(*words) == status
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1


def test_damaged_messages_and_full_disks_give_a_sentence(encoded, tmp_path, capsys, monkeypatch, rdr):
    message = (encoded / "out.rdr").read_bytes()
    damaged = message[:-9] + bytes([message[-9] ^ 1]) + message[-8:]
    for name, data, words in (("cut", message[:-9], "checksum"), ("empty", b"", "empty"),
                              ("foreign", b"\x89PNG....", "magic"), ("damaged", damaged, "checksum")):
        (tmp_path / name).write_bytes(data)
        assert rdr("decode", tmp_path / name, tmp_path / "a.png") == 1
        assert words in capsys.readouterr().err
    assert rdr("decode", encoded / "out.rdr", tmp_path / "a.psd") == 1
    assert "must end like a" in capsys.readouterr().err

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rdr_files.os, "replace", full)
    assert rdr("decode", encoded / "out.rdr", tmp_path / "a.png") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.png"))


def test_more_pixels_are_allowed_by_those_who_ask(encoded, rdr, tmp_path, monkeypatch, capsys):
    """Fault 31: what small files may announce has a limit, and a flag to lift it."""
    monkeypatch.setattr(format, "_FREE_PIXELS", 10)
    monkeypatch.setattr(format, "_PIXELS_PER_BYTE", 0)
    assert rdr("decode", encoded / "out.rdr", tmp_path / "out.png") == 1
    said = capsys.readouterr().err
    flag = said[said.index("--max_pixels"):].split()[0]
    assert rdr("decode", encoded / "out.rdr", tmp_path / "out.png", flag.rstrip(")")) == 0
    assert rdr("decode", encoded / "out.rdr", tmp_path / "out.png", "--max_pixels=-1") == 2
