"""What losses ask of their arguments."""

import jax.numpy as jnp
import numpy as np
import pytest

from rdr import arguments


@pytest.mark.parametrize(
    "given, working",
    [("bfloat16", "float32"), ("float16", "float32"), ("float32", "float32"), ("float64", "float64")],
)
def test_arrays_are_worked_on_in_at_least_float32(given, working):
    (got,) = arguments.working_arrays(x=jnp.ones(3, given))
    assert got.dtype == working
    x, y = arguments.working_arrays(x=jnp.ones(3, given), y=jnp.ones(3, jnp.float32))
    assert x.dtype == y.dtype == working


def test_what_is_no_image_is_refused_by_name():
    with pytest.raises(ValueError, match="photo must hold floating-point numbers .* got uint8"):
        arguments.image_batch(np.zeros((1, 2, 2, 3), np.uint8), name="photo")
    with pytest.raises(ValueError, match=r"images must have shape \[batch, .* got \(2, 2, 3\)"):
        arguments.image_batch(np.zeros((2, 2, 3)))
    with pytest.raises(ValueError, match="images must have 3 channels"):
        arguments.image_batch(np.zeros((1, 2, 2, 1)), channels=3)
    with pytest.raises(ValueError, match="images must have shape"):
        arguments.image_batch(np.zeros((1, 0, 2, 1)))
    with pytest.raises(ValueError, match=r"reference must have the shape of images, \(1, 2, 2, 1\)"):
        arguments.image_pair(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 3, 1)))
    # No image at all is a batch like any other.
    assert arguments.image_batch(np.zeros((0, 2, 2, 1))).shape == (0, 2, 2, 1)


def test_numbers_are_samples_of_one_dimension():
    x, y = arguments.sample_pair(np.zeros(4), np.zeros(5))
    assert x.shape == (4, 1) and y.shape == (5, 1)
