"""Names find what was registered; what is not known is answered with the list of what is."""

import numpy as np
import pytest

import rdr.features
import rdr.losses
import rdr.metrics
from rdr.registry import Registry


def test_objects_are_built_with_options():
    registry = Registry("thing", {"b": lambda size=1: size})
    registry.register("a", lambda: "A")
    assert registry.names() == ("a", "b") and registry.build("a") == "A" and registry.build("b", size=3) == 3
    with pytest.raises(ValueError, match="thing must be one of 'a', 'b', got 'c'"):
        registry.build("c")
    for name in ("a", ""):
        with pytest.raises(ValueError, match="must be new"):
            registry.register(name, lambda: None)
    with pytest.raises(TypeError, match="must be callable, got int"):
        registry.register("d", 3)
    registry.unregister("a")
    registry.unregister("a")
    assert registry.names() == ("b",)


@pytest.mark.parametrize("package", [rdr.losses, rdr.features])
def test_users_add_losses_and_features(package):
    def own(images, reference=None):
        return images

    assert package.get(own) is own
    package.register("own", own)
    try:
        assert package.get("own") is own and "own" in package.names()
        with pytest.raises(ValueError, match="must be new"):
            package.register("own", own)
    finally:
        package.unregister("own")
    with pytest.raises(ValueError, match="must be one of .*got 'own'"):
        package.get("own")
    with pytest.raises(TypeError, match="must be callable"):
        package.register("own", 3)


def test_losses_by_name_are_those_of_their_modules():
    x, y = np.random.default_rng(0).random((2, 1, 16, 16, 3), np.float32)
    np.testing.assert_allclose(rdr.losses.get("squared_error")(x, y), np.mean((x - y) ** 2, (1, 2, 3)), rtol=1e-5)
    loss = rdr.losses.get("wasserstein_distortion", sigma=0.0)
    np.testing.assert_allclose(loss(x, y), np.mean((x - y) ** 2, (1, 2, 3)), rtol=1e-5)
    own = rdr.losses.get("wasserstein_distortion", sigma=0.0, features=lambda images: {"twice": 2 * images})
    np.testing.assert_allclose(own(x, y), 4 * np.mean((x - y) ** 2, (1, 2, 3)), rtol=1e-5)


def test_users_add_metrics():
    def largest_error(images, reference):
        return abs(images - reference).max((1, 2, 3))

    x, y = np.random.default_rng(0).random((2, 2, 8, 8, 3), np.float32)
    metric = rdr.metrics.get(largest_error)
    assert metric.name == "largest_error" and not metric.higher_is_better and rdr.metrics.get(metric) is metric
    np.testing.assert_allclose(metric(x, y), abs(x - y).max((1, 2, 3)))
    rdr.metrics.register("largest", largest_error, least_side=4)
    try:
        assert "largest" in rdr.metrics.names() and rdr.metrics.get("largest").least_side == 4
        with pytest.raises(ValueError, match="must be new"):
            rdr.metrics.register("largest", largest_error)
    finally:
        rdr.metrics.unregister("largest")
    with pytest.raises(ValueError, match="metrics must be among .*got 'largest'"):
        rdr.metrics.get("largest")


@pytest.mark.parametrize("package", ["losses", "features", "metrics", "data", "evaluation"])
def test_packages_list_what_there_is(package):
    module = __import__(f"rdr.{package}", fromlist=["x"])
    assert module.__all__ == sorted(module.__all__) and set(module.__all__) <= set(dir(module))
    skip = {"loader", "patches", "tfds_source"} if package == "data" else set()  # need the extra `training`
    for name in set(module.__all__) - skip:
        assert getattr(module, name).__doc__
