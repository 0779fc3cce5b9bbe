"""The codec as a command."""

import errno

import numpy as np
import pytest
from PIL import Image

from rdr.cli import codec
from rdr.codecs import overfitted
from rdr.data import image_io

PICTURE = np.add.outer(np.arange(17) * 9, np.arange(3) * 20).astype(np.uint8)


def _main(*words):
    return codec.main(["codec", *map(str, words)])


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A 17 x 3 picture, encoded by the command."""
    folder = tmp_path_factory.mktemp("encoded")
    Image.fromarray(PICTURE).save(folder / "in.png")
    assert _main("encode", folder / "in.png", folder / "out.rdr", "--steps=8", "--rd_lambda=0.1") == 0
    return folder


def test_encode_decode_info(encoded, capsys):
    assert _main("decode", encoded / "out.rdr", encoded / "out.png") == 0
    message = (encoded / "out.rdr").read_bytes()
    np.testing.assert_array_equal(image_io.read_image(encoded / "out.png"), overfitted.decode(message))
    assert _main("info", encoded / "out.rdr") == 0
    shown = capsys.readouterr().out
    assert "height: 17" in shown and f"bytes: {len(message)}" in shown
    assert not (encoded / "out.rdr.progress").exists()


def test_large_pictures_of_sixteen_bits_are_cut_into_tiles(tmp_path, capsys):
    deep = np.add.outer(np.arange(17) * 3500, np.arange(3) * 20).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "in.png")
    assert _main("encode", tmp_path / "in.png", tmp_path / "out.rdr", "--steps=8", "--rd_lambda=0.1", "--tile=16") == 0
    shown = capsys.readouterr()
    assert "tiles 1 to 2 of 2" in shown.err and "in.png: " in shown.out
    assert not (tmp_path / "out.rdr.progress").exists()
    assert _main("decode", tmp_path / "out.rdr", tmp_path / "out.png") == 0
    decoded = image_io.read_image(tmp_path / "out.png")
    np.testing.assert_array_equal(decoded, overfitted.decode((tmp_path / "out.rdr").read_bytes()))
    assert decoded.shape == (17, 3, 1)
    assert np.abs(decoded[:, :, 0] - deep / 257).mean() < np.abs(deep / 257 - deep.mean() / 257).mean() / 2
    assert _main("info", tmp_path / "out.rdr") == 0
    assert "tile_rows: 2" in capsys.readouterr().out


def test_folders_of_large_pictures_are_encoded_one_by_one(tmp_path, monkeypatch):
    asked, images = [], tmp_path / "images"
    images.mkdir()
    for index, height in enumerate((30, 30, 12, 12)):
        Image.fromarray(np.full((height, 9), index, np.uint8)).save(images / f"{index}.png")

    def encode(picture, options, *, tile, directory):
        asked.append((picture.shape, tile))
        directory.mkdir()
        return b"one"

    def encode_batch(pictures, options, *, directory):
        asked.append(len(pictures))
        directory.mkdir()
        return [b"some"] * len(pictures)

    monkeypatch.setattr(overfitted, "encode", encode)
    monkeypatch.setattr(overfitted, "encode_batch", encode_batch)
    monkeypatch.setattr(codec, "_report", lambda *_: None)
    assert _main("encode", images, tmp_path / "out", "--tile=20") == 0
    assert asked == [2, ((30, 9, 1), 20), ((30, 9, 1), 20)]
    assert _main("encode", images, tmp_path / "whole", "--tile=0") == 0
    assert asked[3:] == [2, 2]


@pytest.fixture
def unfitted(monkeypatch):
    """Fits take no time; returned are the pictures that were asked for."""
    asked = []

    def encode(picture, options, *, tile, directory):
        asked.append(picture)
        directory.mkdir(exist_ok=True)
        return b"one"

    monkeypatch.setattr(overfitted, "encode", encode)
    monkeypatch.setattr(overfitted, "encode_batch", lambda pictures, options, *, directory: [
        encode(picture, options, tile=0, directory=directory) for picture in pictures])
    monkeypatch.setattr(codec, "_report", lambda *_: None)
    return asked


def test_fits_are_kept_until_their_messages_are_written(tmp_path, capsys, monkeypatch, unfitted):
    Image.fromarray(PICTURE).save(tmp_path / "in.png")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(codec, "write_bytes", full)
        assert _main("encode", tmp_path / "in.png", tmp_path / "out.rdr") == 1
        assert "No space left" in capsys.readouterr().err
    assert (tmp_path / "out.rdr.progress").is_dir()
    assert _main("encode", tmp_path / "in.png", tmp_path / "out.rdr") == 0
    assert (tmp_path / "out.rdr").read_bytes() == b"one" and not (tmp_path / "out.rdr.progress").exists()
    for target, words in ((tmp_path, "is a folder"), (tmp_path / "in.png", "would replace")):
        assert _main("encode", tmp_path / "in.png", target) == 1
        assert words in capsys.readouterr().err
    assert len(unfitted) == 2


def test_refused_calls_are_not_in_the_way_of_right_ones(encoded, tmp_path, capsys):
    assert _main("encode", encoded / "in.png", tmp_path / "x.rdr", "--size=50") == 1
    assert "size must be at least" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_folders_keep_what_belongs_to_their_options_and_pictures(tmp_path, capsys, unfitted):
    images, other = tmp_path / "images", tmp_path / "other"
    for folder in (images, other):
        folder.mkdir()
        for name in "ab":
            Image.fromarray(PICTURE + np.uint8(len(folder.name))).save(folder / f"{name}.png")
    assert _main("encode", images, tmp_path / "out") == 0
    Image.fromarray(PICTURE).save(images / "0.png")
    assert _main("encode", images, tmp_path / "out") == 0
    assert len(unfitted) == 3  # those that were there were not fitted again with the new one
    assert "a: is there already" in capsys.readouterr().out
    assert _main("encode", images, tmp_path / "out", "--bpp=2") == 1
    assert "other settings (bpp)" in capsys.readouterr().err
    assert _main("encode", other, tmp_path / "out") == 1
    assert "another picture" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.progress"))


def test_large_pictures_are_not_fitted_side_by_side():
    shapes = {str(i): (1024, 1024, 3) for i in range(3)} | {"s": (16, 16, 3), "t": (16, 16, 3), "u": (2000, 9, 3)}
    assert codec._batches(shapes, 1024) == [["s", "t"], ["0"], ["1"], ["2"], ["u"]]


def test_missed_sizes_are_said(encoded, capsys):
    message = (encoded / "out.rdr").read_bytes()
    for size, said in ((len(message), False), (len(message) - 1, True)):
        codec._report("in.png", PICTURE[:, :, None], message, codec.Config(size=size))
        assert ("longer than the" in capsys.readouterr().err) == said


def test_help_explains_every_flag(capsys):
    with pytest.raises(SystemExit):
        _main("encode", "--help")
    shown = capsys.readouterr().out
    assert "bits per pixel that the file should have" in shown and "no help available" not in shown.split("absl")[0]


def test_evaluate_a_folder_of_small_pictures(tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    for index in range(2):
        Image.fromarray(PICTURE[index : index + 1, :1]).save(images / f"{index}.png")
    words = ("evaluate", images, f"--workdir={tmp_path / 'out'}", "--steps=3")
    assert _main(*words) == 0
    table = (tmp_path / "out" / "images.csv").read_text()
    sizes = [len((tmp_path / "out" / "messages" / f"{index}.rdr").read_bytes()) for index in range(2)]
    rows = [line.split(",") for line in table.splitlines() if not line.startswith("#")][1:]
    assert [(row[0], int(row[1]), float(row[2])) for row in rows] == [(str(i), s, 8.0 * s) for i, s in enumerate(sizes)]
    assert _main(*words) == 0  # nothing is encoded again
    assert "2 pictures" in capsys.readouterr().out


def test_progress_of_other_settings_is_refused(tmp_path, capsys):
    Image.fromarray(PICTURE).save(tmp_path / "in.png")
    progress = tmp_path / "out.rdr.progress"
    (progress / "fit").mkdir(parents=True)
    (progress / "fit_of.json").write_text("{}")
    assert _main("encode", tmp_path / "in.png", tmp_path / "out.rdr") == 1
    assert "holds the progress of another picture or of other options" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "message"), [
    ((), "say encode"), (("encode", "a.png"), "say encode"), (("info", "none.rdr"), "there is no file"),
    (("decode", "none.rdr", "a.png"), "there is no file"), (("encode", "none.png", "a.rdr"), "there is no file"),
    (("evaluate", "none"), "--workdir is missing"), (("encode", "a", "b", "--what"), "what"),
    (("encode", "a", "b", "--objective=x"), "objective"), (("encode", "a", "b", "--steps=x"), "steps"),
])  # fmt: skip
def test_wrong_words_give_a_sentence(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _main(*words) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1


@pytest.mark.parametrize(("flag", "message"), [
    ("--bpp=-1", "--bpp must be positive"), ("--bpp=1e200", "--bpp must be at most"),
    ("--bpp=0.01", "size must be at least"), ("--rd_lambda=nan", "--rd_lambda"),
    ("--seed=-1", "seed must be"), ("--tile=-1", "--tile must be positive"), ("--tile=9", "--tile must be between"),
    ("--noise_levels=9", "noise_levels must be"), ("--sigma=none.png", "no file"),
])  # fmt: skip
def test_wrong_numbers_give_a_sentence(flag, message, capsys, encoded, tmp_path):
    assert _main("encode", encoded / "in.png", tmp_path / "x.rdr", flag) == 1
    assert message in capsys.readouterr().err
    assert _main("encode", encoded / "in.png", tmp_path / "no" / "x.rdr") == 1


def test_contradicting_sizes_are_refused(encoded, capsys, tmp_path):
    assert _main("encode", encoded / "in.png", tmp_path / "x.rdr", "--bpp=8", "--size=200") == 1
    assert "give one of them" in capsys.readouterr().err


def test_damaged_messages_and_full_disks_give_a_sentence(encoded, tmp_path, capsys, monkeypatch):
    message = (encoded / "out.rdr").read_bytes()
    damaged = message[:-9] + bytes([message[-9] ^ 1]) + message[-8:]
    for name, data, words in (("cut", message[:-9], "checksum"), ("empty", b"", "empty"),
                              ("foreign", b"\x89PNG....", "magic"), ("damaged", damaged, "checksum")):
        (tmp_path / name).write_bytes(data)
        assert _main("decode", tmp_path / name, tmp_path / "a.png") == 1
        assert words in capsys.readouterr().err
    for words in (("decode", tmp_path, tmp_path / "a.png"), ("info", tmp_path)):
        assert _main(*words) == 1
        assert "is a folder: give one file" in capsys.readouterr().err
    assert _main("decode", encoded / "out.rdr", tmp_path / "a.psd") == 1
    assert "must end like an image" in capsys.readouterr().err

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(image_io.os, "replace", full)
    assert _main("decode", encoded / "out.rdr", tmp_path / "a.png") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.png"))
