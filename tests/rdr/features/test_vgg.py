"""VGG-16: against NumPy loops over windows in float64; pooling, taps, dtypes, refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.features import vgg, weights

IMAGES = np.random.default_rng(1).random((2, 35, 32, 3))
CHANNELS = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}


@functools.cache
def random_params():
    return weights.random_params("vgg16", jax.random.key(0))


def windows(maps, size, stride):
    """All size x size windows as [batch, rows, columns, channels, size, size]."""
    view = np.lib.stride_tricks.sliding_window_view(maps, (size, size), (1, 2))
    return view[:, ::stride, ::stride]


def numpy_vgg(params, images, pooling, blocks=5):
    """The network in NumPy, one window at a time; an oracle that shares no code with the package."""
    maps = (images - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    found = {"input": maps}
    for block, count in enumerate((2, 2, 3, 3, 3)[:blocks], 1):
        for i in range(1, count + 1):
            kernel = np.asarray(params[f"conv{block}_{i}"]["kernel"], np.float64)
            bias = np.asarray(params[f"conv{block}_{i}"]["bias"], np.float64)
            padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
            maps = np.tensordot(windows(padded, 3, 1), kernel, ([3, 4, 5], [2, 0, 1])) + bias
            found[f"conv{block}_{i}"] = maps
            maps = np.maximum(maps, 0)
            found[f"relu{block}_{i}"] = maps
        if pooling == "max":
            maps = windows(maps, 2, 2).max((-1, -2))
        elif pooling == "average":
            maps = windows(maps, 2, 2).mean((-1, -2))
        else:
            hann = np.hanning(5)[1:-1]
            hann = np.outer(hann, hann) / hann.sum() ** 2
            padded = np.pad(maps**2, ((0, 0), (1, 1), (1, 1), (0, 0)))
            maps = np.sqrt((windows(padded, 3, 2) * hann).sum((-1, -2)) + 1e-12)
        found[f"pool{block}"] = maps
    return found


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_every_map_equals_numpy_windows(pooling):
    taps, blocks = (vgg.TAPS, 5) if pooling == "max" else (("pool1", "pool3"), 3)
    images = IMAGES[:1]
    truth = numpy_vgg(random_params(), images, pooling, blocks)
    maps = jax.jit(lambda p, x: vgg.features(p, x, taps=taps, pooling=pooling))(random_params(), images)
    assert set(maps) == set(taps)
    for tap in taps:
        assert maps[tap].dtype == jnp.float64
        # Sums of at most 4608 products over 13 layers in float64.
        np.testing.assert_allclose(maps[tap], truth[tap], rtol=0, atol=1e-11 * np.abs(truth[tap]).max())


def test_nothing_is_computed_beyond_the_last_tap():
    # Without the parameters of later layers the call would fail if it needed them; one pixel is enough.
    first = {"conv1_1": random_params()["conv1_1"]}
    maps = vgg.features(first, np.zeros((1, 1, 1, 3), np.float32), taps=("relu1_1",))
    assert maps["relu1_1"].shape == (1, 1, 1, 64)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_maps_have_the_dtype_of_the_images_with_x64_on_and_off(dtype):
    images = jnp.asarray(IMAGES[:1, :8, :8], dtype)
    truth = numpy_vgg(random_params(), np.asarray(images, np.float64), "l2")["relu2_2"]
    for x64 in (True, False):
        with jax.enable_x64(x64):
            got = jax.jit(lambda p, x: vgg.features(p, x, taps=("relu2_2",), pooling="l2")["relu2_2"])(
                random_params(), images)
        assert got.dtype == dtype
        # Four layers; rounding errors of each operation add up in the worst case to a few units of eps.
        np.testing.assert_allclose(
            np.asarray(got, np.float64), truth, rtol=0, atol=16 * float(jnp.finfo(dtype).eps) * truth.max()
        )


def test_batch_entries_do_not_see_each_other():
    call = jax.jit(lambda x: vgg.features(random_params(), x, taps=("relu3_1",))["relu3_1"])
    images = IMAGES[:, :16, :16]
    beside = np.stack([0 * images[0], images[1]])
    np.testing.assert_allclose(call(images)[1], call(beside)[1], rtol=1e-12, atol=1e-12)
    assert np.abs(call(images)[0] - call(beside)[0]).max() > 1e-3


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_gradient_is_finite_on_black_and_matches_finite_differences(pooling):
    def loss(x):
        return jnp.mean(jnp.square(vgg.features(random_params(), x, taps=("pool2",), pooling=pooling)["pool2"]))

    value_and_grad = jax.jit(jax.value_and_grad(loss))
    assert np.isfinite(value_and_grad(np.zeros((1, 8, 8, 3)))[1]).all()
    images, direction = IMAGES[:1, :8, :8], np.random.default_rng(2).normal(size=(1, 8, 8, 3))
    step = 1e-6  # error of order step^2 plus eps/step, about 1e-9 of the derivative
    ahead, behind = (value_and_grad(images + s * step * direction)[0] for s in (1, -1))
    difference = (ahead - behind) / (2 * step)
    np.testing.assert_allclose(np.sum(value_and_grad(images)[1] * direction), difference, rtol=1e-6)


def test_gradients_for_loops_are_the_same():
    def loss(params, x, **options):
        return jnp.mean(jnp.square(vgg.features(params, x, taps=("relu2_1",), **options)["relu2_1"]))

    images = IMAGES[:1, :8, :8]
    want, got = (jax.jit(jax.grad(functools.partial(loss, **options), (0, 1)))(random_params(), images)
                 for options in ({}, {"reverse_only": True}))
    for a, b in zip(jax.tree.leaves(want), jax.tree.leaves(got), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12 * np.abs(a).max())
    assert np.abs(got[1]).max() > 0

    def forward(**options):
        jax.jit(lambda x: jax.jvp(lambda x: loss(random_params(), x, **options), (x,), (x,)))(images)

    forward()
    with pytest.raises(TypeError, match="forward-mode"):
        forward(reverse_only=True)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((8, 8, 3)), {}, "images must have shape"),
        (np.zeros((1, 8, 8, 1)), {}, "images must have shape"),
        (np.zeros((1, 8, 8, 3), np.uint8), {}, "floating point"),
        (np.zeros((1, 8, 8, 3)), {"taps": ("relu6_1",)}, "taps must be among .*relu6_1"),
        (np.zeros((1, 8, 8, 3)), {"taps": "relu1_1"}, "sequence of names"),
        (np.zeros((1, 8, 8, 3)), {"taps": ("relu1_1",), "pooling": "median"}, "pooling must be one of"),
        (np.zeros((1, 15, 40, 3)), {}, "too small for pool4: 15 x 40"),
    ],
)
def test_bad_input_is_refused_in_words(images, options, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda x: vgg.features(random_params(), x, **options), images)
