"""`rdr evaluate FOLDER`: what a codec makes of a folder."""

import csv

import numpy as np
import pytest
from PIL import Image


def read(path):
    return list(csv.DictReader(line for line in path.read_text().splitlines() if line[0] != "#"))


def test_a_folder_of_small_images(tmp_path, capsys, rdr, small_image, without_fits):
    images = tmp_path / "images"
    images.mkdir()
    for index in range(2):
        Image.fromarray(small_image[index : index + 1, :1]).save(images / f"{index}.png")
    words = ("evaluate", images, f"--workdir={tmp_path / 'out'}", "--steps=3")
    with without_fits() as asked:
        assert rdr(*words) == 0
    assert [options.schedule.steps for _, options in asked] == [3, 3]
    sizes = [len((tmp_path / "out" / "messages" / f"{index}.rdr").read_bytes()) for index in range(2)]
    assert [(row["image"], int(row["bytes"]), float(row["bits_per_pixel"])) for row in
            read(tmp_path / "out" / "images.csv")] == [(str(i), s, 8.0 * s) for i, s in enumerate(sizes)]
    assert rdr(*words) == 0  # nothing is encoded again
    assert "0: is there already" in capsys.readouterr().out


def test_an_amortized_codec_on_a_folder(small_codec, tmp_path, rdr, capsys):
    Image.fromarray(np.full((20, 30), 99, np.uint8)).save(tmp_path / "gray.png")
    flags = (f"--workdir={tmp_path / 'out'}", "--level=1", f"--checkpoint={small_codec / 'codec.npz'}")
    assert rdr("evaluate", tmp_path, *flags) == 0
    [row] = read(tmp_path / "out" / "images.csv")
    message = (tmp_path / "out" / "messages" / "gray.rdr").read_bytes()
    assert int(row["bytes"]) == len(message) and float(row["bits_per_pixel"]) == pytest.approx(8 * len(message) / 600)
    decoded = np.asarray(Image.open(tmp_path / "out" / "decoded" / "gray.png"))
    assert float(row["psnr_db"]) == pytest.approx(-10 * np.log10(np.mean((decoded / 255 - 99 / 255) ** 2)), abs=1e-6)
    assert rdr("evaluate", tmp_path / "none", f"--workdir={tmp_path / 'x'}") == 1
    assert rdr("evaluate", tmp_path) == 2 and "--workdir is missing" in capsys.readouterr().err
