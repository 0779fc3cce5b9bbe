"""Color spaces, against scikit-image, chromaticities, published values and their own defining properties."""

import jax
import numpy as np
import pytest

from rdr.features import color

GRAYS = np.linspace(0, 1, 256)[:, None] * np.ones(3)


def test_the_transfer_functions_are_inverse_and_meet_the_standard():
    levels = np.linspace(-0.1, 1.5, 1601)
    linear = color.linear_from_srgb(levels)
    # The two pieces of the standard meet up to 1e-8 of rounding in its constants.
    np.testing.assert_allclose(color.srgb_from_linear(linear), levels, atol=2e-7)
    np.testing.assert_allclose(color.linear_from_srgb(np.array([0.0, 0.5, 1.0])), [0, 0.21404114048, 1], rtol=1e-10)
    assert (np.diff(linear) > 0).all()


def test_xyz_and_lab_equal_scikit_image(recorded, recorder):
    pixel = recorder.images(37, 41, seed=4)[0][5, 7]
    np.testing.assert_allclose(
        color.xyz_from_srgb(pixel), recorded["scikit-image xyz 37x41 seed 4, pixel 5 7"], rtol=1e-12
    )
    # scikit-image uses CIE's rounded slope near black; this pixel is bright.
    np.testing.assert_allclose(
        color.lab_from_srgb(pixel), recorded["scikit-image lab 37x41 seed 4, pixel 5 7"], rtol=1e-11
    )


def test_xyz_follows_from_the_chromaticities_of_the_primaries():
    # Rec. 709: x, y of red, green, blue, and D65 (0.3127, 0.3290) at Y = 1.
    xy = np.array([[0.64, 0.33], [0.30, 0.60], [0.15, 0.06]])
    primaries = np.stack([xy[:, 0] / xy[:, 1], np.ones(3), (1 - xy.sum(1)) / xy[:, 1]])
    white = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
    matrix = primaries * np.linalg.solve(primaries, white)
    # The customary six digits were computed with a white of 0.31273, 0.32902, hence not closer.
    np.testing.assert_allclose(color.xyz_from_srgb(np.eye(3)), matrix.T, atol=4e-4)


def test_grays_are_neutral_in_every_opponent_space():
    np.testing.assert_allclose(color.ycbcr_from_srgb(GRAYS)[:, 0], GRAYS[:, 0], atol=1e-15)
    np.testing.assert_allclose(color.ycbcr_from_srgb(GRAYS)[:, 1:], 0.0, atol=1e-15)
    np.testing.assert_allclose(color.lab_from_srgb(GRAYS)[:, 1:], 0.0, atol=0.01)
    np.testing.assert_allclose(color.oklab_from_srgb(GRAYS)[:, 1:], 0.0, atol=1e-7)
    np.testing.assert_allclose(color.oklab_from_srgb(np.ones(3)), [1, 0, 0], atol=1e-7)


def test_the_extremes_of_ycbcr_are_reached_by_the_primaries():
    got = color.ycbcr_from_srgb(np.array([[0.0, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 1]]))
    np.testing.assert_allclose(got[:, 0], [0.114, 0.886, 0.299, 0.701], rtol=1e-12)
    np.testing.assert_allclose(got[:2, 1], [0.5, -0.5], rtol=1e-12)
    np.testing.assert_allclose(got[2:, 2], [0.5, -0.5], rtol=1e-12)


def test_oklab_of_the_primaries_is_as_published():
    # Ottosson's color picker, three decimals.
    expected = [[0.628, 0.225, 0.126], [0.866, -0.234, 0.179], [0.452, -0.032, -0.312]]
    np.testing.assert_allclose(color.oklab_from_srgb(np.eye(3)), expected, atol=6e-4)


def test_oklab_is_the_exact_cube_root_for_every_color_of_eight_bits_but_black():
    dark = np.eye(3) / 255
    lms = np.asarray(color.linear_from_srgb(dark)) @ color._LMS_FROM_RGB.T
    exact = np.cbrt(lms) @ color._OKLAB_FROM_ROOTS.T
    np.testing.assert_allclose(color.oklab_from_srgb(dark), exact, rtol=1e-12)
    np.testing.assert_array_equal(color.oklab_from_srgb(np.zeros(3)), 0.0)


@pytest.mark.parametrize("space", color.SPACES)
def test_every_space_is_finite_with_finite_gradient_on_black_white_negative_and_bright_input(space):
    inputs = np.array([[0.0, 0, 0], [1, 1, 1], [-0.2, 0.1, -1e-9], [1e4, 3.0, 0.0]]).reshape(1, 2, 2, 3)

    def total(x):
        (name,), (value,) = zip(*color.features(None, x, space=space).items())
        assert name == space and value.shape == x.shape
        return value.sum()

    value, gradient = jax.jit(jax.value_and_grad(total))(inputs)
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_unknown_spaces_and_gray_images_are_refused():
    with pytest.raises(ValueError, match="space must be one of 'srgb', 'linear', 'ycbcr', 'lab', 'oklab', got 'hsv'"):
        color.convert(np.zeros((2, 3)), "hsv")
    with pytest.raises(ValueError, match="images must have 3 channels"):
        color.features(None, np.zeros((1, 2, 2, 1)))
