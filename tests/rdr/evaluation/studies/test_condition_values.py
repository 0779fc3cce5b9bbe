"""Metrics and rates of a study's images."""

import json

import numpy as np
import pytest

from rdr.evaluation.studies.answers import Item
from rdr.evaluation.studies.condition_values import look_up, name_of, read_values


def evaluation(folder, rows, metrics):
    folder.mkdir(parents=True)
    (folder / "images.csv").write_text("# units: dB\nimage,height,width,psnr,mine,rate_bpp\n" + "\n".join(rows) + "\n")
    (folder / "results.json").write_text(json.dumps({"metrics": {
        name: {"value": 1.0, "higher_is_better": higher} for name, higher in metrics.items()}}))


def test_evaluations_are_found_by_codec_and_level(tmp_path):
    metrics = {"psnr": True, "mine": False, "rate_bpp": False}
    evaluation(tmp_path / "a@2.50", ["x.png,8,8,30,1,.5", "y.png,8,8,31,2,.6"], metrics)
    evaluation(tmp_path / "b" / "q3", ["x.png,8,8,32,3,.7"], metrics)
    evaluation(tmp_path / "c", ["x.png,8,8,inf,4,.8"], metrics)
    values = read_values(tmp_path)
    keys = [("x", Item("a", "2.5")), ("x.png", Item("b", "q3")), ("x", Item("c", "1")), ("z", Item("c", "1"))]
    np.testing.assert_array_equal(look_up(values, "psnr", keys), [30, 32, np.inf, np.nan])
    np.testing.assert_array_equal(look_up(values, "rate_bpp", keys[:1]), [0.5])
    assert values.higher_is_better == {"psnr": True, "mine": False}
    (tmp_path / "c" / "results.json").unlink()
    with pytest.raises(ValueError, match="missing or damaged"):
        read_values(tmp_path)
    with pytest.raises(ValueError, match="holds no evaluations"):
        read_values(tmp_path / "b" / "q3")


def test_a_table_has_metrics_their_errors_and_directions(tmp_path):
    path, heading = tmp_path / "t.csv", "source,condition,level,mine,mine_se,lpips_vgg16\n"
    path.write_text("# higher_is_better: mine\n" + heading + "x,a,01,2,.1,.3\ny,a,1,3,,\n")
    values = read_values(path)
    assert values.higher_is_better == {"mine": True, "lpips_vgg16": False}
    key = ("x", Item("a", "1"))
    assert values.numbers["mine"][key] == 2 and values.errors["mine"][key] == 0.1
    assert np.isnan(values.numbers["lpips_vgg16"]["y", Item("a", "1")])
    for text, message in ((heading + "x,a,1,2,.1,.3\n", "larger values of mine are better"),
                          ("source,level,mine\nx,1,2\n", "lacks condition"),
                          ("source,condition,level\nx,a,1\n", "lacks a metric"),
                          ("source,condition,level,psnr\nx,a,1,two\n", "must hold numbers"),
                          ("source,condition,level,psnr\nx,a,1,2\nx,a,1.0,3\n", "occurs twice")):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_values(path)


def test_names_lose_endings_of_images_alone():
    assert [name_of(name) for name in ("a.PNG", "a", "a.v2", ".png")] == ["a", "a", "a.v2", ".png"]
