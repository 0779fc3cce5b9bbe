"""castleCSF: the authors' own numbers, people's thresholds, gradients, edges."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.vision import castle_csf
from rdr.vision.colorspace import from_rgb

DATA = pathlib.Path(__file__).parent / "data"


def table(name):
    """{column: array} of a file of thresholds or sensitivities."""
    return np.genfromtxt(DATA / name, delimiter=",", names=True, dtype=None, encoding="utf-8", skip_header=3)


def cones(rows, name):
    return np.stack([rows[f"{name}_{cone}"] for cone in "lms"], -1)


@functools.partial(jax.jit, static_argnames="name")
def _program(name, pattern, background, direction, **options):
    return getattr(castle_csf, name)(pattern, background=background, direction=direction, **options)


def predicted(rows, name="sensitivity", dtype=np.float64):
    pattern = {"sensitivity": "spatial_frequency", "disc_sensitivity": "radius"}[name]
    options = [*(["area"] if name == "sensitivity" else []), "temporal_frequency", "eccentricity", "visual_field"]
    options = {key: rows[key].astype(dtype) for key in options}
    return _program(name, rows[pattern].astype(dtype), *(cones(rows, of).astype(dtype) for of in
                                                         ("background", "direction")), **options)


def test_sixty_patterns_have_the_sensitivity_of_the_authors_code():
    # From .002 cd/m^2 (where the transient peak's frequency is negative) to 10,000, at all angles of the visual field.
    # Their code takes 1 + 1e-11 to a power of 1e10, so that its last six digits are rounding.
    rows = table("castle_csf_gratings.csv")
    assert len(rows) == 60 and (rows["background_l"] + rows["background_m"]).min() < 0.003
    np.testing.assert_allclose(predicted(rows), rows["sensitivity"], rtol=2e-6)
    single = predicted(rows, dtype=np.float32)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, rows["sensitivity"], rtol=1e-5)


def test_six_discs_have_the_sensitivity_of_the_authors_code():
    rows = table("castle_csf_discs.csv")
    np.testing.assert_allclose(predicted(rows, "disc_sensitivity"), rows["sensitivity"], rtol=2e-6)


def test_it_is_near_what_people_saw():
    # 6 studies; the errors in dB, measured with the authors' code on these rows, less a factor of each study.
    rows = table("castle_csf_thresholds.csv")
    error = 20 * np.log10(predicted(rows) / rows["sensitivity"])
    found = {study: error[rows["dataset"] == study].std() for study in np.unique(rows["dataset"])}
    assert len(rows) == 42 and np.sqrt(np.mean(error**2)) < 4.0
    np.testing.assert_allclose(found["modelfest"], 2.07, atol=0.01)
    assert max(found.values()) < 5.0


@pytest.mark.parametrize("place", [
    {"u": 3.0, "level": 20.0, "area": 1.0, "w": 4.0, "e": 3.0, "field": 100.0},
    {"u": 0.4, "level": 0.004, "area": 9.0, "w": 12.0, "e": 10.0, "field": 180.5},  # a negative peak
])  # fmt: skip
def test_gradients_are_finite_differences(place):
    start, direction = np.array(list(place.values())), np.array([0.5, -0.2, 0.1])

    @jax.jit
    def program(x, direction):
        u, level, area, w, e, field = x
        return jax.value_and_grad(lambda x, d: castle_csf.sensitivity(
            x[0], x[1], area=x[2], temporal_frequency=x[3], eccentricity=x[4], visual_field=x[5], direction=d,
        ), argnums=(0, 1))(jnp.stack([u, level, area, w, e, field]), direction)

    _, gradients = program(start, direction)
    for k, step in enumerate((start, direction)):
        for i in range(len(step)):
            moved = [np.array(start), np.array(direction)]
            values = []
            for sign in (1, -1):
                moved[k] = step * (1 + sign * 1e-5 * (np.arange(len(step)) == i))
                values.append(float(program(*moved)[0]))
            slope = (values[0] - values[1]) / (2e-5 * step[i])
            np.testing.assert_allclose(gradients[k][i], slope, rtol=2e-6, atol=1e-9)


def test_arguments_broadcast_and_parameters_have_gradients():
    u, level = np.array([[1.0], [4.0]]), np.array([0.1, 10.0, 1000.0])
    parameters = jax.tree.map(float, castle_csf.castle_parameters())
    one = jax.jit(jax.value_and_grad(lambda p, u, level: castle_csf.sensitivity(u, level, parameters=p)))
    one_by_one = jax.jit(jax.vmap(jax.vmap(lambda u, level: castle_csf.sensitivity(u, level), (None, 0)), (0, None)))
    together = jax.jit(castle_csf.sensitivity)(u, level)
    assert together.shape == (2, 3)
    np.testing.assert_allclose(together, one_by_one(u[:, 0], level), rtol=1e-12)
    value, slopes = one(parameters, 4.0, 10.0)
    np.testing.assert_allclose(value, together[1, 1], rtol=1e-5)
    # Sensitivity is a sum of the bands, in quadrature, and the sustained one dominates.
    np.testing.assert_allclose(slopes.achromatic.sustained.sensitivity[0] * 56.4947, value, rtol=0.01)


def test_daylight_is_the_white_of_displays():
    l, m, s = castle_csf.D65_LMS
    white = np.asarray(from_rgb(np.ones(3), "lms"))
    assert l + m == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(np.array([l, m, s]), white / white[:2].sum(), rtol=0.01)  # rounded otherwise


def test_cardinal_directions_change_one_sum_each():
    background = np.array([0.7, 0.3, 0.02]) * 50
    light, red, violet = np.asarray(castle_csf.dkl_directions(background))
    sums = np.array([[1, 1, 0], [1, -0.7 / 0.3, 0], [-1, -1, 1.0 / 0.02]])
    np.testing.assert_allclose(sums @ np.stack([light, red, violet], 1), np.eye(3), atol=1e-12)
    # Red and green are seen best in cones' contrasts, and violet least.
    found = _program("sensitivity", 0.5, background, np.stack([light, red, violet]))
    assert found[1] > found[0] > found[2]


def test_less_is_seen_in_the_dark_in_the_periphery_in_small_patterns_and_when_it_flickers_fast():
    steps = {"luminance": np.geomspace(100.0, 0.02, 9), "eccentricity": np.linspace(0.0, 40.0, 9),
             "area": np.geomspace(100.0, 0.01, 9), "temporal_frequency": np.linspace(8.0, 60.0, 9),
             "spatial_frequency": np.geomspace(5.0, 60.0, 9)}
    usual = {"spatial_frequency": 4.0, "luminance": 50.0, "area": 1.0, "temporal_frequency": 0.0, "eccentricity": 0.0}
    rows = {name: np.stack([steps[name] if name == changed else np.full(9, value) for changed in steps])
            for name, value in usual.items()}
    found = jax.jit(castle_csf.sensitivity)(**rows)
    assert np.all(np.diff(found, axis=1) < 0)
    # The peak is at some 3 cycles per degree.
    u = np.geomspace(0.5, 32.0, 45).reshape(5, 9)
    peak = jax.jit(castle_csf.sensitivity)(**(rows | {"spatial_frequency": u, "luminance": 0.0 * u + 100.0,
                                                      "area": 0.0 * u + 4.0, "eccentricity": 0.0 * u,
                                                      "temporal_frequency": 0.0 * u}))
    assert 2.0 < u.ravel()[int(peak.argmax())] < 5.0


def test_edges_are_values_with_finite_gradients():
    @jax.jit
    def at(u, w, e):
        return jax.value_and_grad(lambda u, w, e: castle_csf.sensitivity(
            u, 30.0, temporal_frequency=w, eccentricity=e), (0, 1, 2))(u, w, e)

    value, slopes = at(0.0, 0.0, 0.0)
    assert value == 0 and np.isfinite(slopes).all()
    value, slopes = at(4.0, 0.0, 0.0)
    assert value > 100 and np.isfinite(slopes).all()
    # Inside of a trace, what is not possible is no number.
    found = jax.jit(castle_csf.sensitivity)(jnp.asarray([4.0, -1.0, 4.0, 4.0]), jnp.asarray([9.0, 9.0, -1.0, jnp.inf]))
    np.testing.assert_array_equal(np.isnan(found), [False, True, True, True])
    assert np.isnan(jax.jit(castle_csf.disc_sensitivity)(-1.0, 9.0))


@pytest.mark.parametrize(("options", "message"), [
    ({"luminance": -1.0}, "luminance must be positive and finite, in cd/m\\^2, got -1"),
    ({"luminance": 0.0}, "luminance must be positive"),
    ({"luminance": np.inf}, "luminance must be positive and finite, in cd/m\\^2, got inf"),
    ({"luminance": np.nan}, "luminance must be positive and finite, in cd/m\\^2, got nan"),
    ({"spatial_frequency": -0.5}, "spatial_frequency must be non-negative and finite, in cycles per degree, got -0.5"),
    ({"temporal_frequency": -1.0}, "temporal_frequency must be non-negative and finite, in Hz"),
    ({"area": 0.0}, "area must be positive and finite, in square degrees, got 0"),
    ({"eccentricity": -1.0}, "eccentricity must be non-negative"),
    ({"visual_field": np.nan}, "visual_field must be finite, in degrees, got nan"),
    ({"direction": np.zeros(3)}, "direction must be finite and not 0"),
    ({"direction": np.ones(2)}, "direction must have shape"),
    ({"background": np.ones(3)}, "one of luminance and background must be given, got both"),
    ({"luminance": None}, "one of luminance and background must be given, got none"),
    ({"luminance": None, "background": np.array([1.0, -1.0, 1.0])}, "background must be positive"),
    ({"luminance": None, "background": np.ones(4)}, "background must have shape"),
    ({"spatial_frequency": 1j}, "spatial_frequency must hold real numbers"),
])  # fmt: skip
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        castle_csf.sensitivity(**({"spatial_frequency": 4.0, "luminance": 10.0} | options))


def test_refusals_of_discs_and_directions():
    with pytest.raises(ValueError, match="radius must be positive"):
        castle_csf.disc_sensitivity(0.0, 10.0)
    with pytest.raises(ValueError, match="background must have shape"):
        castle_csf.dkl_directions(np.ones(2))


def test_contrasts_of_mechanisms_are_those_of_the_cardinal_directions():
    background = np.array([35.0, 15.0, 1.0])
    m, a, r, s = 2.3, 0.1, 0.2, 51.0  # two of them are 0 as published
    parameters = castle_csf.castle_parameters()._replace(opponency=(m, a, r, s))
    red, violet = np.asarray(castle_csf.dkl_directions(background))[1:]
    unit = 50.0 + a
    found = np.array(castle_csf.mechanism_contrasts(np.stack([background, red, violet]), background,
                                                    parameters=parameters)).T
    np.testing.assert_allclose(found[0, 0], 1.0, rtol=1e-12)
    np.testing.assert_allclose(found[1], np.array([0.0, 0.3 * (1 + m), 0.0]) / unit, atol=1e-12)
    np.testing.assert_allclose(found[2], np.array([a * 0.02, r * 0.02, s * 0.02]) / unit, atol=1e-12)
    with pytest.raises(ValueError, match=r"increments must have shape \[.., 3\]"):
        castle_csf.mechanism_contrasts(np.ones(2), background)
    with pytest.raises(ValueError, match="background must be positive"):
        castle_csf.mechanism_contrasts(np.ones(3), background - 1)
