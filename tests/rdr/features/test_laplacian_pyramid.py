"""The Laplacian pyramid: reconstruction, known responses, sizes."""

import jax
import numpy as np
import pytest

from rdr.features import laplacian_pyramid as module

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(16, 24), (13, 7), (1, 9), (1, 1)])
def test_the_pyramid_reconstructs_any_size(size):
    x = RNG.random((2, *size, 3))
    levels, back = jax.jit(lambda x: (y := module.laplacian_pyramid(x, num_levels=4), module.reconstruct(y)))(x)
    assert [level.shape[1:3] for level in levels] == [tuple(-(-n // 2**k) for n in size) for k in range(4)]
    np.testing.assert_allclose(back, x, atol=1e-15)


def test_constant_images_have_no_detail_and_a_constant_low_pass():
    *details, low = jax.jit(module.laplacian_pyramid)(np.full((1, 19, 22, 1), 0.3))
    for detail in details:
        np.testing.assert_allclose(detail, 0.0, atol=1e-15)
    np.testing.assert_allclose(low, 0.3, rtol=1e-14)


def test_an_impulse_spreads_as_the_filter_says():
    x = np.zeros((1, 17, 17, 1))
    x[0, 8, 8, 0] = 1.0
    _, low = jax.jit(lambda x: module.laplacian_pyramid(x, num_levels=2))(x)
    row = [0.05, 0.4, 0.05]
    np.testing.assert_allclose(low[0, 3:6, 3:6, 0], np.outer(row, row), atol=1e-16)


def test_features_are_named_by_level():
    x = RNG.random((1, 8, 8, 1))
    plain, normalized, levels, normalized_levels = jax.jit(lambda x: (
        module.features(None, x, num_levels=3, normalize=False), module.features(None, x, num_levels=3),
        module.laplacian_pyramid(x, num_levels=3), module.normalized_laplacian_pyramid(x, num_levels=3)))(x)
    assert set(plain) == {"level_0", "level_1", "lowpass"}
    np.testing.assert_array_equal(plain["lowpass"], levels[-1])
    np.testing.assert_array_equal(normalized["level_1"], normalized_levels[1])
    # Dividing by at least the constant.
    assert (np.abs(normalized["level_0"]) <= np.abs(plain["level_0"]) / 0.0248).all()


def test_fewer_than_one_level_is_refused():
    with pytest.raises(ValueError, match="num_levels must be at least 1, got 0"):
        module.laplacian_pyramid(np.zeros((1, 8, 8, 1)), num_levels=0)
