"""What observers are shown."""

import numpy as np
import pytest

from rdr.evaluation.studies import stimuli


def test_the_middle_is_cut_out():
    image = np.arange(7 * 9 * 3).reshape(7, 9, 3)
    np.testing.assert_array_equal(stimuli.crop_center(image, 5, 3), image[2:5, 2:7])
    assert stimuli.crop_center(image, 9, 7).shape == image.shape
    for width, height in ((10, 3), (3, 8), (0, 3)):
        with pytest.raises(ValueError, match="cannot be cropped"):
            stimuli.crop_center(image, width, height)


def test_differences_are_amplified_rounded_and_clipped():
    source = np.array([[[100, 200, 10]]], np.uint8)
    found, share = stimuli.amplify(source, np.array([[[103, 240, 2]]], np.uint8), 2.5)
    np.testing.assert_array_equal(found, [[[108, 255, 0]]])  # 107.5 to even, 300, -10
    assert found.dtype == np.uint8 and share == pytest.approx(2 / 3)
    np.testing.assert_array_equal(stimuli.amplify(source, source, 9.0)[0], source)
    for factor in (0.5, np.inf, np.nan):
        with pytest.raises(ValueError, match="factor"):
            stimuli.amplify(source, source, factor)
    with pytest.raises(ValueError, match="one shape"):
        stimuli.amplify(source, source[:, :, :1], 2.0)


@pytest.mark.parametrize("image", [
    np.zeros((40, 60, 3)), np.full((40, 60, 3), 255), np.full((1, 5, 3), 128), np.eye(48)[:, :, None] * [255, 255, 255],
    np.random.default_rng(0).integers(0, 256, (50, 41, 3)),
], ids=["black", "white", "tiny", "diagonal", "noise"])
def test_heavy_distortions_are_seen_in_every_image(image):
    image = image.astype(np.uint8)
    found = stimuli.distort_heavily(image)
    assert found.shape == image.shape and found.dtype == np.uint8
    change = np.abs(found.astype(float) - image)
    assert change.mean() >= 40 and np.ptp(found.astype(float)) >= 90


def test_blocks_have_the_mean_of_the_image():
    image = np.full((24, 24, 1), 100, np.uint8)
    image[:2, :2, 0] = [[90, 110], [120, 100]]
    found = stimuli.distort_heavily(image).astype(float)
    assert found[0, 0, 0] == 105 - 48 and found[0, 2, 0] == 148 and found[2, 2, 0] == 52
