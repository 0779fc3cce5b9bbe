"""Squared distances, by both formulas, against NumPy."""

import jax
import numpy as np
import pytest

from rdr.distances import squared_distances


@pytest.mark.parametrize("shape, count, d", [((5,), 4, 3), ((2, 3), 7, 20), ((), 3, 2)])
@pytest.mark.parametrize("exact", [True, False])
def test_both_formulas_are_numpys(shape, count, d, exact):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(*shape, d)), rng.normal(size=(count, d))
    expected = ((x[..., None, :] - y) ** 2).sum(-1)
    np.testing.assert_allclose(squared_distances(x, y, exact=exact), expected, rtol=1e-12)


def test_equal_points_are_exactly_zero_apart_and_their_gradient_vanishes():
    x = np.float32([[1e3, 1e-3], [2.0, 3.0]])
    assert (np.diag(squared_distances(x, x)) == 0).all() and (squared_distances(x, x, exact=False) >= 0).all()
    slope = jax.grad(lambda a: squared_distances(a, x)[0, 0])(x)
    np.testing.assert_array_equal(slope, 0)
