"""Trained codecs through the command: sizes, levels, realism, and what is refused."""

import csv

import numpy as np
import pytest
from PIL import Image

from rdr.bitstream import container
from rdr.cli import amortized, codec
from rdr.codecs.image import files
from rdr.data import image_io


def _main(*words):
    return codec.main(["codec", *map(str, words)])


def test_encode_decode_and_info_of_a_checkpoint(small_codec, tmp_path, capsys):
    checkpoint = f"--checkpoint={small_codec / 'codec.npz'}"
    source, message = small_codec / "images" / "a.png", tmp_path / "a.rdr"
    sizes = []
    for level in (0.0, 0.5, 1.0):
        assert _main("encode", source, message, checkpoint, f"--level={level}") == 0
        sizes.append(message.stat().st_size)
    assert sizes[0] < sizes[1] < sizes[2]
    loaded = files.load_codec(small_codec / "codec.npz")
    assert message.read_bytes() == files.encode_image(loaded, image_io.read_image(source), rate=1.0)
    capsys.readouterr()
    assert _main("info", message) == 0
    shown = capsys.readouterr().out
    assert "codec: bmshj2018-factorized" in shown and f"bytes: {sizes[2]}" in shown and "rate level: 1.0000" in shown
    found = []
    for realism in (0.0, 1.0):
        assert _main("decode", message, tmp_path / "a.png", checkpoint, f"--realism={realism}") == 0
        found.append(image_io.read_image(tmp_path / "a.png"))
        np.testing.assert_array_equal(found[-1], files.decode_image(loaded, message.read_bytes(), realism=realism))
    assert (found[0] != found[1]).any()


def test_a_number_of_bytes_is_used_as_well_as_levels_allow(small_codec):
    checkpoint, picture = str(small_codec / "codec.npz"), image_io.read_image(small_codec / "images" / "a.png")
    lengths = [len(amortized.encode_picture(picture, checkpoint, level=step / 16, size=None))
               for step in range(17)]
    size = lengths[7] + 1
    message = amortized.encode_picture(picture, checkpoint, level=0.0, size=size)
    assert len(message) == max(length for length in lengths if length <= size)
    with pytest.raises(ValueError, match=f"lowest rate takes {lengths[0]} bytes, more than {lengths[0] - 1}"):
        amortized.encode_picture(picture, checkpoint, level=0.0, size=lengths[0] - 1)


def test_evaluate_writes_what_was_measured(small_codec, tmp_path):
    Image.fromarray(np.full((20, 30), 99, np.uint8)).save(tmp_path / "gray.png")
    assert _main("evaluate", tmp_path, f"--workdir={tmp_path / 'out'}", "--level=1",
                 f"--checkpoint={small_codec / 'codec.npz'}") == 0
    lines = [line for line in (tmp_path / "out" / "images.csv").read_text().splitlines() if line[0] != "#"]
    [row] = csv.DictReader(lines)
    message = (tmp_path / "out" / "messages" / "gray.rdr").read_bytes()
    assert int(row["bytes"]) == len(message) and float(row["bits_per_pixel"]) == pytest.approx(8 * len(message) / 600)


@pytest.mark.parametrize(("flags", "message"), [
    (["--checkpoint=/no/such.npz"], "there is no file /no/such.npz"), (["--level=2"], "--level must be in [0, 1]"),
    (["--size=10"], "the lowest rate takes"), (["--bpp=1", "--size=9"], "give one of them"),
    (["--bpp=-1"], "--bpp must"),
])  # fmt: skip
def test_wrong_flags_give_a_sentence(small_codec, tmp_path, capsys, flags, message):
    flags = [f"--checkpoint={small_codec / 'codec.npz'}", *flags]
    assert _main("encode", small_codec / "images" / "a.png", tmp_path / "x.rdr", *flags) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "x.rdr").exists()


def test_forged_messages_are_described_in_a_sentence(small_codec):
    picture, checkpoint = np.zeros((4, 4, 3), np.uint8), str(small_codec / "codec.npz")
    parts = container.unpack(amortized.encode_picture(picture, checkpoint, level=0.0, size=None))
    for change in ({"shape": (4, 4, 3)}, {"shape": (1, 0, 4, 3)}, {"payloads": ()}):
        with pytest.raises(ValueError, match="damaged message: its parts are not"):
            amortized.describe(container.pack(parts._replace(**change)))


def test_pictures_of_more_bits_and_other_realism_weights_are_refused(small_codec):
    checkpoint = str(small_codec / "codec.npz")
    with pytest.raises(ValueError, match="8 bits"):
        amortized.encode_picture(np.zeros((4, 4, 1), np.uint16), checkpoint, level=0.0, size=None)
    message = amortized.encode_picture(np.zeros((4, 4, 3), np.uint8), checkpoint, level=0.0, size=None)
    with pytest.raises(ValueError, match="realism weight must be in"):
        amortized.decode_picture(message, checkpoint, realism=2.0)
