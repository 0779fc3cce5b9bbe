"""Parameters count and values come out as those of CompressAI, recorded by tests/data/record_image_codecs.py."""

import importlib.util
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.image import make_codec
from rdr.transforms.image import Analysis

DATA = pathlib.Path(__file__).parents[3] / "data"
RECORDED = json.loads((DATA / "image_codecs.json").read_text(encoding="utf-8"))["values"]


@pytest.fixture(scope="module")
def recorder():
    spec = importlib.util.spec_from_file_location("image_recorder", DATA / "record_image_codecs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", RECORDED)
def test_parameters_count_and_have_the_shapes_of_the_published_codec(recorder, name):
    shapes = jax.eval_shape(make_codec(name).init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == RECORDED[name]["parameters_128_192"]
    small = make_codec(name, channels=recorder.CHANNELS, latents=recorder.LATENTS)
    assert jax.tree.map(jnp.shape, jax.eval_shape(small.init, jax.random.key(0))) == jax.tree.map(
        np.shape, recorder.weights(name))


@pytest.mark.parametrize("name", RECORDED)
def test_forward_values_equal_those_of_the_published_code(recorder, name):
    codec, params, want = make_codec(name, channels=8, latents=12), recorder.weights(name), RECORDED[name]
    x = jnp.asarray(recorder.image())
    y = jax.jit(lambda p, x: Analysis(8, 12).apply({"params": p}, x))(params["analysis"], x)
    np.testing.assert_allclose(y[0, 3, 5], want["latents"], rtol=1e-4, atol=1e-4)
    reconstruction, bits = jax.jit(lambda p, x: codec.forward(p, x, key=None))(params, x)
    # CompressAI's probabilities are at least 1e-9 (29.9 bits): none of these is near that.
    np.testing.assert_allclose(bits[0], want["bits"], rtol=1e-4)
    np.testing.assert_allclose(reconstruction[0, 40:44, 77], want["reconstruction"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(jnp.mean(reconstruction), want["reconstruction_mean"], rtol=1e-3, atol=1e-4)


def test_transforms_in_half_precision_stay_close_and_the_rate_is_float32(recorder):
    name = "bmshj2018-factorized"
    codec, params, want = make_codec(name, channels=8, latents=12), recorder.weights(name), RECORDED[name]
    forward = jax.jit(lambda p, x: codec.forward(p, x, key=None, dtype=jnp.bfloat16))
    reconstruction, bits = forward(params, jnp.asarray(recorder.image()))
    assert reconstruction.dtype == bits.dtype == jnp.float32
    # bfloat16 has 8 bits: each latent is off by half a percent, and bits by the same order.
    np.testing.assert_allclose(bits[0], want["bits"], rtol=2e-2)
    assert float(bits[0]) != pytest.approx(want["bits"], rel=1e-6)
