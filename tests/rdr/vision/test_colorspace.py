import numpy as np
import pytest

from rdr.vision import colorspace

CHROMATICITIES = {  # x, y of red, green, blue: ITU-R BT.709, SMPTE EG 432-1, ITU-R BT.2020
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}
D65 = np.array([0.3127, 0.3290])


def matrix_of(chromaticities):
    def xyz(x, y):
        return np.array([x / y, 1.0, (1 - x - y) / y])

    columns = np.stack([xyz(*xy) for xy in chromaticities], axis=1)
    return columns * np.linalg.solve(columns, xyz(*D65))


@pytest.mark.parametrize("primaries", colorspace.PRIMARIES)
def test_matrices_follow_from_the_primaries(primaries):
    matrix = colorspace.matrix_from_rgb("xyz", primaries)
    np.testing.assert_allclose(matrix, matrix_of(CHROMATICITIES[primaries]), atol=3e-4)  # rounded, white too
    np.testing.assert_allclose(matrix[1].sum(), 1.0, atol=1e-6)


@pytest.mark.parametrize("primaries", colorspace.PRIMARIES)
def test_spaces_and_their_inverses(primaries):
    colors = np.random.default_rng(0).uniform(0, 300, (4, 5, 3))
    for space in ("rgb", "xyz", "lms", "dkl"):
        shown = colorspace.from_rgb(colors, space, primaries=primaries)
        np.testing.assert_allclose(colorspace.to_rgb(shown, space, primaries=primaries), colors, rtol=2e-3, atol=1e-2)
    xyz = colorspace.from_rgb(colors, "xyz", primaries=primaries)
    lms = colorspace.lms_from_xyz(xyz)
    luminance = colorspace.from_rgb(colors, "luminance", primaries=primaries)
    np.testing.assert_allclose(luminance[..., 0], xyz[..., 1], rtol=1e-5)
    np.testing.assert_allclose(colorspace.from_rgb(colors, "lms", primaries=primaries), lms, rtol=1e-4, atol=1e-3)
    dkl = colorspace.dkl_from_lms(lms)
    np.testing.assert_allclose(colorspace.from_rgb(colors, "dkl", primaries=primaries), dkl, rtol=1e-4, atol=2e-2)
    np.testing.assert_allclose(colorspace.lms_from_dkl(dkl), lms, rtol=1e-4, atol=1e-4)


def test_white_has_no_color():
    achromatic, red_green, violet_yellow = np.asarray(colorspace.from_rgb(np.full(3, 100.0), "dkl"))
    assert achromatic == pytest.approx(105.1, abs=0.1)  # L + M of 2006 is not the luminance of 1931
    # The published matrices are rounded and of different observers: nearly none.
    assert abs(red_green) < 0.005 * achromatic and abs(violet_yellow) < 0.01 * achromatic


def test_refusals():
    with pytest.raises(ValueError, match="space must be one of 'rgb'.*'oklab'"):
        colorspace.from_rgb(np.zeros(3), "oklab")
    with pytest.raises(ValueError, match="primaries must be one of 'bt709', 'p3', 'bt2020', got 'ntsc'"):
        colorspace.from_rgb(np.zeros(3), "xyz", primaries="ntsc")
    with pytest.raises(ValueError, match="3 channels"):
        colorspace.from_rgb(np.zeros(4), "xyz")
    with pytest.raises(ValueError, match="three coordinates"):
        colorspace.to_rgb(np.zeros(3), "luminance")
