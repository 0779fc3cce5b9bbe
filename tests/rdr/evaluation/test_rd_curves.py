"""Reading curves: published tables, one's own, experiments' points, evaluations."""

import json

import numpy as np
import pytest

from rdr.evaluation.rd_curves import PUBLISHED, read_curves
from rdr.evaluation.tables import write_points, write_table


def test_published_tables_name_their_sources_and_are_curves():
    for file in sorted(PUBLISHED.glob("*.csv")):
        curves = read_curves(file.stem)
        assert len(curves) > 1
        for curve in curves:
            assert len(curve.source) > 30 and curve.rate_name == "rate_bpp" and (curve.rates > 0).all()
            assert "psnr" in curve.metrics
            for values in curve.metrics.values():
                assert np.isfinite(values).all()
                order = np.argsort(curve.rates)
                steps = np.diff(values[order])
                assert (steps > 0).all() or (steps < 0).all(), (file.stem, curve.name)
    assert "README.md" in {file.name for file in PUBLISHED.iterdir()}


def test_tables_of_ones_own_may_have_gaps(tmp_path):
    (tmp_path / "mine.csv").write_text("# source: me\ncodec,rate_bpp,psnr,dists\na,0.1,30,\na,0.2,32,0.1\nb,0.1,29,\n")
    a, b = read_curves(str(tmp_path / "mine.csv"))
    assert a.source == "me" and a.rates.tolist() == [0.1, 0.2]
    np.testing.assert_array_equal(a.metrics["dists"], [np.nan, 0.1])
    assert list(b.metrics) == ["psnr"]


def test_points_of_experiments_are_curves_in_bits_per_sample(tmp_path):
    columns = {name: [1.0, 2.0] for name in (
        "dimension", "rate_bits", "distortion", "perception", "bound_lower_bits", "bound_upper_bits", "gap_bits",
        "gap_se", "seed")}
    columns |= {"source": ["gaussian"] * 2, "codec": ["scalar"] * 2, "shared": ["none", "dither"]}
    columns |= {"bound_kind": ["exact"] * 2}
    write_points(tmp_path / "points.csv", columns, {})
    curves = read_curves(str(tmp_path))
    assert [curve.name for curve in curves] == ["gaussian scalar none", "gaussian scalar dither"]
    assert curves[1].rate_name == "rate_bits" and curves[1].metrics["perception"].tolist() == [2.0]


def test_our_image_codecs_are_read_from_what_their_experiments_write(tmp_path):
    (tmp_path / "trained").mkdir()
    columns = {"codec": ["hyperprior"] * 2, "rate_bpp": [0.2, 0.4], "estimated_bpp": [0.19, 0.39], "psnr": [30.0, 33.0],
               "lpips": [0.3, 0.2]}
    write_table(tmp_path / "trained" / "curve.csv", columns, {"source": "own run"})
    (trained,) = read_curves(str(tmp_path / "trained"))
    assert trained.source == "own run" and trained.rates.tolist() == [0.2, 0.4]
    # An estimate of the rate is no metric.
    assert list(trained.metrics) == ["psnr", "lpips_alexnet"]
    (tmp_path / "overfitted").mkdir()
    rows = [("rates", p, c, 10, r * k, q) for p, k in (("a", 1.0), ("b", 3.0)) for r, q in ((0.1, 30.0), (0.2, 33.0))
            for c in ("JPEG", "overfitted MSE")]
    rows.append(("realism", "a", "overfitted WD", 10, 0.1, 25.0))
    columns = dict(zip(("part", "picture", "codec", "bytes", "bits_per_pixel", "psnr"), map(list, zip(*rows))))
    columns["dists"] = [float("nan")] * len(rows)
    write_table(tmp_path / "overfitted" / "pictures.csv", columns, {})
    jpeg, ours = read_curves(str(tmp_path / "overfitted"))
    assert (jpeg.name, ours.name, ours.images) == ("JPEG", "overfitted MSE", ("a", "b"))
    np.testing.assert_allclose(ours.rates, [0.2, 0.4])
    np.testing.assert_allclose(ours.per_image["rate_bpp"], [[0.1, 0.3], [0.2, 0.6]])
    assert list(ours.metrics) == ["psnr"] and ours.metrics["psnr"].tolist() == [30.0, 33.0]
    columns = {name: column[:-2] for name, column in columns.items()}  # the last file of one codec is not there
    write_table(tmp_path / "overfitted" / "pictures.csv", columns, {})
    with pytest.raises(ValueError, match=r"overfitted MSE must have as many files for every image, got \[2, 1\]"):
        read_curves(str(tmp_path / "overfitted"))
    write_table(tmp_path / "overfitted" / "pictures.csv", {"picture": ["a"], "codec": ["x"]}, {})
    with pytest.raises(ValueError, match="must have the columns of pictures.csv, it lacks part, bytes, bits_per_pixel"):
        read_curves(str(tmp_path / "overfitted"))


def evaluation(folder, rate, psnr, protocol="p"):
    folder.mkdir(parents=True)
    table = {"psnr": {"value": np.mean(psnr), "protocol": protocol}}
    if rate is not None:
        table["rate_bpp"] = {"value": np.mean(rate), "protocol": ""}
    (folder / "results.json").write_text(json.dumps({"metrics": table}))
    with open(folder / "images.jsonl", "w") as stream:
        for i in reversed(range(len(psnr))):
            bits = None if rate is None else rate[i] * 100
            record = {"name": f"i{i}", "height": 10, "width": 10, "bits": bits, "values": {"psnr": psnr[i]}}
            stream.write(json.dumps(record) + "\n")


def test_evaluations_are_points_of_one_curve_with_their_images(tmp_path):
    evaluation(tmp_path / "codec" / "q1", [0.1, 0.3], [30.0, 32.0])
    evaluation(tmp_path / "codec" / "q2", [0.2, 0.5], [33.0, 36.0])
    (curve,) = read_curves(str(tmp_path / "codec"))
    assert curve.name == "codec" and curve.images == ("i0", "i1")
    np.testing.assert_allclose(curve.rates, [0.2, 0.35])
    assert curve.per_image["psnr"].tolist() == [[30.0, 32.0], [33.0, 36.0]]
    np.testing.assert_allclose(curve.per_image["rate_bpp"], [[0.1, 0.3], [0.2, 0.5]])
    evaluation(tmp_path / "codec" / "q3", [0.2, 0.5], [33.0, 36.0], protocol="another")
    with pytest.raises(ValueError, match="differ in the protocol of psnr"):
        read_curves(str(tmp_path / "codec"))
    evaluation(tmp_path / "png", None, [33.0])
    with pytest.raises(ValueError, match="was evaluated without rates: give --bitstreams"):
        read_curves(str(tmp_path / "png"))


def test_faulty_tables_are_refused(tmp_path):
    file = tmp_path / "x.csv"
    for text, message in (
        ("codec,rate_bpp,psnr\n", "holds no rows"),
        ("rate_bpp,psnr\n1,2\n", "must have a column codec"),
        ("codec,psnr\na,2\n", "must have a column rate_bpp and at least one metric"),
        ("codec,rate_bpp,psnr\na,1,many\n", "column psnr must hold numbers, got 'many'"),
        ("codec,rate_bpp,psnr\na,,30\n", "a must have a positive, finite rate_bpp in every row"),
        ("codec,rate_bpp,psnr\na,0,30\n", "a must have a positive, finite rate_bpp in every row"),
        ("codec,rate_bpp,psnr\na,1\n", "row 1 has 2 cells, the heading has 3"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_curves(str(file))
    with pytest.raises(ValueError, match="there is no file or folder 'nothing', nor a published table .*kodak_papers"):
        read_curves("nothing")
    assert read_curves(str(tmp_path)) == []
