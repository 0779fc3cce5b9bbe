"""Convolutions of the feature networks: gradients that are fast within loops are those of JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.features import _network


@pytest.mark.parametrize(("size", "stride", "padding"), [(5, 1, 1), (3, 1, 1), (3, 2, 1), (1, 1, 0)])
def test_gradients_for_loops_are_those_of_jax(size, stride, padding):
    rng = np.random.default_rng(0)
    params = {"conv": {"kernel": rng.normal(size=(size, size, 2, 3)), "bias": rng.normal(size=3)}}
    maps = rng.normal(size=(2, 7, 8, 2))

    def loss(params, maps, reverse_only):
        out = _network.convolve(params, "conv", maps, stride=stride, padding=padding,
                                precision=jax.lax.Precision.HIGHEST, reverse_only=reverse_only)
        return jnp.sum(jnp.sin(out))

    want, got = (jax.grad(loss, (0, 1))(params, jnp.asarray(maps), reverse_only) for reverse_only in (False, True))
    for a, b in zip(jax.tree.leaves(want), jax.tree.leaves(got), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)
