"""Files that a command line names."""

import pytest

from rdr.cli import inputs
from rdr.command_line import UsageError


def test_words_stand_for_files_wildcards_and_folders(tmp_path):
    for name in ("a.rdr", "b.rdr", "c.txt", "[x].rdr"):
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "d.rdr").write_bytes(b"1")
    one = str(tmp_path / "a.rdr")
    assert not inputs.is_many([one]) and not inputs.is_many([str(tmp_path / "[x].rdr")])
    for words in ([one, one], [str(tmp_path)], [str(tmp_path / "*.rdr")]):
        assert inputs.is_many(words)
    assert list(inputs.expand([one], "messages")) == ["a"]
    assert list(inputs.expand([str(tmp_path / "[ab].rdr"), str(tmp_path / "in")], "messages")) == ["a", "b", "d"]
    assert list(inputs.expand([str(tmp_path / "[x].rdr")], "messages")) == ["[x]"]


def test_what_cannot_be_found_is_named(tmp_path):
    (tmp_path / "a.rdr").write_bytes(b"")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.rdr").write_bytes(b"1")
    for words, said in (([str(tmp_path / "x")], "there is no file"), ([str(tmp_path / "x*")], "no file matches"),
                        ([str(tmp_path / "a.rdr"), str(tmp_path / "in")], "have one name")):
        with pytest.raises(ValueError, match=said):
            inputs.expand(words, "messages")
    with pytest.raises(UsageError, match="empty"):
        inputs.expand([""], "messages")
    with pytest.raises(ValueError, match="is empty"):
        inputs.read_message(tmp_path / "a.rdr")
    assert inputs.read_message(tmp_path / "in" / "a.rdr") == b"1"
