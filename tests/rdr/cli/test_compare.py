"""The comparison command: published BD-rates, intervals over images, hulls, folders of images, refusals."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from paper_figures.tables import DATA, read_table
from rdr.cli import compare
from rdr.cli.compare import Config
from rdr.evaluation.rd_curves import Curve
from rdr.metrics.bjontegaard import bd_rate


def test_bd_rates_of_published_curves_are_those_that_are_cited(tmp_path):
    rows = compare.run(Config(inputs=("kodak_compressai", "kodak_papers"), anchor="VTM 4:4:4"), tmp_path)
    found = {row["codec"]: row["bd_rate_percent"] for row in rows if row["metric"] == "psnr"}
    # BD-rates against VTM as the literature states them, in whole percent.
    cited = {"JPEG": 208, "BPG 4:4:4": 22, "bmshj2018-factorized (CompressAI)": 68, "mbt2018-mean (CompressAI)": 21,
             "mbt2018 (CompressAI)": 11, "cheng2020-anchor (CompressAI)": 4, "bmshj2018-hyperprior (CompressAI)": 31,
             "ELIC": -7, "C3": 5}
    for codec, percent in cited.items():
        assert abs(found[codec] - percent) < 1.0, codec
    assert all("bd_rate_percent_common" in row for row in rows if row["metric"] == "psnr")
    document = json.loads((tmp_path / "comparison.json").read_text())
    assert document["anchor"] == "VTM 4:4:4" and document["sources"]["ELIC"].startswith("He et al")
    header, table = read_table(tmp_path / "comparison.csv")
    assert header["method"] == "akima" and len(table["codec"]) == len(rows)
    _, points = read_table(tmp_path / "curves.csv")
    assert (points["codec"] == "JPEG").sum() == 19
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_a_run_of_ours_stands_beside_published_curves_that_share_names_with_it(tmp_path):
    (tmp_path / "run").mkdir()
    shutil.copy(DATA / "overfitted_kodak.csv", tmp_path / "run" / "pictures.csv")
    config = Config(inputs=("kodak_compressai", str(tmp_path / "run")), anchor="BPG 4:4:4",
                    codecs=("VTM 4:4:4", "overfitted MSE"))
    rows = compare.run(config, tmp_path)
    found = {row["codec"]: row["bd_rate_percent"] for row in rows if row["metric"] == "psnr"}
    assert set(found) == {"VTM 4:4:4", "overfitted MSE"}
    assert found["VTM 4:4:4"] < 0 < found["overfitted MSE"] < 10  # behind BPG by 8 %, as the documents say
    with pytest.raises(ValueError, match="2 are called 'JPEG'"):
        compare.gather(dataclasses.replace(config, codecs=("JPEG", "overfitted MSE")), tmp_path)


def curve(name, factor, rng, **options):
    """Four operating points of twelve images."""
    rates = np.array([0.1, 0.2, 0.4, 0.8])[:, None] * np.exp(0.3 * rng.normal(size=12))
    psnr = 30 + 3 * np.log2(rates / 0.1) + rng.normal(size=12)
    per_image = {"rate_bpp": factor * rates, "psnr": psnr}
    return Curve(name, "rate_bpp", factor * rates.mean(1), {"psnr": psnr.mean(1)}, "", per_image,
                 tuple(f"i{k}" for k in range(12)), **options)


def test_intervals_over_images_hold_the_truth_and_are_narrow_for_paired_images():
    rng = np.random.default_rng(0)
    anchor = curve("anchor", 1.0, rng)
    better = anchor._replace(name="better", rates=0.8 * anchor.rates, per_image={
        "rate_bpp": 0.8 * anchor.per_image["rate_bpp"] * np.exp(0.02 * rng.normal(size=(1, 12))),
        "psnr": anchor.per_image["psnr"],
    })
    (row,) = compare.compare_metric([anchor, better], "psnr", Config())
    np.testing.assert_allclose(row["bd_rate_percent"], -20.0, rtol=1e-9)
    assert row["bd_rate_low"] < -20.0 < row["bd_rate_high"] or abs(row["bd_rate_low"] + 20) < 1.0
    assert 0.1 < row["bd_rate_high"] - row["bd_rate_low"] < 5.0
    other = better._replace(images=("x",) * 12)
    assert "bd_rate_low" not in compare.compare_metric([anchor, other], "psnr", Config())[0]


def test_metrics_of_different_protocols_are_not_compared():
    rng = np.random.default_rng(0)
    protocol = {"metric": "psnr", "patch_size": None, "options": {"range": 1.0, "sigma": 8.0}}
    anchor = curve("anchor", 1.0, rng)._replace(protocols={"psnr": protocol})
    other = anchor._replace(name="other", rates=0.8 * anchor.rates)
    assert "refused" not in compare.compare_metric([anchor, other], "psnr", Config())[0]
    for change, said in (({"patch_size": 64}, "patch_size"), ({"options": {"range": 1.0, "sigma": 4.0}}, "sigma")):
        changed = other._replace(protocols={"psnr": protocol | change})
        (row,) = compare.compare_metric([anchor, changed], "psnr", Config())
        assert row["refused"] == f"other and anchor must have one protocol of psnr, they differ in {said}"
    # A table says nothing of its protocol: its reader has to know.
    assert "refused" not in compare.compare_metric([anchor, other._replace(protocols={})], "psnr", Config())[0]


def test_curves_that_bend_are_refused_or_taken_by_their_hulls():
    rates = np.array([0.1, 0.2, 0.3, 0.4, 0.8])
    straight = Curve("a", "rate_bpp", rates, {"psnr": 30 + 10 * np.sqrt(rates)}, "")
    bent = Curve("b", "rate_bpp", rates, {"psnr": np.where(rates == 0.3, 31.0, 30 + 10 * np.sqrt(rates))}, "")
    (row,) = compare.compare_metric([straight, bent], "psnr", Config())
    assert "b must be strictly monotone" in row["refused"]
    (row,) = compare.compare_metric([straight, bent], "psnr", Config(hull=True, method="pchip"))
    assert abs(row["bd_rate_percent"]) < 1.0
    # A metric that falls with the rate has its hull below.
    falling = [c._replace(metrics={"fid": 40 - c.metrics["psnr"]}) for c in (straight, bent)]
    (row,) = compare.compare_metric(falling, "fid", Config(hull=True, method="pchip"))
    assert abs(row["bd_rate_percent"]) < 1.0


def test_realism_at_equal_fidelity(tmp_path):
    config = Config(inputs=("clic2020_realism",), codecs=("DC-VIC (OASIS)", "DC-VIC (PatchGAN)"), axis="psnr",
                    other="fid")
    rows = compare.run(config, tmp_path)
    assert rows[-1]["metric"] == "fid at equal psnr" and 0 < rows[-1]["bd_metric"] < 1
    with pytest.raises(ValueError, match="--axis and --other must both name metrics of DC-VIC"):
        compare.run(Config(inputs=("clic2020_realism",), axis="psnr", other="kid"), tmp_path / "b")


def test_folders_of_images_are_evaluated_first(tmp_path):
    y, x = np.mgrid[:24, :32] / 5
    rng = np.random.default_rng(0)
    for i in range(2):
        pixels = np.uint8(np.clip(128 + 60 * np.stack([np.sin(x + i), np.cos(y), np.sin(x * y / 9)], -1)
                                  + 10 * rng.normal(size=(24, 32, 3)), 0, 255))
        (tmp_path / "ref").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "ref" / f"{i}.png")
        for quality in (10, 30, 50, 80):
            for codec, subsampling in (("sub", 2), ("full", 0)):
                folder = tmp_path / codec / f"q{quality}"
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / f"{i}.jpg", quality=quality, subsampling=subsampling)
    config = Config(inputs=(str(tmp_path / "sub"), str(tmp_path / "full")), reference=str(tmp_path / "ref"),
                    metrics=("psnr",))
    rows = compare.run(config, tmp_path / "out")
    assert {row["metric"] for row in rows} == {"mse", "psnr_of_mean_mse", "psnr"}
    row = rows[[row["metric"] for row in rows].index("psnr")]
    assert (tmp_path / "out" / "evaluations" / "sub" / "q10" / "results.json").exists()
    _, points = read_table(tmp_path / "out" / "curves.csv")
    assert len(points["codec"]) == 8 and (points["rate_bpp"] > 0).all()
    own = [points["codec"] == name for name in ("sub", "full")]
    expected = bd_rate([points["rate_bpp"][o] for o in own], [points["psnr"][o] for o in own]).values[1]
    assert row["codec"] == "full" and abs(expected) > 1.0
    np.testing.assert_allclose(row["bd_rate_percent"], expected, rtol=1e-6)
    # What is wrong with any input is said before images are evaluated.
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ValueError, match="nothing holds no results"):
        compare.run(dataclasses.replace(config, inputs=(config.inputs[0], str(tmp_path / "nothing"))), tmp_path / "b")
    (tmp_path / "png").mkdir()
    shutil.copytree(tmp_path / "ref", tmp_path / "png" / "q1")
    with pytest.raises(ValueError, match="q1 has no rates, as its images are not in the format .* --bitstreams"):
        compare.run(dataclasses.replace(config, inputs=(config.inputs[0], str(tmp_path / "png"))), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_the_command_line_says_what_is_wrong_in_one_sentence(tmp_path, capsys):
    def said(*words, status=1):
        assert compare.main(["rdr compare", *words, f"--workdir={tmp_path}/out"]) == status
        message = capsys.readouterr().err
        assert message.count("\n") == 1 and message.startswith("error: ")
        return message

    assert "say what to compare" in said(status=2)
    assert "there is no file or folder 'nothing'" in said("nothing")
    assert "there is no curve 'HEVC'; there are JPEG" in said("kodak_compressai", "--anchor=HEVC")
    assert "--method must be one of cubic, pchip, akima" in said("kodak_compressai", "--method=linear", status=2)
    assert "2 are called 'JPEG'" in said("kodak_compressai", "kodak_compressai")
    (tmp_path / "empty").mkdir()
    assert "holds no results; to evaluate images, give --reference=DIR" in said(str(tmp_path / "empty"))
    assert not (tmp_path / "out").exists()
