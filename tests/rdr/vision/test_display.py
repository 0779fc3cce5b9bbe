import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.vision import display as displays
from rdr.vision.display import display_names, get_display, make_display, pixels_per_degree_at, show

RAMP = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)


def test_well_known_displays():
    names = display_names()
    assert {"standard_4k", "standard_fhd", "standard_phone", "standard_hdr_pq", "standard_hdr_hlg"} <= set(names)
    made = [get_display(name) for name in names]
    assert [one.name for one in made] == list(names)
    # 75.4 and 37.84 are printed by the package for these two.
    assert get_display("standard_4k").pixels_per_degree == pytest.approx(75.4, abs=0.05)
    assert get_display("standard_fhd").pixels_per_degree == pytest.approx(37.84, abs=0.005)
    assert get_display(made[0]) is made[0]
    assert get_display("standard_4k").black == pytest.approx(0.2)
    assert get_display("standard_4k").reflected == pytest.approx(250 / math.pi * 0.005)


def test_geometry_by_other_routes():
    # A screen of 1 m x 0.5 m (39.37 x 19.69 inches) with 1000 x 500 pixels at 1 m: pixels of 1 mm, 17.45 a degree.
    size, resolution = 100 / 2.54 * math.hypot(1, 0.5), (1000, 500)
    routes = [{"diagonal": size, "distance": 1.0}, {"distance_in_heights": 2.0},
              {"horizontal_view": 2 * math.degrees(math.atan(0.5))},
              {"vertical_view": 2 * math.degrees(math.atan(0.25))},
              {"diagonal_view": 2 * math.degrees(math.atan(math.hypot(0.5, 0.25)))}]
    expected = 1 / math.degrees(2 * math.atan(0.0005))
    for route in routes:
        made = make_display(peak=100, resolution=resolution, **route)
        assert made.pixels_per_degree == pytest.approx(expected, rel=1e-9)
    assert make_display(peak=100, resolution=resolution, pixels_per_degree=40).pixels_per_degree == 40
    assert pixels_per_degree_at(1000.0) == pytest.approx(1000 * math.radians(1), rel=1e-6)


def test_light_of_a_dull_display():
    dull = make_display(peak=100, black=1.0, ambient=100 * math.pi, reflectivity=0.02, resolution=(10, 10),
                        pixels_per_degree=30)
    # Black is 1 cd/m^2 and 100 pi lux * 0.02 / pi = 2 reflected.
    light = show(np.array([[0.0] * 3, [0.5] * 3, [1.0] * 3]), dull)
    np.testing.assert_allclose(light[:, 0], [3, 99 * 0.21404114 + 3, 102], rtol=1e-5)
    gray = np.full((3, 1), 0.3)
    np.testing.assert_allclose(show(gray, dull, space="luminance"), show(gray, dull)[..., :1], rtol=1e-5)
    for transfer, expected in (("linear", 3.0), ("pq", 0.005 + 3)):
        np.testing.assert_allclose(show(np.zeros((3, 3)), dull._replace(transfer=transfer)), expected)
    np.testing.assert_allclose(show(np.full((3, 3), [42.0, 500, 1]), dull._replace(transfer="linear"))[0], [44, 102, 3])
    np.testing.assert_allclose(show(np.full((3, 3), 0.5081), dull._replace(transfer="pq", exposure=0.5)), 53, rtol=1e-3)
    np.testing.assert_allclose(show(np.full((3, 3), 60.0), dull._replace(transfer="linear", exposure=0.5)), 32)
    power = dull._replace(transfer="gamma", gamma=2.0)
    np.testing.assert_allclose(show(np.full((3, 3), 0.5), power), 99 / 4 + 3, rtol=1e-5)
    np.testing.assert_allclose(show(np.full((3, 3), 0.5), power._replace(exposure=8.0)), 102)
    np.testing.assert_allclose(show(np.full((3, 3), 0.75), dull._replace(transfer="hlg")), 99 * 0.203 + 3, rtol=5e-3)


@pytest.mark.parametrize(("dtype", "bits", "largest"), [(np.uint8, None, 255), (np.uint16, None, 65535),
                                                        (np.uint16, 10, 1023), (np.uint16, 12, 4095)])
def test_integers_are_code_values(dtype, bits, largest):
    codes = np.round(RAMP * largest).astype(dtype)
    np.testing.assert_allclose(show(codes, "standard_4k", bits=bits),
                               show((codes / largest).astype(np.float32), "standard_4k"), rtol=1e-6)


def test_gradients_are_whole_at_black_and_white():
    for name in ("standard_4k", "standard_hdr_pq", "standard_hdr_hlg"):
        values = jnp.array([0.0, 0.5, 1.0], jnp.float32)
        slope = jax.jit(jax.grad(lambda x, name=name: show(x, name).sum()))(values)
        assert np.all(np.isfinite(slope)) and np.all(np.asarray(slope) >= 0)
    slope = jax.grad(lambda x: displays.clip(x, 0, 1).sum())(jnp.array([-1, 0, 0.5, 1, 2]))
    np.testing.assert_allclose(slope, [0, 1, 1, 1, 0])
    assert np.isnan(jax.jit(lambda x: show(x, "standard_4k"))(jnp.full(3, jnp.nan))).all()


def test_bfloat16_is_computed_in_float32():
    half = jnp.asarray(RAMP, jnp.bfloat16)
    np.testing.assert_array_equal(show(half, "standard_fhd"), show(half.astype(jnp.float32), "standard_fhd"))


@pytest.mark.parametrize(("change", "message"), [
    ({"peak": 0.0}, "display.peak must be positive"), ({"peak": math.nan}, "display.peak"),
    ({"contrast": 1.0}, "display.contrast must be above 1"), ({"ambient": -1.0}, "display.ambient must be at least 0"),
    ({"reflectivity": 2.0}, "display.reflectivity"), ({"gamma": 0.2}, "display.gamma"),
    ({"transfer": "log"}, "display.transfer must be one of .*'log'"),
    ({"primaries": "ntsc"}, "display.primaries must be one of .*'ntsc'"),
    ({"pixels_per_degree": 0.0}, "display.pixels_per_degree must be positive and finite, got 0"),
    ({"pixels_per_degree": -1.0}, "display.pixels_per_degree"), ({"resolution": (0, 5)}, "resolution must be a width"),
    ({"resolution": (math.inf, 5)}, "resolution must be a width"), ({"resolution": 5}, "resolution must be a width"),
    # Brighter values were shown darker: what is clipped to the darkest was above the peak.
    ({"peak": 0.004, "transfer": "linear"}, "display.peak must be above 0.005 cd/m.2 for linear, got 0.004"),
])  # fmt: skip
def test_displays_that_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        show(RAMP, get_display("standard_4k")._replace(**change))


@pytest.mark.parametrize(("options", "message"), [
    ({}, "got 0 of them"), ({"pixels_per_degree": 40, "horizontal_view": 60}, "got 2 of them"),
    ({"diagonal": 24}, "must both be given"), ({"horizontal_view": 180}, "between 0 and 180"),
    ({"pixels_per_degree": 40, "black": 1, "contrast": 10}, "not both"),
    ({"pixels_per_degree": 40, "black": 0}, "black must"),
    ({"distance_in_heights": -1}, "distance_in_pixels must be positive"),
])  # fmt: skip
def test_makings_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_display(peak=100, resolution=(100, 100), **options)


@pytest.mark.parametrize(("images", "display", "options", "message"), [
    (RAMP, "standard_8k", {}, "display must be one of standard_4k, .*'standard_8k'"),
    (RAMP, None, {}, "display must be one of"), (RAMP, 60.0, {}, "display must be one of"),
    (RAMP, ["standard_4k"], {}, "display must be one of"),
    (RAMP * np.nan, "standard_4k", {}, "images must be finite"),
    (RAMP - 0.1, "standard_hdr_linear", {}, "images must hold luminances in cd/m.2, at least 0, got -0.1"),
    (np.full_like(RAMP, np.inf), "standard_hdr_linear", {}, "images must be finite"),
    (RAMP * 255, "standard_4k", {}, r"images must lie in \[0, 1\]"),
    (np.zeros((2, 2, 3), np.uint8), "standard_hdr_linear", {}, "must be floating-point cd/m.2"),
    (np.zeros((2, 2, 3), np.int32), "standard_4k", {}, "uint8 or uint16"),
    (np.full((2, 2, 3), 1024, np.uint16), "standard_4k", {"bits": 10}, "must not exceed 1023, got 1024"),
    (np.full((2, 2, 3), 2**15, np.uint16), "standard_4k", {"bits": 15}, "must not exceed 32767, got 32768"),
    (np.zeros((2, 2, 3), np.uint8), "standard_4k", {"bits": 10}, "bits must be from 1 to 8"),
    (RAMP, "standard_4k", {"bits": 10}, "bits are of integers"), (RAMP[..., :2], "standard_4k", {}, "1 or 3 channels"),
    (RAMP, "standard_4k", {"space": "lab"}, "space must be one of"),
])  # fmt: skip
def test_images_that_are_refused(images, display, options, message):
    with pytest.raises(ValueError, match=message):
        show(images, display, **options)
