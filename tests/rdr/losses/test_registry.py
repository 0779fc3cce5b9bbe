"""Losses by name are those of their modules; users add theirs."""

import numpy as np
import pytest

import rdr.losses


def test_losses_by_name_are_those_of_their_modules():
    x, y = np.random.default_rng(0).random((2, 1, 16, 16, 3), np.float32)
    np.testing.assert_allclose(rdr.losses.get("squared_error")(x, y), np.mean((x - y) ** 2, (1, 2, 3)), rtol=1e-5)
    loss = rdr.losses.get("wasserstein_distortion", sigma=0.0)
    np.testing.assert_allclose(loss(x, y), np.mean((x - y) ** 2, (1, 2, 3)), rtol=1e-5)
    own = rdr.losses.get("wasserstein_distortion", sigma=0.0, features=lambda images: {"twice": 2 * images})
    np.testing.assert_allclose(own(x, y), 4 * np.mean((x - y) ** 2, (1, 2, 3)), rtol=1e-5)


def test_users_add_their_own():
    def own(images, reference=None):
        return images

    assert rdr.losses.get(own) is own
    with pytest.raises(TypeError, match="a loss that is given takes no options, got sigma"):
        rdr.losses.get(own, sigma=2.0)
    rdr.losses.register("own", own)
    try:
        assert rdr.losses.get("own") is own and "own" in rdr.losses.names()
        with pytest.raises(ValueError, match="must be new"):
            rdr.losses.register("own", own)
    finally:
        rdr.losses.unregister("own")
    with pytest.raises(ValueError, match="must be one of .*got 'own'"):
        rdr.losses.get("own")
    with pytest.raises(TypeError, match="must be callable"):
        rdr.losses.register("own", 3)
