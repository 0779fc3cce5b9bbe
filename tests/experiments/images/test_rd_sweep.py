"""The curve of a codec: bytes that were decoded, beside the estimate and JPEG."""

import csv

import numpy as np
import pytest

from experiments.images import rd_sweep


def test_the_table_holds_measured_bytes_close_to_the_estimate(small_codec, tmp_path):
    argv = ["image_curve", "--preset=smoke", f"--codec={small_codec / 'codec.npz'}",
            f"--images={small_codec / 'images'}", f"--workdir={tmp_path}"]
    assert rd_sweep.main(argv) == 0
    lines = [line for line in (tmp_path / "curve.csv").read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    names = [f"bmshj2018-factorized realism {beta}" for beta in (0, 1)]
    assert [row["codec"] for row in rows] == names * 2 + ["JPEG (Pillow)"] * 2 + ["WebP (Pillow)"] * 2
    ours = [{name: float(row[name]) for name in ("rate_bpp", "estimated_bpp", "psnr")} for row in rows[:4]]
    assert ours[0]["rate_bpp"] == ours[1]["rate_bpp"] < ours[2]["rate_bpp"]  # one message, all realism weights
    for row in ours:
        header = 8 * 80 / (48 * 64)
        assert 0 < row["rate_bpp"] - row["estimated_bpp"] < header + 0.02 * row["estimated_bpp"]
    assert float(rows[4]["rate_bpp"]) < float(rows[5]["rate_bpp"])


def test_rates_relative_to_jpeg_are_those_of_the_curves(tmp_path):
    rates, psnr = np.array([0.1, 0.2, 0.4, 0.8]), (24.0, 27.0, 30.0, 33.0)
    rows = [(name, scale * rate, value) for name, scale in (("ours", 0.8), (rd_sweep.ANCHOR, 1.0))
            for rate, value in zip(rates, psnr)]
    rows += [("single", 0.3, 29.0)]
    (tmp_path / "curve.csv").write_text("codec,rate_bpp,psnr\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    table = rd_sweep.bd_rates(tmp_path / "curve.csv", ("kodak_compressai",))
    assert table["codec"][:2] == ["ours", "single"] and "VTM" in " ".join(table["codec"])
    assert table["bd_rate_percent"][0] == pytest.approx(-20.0) and table["bd_rate_percent"][1] == ""
    assert (table["psnr_from"][0], table["psnr_to"][0]) == (24.0, 33.0)


def test_psnr_is_that_of_eight_bit_images():
    suite = rd_sweep.make_suite(())
    x = np.full((4, 4, 3), 100, np.uint8)
    assert suite.measure(x + np.uint8(5), x)["psnr"] == pytest.approx(20 * np.log10(255 / 5))


@pytest.mark.parametrize("options, status, message", [
    ([], 1, "give --codec=FILE"), (["--codec=/no", "--images=/no"], 1, "there is no file /no"),
    (["--codec=", "--others=JPEG", "--images=tests", "--published=no_such"], 1, "no_such"),
    (["--others=GIF"], 2, "others must be among JPEG, "),
    (["--levels=2"], 2, "levels must be numbers in [0, 1]"), (["--qualities=0"], 2, "qualities must be"),
])
def test_refusals_are_one_sentence(options, status, message, tmp_path, capsys):
    assert rd_sweep.main(["rd_sweep", "--preset=smoke", f"--workdir={tmp_path}", *options]) == status
    assert message in capsys.readouterr().err


def test_a_pillow_without_the_codecs_that_were_asked_for_is_told(small_codec, tmp_path, monkeypatch):
    monkeypatch.setitem(rd_sweep.CODECS, "JPEG", rd_sweep.CODECS["JPEG"]._replace(available=lambda: False))
    config = rd_sweep.Config(images=str(small_codec / "images"), others=("JPEG",), metrics=())
    with pytest.raises(ValueError, match="this Pillow has none of JPEG"):
        rd_sweep.run(config, tmp_path)
