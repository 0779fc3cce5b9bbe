"""ColorVideoVDP against recorded numbers of its package (tests/data/record_cvvdp.py), and what must be true of it."""

import collections
import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.vision import cvvdp as vdp
from rdr.vision import display_names, get_display, show
from rdr.vision.cvvdp import cvvdp, cvvdp_map, cvvdp_video, cvvdp_video_map
from tests import vision_pairs
from tests.vision_pairs import IMAGES, KINDS, VIDEOS, Case, pair

TOLERANCE = 2e-5  # JOD; the recorded numbers have six digits behind the point, both compute in float32
QUICK = ("standard_4k", (96, 128)), ("standard_4k", (9, 31))  # what other displays show, a test below holds


@functools.cache
def recorded():
    return json.loads((pathlib.Path(__file__).parents[2] / "data/cvvdp.json").read_text(encoding="utf-8"))


def together(cases):
    return tuple(np.stack(x) for x in zip(*map(pair, cases)))


GROUPS = collections.defaultdict(list)
for _case in IMAGES:
    GROUPS[_case.display, _case.size].append(_case)


def check_images(cases):
    images, reference = together(cases)
    found = cvvdp(images, reference, display=cases[0].display).jod
    np.testing.assert_allclose(found, [recorded()["jod"][case.name] for case in cases], rtol=0, atol=TOLERANCE)


def check_video(case):
    frames, reference = pair(case)
    found = cvvdp_video(frames, reference, display=case.display, frames_per_second=case.rate)
    assert float(found.jod) == pytest.approx(recorded()["jod"][case.name], abs=TOLERANCE)
    assert found.bands.shape[:2] == (case.frames, 4) and found.bands.shape[2] == len(found.frequencies)


@pytest.mark.parametrize("group", QUICK, ids=str)
def test_images_are_the_package_s(group):
    check_images(GROUPS[group])


@pytest.mark.stress
@pytest.mark.parametrize("group", [group for group in GROUPS if group not in QUICK], ids=str)
def test_more_images_are_the_package_s(group):
    check_images(GROUPS[group])


@pytest.mark.parametrize("case", VIDEOS[1:2], ids=lambda case: case.name)
def test_videos_are_the_package_s(case):
    check_video(case)


@pytest.mark.stress
@pytest.mark.parametrize("case", (*VIDEOS[:1], *VIDEOS[2:]), ids=lambda case: case.name)
def test_more_videos_are_the_package_s(case):
    check_video(case)


def test_there_are_enough_recorded_pairs():
    assert len(IMAGES) >= 40 and len(VIDEOS) >= 6 and {case.kind for case in IMAGES} == set(KINDS)
    assert set(recorded()["jod"]) == {case.name for case in (*IMAGES, *VIDEOS)}


@pytest.mark.stress
def test_the_map_is_the_package_s():
    record = recorded()["map"]
    case = next(case for case in IMAGES if case.name == record["case"])
    found = cvvdp_map(*together([case]), display=case.display)[0, :: record["every"], :: record["every"]]
    # Recorded in float16 steps of up to 1.2e-4, divided by 10.
    np.testing.assert_allclose(found / 10, record["values"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", display_names())
def test_displays_show_what_the_package_s_show(name):
    record = recorded()["displays"][name]
    display = get_display(name)
    assert display.pixels_per_degree == pytest.approx(record["pixels_per_degree"], rel=1e-6)
    colors = np.float32(recorded()["colors"]) * np.float32(500 if display.transfer == "linear" else 1)
    np.testing.assert_allclose(show(colors, display, space="dkl"), record["dkl"], rtol=2e-4, atol=2e-3)


CASE = Case("noise", 0.05, "standard_4k", (9, 31), 5)  # a size that is compiled anyway


def test_equal_images_and_growing_distortions():
    # The shape of the recorded fourteen: nothing is compiled.
    original = pair(IMAGES[0])[1]
    reference = np.stack([original] * 14)
    steps = np.arange(1, 14) / 13
    # Steps of quantizers double, from two of the image's own 255 on: of about that size they change its mean.
    for kind, strengths in (("noise", 0.2 * steps), ("blur", 4.0 * steps), ("brightness", 0.2 * steps),
                            ("color", 0.15 * steps), ("jpeg", 1.25 * 2.0 ** np.minimum(np.arange(13), 7)),
                            ("banding", 128 // 2 ** np.minimum(np.arange(13), 5)), ("shift", np.arange(13) // 3)):
        distort = vision_pairs.DISTORTIONS[kind]
        changed = [np.clip(distort(original, s, np.random.default_rng(0)), 0, 1) for s in strengths]
        quality = cvvdp(np.float32([original, *changed]), reference, display="standard_4k")
        assert quality.jod[0] == 10 and quality.inner[0] == 0
        assert np.all(np.diff(quality.inner) >= 0), kind


def test_half_the_contrast_is_never_seen_better():
    display = get_display("standard_4k")
    cases = [Case(kind, strength, display.name, (9, 31), 7 * k) for k, kind in enumerate(KINDS)
             for strength in vision_pairs.STRENGTHS[kind]]
    dull = display._replace(contrast=display.contrast / 2)
    whole, half = (np.asarray(cvvdp(*together(cases), display=one).inner) for one in (display, dull))
    assert np.all(half < whole)


@pytest.mark.stress  # the loss's gradient is checked with those of the others
def test_gradients_are_finite_and_those_of_finite_differences():
    image, reference = (jnp.asarray(x, jnp.float64)[None] for x in pair(CASE))
    image = 0.1 + 0.8 * image
    value_and_gradient = jax.jit(jax.value_and_grad(lambda x: cvvdp(x, reference, display=CASE.display).jod[0]))
    direction = np.random.default_rng(0).normal(size=image.shape)
    _, gradient = value_and_gradient(image)
    ahead, behind = (value_and_gradient(image + s * 1e-6 * direction)[0] for s in (1, -1))
    assert float(jnp.sum(gradient * direction)) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-5)
    jod, gradient = value_and_gradient(reference)
    assert jod == 10 and np.isfinite(gradient).all()


def test_a_gray_image_is_the_same_as_three_equal_channels_and_types_are_taken():
    image, reference = (x[None] for x in pair(CASE))

    def jod(x, y):
        return float(cvvdp(x, y, display=CASE.display).jod[0])

    gray = [x[..., :1] for x in (image, reference)]
    assert jod(*gray) == pytest.approx(jod(*(np.repeat(x, 3, -1) for x in gray)), abs=1e-6)
    codes = [np.uint8(np.round(255 * x)) for x in (image, reference)]
    floats = jod(*(np.float32(x) / np.float32(255) for x in codes))
    assert jod(*codes) == pytest.approx(floats, abs=1e-6)
    assert jod(*(np.uint16(x) * np.uint16(257) for x in codes)) == pytest.approx(floats, abs=1e-6)
    half = [jnp.asarray(x, jnp.bfloat16) for x in (image, reference)]
    assert jod(*half) == jod(*(x.astype(jnp.float32) for x in half))


def test_one_frame_is_an_image():
    image, reference = (x[None] for x in pair(CASE))
    video = cvvdp_video(image, reference, display=CASE.display, frames_per_second=30.0)
    assert video.jod.shape == () and video.jod == cvvdp(image, reference, display=CASE.display).jod[0]


def test_maps_are_those_of_the_model_s_planes(monkeypatch):
    """Which weights a map has: an image's those of images, frames those of videos."""
    seen = []

    def stand_in(test, reference, pixels_per_degree, *, is_video, gains=None):
        seen.append((test.shape[-3], is_video, gains is not None))
        return test[..., 0, :, :]

    monkeypatch.setattr(vdp.model, "difference_map", stand_in)
    images = np.full((2, 5, 6, 3), 0.4, np.float32)  # a size that no other test compiles
    display = get_display("standard_phone")
    assert cvvdp_map(images, images, display=display).shape == (2, 5, 6)
    assert cvvdp_map(images, images, display=display, fixation=(1, 2)).shape == (2, 5, 6)
    assert cvvdp_video_map(images, images, display=display, frames_per_second=30.0).shape == (2, 5, 6)
    assert seen == [(3, False, False), (3, False, True), (4, True, False)]


@pytest.mark.stress
def test_maps_of_videos_and_gradients_of_videos():
    case = VIDEOS[2]
    frames, reference = pair(case)
    lost = cvvdp_video_map(frames, reference, display=case.display, frames_per_second=case.rate)
    assert lost.shape == frames.shape[:3] and np.all(lost >= 0) and lost.max() > 0.1
    one = cvvdp_video_map(frames[:1], reference[:1], display=case.display, frames_per_second=case.rate)
    np.testing.assert_array_equal(one, cvvdp_map(frames[:1], reference[:1], display=case.display))

    def jod(x):
        return cvvdp_video(x, reference, display=case.display, frames_per_second=case.rate).jod

    image = 0.1 + 0.8 * jnp.asarray(frames, jnp.float64)
    gradient = jax.grad(jod)(image)
    direction = np.random.default_rng(0).normal(size=image.shape)
    # Small steps cross few of the many kinks of absolute values and minima.
    slope = (jod(image + 1e-8 * direction) - jod(image - 1e-8 * direction)) / 2e-8
    assert float(jnp.sum(gradient * direction)) == pytest.approx(float(slope), rel=1e-5)
    assert np.isfinite(jax.grad(jod)(jnp.asarray(reference))).all()


X = np.full((1, 9, 31, 3), 0.5, np.float32)


@pytest.mark.parametrize(("images", "reference", "display", "message"), [
    (X, X, None, "display must be one of standard_4k, .* got None"), (X, X, "standard_8k", "display must be one of"),
    (X, X[:, :8], "standard_4k", "reference must have the shape of images"),
    (X[0], X[0], "standard_4k", "images must have shape"),
    (X[..., :2], X[..., :2], "standard_4k", "images must have shape"),
    (X[:, :1], X[:, :1], "standard_4k", "at least 2 pixels each way"),
    (X * np.nan, X, "standard_4k", "images must be finite"),
    (X, np.full_like(X, np.inf), "standard_4k", "reference must be"),
    (X, X - 1, "standard_hdr_linear", "reference must hold luminances in cd/m.2, at least 0"),
    (X, X * 300, "standard_4k", r"reference must lie in \[0, 1\]"),
    (X, X, get_display("standard_4k")._replace(pixels_per_degree=0.0), "pixels_per_degree must be positive"),
    (X, X, get_display("standard_4k")._replace(primaries="ntsc"), "primaries must be one of"),
])  # fmt: skip
def test_refusals(images, reference, display, message):
    with pytest.raises(ValueError, match=message):
        cvvdp(images, reference, display=display)


def test_refusals_of_videos_and_what_is_invalid_in_a_trace():
    with pytest.raises(ValueError, match="frames_per_second must be positive and finite, got 0"):
        cvvdp_video(X, X, display="standard_4k", frames_per_second=0)
    with pytest.raises(ValueError, match="frames must be finite"):
        cvvdp_video(X * np.nan, X, display="standard_4k", frames_per_second=30)
    assert np.isnan(jax.jit(lambda x: cvvdp(x, X, display="standard_4k").jod)(X * np.nan)).all()
    assert vdp.Quality._fields == ("jod", "inner", "bands", "frequencies")
