"""Patches: the grids of the published protocol, every pixel where it belongs."""

import numpy as np
import pytest

from rdr.metrics.patches import split_patches


def test_patches_are_the_grid_and_the_shifted_grid():
    images = np.arange(2 * 13 * 9 * 3, dtype=np.float32).reshape(2, 13, 9, 3)
    found = np.asarray(split_patches(images, 4))
    expected = [images[:, r : r + 4, c : c + 4] for r in (0, 4, 8) for c in (0, 4)]
    expected += [images[:, r : r + 4, c : c + 4] for r in (2, 6) for c in (2,)]
    np.testing.assert_array_equal(found, np.stack(expected, 1))
    assert split_patches(images, 4, shifted=False).shape == (2, 6, 4, 4, 3)
    assert split_patches(images, 9).shape == (2, 1, 9, 9, 3)


def test_kodak_has_as_many_patches_as_published():
    # 6 of the grid and 2 between them, of 256 pixels, per 768 x 512 image.
    assert split_patches(np.zeros((1, 512, 768, 1), np.float32), 256).shape[1] == 8


def test_patches_larger_than_the_image_are_refused():
    with pytest.raises(ValueError, match="size must be from 1 to the images' shorter side, got 10"):
        split_patches(np.zeros((1, 13, 9, 3), np.float32), 10)
