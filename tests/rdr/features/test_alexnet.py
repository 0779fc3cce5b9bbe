"""AlexNet: against NumPy windows in float64, and the sizes that its docstring promises."""

import functools

import jax
import numpy as np
import pytest

from rdr.features import alexnet, weights


@functools.cache
def random_params():
    return weights.random_params("alexnet", jax.random.key(0))


def windows(maps, size, stride):
    view = np.lib.stride_tricks.sliding_window_view(maps, (size, size), (1, 2))
    return view[:, ::stride, ::stride]


def numpy_alexnet(params, images, pooling):
    """The network in NumPy: an oracle that shares no code with the package."""
    maps = (images - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    found = {"input": maps}
    for i, (size, stride, padding) in enumerate([(11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)], 1):
        kernel, bias = (np.asarray(params[f"conv{i}"][k], np.float64) for k in ("kernel", "bias"))
        padded = np.pad(maps, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        maps = np.tensordot(windows(padded, size, stride), kernel, ([3, 4, 5], [2, 0, 1])) + bias
        found[f"conv{i}"] = maps
        maps = np.maximum(maps, 0)
        found[f"relu{i}"] = maps
        if i in (1, 2, 5):
            reduce = {"max": np.max, "average": np.mean}[pooling]
            maps = reduce(windows(maps, 3, 2), axis=(-1, -2))
            found[f"pool{i}"] = maps
    return found


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_every_map_equals_numpy_windows(pooling):
    images = np.random.default_rng(1).random((2, 63, 70, 3))
    taps = alexnet.TAPS if pooling == "max" else ("relu5", "pool5")
    truth = numpy_alexnet(random_params(), images, pooling)
    maps = jax.jit(lambda p, x: alexnet.features(p, x, taps=taps, pooling=pooling))(random_params(), images)
    assert set(maps) == set(taps)
    for tap in taps:
        np.testing.assert_allclose(maps[tap], truth[tap], rtol=0, atol=1e-11 * np.abs(truth[tap]).max())


@pytest.mark.parametrize(("side", "tap"), [(7, "relu1"), (15, "relu2"), (31, "relu5"), (63, "pool5")])
def test_smallest_admitted_side_is_the_documented_one(side, tap):
    def shape(n):
        params, image = random_params(), np.zeros((1, n, n, 3), np.float32)
        return jax.eval_shape(lambda x: alexnet.features(params, x, taps=(tap,)), image)[tap].shape

    assert shape(side)[1:3] == (1, 1)
    with pytest.raises(ValueError, match="too small"):
        shape(side - 1)


def test_l2_pooling_of_a_constant_map_is_the_map():
    maps = jax.jit(lambda params, x: alexnet.features(params, x, taps=("relu1", "pool1"), pooling="l2"))(
        random_params(), np.full((1, 95, 95, 3), 0.7))
    center = maps["relu1"][0, 8, 8], maps["pool1"][0, 4, 4]  # away from the zero padding of the image
    np.testing.assert_allclose(center[1], np.sqrt(np.square(center[0]) + 1e-12), rtol=1e-12)
