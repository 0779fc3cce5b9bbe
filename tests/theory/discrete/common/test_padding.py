"""Padding changes no answer, and leaves few sizes."""

import numpy as np
import pytest

from theory.discrete import rate_distortion
from theory.discrete.common import padding


def test_few_sizes_and_none_too_small():
    sizes = [padding.padded_size(n) for n in range(1, 200)]
    assert all(size >= n for n, size in enumerate(sizes, 1)) and len(set(sizes[:64])) == 5
    assert padding.padded_size(64) == 64 and padding.padded_size(65) == 96


def test_letters_that_were_added_cannot_be_used():
    pmf, matrix = padding.pad_source(np.array([0.4, 0.6]), np.ones((2, 3)))
    assert pmf.shape == (4,) and matrix.shape == (4, 4)
    matrix = np.asarray(matrix)
    assert np.isinf(matrix[:, 3]).all() and (matrix[2:, :3] == 0).all() and (np.asarray(pmf)[2:] == 0).all()


@pytest.mark.parametrize("n, m", [(3, 3), (2, 4), (4, 3)])
def test_results_have_the_shapes_and_values_of_what_was_given(n, m):
    # Oracle: a source of 8 letters whose further ones never occur and are reached by nothing.
    rng = np.random.default_rng(n)
    pmf, matrix = rng.dirichlet(np.ones(n)), rng.random((n, m))
    small = rate_distortion(pmf, matrix, distortion=pmf @ matrix.min(1) + 0.05)
    wide = np.full((8, 8), np.inf)
    wide[:n, :m], wide[n:, 0] = matrix, 0.3
    large = rate_distortion(np.r_[pmf, np.zeros(8 - n)], wide, distortion=pmf @ matrix.min(1) + 0.05)
    assert small.channel.shape == (n, m) and small.output_pmf.shape == (m,) and small.multiplier.shape == (n,)
    np.testing.assert_allclose(small.rate, large.rate, atol=2e-9)
    np.testing.assert_allclose(np.asarray(large.channel)[:n, m:], 0.0, atol=0)
