"""The conditioned network: sorting of pixels, a block by hand, its start, and what it sees."""

import jax
import jax.numpy as jnp
import numpy as np

from rdr.transforms.convolution import depth_to_space
from rdr.transforms.unet import ConditionedBlock, UNet, space_to_depth


def filled(params, seed):
    """Random parameters in place of those that training starts with, of which some are 0."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: np.float32(0.3 * rng.normal(size=leaf.shape)), params)


def test_sorting_is_undone_and_keeps_neighbors_together():
    x = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)
    y = space_to_depth(x)
    np.testing.assert_array_equal(depth_to_space(y), x)
    np.testing.assert_array_equal(y[1, 1, 2], x[1, 2:4, 4:6].ravel())


def test_a_block_is_its_formula():
    x, condition = jnp.asarray([[[[0.5, -1.0]]]], jnp.float32), jnp.asarray([[0.3, 0.7, -0.2]], jnp.float32)
    params = filled(jax.eval_shape(ConditionedBlock().init, jax.random.key(0), x, condition)["params"], 1)
    numbers = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def silu(v):
        return v / (1 + np.exp(-v))

    first, second, dense = (numbers[name] for name in ("Convolution_0", "Convolution_1", "Dense_0"))
    y = silu(np.array([0.5, -1.0])) @ first["kernel"][1, 1] + first["bias"]  # a single pixel sees the middle
    scale, shift = np.split(np.array([0.3, 0.7, -0.2]) @ dense["kernel"] + dense["bias"], 2)
    y = silu(y * (1 + scale) + shift) @ second["kernel"][1, 1] + second["bias"]
    found = jax.jit(ConditionedBlock().apply)({"params": params}, x, condition)[0, 0, 0]
    np.testing.assert_allclose(found, np.array([0.5, -1.0]) + numbers["gain"] * y, rtol=1e-5)


def test_the_network_starts_at_0_and_sees_its_condition_and_four_pixels_on():
    net = UNet(channels=4, outputs=2, blocks=1)
    x = np.random.default_rng(1).standard_normal((2, 16, 12, 1), np.float32)
    condition = np.array([[0.1, 0.5], [0.1, 0.5]], np.float32)
    first, variables = jax.jit(net.init_with_output)(jax.random.key(0), x, condition)
    assert not np.asarray(first).any()
    params = filled(variables["params"], 2)
    run = jax.jit(lambda x, condition: net.apply({"params": params}, x, condition))
    out = np.asarray(run(x, condition))
    assert out.shape == (2, 16, 12, 2) and out.dtype == jnp.float32
    np.testing.assert_allclose(np.asarray(run(x[::-1], condition))[::-1], out, rtol=1e-4, atol=1e-5)
    other, brighter = condition.copy(), x.copy()
    other[1, 1] += 0.2
    brighter[0, 8, 6] += 1.0
    assert np.abs(np.asarray(run(x, other)) - out)[1].max() > 1e-3
    moved = np.abs(np.asarray(run(brighter, condition)) - out)
    assert moved[0, 4, 2].max() > 1e-6 and not moved[1].any()
