"""Checks that models are made of."""

import numpy as np
import pytest

from rdr.codecs.vectors.model import any_shape, as_rows, batch_of_vectors, blocks_of, check_dither_levels


def test_shapes_are_what_a_model_says():
    for shape in ((), (3,), (2, 3, 4)):
        any_shape(shape, "x")
    batch_of_vectors(3)((5, 3), "x")
    for shape in ((3,), (5, 4), (2, 5, 3)):
        with pytest.raises(ValueError, match=r"x must have shape \[batch, 3\]"):
            batch_of_vectors(3)(shape, "x")
    for shape in ((3,), (5, 3), (2, 5, 3)):
        blocks_of(3)(shape, "x")
        blocks_of(0)(shape, "x")
    for check, shape, said in ((blocks_of(3), (3, 4), r"\[..., 3\]"), (blocks_of(0), (), r"\[..., steps\]")):
        with pytest.raises(ValueError, match="that must have shape " + said):
            check(shape, "that")


def test_dithers_take_powers_of_two():
    for levels in (0, 1, 2, 2**16):
        check_dither_levels(levels)
    for levels in (-1, 3, 2**17):
        with pytest.raises(ValueError, match="dither_levels must be 0 or a power of two up to 2\\^16"):
            check_dither_levels(levels)


def test_rows_are_all_axes_but_the_last():
    x = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(as_rows(x), x.reshape(6, 4))
    assert as_rows(np.zeros((0, 4))).shape == (0, 4) and as_rows(np.zeros(4)).shape == (1, 4)
