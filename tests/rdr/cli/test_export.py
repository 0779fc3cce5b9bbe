"""`rdr export`: messages as pages."""

import base64
import re
import sys

import pytest

from rdr.cli import export


def test_a_page_holds_the_message(encoded, rdr, tmp_path, capsys):
    assert rdr("export", encoded / "out.rdr", f"--html={tmp_path / 'new' / 'a.html'}") == 0
    page = (tmp_path / "new" / "a.html").read_text(encoding="utf-8")
    message = (encoded / "out.rdr").read_bytes()
    assert base64.b64decode(re.search(r'id="message">(.*?)</script>', page)[1]) == message
    assert "<title>out.rdr</title>" in page and 'width="3" height="17"' in page.replace("  ", " ")
    assert f"{len(page.encode()):,} bytes" in capsys.readouterr().out
    assert rdr("export", encoded / "out.rdr", f"--html={tmp_path / 'a.html'}", "--title=<a> & b") == 0
    assert "<title>&lt;a&gt; &amp; b</title>" in (tmp_path / "a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("words", "status", "sentence"), [
    (("{good}",), 2, "--html is missing"),
    (("--html=x.html",), 2, "say what to export"),
    (("{good}", "{good}", "--html=x.html"), 2, "say what to export"),
    (("missing.rdr", "--html=x.html"), 1, "there is no file"),
    (("{damaged}", "--html=x.html"), 1, "checksum"),
])  # fmt: skip
def test_wrong_calls_write_nothing(words, status, sentence, encoded, rdr, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    damaged = tmp_path / "damaged.rdr"
    damaged.write_bytes((encoded / "out.rdr").read_bytes()[:-1] + b"\0\0")
    assert rdr("export", *(word.format(good=encoded / "out.rdr", damaged=damaged) for word in words)) == status
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1 and not (tmp_path / "x.html").exists()


def test_amortized_messages_are_refused(small_codec, rdr, tmp_path, capsys):
    checkpoint = f"--checkpoint={small_codec / 'codec.npz'}"
    assert rdr("encode", small_codec / "images" / "a.png", tmp_path / "a.rdr", checkpoint, "--level=1") == 0
    assert rdr("export", tmp_path / "a.rdr", f"--html={tmp_path / 'a.html'}") == 1
    assert "rdr decode" in capsys.readouterr().err and not (tmp_path / "a.html").exists()


def test_standard_input_is_read(encoded, tmp_path, monkeypatch, capsys):
    with open(encoded / "out.rdr", "rb") as stream:
        monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": stream}))
        export.run("-", export.Config(html=str(tmp_path / "a.html")))
    assert "<title>image</title>" in (tmp_path / "a.html").read_text(encoding="utf-8")
