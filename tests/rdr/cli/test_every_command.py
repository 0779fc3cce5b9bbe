"""What all commands do with damage, full disks and folders that cannot be written: a sentence and a status."""

import contextlib
import os
import pathlib
import resource
import shutil
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from rdr import program_cache
from rdr.bitstream import container
from rdr.cli import bound, compare, encode_job
from rdr.codecs import profiled
from tests.rdr.bitstream.test_fuzz import mutate
from tests.rdr.data.test_color_spaces import P3, profile
from tests.rdr.web.random_messages import damaged_message, random_message

MAX_SECONDS = 2.0
CURVES = """# source: nobody
codec,rate_bpp,psnr,ms_ssim
anchor,0.1,28.1,0.91
anchor,0.2,30.2,0.94
anchor,0.4,32.6,0.96
anchor,0.8,35.0,0.98
test,0.1,28.6,0.92
test,0.2,30.9,0.95
test,0.4,33.1,0.97
test,0.8,35.7,0.98
"""


@pytest.fixture
def call(rdr, capsys):
    """Runs a command that may be refused, and checks how; returns its status."""
    def run(*words, seconds=MAX_SECONDS):
        started = time.process_time()
        status = rdr(*words)
        spent, error = time.process_time() - started, capsys.readouterr().err
        said = (words, error)
        assert status in (0, 1, 2, 3), said
        assert "Traceback" not in error and "Error:" not in error, said
        if status in (1, 2):
            assert error.splitlines()[-1].startswith("error: ") and len(error) < 5000, said
        assert spent < seconds, (spent, *said)
        return status

    return run


@pytest.fixture
def tables(tmp_path):
    """A folder with tables of all kinds that commands read, and two images for the opinions."""
    for name in ("a", "b", "c"):
        Image.fromarray(np.random.default_rng(len(name)).integers(0, 256, (24, 24, 3), np.uint8)).save(
            tmp_path / f"{name}.png")
    (tmp_path / "curves.csv").write_text(CURVES, encoding="utf-8")
    (tmp_path / "pmf.csv").write_text("0.5, 0.25, 0.125, 0.125\n", encoding="utf-8")
    (tmp_path / "cost.csv").write_text("0 1 2\n1 0 1\n2 1 0\n3 2 1\n", encoding="utf-8")
    np.save(tmp_path / "pmf.npy", np.array([0.5, 0.25, 0.25]))
    (tmp_path / "scores.csv").write_text(
        "dist_img,ref_img,mos\na.png,c.png,1.5\nb.png,c.png,2.5\nc.png,c.png,4\n", encoding="utf-8")
    return tmp_path


def _damaged(rng, data):
    """Bytes of a table with something else in them: damage, and what spreadsheets and people write."""
    words = [b"nan", b"inf", b"-1", b"1e400", b"", b"#", b"$", b'"', b"\xef\xbb\xbf", b"\xff", b"\0", b",", b";",
             b"\r\n", b"\xc3\xa9", b"0.5", b"1" * 400, b"," * 50]
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.4:
            data = mutate(rng, data or b"x")
        else:
            place = int(rng.integers(len(data) + 1))
            end = place + int(rng.integers(0, 5))
            data = data[:place] + words[rng.integers(len(words))] + data[end:]
    return data


@pytest.mark.parametrize("count", [60, pytest.param(5000, marks=pytest.mark.stress)])
def test_damaged_tables_are_read_or_refused(count, tables, call, monkeypatch):
    monkeypatch.setattr(bound, "run", lambda config, *_: bound.load_problem(config))  # and not solved
    figure = compare.make_figure
    whole = {path.name: path.read_bytes() for path in tables.iterdir() if path.suffix in (".csv", ".npy")}
    rng, refused = np.random.default_rng(count), 0
    for trial in range(count):
        name = list(whole)[trial % len(whole)]
        shutil.rmtree(tables / "out", ignore_errors=True)
        (tables / name).write_bytes(whole[name] if trial < len(whole) else _damaged(rng, whole[name]))
        if trial % 50:  # drawing takes a second
            monkeypatch.setattr(compare, "make_figure", lambda *_, **__: _NoFigure())
        else:
            monkeypatch.setattr(compare, "make_figure", figure)
        words = {
            "curves.csv": ("compare", tables / "curves.csv", f"--workdir={tables / 'out'}"),
            "scores.csv": ("correlate", f"--scores={tables / 'scores.csv'}", "--metrics=psnr", "--resamples=2",
                           f"--workdir={tables / 'out'}"),
            "cost.csv": ("bound", f"--pmf={tables / 'pmf.csv'}", f"--distortion={tables / 'cost.csv'}",
                         f"--workdir={tables / 'out'}"),
        }.get(name, ("bound", f"--pmf={tables / name}", f"--workdir={tables / 'out'}"))
        status = call(*words, seconds=8 * MAX_SECONDS if trial < 50 or trial % 50 == 0 else MAX_SECONDS)
        assert status == 0 or trial >= len(whole), name
        refused += status != 0
        (tables / name).write_bytes(whole[name])
    assert 0.2 * count < refused < count


class _NoFigure:
    def savefig(self, stream, **_):
        stream.write(b"a figure")


@pytest.mark.parametrize("count", [60, pytest.param(5000, marks=pytest.mark.stress)])
def test_damaged_messages_are_read_or_refused(count, small_codec, call, tmp_path):
    rng = np.random.default_rng(count)
    fitted = [random_message(rng, side=12, noise=False) for _ in range(20)]
    kept = [profiled.wrap(message, profile(P3, 1.8, gray=container.unpack(message).shape[2] == 1))
            for message in fitted[:6]]
    checkpoint = f"--checkpoint={small_codec / 'codec.npz'}"
    call("encode", small_codec / "images" / "a.png", tmp_path / "a.rdr", checkpoint, seconds=60)
    amortized = (tmp_path / "a.rdr").read_bytes()
    call("decode", tmp_path / "a.rdr", tmp_path / "a.png", checkpoint, seconds=60)
    refused, path = 0, tmp_path / "x.rdr"
    for trial in range(count):
        kind = trial % 4
        if kind == 0:  # of a codec with compiled programs, which are kept for the sizes that there are
            body = mutate(rng, amortized[:-4])
            message = body + zlib.crc32(body).to_bytes(4, "little")
            with contextlib.suppress(ValueError):
                if container.unpack(message).shape != container.unpack(amortized).shape:
                    continue
        elif kind == 1:
            parts = container.unpack(kept[trial % len(kept)])
            which = int(rng.integers(2))
            payloads = [mutate(rng, payload) if i == which else payload for i, payload in enumerate(parts.payloads)]
            message = container.pack(parts._replace(payloads=tuple(payloads)))
        else:
            message = damaged_message(rng, fitted[trial % len(fitted)])
        path.write_bytes(message)
        refused += call("decode", path, tmp_path / "x.png", checkpoint) != 0
        call(*(("info", path), ("export", path, f"--html={tmp_path / 'x.html'}"),
               ("view", path, checkpoint, f"--out={tmp_path / 'x.html'}"))[trial % 3])
    assert 0.4 * count < refused < count


@pytest.mark.parametrize("count", [44, pytest.param(5000, marks=pytest.mark.stress)])
def test_damaged_images_are_read_or_refused(count, call, tmp_path, unfitted, monkeypatch):
    monkeypatch.setattr(encode_job.reports, "decode", lambda *_, **__: np.zeros((1, 1, 3), np.uint8))
    monkeypatch.setattr(encode_job.reports, "measure", lambda *_, **__: encode_job.Outcome(1, 1.0, 1.0, 1.0, ""))
    monkeypatch.setattr(encode_job.overfitted, "encode", lambda image, *_, **__: container.pack(container.Message(
        "overfitted", b"", image.shape, ())))
    rng, whole = np.random.default_rng(count), {}
    pixels = np.kron(rng.integers(0, 256, (5, 7, 3)).astype(np.uint8), np.ones((3, 3, 1), np.uint8))
    icc = profile(P3, 1.8)
    for suffix in ("png", "jpg", "tif", "webp", "avif", "jp2", "bmp", "gif", "ppm"):
        Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", **({"icc_profile": icc} if suffix < "t" else {}))
        whole[suffix] = (tmp_path / f"a.{suffix}").read_bytes()
    refused = 0
    for trial in range(count):
        suffix = list(whole)[trial % len(whole)]
        data = bytearray(whole[suffix])
        if rng.random() < 0.3:
            del data[rng.integers(len(data)) :]
        for place in rng.integers(0, min(len(data), 10 ** int(rng.integers(2, 5))) or 1, rng.integers(1, 6)):
            data[place : place + 1] = rng.bytes(1)
        path = tmp_path / f"x.{suffix}"
        path.write_bytes(data)
        color = f"--color={('convert', 'keep', 'refuse')[trial % 3]}"
        words = (("encode", path, tmp_path / "x.rdr", color),
                 ("view", path, f"--out={tmp_path / 'x.html'}"),
                 ("encode", tmp_path / "x.[!r]*", tmp_path / "folder", color))[trial // 3 % 3]
        refused += call(*words, seconds=4 * MAX_SECONDS) != 0
        path.unlink()
        shutil.rmtree(tmp_path / "folder", ignore_errors=True)
    assert 0.2 * count < refused < count


@contextlib.contextmanager
def _disk_of(count):
    """Files of more bytes than these cannot be written."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def commands(tables, encoded, small_codec):
    """Commands that write, by what they write; the folder and files of it that existed before."""
    checkpoint = f"--checkpoint={small_codec / 'codec.npz'}"
    images = small_codec / "images"
    (tables / "originals").mkdir()
    shutil.copy(tables / "a.png", tables / "originals" / "a.png")

    def of(out):
        return {
            "encode": ("encode", images / "a.png", out / "a.rdr", checkpoint),
            "folder": ("encode", images, out / "messages", checkpoint),
            "decode": ("decode", encoded / "out.rdr", out / "a.png"),
            "export": ("export", encoded / "out.rdr", f"--html={out / 'a.html'}"),
            "view": ("view", encoded / "out.rdr", f"--out={out / 'b.html'}"),
            "evaluate": ("evaluate", f"--reference={tables / 'originals'}", f"--candidate={tables / 'originals'}",
                         "--metrics=mse,psnr", f"--workdir={out / 'evaluated'}"),
            "codec": ("evaluate", images, f"--workdir={out / 'coded'}", checkpoint),
            "compare": ("compare", tables / "curves.csv", f"--workdir={out / 'compared'}"),
            "correlate": ("correlate", f"--scores={tables / 'scores.csv'}", "--metrics=psnr", "--resamples=2",
                          f"--workdir={out / 'agreement'}"),
            "bound": ("bound", f"--pmf={tables / 'pmf.csv'}", "--preset=smoke", f"--workdir={out / 'bound'}"),
        }

    return of


@pytest.mark.stress
def test_full_disks_are_named_and_leave_whole_files(commands, call, tmp_path):
    (tmp_path / "whole").mkdir()
    for words in commands(tmp_path / "whole").values():
        assert call(*words, seconds=120) == 0
    whole = {path.relative_to(tmp_path / "whole"): path.stat().st_size for path in (tmp_path / "whole").rglob("*")
             if path.is_file()}
    failed = 0
    for limit in (0, 1, 20, 100, 300, 1000, 3000, 10_000, 30_000, 60_000):
        out = tmp_path / str(limit)
        out.mkdir()
        for name, words in commands(out).items():
            before = {path: path.stat().st_size for path in out.rglob("*") if path.is_file()}
            with _disk_of(limit):
                status = call(*words, seconds=120)
            failed += status == 1
            for path in out.rglob("*"):
                if path.is_file() and path not in before:
                    known = whole.get(path.relative_to(out))
                    small = path.suffix in (".json", ".jsonl", ".csv", ".tex") or known is None
                    assert ".partial" not in path.name and path.name != "lock", (name, limit, path)
                    assert small or path.stat().st_size == known, (name, limit, path)
            assert call(*words, seconds=120) == 0  # there is room again
    assert failed > 50


def _unwritable(tmp_path):
    """A folder in which nobody, not even root, can make a file."""
    folder = tmp_path / "unwritable"
    folder.mkdir()
    folder.chmod(0o555)
    return folder if not os.access(folder, os.W_OK) else pathlib.Path("/sys/kernel")


def test_folders_that_cannot_be_written_are_named(commands, call, rdr, tmp_path, capsys):
    folder = _unwritable(tmp_path)
    if not folder.is_dir():
        pytest.skip("this user may write everywhere")
    before = sorted(folder.iterdir())
    for name, words in commands(folder).items():
        if name in ("encode", "codec", "folder", "bound"):  # compile before they write
            continue
        assert rdr(*words) == 1, name
        error = capsys.readouterr().err
        assert str(folder) in error and error.splitlines()[-1].startswith("error: "), (name, error)
    assert sorted(folder.iterdir()) == before


@pytest.mark.stress
def test_folders_that_cannot_be_written_are_named_by_slow_commands_too(commands, rdr, tmp_path, capsys):
    folder = _unwritable(tmp_path)
    for name, words in commands(folder).items():
        assert rdr(*words) == 1, name
        error = capsys.readouterr().err
        assert str(folder) in error and error.splitlines()[-1].startswith("error: "), (name, error)


@pytest.mark.stress
@pytest.mark.skipif(not program_cache.count_maps(), reason="the system does not say what is mapped")
def test_a_thousand_fitted_images_of_many_sizes_are_decoded_in_one_process(tmp_path, call):
    rng, maps, memory = np.random.default_rng(9), [], []
    for n in range(1000):
        (tmp_path / "x.rdr").write_bytes(random_message(rng, noise=n % 4 == 0))
        assert call("decode", tmp_path / "x.rdr", tmp_path / "x.png", seconds=60) == 0
        if n % 100 == 99:
            maps.append(program_cache.count_maps())
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert maps[-1] < maps[0] + 1000 and memory[-1] < memory[0] + 300 * 2**10
