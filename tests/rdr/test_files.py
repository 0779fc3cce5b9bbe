"""Files appear whole or not at all, where the path points to, with the permissions that they had."""

import errno
import io
import os
import pathlib
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from rdr import files


def test_content_comes_back(tmp_path):
    files.write_bytes(tmp_path / "a", b"\x00\r\n")
    files.write_text(tmp_path / "b", "é\r\n")
    files.write_arrays(tmp_path / "c.npz", {"x": np.arange(3)})
    files.write_arrays(tmp_path / "d", {"x": np.arange(4)}, compressed=True)
    assert (tmp_path / "a").read_bytes() == b"\x00\r\n"
    assert (tmp_path / "b").read_bytes() == "é\r\n".encode()
    assert np.load(tmp_path / "c.npz")["x"].tolist() == [0, 1, 2]
    assert np.load(io.BytesIO((tmp_path / "d").read_bytes()))["x"].tolist() == [0, 1, 2, 3]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c.npz", "d"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    files.write_bytes(tmp_path / "a", b"old")
    with pytest.raises(error), files.open_atomic(tmp_path / "a") as stream:
        stream.write(b"new")
        raise error
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_killed_process_leaves_the_old_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    program = ("import os, signal, sys; from rdr import files\n"
               "with files.open_atomic(sys.argv[1]) as s:\n"
               "    s.write(b'n' * 100000); s.flush(); os.kill(os.getpid(), signal.SIGKILL)")
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a")], check=False)
    assert (tmp_path / "a").read_bytes() == b"old"
    [left] = [p for p in tmp_path.iterdir() if p.name != "a"]
    assert files.is_partial(left) and left.stat().st_size == 100000


def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path):
    """Fault 14: a link was replaced by a regular file."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("folder/target")
    (tmp_path / "dangling").symlink_to("folder/other")
    files.write_bytes(tmp_path / "link", b"new")
    files.write_bytes(tmp_path / "dangling", b"fresh")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "dangling").is_symlink()
    assert (tmp_path / "folder" / "target").read_bytes() == b"new"
    assert (tmp_path / "folder" / "other").read_bytes() == b"fresh"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_are_kept(tmp_path, mode):
    """Fault 14: mode 600 became 644."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(mode)
    files.write_bytes(tmp_path / "a", b"new")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_new_files_have_the_permissions_of_the_process(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_fifo_gets_the_bytes(tmp_path):
    """Fault 14: a FIFO was replaced by a regular file."""
    os.mkfifo(tmp_path / "fifo")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "fifo").read_bytes()), daemon=True)
    reader.start()
    files.write_arrays(tmp_path / "fifo", {"x": np.arange(3)})
    reader.join(10)
    assert np.load(io.BytesIO(received[0]))["x"].tolist() == [0, 1, 2]
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_a_device_gets_the_bytes():
    """Fault 14: /dev/null was replaced by a regular file where one may."""
    files.write_bytes("/dev/null", b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_names_of_others_are_left_alone(tmp_path):
    """Fault 14: a user's own OUT.partial was deleted."""
    for name in ("a.partial", "partial.a", ".a.partial"):
        (tmp_path / name).write_bytes(b"mine")
    files.write_bytes(tmp_path / "a", b"new")
    assert all((tmp_path / name).read_bytes() == b"mine" for name in ("a.partial", "partial.a", ".a.partial"))


def test_long_names_can_be_written(tmp_path):
    files.write_bytes(tmp_path / ("ü" * 127), b"x")
    assert (tmp_path / ("ü" * 127)).read_bytes() == b"x"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_device_names_the_file():
    """Fault 36: the sentence of a full disk named no file."""
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        files.write_bytes("/dev/full", b"x" * 100)


@pytest.mark.parametrize("when", ["write", "flush"])
def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch, when):
    """Fault 36: the sentence of a full disk named no file, or the temporary one."""
    (tmp_path / "a").write_bytes(b"old")

    class Full(io.BytesIO):
        def write(self, data):
            if when == "write":
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

        def close(self):
            super().close()
            if when == "flush":
                raise OSError(errno.ENOSPC, "No space left on device")

    def open_full(descriptor, mode):
        os.close(descriptor)
        return Full()

    monkeypatch.setattr(os, "fdopen", open_full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path / 'a'}'"):
        files.write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("path", ["folder", "missing/a"])
def test_errors_name_the_file(tmp_path, path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=f"'{tmp_path / path}'"):
        files.write_bytes(tmp_path / path, b"")


def test_other_errors_of_the_block_pass(tmp_path):
    with pytest.raises(FileNotFoundError, match="elsewhere"), files.open_atomic(tmp_path / "a"):
        pathlib.Path("/elsewhere").read_bytes()


def test_undecodable_names_can_be_written_into_texts(tmp_path):
    """Fault 17: names of files that are not UTF-8 could not be written after everything was computed."""
    files.write_text(tmp_path / "a", os.fsdecode(b"caf\xe9") + "\n")
    assert (tmp_path / "a").read_bytes() == b"caf\xe9\n"


def test_lines_that_were_cut_short_are_left_out(tmp_path):
    assert files.read_json_lines(tmp_path / "none") == []
    (tmp_path / "a").write_text('{"x": 1}\n{"x": 2}\n{"x"')
    assert files.read_json_lines(tmp_path / "a") == [{"x": 1}, {"x": 2}]


def test_a_tree_is_removed(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").write_bytes(b"")
    files.remove_tree(tmp_path / "d")
    files.remove_tree(tmp_path / "d")
    assert not list(tmp_path.iterdir())


def test_a_tree_leaves_its_name_at_once(tmp_path, monkeypatch):
    """Fault 29: a kill while a directory was removed left half of it under its name."""
    (tmp_path / "d").mkdir()
    monkeypatch.setattr(files.shutil, "rmtree", lambda path: None)
    files.remove_tree(tmp_path / "d")
    [left] = tmp_path.iterdir()
    assert files.is_partial(left)


def test_lines_are_appended_and_a_full_disk_names_the_file(tmp_path):
    """Fault 36: the sentence of a full disk named no file where lines are appended."""
    for value in ({"a": 1}, {"a": 2}):
        files.append_json_line(tmp_path / "log.jsonl", value)
    assert files.read_json_lines(tmp_path / "log.jsonl") == [{"a": 1}, {"a": 2}]
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
            files.append_json_line("/dev/full", {"a": 3})
