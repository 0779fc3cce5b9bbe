"""What every loss promises: shape, type, jit, vmap, gradient, bfloat16, x64 on and off, odd sizes, batches.

`IMAGE_LOSSES` and `SET_LOSSES` are the registry; a new loss is added there.
"""

import functools
import importlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from rdr.features import weights
from rdr.losses.color_difference import color_difference
from rdr.losses.cvvdp import cvvdp
from rdr.losses.dists import DISTSParams, dists
from rdr.losses.lpips import LPIPSParams, lpips
from rdr.losses.mmd import energy_distance, mmd_squared
from rdr.losses.nlpd import nlpd
from rdr.losses.pointwise import absolute_error, charbonnier, squared_error
from rdr.losses.sinkhorn import sinkhorn_divergence
from rdr.losses.sliced_wasserstein import sliced_w2_squared
from rdr.losses.ssim import ms_ssim_loss, ssim_loss
from rdr.losses.texture_statistics import texture_distance
from rdr.losses.wasserstein_1d import sorted_w2_squared
from rdr.losses.wasserstein_distortion import wasserstein_distortion
from rdr.losses.wasserstein_distortion.codex import published_wasserstein_distortion
from rdr.vision import make_display


def no_params():
    return None


def narrow(network):
    """Random weights for an eighth of the channels: the same layers, and less to compute in float64."""
    rng, params = np.random.default_rng(0), {}
    for name, (rows, columns, before, after) in weights.architecture(network).layers:
        shape = rows, columns, before if before == 3 else before // 8, after // 8
        kernel = rng.normal(0.0, (2.0 / np.prod(shape[:3])) ** 0.5, shape).astype(np.float32)
        params[name] = {"kernel": kernel, "bias": np.zeros(shape[3], np.float32)}
    return params


def alexnet_params():
    heads = tuple(np.linspace(0.5, 1.5, c, dtype=np.float32) for c in (8, 24, 48, 32, 32))
    return LPIPSParams(narrow("alexnet"), heads)


VGG_CHANNELS = (3, 8, 16, 32, 64, 64)


def vgg_params():
    return DISTSParams(narrow("vgg16"), *np.random.default_rng(1).random((2, sum(VGG_CHANNELS)), np.float32))


def narrow_dists(params, x, y):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("rdr.losses.dists"), "_CHANNELS", VGG_CHANNELS)
        return dists(params, x, y)


def plain(loss, **options):
    return no_params, lambda _, x, y: loss(x, y, **options)


# Three bands of frequencies instead of five.
COARSE = make_display(peak=200, resolution=(64, 64), pixels_per_degree=1.2)
# Name -> (function that makes the parameters, loss of parameters, images and reference).
IMAGE_LOSSES = {
    "squared_error": plain(squared_error),
    "absolute_error": plain(absolute_error),
    "charbonnier": plain(charbonnier, scale=0.1),
    "ssim_loss": plain(ssim_loss),
    "ms_ssim_loss": plain(ms_ssim_loss, weights=(0.4, 0.6)),
    "nlpd": plain(nlpd, num_levels=3),
    "ciede2000": plain(color_difference),
    "cvvdp": plain(cvvdp, display=COARSE),
    "lab difference": plain(color_difference, formula="lab"),
    "oklab difference": plain(color_difference, formula="oklab"),
    "texture_distance": plain(texture_distance, num_scales=2, num_orientations=2, neighborhood=3),
    "lpips": (alexnet_params, lpips),
    "dists": (vgg_params, narrow_dists),
    "wasserstein_distortion": (no_params, lambda _, x, y: wasserstein_distortion(y, x, 3.0)),
    # One window, the whole image: with others it takes a transport problem per pixel.
    "wasserstein_distortion exact": (no_params, lambda _, x, y: wasserstein_distortion(y, x, np.inf, exact=True)),
    "wasserstein_distortion published": (no_params, lambda _, x, y: published_wasserstein_distortion(y, x, 1.5)),
}
SET_LOSSES = {
    "mmd_squared": plain(mmd_squared),
    "mmd_squared polynomial": plain(mmd_squared, kernel="polynomial", unbiased=True),
    "energy_distance": plain(energy_distance),
    "sinkhorn_divergence": plain(sinkhorn_divergence, epsilon=0.5),
    "sliced_w2_squared": plain(sliced_w2_squared, key=jax.random.key(0)),
    "sorted_w2_squared": (no_params, lambda _, x, y: jnp.sum(sorted_w2_squared(x, y))),
}
LOSSES = IMAGE_LOSSES | SET_LOSSES
# 33 x 35: odd; the smallest odd height that AlexNet's last maps allow is 31.
IMAGES, REFERENCE = 0.5 + 0.4 * np.random.default_rng(0).uniform(-1.0, 1.0, (2, 2, 33, 35, 3))
SAMPLES, OTHERS = np.random.default_rng(1).normal(size=(9, 3)), 0.5 + np.random.default_rng(2).normal(size=(9, 3))



def images(name):
    """Two images and their references. VGG's convolutions in float64 would be most of this module's time: smaller."""
    return (IMAGES[:, :17, :19], REFERENCE[:, :17, :19]) if name == "dists" else (IMAGES, REFERENCE)


by_image_loss = pytest.mark.parametrize("name", IMAGE_LOSSES)
by_set_loss = pytest.mark.parametrize("name", SET_LOSSES)


# Most of the time here goes into compiling.
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@functools.cache
def params(name):
    return LOSSES[name][0]()


def total(name):
    """Sum and value as a function of parameters, images and reference."""

    def sum_and_value(params, x, y):
        value = LOSSES[name][1](params, x, y)
        return jnp.sum(value), value

    return sum_and_value


@functools.cache
def compiled(name):
    """Value per image and gradient of the sum."""
    gradient = jit(jax.value_and_grad(total(name), argnums=1, has_aux=True))

    def call(x, y):
        (_, value), slope = gradient(params(name), x, y)
        return value, slope

    return call


@functools.cache
def double(name):
    """Value and gradient in float64, computed once."""
    return compiled(name)(*(images(name) if name in IMAGE_LOSSES else (SAMPLES, OTHERS)))


@by_image_loss
def test_one_number_per_image_in_the_type_of_the_images(name):
    value, gradient = double(name)
    assert value.shape == (2,) and value.dtype == jnp.float64
    assert gradient.shape == images(name)[0].shape and gradient.dtype == jnp.float64
    assert (np.asarray(value) > 0).all() and np.isfinite(gradient).all()


@by_image_loss
def test_float32_mapped_and_with_x64_off_is_near_float64(name):
    loss, (x, y), weights = LOSSES[name][1], map(np.float32, images(name)), params(name)
    with jax.enable_x64(False):
        off = jit(jax.vmap(lambda p, x, y: loss(p, x[None], y[None])[0], in_axes=(None, 0, 0)))(weights, x, y)
    assert off.dtype == jnp.float32
    # Float32 sums of up to some thousand terms; `vmap` of images is their batch.
    np.testing.assert_allclose(off, double(name)[0], rtol=2e-5)


@by_image_loss
def test_the_gradient_equals_a_finite_difference(name):
    x, y = images(name)
    direction = np.random.default_rng(3).normal(size=x.shape)
    h = 1e-8
    ahead, behind = (compiled(name)(x + s * h * direction, y)[0] for s in (1, -1))
    # Slope per image: images do not see one another. Small steps rarely cross the kinks of rectifiers; rounding
    # leaves 1e-16 / h relative to a value of order 1.
    slope = np.sum(np.asarray(double(name)[1]) * direction, axis=(1, 2, 3))
    scale = np.sqrt(np.sum(np.square(double(name)[1]), axis=(1, 2, 3)))
    np.testing.assert_allclose(slope / scale, (ahead - behind) / (2 * h) / scale, atol=2e-5)


@pytest.mark.stress  # the suite holds it in float32, in a test above
@by_image_loss
def test_vmap_is_the_batch_in_float64(name):
    loss = LOSSES[name][1]
    one = jit(jax.vmap(lambda p, x, y: loss(p, x[None], y[None])[0], in_axes=(None, 0, 0)))
    mapped = one(params(name), *(x[::-1] for x in images(name)))
    np.testing.assert_allclose(mapped[::-1], double(name)[0], rtol=1e-10)


@by_image_loss
def test_an_image_does_not_see_its_batch(name):
    x, y = images(name)
    beside, gradient = compiled(name)(np.stack([np.zeros_like(x[0]), x[1]]), y)
    np.testing.assert_allclose(beside[1], double(name)[0][1], rtol=1e-10)
    np.testing.assert_allclose(gradient[1], double(name)[1][1], rtol=1e-8, atol=1e-12)


def equations(jaxpr):
    """Every equation of a program, those of the programs within it included."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)


@by_image_loss
def test_bfloat16_and_float32_are_computed_in_float32_with_x64_on(name):
    shape = jax.ShapeDtypeStruct(images(name)[0].shape, jnp.bfloat16)
    program = jax.make_jaxpr(jax.value_and_grad(total(name), argnums=1, has_aux=True))(params(name), shape, shape)
    (_, value), gradient = jax.tree.unflatten(jax.tree.structure(((0, 0), 0)), program.out_avals)
    assert value.dtype == jnp.float32 and gradient.dtype == jnp.bfloat16 and gradient.shape == shape.shape
    # The images are cast, and their gradient at the end; all that is computed is computed in float32, whose values are
    # held above.
    half = [e for e in equations(program.jaxpr)
            if any(v.aval.dtype == jnp.bfloat16 for v in (*e.invars, *e.outvars)) and not {*jaxprs_in_params(e.params)}]
    assert {e.primitive.name for e in half} == {"convert_element_type"}
    assert sum(e.outvars[0].aval.dtype == jnp.bfloat16 for e in half) == 1
    # From there on it is the program of float32 images, from beginning to end, gradient included: no array of 64-bit
    # numbers occurs (Python's numbers show as f64[], and are cast).
    assert "f32[2]" in str(program) and not re.search(r"f64\[\d|c128\[\d", str(program))


@by_image_loss
def test_equal_flat_black_and_bright_images_have_finite_values_and_gradients(name):
    image = images(name)[0][0]
    flat, black = np.full_like(image, 0.5), np.zeros_like(image)
    # Two images a call, as above: the program is there. Those of the first call and of half of the second are equal.
    equal, other = compiled(name)(*2 * [np.stack([image, flat])]), compiled(name)(
        np.stack([black, flat]), np.stack([black, image]))
    # Kinked losses turn rounding in a root into its square root.
    np.testing.assert_allclose([*equal[0], other[0][0]], 0.0, atol=1e-7)
    far = compiled(name)(np.stack([black, 1e3 * image]), np.stack([image, image]))
    for value, gradient in (equal, other, far):
        assert np.isfinite(value).all() and np.isfinite(gradient).all()


@by_image_loss
def test_integers_and_shapes_that_differ_are_refused(name):
    loss = functools.partial(jax.eval_shape, LOSSES[name][1], params(name))
    with pytest.raises(ValueError, match="floating"):
        loss(np.zeros((1, 33, 35, 3), np.uint8), np.zeros((1, 33, 35, 3), np.uint8))
    with pytest.raises(ValueError, match="shape"):
        loss(IMAGES, REFERENCE[:, :31])


@by_set_loss
def test_a_set_loss_is_one_number_symmetric_and_blind_to_order(name):
    value, gradient = double(name)
    assert value.shape == () and value.dtype == jnp.float64
    assert gradient.shape == SAMPLES.shape and np.isfinite(gradient).all()
    swapped, _ = compiled(name)(OTHERS, SAMPLES)
    shuffled, _ = compiled(name)(SAMPLES[::-1], OTHERS)
    # Sinkhorn's iteration stops at a marginal error of 1e-4, from either side.
    tolerance = 1e-3 if name.startswith("sinkhorn") else 1e-12
    np.testing.assert_allclose(swapped, value, rtol=tolerance)
    np.testing.assert_allclose(shuffled, value, rtol=1e-12)


@by_set_loss
def test_a_set_loss_maps_and_keeps_float32_whatever_x64_says(name):
    loss = functools.partial(LOSSES[name][1], None)
    x, y = np.float32(SAMPLES), np.float32(OTHERS)
    mapped = jit(jax.vmap(loss))(np.stack([x, 2 * x]), np.stack([y, y]))
    with jax.enable_x64(False):
        off, gradient = compiled(name)(x, y)
    half, _ = compiled(name)(jnp.asarray(x, jnp.bfloat16), jnp.asarray(y, jnp.bfloat16))
    assert mapped.dtype == off.dtype == gradient.dtype == half.dtype == jnp.float32
    np.testing.assert_allclose(mapped[0], off, rtol=1e-5)
    # Differences of means of order 1, each rounded by 1e-7.
    np.testing.assert_allclose(off, double(name)[0], atol=1e-4 if name.startswith("sinkhorn") else 5e-6)
    # bfloat16 rounds the samples by up to 2^-8 of themselves.
    np.testing.assert_allclose(half, double(name)[0], rtol=0.15)


@by_set_loss
def test_the_gradient_of_a_set_loss_equals_a_finite_difference(name):
    direction = np.random.default_rng(3).normal(size=SAMPLES.shape)
    h = 1e-5
    ahead, behind = (compiled(name)(SAMPLES + s * h * direction, OTHERS)[0] for s in (1, -1))
    # Sinkhorn's potentials are off by the order of its tolerance; see its own test for the exact gradient.
    tolerance = 1e-2 if name.startswith("sinkhorn") else 1e-7
    np.testing.assert_allclose(np.sum(double(name)[1] * direction), (ahead - behind) / (2 * h), rtol=tolerance)
