"""Names find what was registered; what is not known is answered with the list of what is."""

import pytest

from rdr.registry import Registry


def test_objects_are_built_with_options():
    registry = Registry("thing", {"b": lambda size=1: size})
    registry.register("a", lambda: "A")
    assert registry.names() == ("a", "b") and registry.build("a") == "A" and registry.build("b", size=3) == 3
    with pytest.raises(ValueError, match="thing must be one of 'a', 'b', got 'c'"):
        registry.build("c")
    for nothing in (None, ["b"]):
        with pytest.raises(ValueError, match="thing must be one of 'a', 'b', got "):
            registry.build(nothing)
    with pytest.raises(TypeError, match="thing 'b' has no option 'length'; it takes size"):
        registry.build("b", length=3)
    with pytest.raises(TypeError, match="thing 'a' has no option 'size'; it takes none"):
        registry.build("a", size=3)
    assert registry.given(3, {}) == 3
    with pytest.raises(TypeError, match="a thing that is given takes no options, got size"):
        registry.given(3, {"size": 1})
    for name in ("a", "", 3, ["a"]):
        with pytest.raises(ValueError, match="must be new"):
            registry.register(name, lambda: None)
    with pytest.raises(TypeError, match="must be callable, got int"):
        registry.register("d", 3)
    registry.unregister("a")
    registry.unregister("a")
    assert registry.names() == ("b",)


@pytest.mark.parametrize("package", ["losses", "features", "metrics", "data", "evaluation"])
def test_packages_list_what_there_is(package):
    module = __import__(f"rdr.{package}", fromlist=["x"])
    assert module.__all__ == sorted(module.__all__) and set(module.__all__) <= set(dir(module))
    skip = {"loader", "patches", "tfds_source"} if package == "data" else set()  # need the extra `training`
    for name in set(module.__all__) - skip:
        assert getattr(module, name).__doc__
