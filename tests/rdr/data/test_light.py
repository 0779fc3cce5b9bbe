"""Light of coded values: points of the standards, inverses, and what is shown of it."""

import numpy as np
import pytest

from rdr.data import light
from rdr.data.color_spaces import PRIMARIES, bt709_from


def test_pq_has_the_values_that_are_published():
    # ITU-R BT.2408: reference white of 203 cd/m^2 is 58 %, 100 cd/m^2 about 51 %, 1,000 cd/m^2 about 75 %.
    found = light.pq_from_luminance([0.0, 100.0, 203.0, 1000.0, 1e4, 1e6])
    np.testing.assert_allclose(found, [0, 0.5081, 0.5807, 0.7518, 1.0, 1.0], rtol=1e-4, atol=1e-6)
    codes = np.arange(65536) / 65535
    np.testing.assert_allclose(light.pq_from_luminance(light.luminance_from_pq(codes)), codes, atol=1e-6)


def test_sixteen_bits_of_pq_are_finer_than_half_floats():
    """The errors that docs/format.md states; half a step of a half float is up to 1 / 2048."""
    luminance = np.geomspace(0.01, 1e4, 20_001)
    codes = np.floor(65535 * light.pq_from_luminance(luminance) + 0.5) / 65535
    off = np.abs(light.luminance_from_pq(codes) / luminance - 1)
    assert off[luminance >= 1].max() < 1.5e-4 and off[luminance >= 0.1].max() < 3e-4 and off.max() < 7.1e-4


def test_hlg_has_the_values_that_are_published():
    # BT.2100: 50 % is a twelfth of the scene's peak; BT.2408: 75 % is reference white, 203 cd/m^2 of 1,000.
    found = light.luminance_from_hlg(np.repeat([0.0, 0.5, 0.75, 1.0], 3).reshape(4, 3))[:, 0]
    np.testing.assert_allclose(found, [0, 1000 * (1 / 12) ** 1.2, 203, 1000], rtol=3e-3)
    np.testing.assert_allclose(light.luminance_from_hlg(np.array([[0.75]])), [[203]], rtol=3e-3)


def test_tone_mapping_keeps_shadows_and_cuts_nothing():
    gray = np.array([0.0, 0.01, 0.2, 0.5, 1.0, 5.0, 50.0])[None, :, None]
    shown = light.tone_map(203 * gray, 9, 203.0)[0, :, 0] / 255
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(linear, [0, 0.01, 0.2, 0.5, 0.75, 0.95, 0.995], atol=6e-3)
    assert (np.diff(shown) > 0).all()
    color = light.tone_map(203 * np.repeat(gray, 3, 2), 9, 203.0)  # white stays white
    assert np.abs(color.astype(int) - np.rint(255 * shown)[None, :, None]).max() <= 1
    # A color within BT.709, given with the primaries of BT.2020.
    inside = np.array([[[0.3, 0.2, 0.1]]])
    given = inside @ np.linalg.inv(bt709_from(PRIMARIES[9])).T
    np.testing.assert_array_equal(light.tone_map(given, 9, 1.0), light.tone_map(inside, 1, 1.0))


def test_the_functions_with_gradients_say_the_same():
    transfer = pytest.importorskip("rdr.vision.transfer")
    codes = np.linspace(0.01, 1, 97, dtype=np.float32)
    np.testing.assert_allclose(transfer.luminance_from_pq(codes), light.luminance_from_pq(codes), rtol=2e-4)
    luminance = np.geomspace(0.01, 1e4, 97).astype(np.float32)
    np.testing.assert_allclose(transfer.pq_from_luminance(luminance), light.pq_from_luminance(luminance), atol=1e-5)
