"""`rdr encode`: files, folders, progress, sizes, refusals."""

import errno
import hashlib
import json
import os
import stat

import numpy as np
import pytest
from PIL import Image

from rdr import files as rdr_files
from rdr import locks
from rdr.cli import encode
from rdr.cli.codec_options import Config
from rdr.codecs import overfitted
from rdr.codecs.image import files
from rdr.data import image_io
from rdr.training import checkpoint_owner


def test_a_line_of_json_says_what_was_written(encoded, rdr, tmp_path, capsys, monkeypatch):
    message = (encoded / "out.rdr").read_bytes()
    monkeypatch.setattr(overfitted, "encode", lambda *_, directory, **__: directory.mkdir() or message)
    assert rdr("encode", encoded / "in.png", tmp_path / "out.rdr", "--json") == 0
    [line] = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    decoded = overfitted.decode(message)
    mse = np.mean((image_io.read_image(encoded / "in.png") / 255.0 - decoded / 255.0) ** 2)
    assert list(said)[:5] == ["bytes", "bits_per_pixel", "psnr_db", "seconds", "sha256"]
    assert said["bytes"] == len(message) == (tmp_path / "out.rdr").stat().st_size
    assert said["bits_per_pixel"] == pytest.approx(8 * len(message) / 51)
    assert said["psnr_db"] == pytest.approx(-10 * np.log10(mse)) and said["seconds"] > 0
    assert said["sha256"] == hashlib.sha256(decoded.tobytes()).hexdigest() and said["image"] == "in.png"
    assert said["psnr_scale"] == "srgb"


def test_large_images_of_sixteen_bits_are_cut_into_tiles(tmp_path, capsys, rdr, without_fits):
    deep = np.add.outer(np.arange(17) * 3500, np.arange(3) * 20).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "in.png")
    with without_fits() as asked:
        assert rdr("encode", tmp_path / "in.png", tmp_path / "out.rdr", "--steps=8", "--tile=16") == 0
    assert "in.png: " in capsys.readouterr().out
    for (image, options), rows in zip(asked, (slice(0, 9), slice(8, 17)), strict=True):
        np.testing.assert_array_equal(image[:, :, 0], deep[rows])
        assert options.schedule.steps == 8 and options.signal.depth == 16
    assert not (tmp_path / "out.rdr.progress").exists()
    assert rdr("decode", tmp_path / "out.rdr", tmp_path / "out.png") == 0
    decoded = image_io.read_image(tmp_path / "out.png")
    np.testing.assert_array_equal(decoded, overfitted.decode((tmp_path / "out.rdr").read_bytes()))
    assert decoded.shape == (17, 3, 1)
    assert decoded.dtype == np.uint16
    assert rdr("info", tmp_path / "out.rdr") == 0
    assert "tile_rows: 2" in capsys.readouterr().out


def test_folders_of_large_images_are_encoded_one_by_one(tmp_path, monkeypatch, rdr):
    asked, images = [], tmp_path / "images"
    images.mkdir()
    for index, height in enumerate((30, 30, 12, 12)):
        Image.fromarray(np.full((height, 9), index, np.uint8)).save(images / f"{index}.png")

    def one(image, options, *, tile, directory):
        asked.append((image.shape, tile))
        directory.mkdir()
        return b"one"

    def some(images, options, *, directory):
        asked.append(len(images))
        directory.mkdir()
        return [b"some"] * len(images)

    monkeypatch.setattr(overfitted, "encode", one)
    monkeypatch.setattr(overfitted, "encode_batch", some)
    monkeypatch.setattr(encode, "_report", lambda *_, **__: False)
    assert rdr("encode", images, tmp_path / "out", "--tile=20") == 0
    assert asked == [2, ((30, 9, 1), 20), ((30, 9, 1), 20)]
    assert rdr("encode", images, tmp_path / "whole", "--tile=0") == 0
    assert asked[3:] == [2, 2]


def test_wildcards_and_several_files_go_to_a_folder(tmp_path, instant_fits, rdr, small_image, capsys):
    for name in ("a1", "a2", "b"):
        Image.fromarray(small_image).save(tmp_path / f"{name}.png")
    assert rdr("encode", tmp_path / "a*.png", tmp_path / "wild") == 0
    assert sorted(file.name for file in (tmp_path / "wild").glob("*.rdr")) == ["a1.rdr", "a2.rdr"]
    assert rdr("encode", tmp_path / "a1.png", tmp_path / "b.png", tmp_path / "named") == 0
    assert sorted(file.name for file in (tmp_path / "named").glob("*.rdr")) == ["a1.rdr", "b.rdr"]
    assert rdr("encode", tmp_path / "c*.png", tmp_path / "none") == 1
    assert "no file matches" in capsys.readouterr().err and not (tmp_path / "none").exists()


def test_fits_are_kept_until_their_messages_are_written(tmp_path, capsys, monkeypatch, instant_fits, rdr, small_image):
    Image.fromarray(small_image).save(tmp_path / "in.png")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(rdr_files, "write_bytes", full)
        assert rdr("encode", tmp_path / "in.png", tmp_path / "out.rdr") == 1
        assert "No space left" in capsys.readouterr().err
    assert (tmp_path / "out.rdr.progress").is_dir()
    assert rdr("encode", tmp_path / "in.png", tmp_path / "out.rdr") == 0
    assert (tmp_path / "out.rdr").read_bytes() == b"one" and not (tmp_path / "out.rdr.progress").exists()
    for target, words in ((tmp_path, "is a folder"), (tmp_path / "in.png", "would replace")):
        assert rdr("encode", tmp_path / "in.png", target) == 1
        assert words in capsys.readouterr().err
    assert len(instant_fits) == 2


def test_refused_calls_are_not_in_the_way_of_right_ones(encoded, tmp_path, capsys, rdr):
    assert rdr("encode", encoded / "in.png", tmp_path / "x.rdr", "--size=50") == 1
    assert "size must be at least" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_folders_keep_what_belongs_to_their_options_and_images(tmp_path, capsys, instant_fits, rdr, small_image):
    images, other = tmp_path / "images", tmp_path / "other"
    for folder in (images, other):
        folder.mkdir()
        for name in "ab":
            Image.fromarray(small_image + np.uint8(len(folder.name))).save(folder / f"{name}.png")
    assert rdr("encode", images, tmp_path / "out") == 0
    Image.fromarray(small_image).save(images / "0.png")
    assert rdr("encode", images, tmp_path / "out") == 0
    assert len(instant_fits) == 3  # those that were there were not fitted again with the new one
    assert "a: is there already" in capsys.readouterr().out
    assert rdr("encode", images, tmp_path / "out", "--bpp=16") == 1
    assert "other settings (bpp)" in capsys.readouterr().err
    assert rdr("encode", other, tmp_path / "out") == 1
    assert "another image" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.progress"))


def test_large_images_are_not_fitted_side_by_side():
    shapes = {str(i): (1024, 1024, 3) for i in range(3)} | {"s": (16, 16, 3), "t": (16, 16, 3), "u": (2000, 9, 3)}
    assert encode._batches(shapes, Config(tile=1024)) == [["s", "t"], ["0"], ["1"], ["2"], ["u"]]


def test_progress_of_other_settings_is_refused(tmp_path, capsys, rdr, small_image):
    Image.fromarray(small_image).save(tmp_path / "in.png")
    progress = tmp_path / "out.rdr.progress"
    (progress / "fit").mkdir(parents=True)
    (progress / "fit_of.json").write_text("{}")
    assert rdr("encode", tmp_path / "in.png", tmp_path / "out.rdr") == 1
    assert "holds the progress of other data" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "status", "message"), [
    (("encode", "a.png"), 2, "say what to encode"), (("encode", "none.png", "a.rdr"), 1, "there is no file"),
    (("encode", "a", "b", "--what"), 2, "what"), (("encode", "a", "-"), 2, "not -"),
    (("encode", "", "a.rdr"), 2, "empty"),
    (("encode", "a", "b", "--preset=quick"), 2, "one of fast, medium, slow, best"),
    (("encode", "a", "b", "--bpp=1", "--psnr=30"), 2, "--bpp and --psnr are two goals: give one of them"),
    (("encode", "a", "b", "--objective=x"), 2, "--objective must be one of mse, ms_ssim"),
    (("encode", "a", "b", "--objective=jod", "--display=tv"), 2, "--display must be one of standard_4k, "),
    (("encode", "a", "b", "--display=standard_4k"), 2, "--display is of --objective=jod, and of --objective=wd"),
    (("encode", "a", "b", "--steps=x"), 2, "--steps must be a whole number"),
])  # fmt: skip
def test_wrong_words_give_a_sentence_and_a_status(words, status, message, capsys, tmp_path, monkeypatch, rdr):
    monkeypatch.chdir(tmp_path)
    assert rdr(*words) == status
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1


@pytest.mark.parametrize(("flag", "status", "message"), [
    ("--bpp=0.01", 1, "size must be at least"), ("--seed=-1", 1, "seed must be"), ("--sigma=none.png", 1, "no file"),
    ("--sigma=foveal", 2, "of degrees as in 0.1deg, eccentricity, acuity, intrinsic, or an image file, got 'foveal'"),
    ("--sigma=-1", 2, "--sigma must be a number of pixels"), ("--sigma=-1deg", 2, "--sigma must be a number of pixels"),
    ("--pixels_per_degree=0", 2, "--pixels_per_degree must be positive"),
    ("--fixation=3,4", 2, "--fixation must be a row and a column, for --sigma=eccentricity or acuity"),
    ("--negative=keep", 2, "--negative must be one of"),
    ("--noise_levels=9", 1, "noise_levels must be"), ("--tile=9", 2, "--tile must be between"),
])  # fmt: skip
def test_wrong_numbers_give_a_sentence(flag, status, message, capsys, encoded, tmp_path, rdr):
    assert rdr("encode", encoded / "in.png", tmp_path / "x.rdr", flag) == status
    assert message in capsys.readouterr().err
    assert rdr("encode", encoded / "in.png", tmp_path / "no" / "x.rdr") == 1


def test_images_that_a_display_s_bands_do_not_fit_into_leave_nothing(capsys, tmp_path, rdr):
    Image.fromarray(np.zeros((1, 9, 3), np.uint8)).save(tmp_path / "in.png")
    assert rdr("encode", tmp_path / "in.png", tmp_path / "out.rdr", "--objective=jod", "--steps=1") == 1
    assert "images must have at least 2 pixels each way, got 1 x 9" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_help_explains_every_flag_and_begins_with_what_one_needs(capsys, rdr):
    with pytest.raises(SystemExit):
        rdr("encode", "--help")
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("bits per pixel that the file should have", "300 (fast)", "fast is about a minute for 768 x 512",
                  "one of mse, ms_ssim", "[1024]"):
        assert words in shown
    assert shown.index("--bpp") < shown.index("further options") < shown.index("--squared_error_weight")


def test_broken_images_do_not_keep_others_from_being_encoded(tmp_path, instant_fits, rdr, small_image, capsys):
    """Fault 23: one broken image aborted a folder before any work."""
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "d"):
        Image.fromarray(small_image).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "c.png").write_bytes(b"nothing")
    (tmp_path / "in" / "d.png").write_bytes((tmp_path / "in" / "a.png").read_bytes()[:50])
    assert rdr("encode", tmp_path / "in", tmp_path / "out") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "2 of 4 images could not be encoded" in error and "c.png" in error and "d.png" in error
    assert sorted(path.name for path in (tmp_path / "out").glob("*.rdr")) == ["a.rdr", "b.rdr"]
    for name in "ab":
        (tmp_path / "in" / f"{name}.png").unlink()
    assert rdr("encode", tmp_path / "in", tmp_path / "none") == 1 and not (tmp_path / "none").exists()


def test_what_killed_processes_left_is_removed_when_a_folder_is_done(tmp_path, instant_fits, rdr, small_image):
    """Fault 33: a folder killed between two messages of a batch left a progress folder for ever."""
    (tmp_path / "in").mkdir()
    for name in "abc":
        Image.fromarray(small_image).save(tmp_path / "in" / f"{name}.png")

    def die(path, data, write=rdr_files.write_bytes):
        if str(path).endswith("b.rdr"):
            raise KeyboardInterrupt
        write(path, data)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rdr_files, "write_bytes", die)
        assert rdr("encode", tmp_path / "in", tmp_path / "out") == 130
    (tmp_path / "out" / ".a.rdr.0123.partial").write_text("")
    assert list((tmp_path / "out").glob("*.progress"))
    assert rdr("encode", tmp_path / "in", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.rdr", "b.rdr", "c.rdr", "config.json", "pictures.json"]


def test_interrupted_calls_say_what_was_saved(tmp_path, rdr, small_image, capsys, monkeypatch):
    """Fault 21: Ctrl-C before anything was saved said that the command resumes from what was saved."""
    Image.fromarray(small_image).save(tmp_path / "in.png")
    for saved, said in ((False, "nothing was saved yet"), (True, "goes on from what was saved")):
        def fit(image, options, *, tile, directory, saved=saved):
            checkpoint_owner.claim(directory, 1)
            if saved:
                (directory / "fit").mkdir()
                (directory / "fit" / "state").write_text("1")
            raise KeyboardInterrupt

        monkeypatch.setattr(overfitted, "encode", fit)
        assert rdr("encode", tmp_path / "in.png", tmp_path / "out.rdr") == 130
        assert said in capsys.readouterr().err


def test_two_processes_on_one_output_are_detected(tmp_path, instant_fits, rdr, small_image, capsys):
    """Fault 33: two processes on one output were not detected."""
    Image.fromarray(small_image).save(tmp_path / "in.png")
    with locks.exclusive(tmp_path / "out.rdr"):
        assert rdr("encode", tmp_path / "in.png", tmp_path / "out.rdr") == 1
    assert "another process is writing to" in capsys.readouterr().err and not instant_fits
    assert rdr("encode", tmp_path / "in.png", tmp_path / "out.rdr") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "out.rdr"]


def test_messages_go_through_links_and_into_devices(tmp_path, instant_fits, rdr, small_image):
    """Fault 14: a symbolic link became a file, a FIFO or a device a regular file."""
    Image.fromarray(small_image).save(tmp_path / "in.png")
    (tmp_path / "real.rdr").write_bytes(b"old")
    (tmp_path / "link.rdr").symlink_to(tmp_path / "real.rdr")
    assert rdr("encode", tmp_path / "in.png", tmp_path / "link.rdr") == 0
    assert (tmp_path / "link.rdr").is_symlink() and (tmp_path / "real.rdr").read_bytes() == b"one"
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    assert rdr("encode", tmp_path / "in.png", tmp_path / "fifo") == 0
    assert os.read(reader, 10) == b"one"
    os.close(reader)
    assert stat.S_ISFIFO(os.stat(tmp_path / "fifo").st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "in.png", "link.rdr", "real.rdr"]


def test_missed_targets_have_a_status_of_their_own(small_codec, tmp_path, rdr, capsys):
    """Fault 22: a pretrained codec with --bpp=30 wrote 0.55 bits per pixel and ended with status 0."""
    flags = (f"--checkpoint={small_codec / 'codec.npz'}", "--bpp=30")
    assert rdr("encode", small_codec / "images" / "a.png", tmp_path / "a.rdr", *flags) == 0
    assert "shorter than" in capsys.readouterr().err
    assert rdr("encode", small_codec / "images" / "a.png", tmp_path / "a.rdr", *flags, "--strict") == 3


def test_amortized_codecs_have_levels_and_targets(small_codec, tmp_path, rdr):
    checkpoint = f"--checkpoint={small_codec / 'codec.npz'}"
    source, message = small_codec / "images" / "a.png", tmp_path / "a.rdr"
    sizes = []
    for level in (0.0, 0.5, 1.0):
        assert rdr("encode", source, message, checkpoint, f"--level={level}") == 0
        sizes.append(message.stat().st_size)
    assert sizes[0] < sizes[1] < sizes[2]
    loaded = files.load_codec(small_codec / "codec.npz")
    assert message.read_bytes() == files.encode_image(loaded, image_io.read_image(source), rate=1.0)
    assert rdr("encode", small_codec / "images", tmp_path / "all", checkpoint, "--level=1") == 0
    assert (tmp_path / "all" / "a.rdr").read_bytes() == message.read_bytes()


@pytest.mark.parametrize(("flags", "status", "message"), [
    (["--checkpoint=/no/such.npz"], 1, "there is no file /no/such.npz"),
    (["--level=2"], 2, "--level must be in [0, 1]"), (["--size=10"], 1, "the lowest rate takes"),
    (["--bpp=1", "--size=9"], 2, "give one of them"), (["--bpp=-1"], 2, "--bpp must"),
])  # fmt: skip
def test_wrong_flags_of_amortized_codecs_give_a_sentence(small_codec, tmp_path, capsys, flags, status, message, rdr):
    flags = [f"--checkpoint={small_codec / 'codec.npz'}", *flags]
    assert rdr("encode", small_codec / "images" / "a.png", tmp_path / "x.rdr", *flags) == status
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "x.rdr").exists()
