"""The curve of a codec: bytes that were decoded, beside the estimate and JPEG."""

import csv

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import image_curve
from rdr.codecs.image import files, make_codec

OPTIONS = {"name": "bmshj2018-factorized", "channels": 8, "latents": 12, "rate_levels": 2, "realism": True}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for name, shape in (("a", (48, 64, 3)), ("b", (64, 48, 3))):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / "images" / f"{name}.png")
    codec = make_codec(**OPTIONS)
    draws = jax.tree.map(lambda leaf: rng.normal(0.0, 0.1, leaf.shape).astype(np.float32),
                         jax.eval_shape(codec.init, jax.random.key(0)))
    draws["gains"]["log_gain"] += np.array([[2.0], [3.0]], np.float32)
    for k in range(5):
        draws["model"]["prior"][f"matrix_{k}"] -= 1.2  # wide enough for these latents: no escapes
    for part in ("analysis", "synthesis"):
        for i in range(3):
            draws[part][f"GDN_{i}"]["root_beta"] += 1.0
    files.save_codec(folder / "codec.npz", OPTIONS, codec.finalize(draws))
    return folder


def test_the_table_holds_measured_bytes_close_to_the_estimate(inputs, tmp_path):
    argv = ["image_curve", "--preset=smoke", f"--codec={inputs / 'codec.npz'}", f"--images={inputs / 'images'}",
            f"--workdir={tmp_path}"]
    assert image_curve.main(argv) == 0
    lines = [line for line in (tmp_path / "curve.csv").read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    names = [f"bmshj2018-factorized realism {beta}" for beta in (0, 1)]
    assert [row["codec"] for row in rows] == names * 2 + ["JPEG (Pillow)"] * 2
    ours = [{name: float(row[name]) for name in ("rate_bpp", "estimated_bpp", "psnr")} for row in rows[:4]]
    assert ours[0]["rate_bpp"] == ours[1]["rate_bpp"] < ours[2]["rate_bpp"]  # one message, all realism weights
    for row in ours:
        header = 8 * 80 / (48 * 64)
        assert 0 < row["rate_bpp"] - row["estimated_bpp"] < header + 0.02 * row["estimated_bpp"]
    assert float(rows[4]["rate_bpp"]) < float(rows[5]["rate_bpp"])


def test_psnr_is_that_of_eight_bit_images():
    meter = image_curve.Meter(False)
    x = np.full((4, 4, 3), 100, np.uint8)
    assert meter(x, x + np.uint8(5))["psnr"] == pytest.approx(20 * np.log10(255 / 5))


@pytest.mark.parametrize("options, message", [
    ([], "give --codec=FILE"), (["--codec=/no", "--images=/no"], "there is no file /no"),
    (["--levels=2"], "levels must be numbers in [0, 1]"), (["--qualities=0"], "qualities must be"),
])
def test_refusals_are_one_sentence(options, message, tmp_path, capsys):
    assert image_curve.main(["image_curve", "--preset=smoke", f"--workdir={tmp_path}", *options]) == 1
    assert message in capsys.readouterr().err
