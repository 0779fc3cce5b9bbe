"""Residual transforms: shapes, a count by hand, and that a block starts beside the identity, not instead of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.image import make_codec
from rdr.transforms.residual import Bottleneck, ResidualAnalysis, ResidualSynthesis

N, M = 6, 10


def block(channels):
    half = channels // 2
    return channels * half + half + 9 * half * half + half + half * channels + channels


@pytest.mark.parametrize(("module", "seen", "shape", "layers"), [
    (ResidualAnalysis(N, M), (2, 32, 48, 3), (2, 2, 3, M), ((3, N), (N, N), (N, N), (N, M))),
    (ResidualSynthesis(N), (2, 2, 3, M), (2, 32, 48, 3), ((M, N), (N, N), (N, N), (N, 3))),
])
def test_shapes_and_parameters(module, seen, shape, layers):
    out, variables = jax.eval_shape(lambda key, x: module.init_with_output(key, x), jax.random.key(0),
                                    jax.ShapeDtypeStruct(seen, jnp.float32))
    assert out.shape == shape and out.dtype == jnp.float32
    count = sum(leaf.size for leaf in jax.tree.leaves(variables))
    assert count == sum(25 * a * b + b for a, b in layers) + 9 * block(N)


def test_a_block_adds_to_its_input_what_its_formula_says():
    x = np.random.default_rng(1).standard_normal((1, 1, 1, 32), np.float32)
    found, variables = jax.jit(Bottleneck().init_with_output)(jax.random.key(0), x)
    params = variables["params"]
    kernels = [np.asarray(params[f"Convolution_{i}"]["kernel"], np.float64) for i in range(3)]
    hidden = np.maximum(np.asarray(x)[0, 0, 0] @ kernels[0][0, 0], 0)
    hidden = np.maximum(hidden @ kernels[1][1, 1], 0)  # a single pixel sees the middle of the kernel
    want = x[0, 0, 0] + hidden @ kernels[2][0, 0]
    np.testing.assert_allclose(np.asarray(found)[0, 0, 0], want, rtol=1e-5, atol=1e-6)
    assert np.abs(hidden).max() > 0


def test_a_codec_takes_them_and_refuses_what_does_not_fit():
    codec = make_codec("bmshj2018-factorized", channels=N, latents=M, transforms="residual")
    shapes = jax.eval_shape(codec.init, jax.random.key(0))
    assert "Bottleneck_8" in shapes["analysis"] and "Bottleneck_8" in shapes["synthesis"]
    with pytest.raises(ValueError, match="channels must be even"):
        make_codec("bmshj2018-factorized", channels=5, latents=M, transforms="residual")
    with pytest.raises(ValueError, match="transforms must be one of gdn, residual"):
        make_codec("bmshj2018-factorized", channels=N, latents=M, transforms="dct")
