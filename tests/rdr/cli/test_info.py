"""`rdr info`: what messages say of themselves, one or many, for people and for scripts."""

import io
import json
import sys


def test_info_of_a_fitted_image(encoded, rdr, capsys):
    message = (encoded / "out.rdr").read_bytes()
    assert rdr("info", encoded / "out.rdr") == 0
    shown = capsys.readouterr().out
    assert "height: 17" in shown and f"bytes: {len(message)}" in shown
    assert rdr("info", encoded / "out.rdr", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said)[:5] == ["bytes", "bits_per_pixel", "psnr_db", "seconds", "sha256"]
    assert said["bytes"] == len(message) and said["height"] == 17 and said["sha256"] is None


def test_info_of_an_amortized_message(small_codec, tmp_path, rdr, capsys):
    checkpoint = f"--checkpoint={small_codec / 'codec.npz'}"
    assert rdr("encode", small_codec / "images" / "a.png", tmp_path / "a.rdr", checkpoint, "--level=1") == 0
    capsys.readouterr()
    assert rdr("info", tmp_path / "a.rdr") == 0
    shown = capsys.readouterr().out
    size = (tmp_path / "a.rdr").stat().st_size
    assert "codec: bmshj2018-factorized" in shown and f"bytes: {size}" in shown and "rate level: 1.0000" in shown


def test_info_of_standard_input_and_of_folders(encoded, rdr, tmp_path, capsys, monkeypatch):
    message = (encoded / "out.rdr").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(message)))
    assert rdr("info", "-") == 0
    assert "height: 17" in capsys.readouterr().out
    for name, data in (("a", message), ("b", b"nothing")):
        (tmp_path / f"{name}.rdr").write_bytes(data)
    assert rdr("info", tmp_path, "--json") == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["message"] == "a" and "1 of 2 messages cannot be read" in shown.err
    (tmp_path / "empty").mkdir()
    assert rdr("info", tmp_path / "empty") == 1
    assert "there are no .rdr files" in capsys.readouterr().err


def test_wrong_calls(rdr, capsys, tmp_path):
    assert rdr("info") == 2 and "say what to describe" in capsys.readouterr().err
    assert rdr("info", tmp_path / "none.rdr") == 1 and "there is no file" in capsys.readouterr().err
