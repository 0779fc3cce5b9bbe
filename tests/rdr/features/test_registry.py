"""Feature maps by name; users add theirs."""

import jax
import numpy as np
import pytest

import rdr.features
from rdr.features import color


def test_maps_by_name_are_those_of_their_modules():
    x = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    maps, own = jax.jit(lambda x: (rdr.features.get("color", space="lab")(x), color.features(None, x, space="lab")))(x)
    np.testing.assert_array_equal(maps["lab"], own["lab"])
    assert set(jax.eval_shape(rdr.features.get("laplacian_pyramid", num_levels=2), x)) == {"level_0", "lowpass"}


def test_users_add_their_own():
    def own(images, reference=None):
        return images

    assert rdr.features.get(own) is own
    with pytest.raises(TypeError, match="a feature map that is given takes no options, got taps"):
        rdr.features.get(own, taps=("relu1",))
    rdr.features.register("own", own)
    try:
        assert rdr.features.get("own") is own and "own" in rdr.features.names()
        with pytest.raises(ValueError, match="must be new"):
            rdr.features.register("own", own)
    finally:
        rdr.features.unregister("own")
    with pytest.raises(ValueError, match="must be one of .*got 'own'"):
        rdr.features.get("own")
    with pytest.raises(TypeError, match="must be callable"):
        rdr.features.register("own", 3)
