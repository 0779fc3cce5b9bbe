"""Which images can be fitted, and how."""

import numpy as np
import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted import codec
from rdr.codecs.overfitted.options import architecture, as_image, sigma_options, with_display
from rdr.vision import get_display


@pytest.mark.parametrize(("image", "value"), [
    (np.full((2, 3), 255, np.uint8), 1.0), (np.full((2, 3, 1), 65535, np.uint16), 1.0),
    (np.full((2, 3, 3), 0.5, np.float64), 0.5),
])  # fmt: skip
def test_images_of_all_kinds_are_read(image, value):
    got = as_image(image)
    assert got.dtype == np.float32 and got.ndim == 3 and (got == value).all()


@pytest.mark.parametrize(("image", "words"), [
    (np.zeros((2, 3, 4), np.uint8), "must have shape"), (np.zeros((0, 3), np.uint8), "must have shape"),
    (np.zeros((2, 3), np.int64), "must be uint8"), (np.full((2, 3), 1.5), r"must lie in \[0, 1\]"),
    (np.full((2, 3), np.nan), r"must lie in \[0, 1\]"), (np.zeros((4097, 4097), np.uint8), "at most"),
])  # fmt: skip
def test_other_images_are_refused(image, words):
    with pytest.raises(ValueError, match=words):
        as_image(image)


@pytest.mark.parametrize(("change", "words"), [
    ({"rd_lambda": 0.0}, "rd_lambda"), ({"rd_lambda": float("nan")}, "rd_lambda"), ({"size": 3}, "size"),
    ({"seed": -1}, "seed"), ({"noise_levels": 8}, "noise_levels"), ({"entropy_width": 0}, "entropy_width"),
    ({"squared_error_weight": -1.0}, "squared_error_weight"), ({"squared_error_weight": np.inf}, "squared_error"),
    ({"display": "standard_4k"}, "display is of objective 'jod', .*only, got objective 'mse'"),
    ({"display": "standard_4k", "objective": "wd"}, "display is of objective 'jod', .*only, got objective 'wd'"),
    ({"objective": "wd", "features": "vdp"}, "display must be one of standard_4k, "),
    ({"objective": "wd", "features": "vdp", "display": "standard_hdr_pq"}, "shows pq values, and the image has srgb"),
    ({"fixation": (1, 2)}, "fixation must be a row and a column, for sigma = 'eccentricity' or 'acuity'"),
    ({"fixation": (1, 2, 3), "sigma": "acuity"}, "fixation must be a row and a column"),
    ({"fixation": (1, np.nan), "sigma": "acuity"}, "fixation must be a row and a column"),
    ({"pixels_per_degree": 0.0}, "pixels_per_degree must be positive and finite"),
    ({"objective": "jod"}, "display must be one of standard_4k, "),
    ({"objective": "jod", "display": "standard_hdr_pq"}, "'standard_hdr_pq' shows pq values, and the image has srgb"),
    ({"size_tolerance": 0.0}, "size_tolerance must be above 0"), ({"size_tolerance": 1.0}, "size_tolerance must be"),
    ({"objective": "x"}, "objective"), ({"schedule": overfitted.Schedule(steps=0)}, "steps"),
])  # fmt: skip
def test_wrong_options_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        overfitted.encode(np.zeros((4, 4, 3), np.uint8), overfitted.Options(**change))


def test_displays_are_replaced_by_their_numbers_and_show_the_primaries_of_the_image():
    """Whose progress a directory holds depends on the numbers, whatever the name."""
    options = overfitted.Options(objective="jod", display="standard_4k")
    assert with_display(options).display == get_display("standard_4k")
    wide = with_display(options._replace(signal=overfitted.Signal(8, "srgb", "p3")))
    assert wide.display == get_display("standard_4k")._replace(primaries="p3")
    assert with_display(overfitted.Options()) == overfitted.Options()


@pytest.mark.parametrize("whole", [True, False])
def test_progress_belongs_to_a_display_and_its_numbers(whole, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(codec, "_make_fit", lambda *_: None)
    monkeypatch.setattr(codec, "_initial_states", stop)
    image = np.zeros((17, 3, 3), np.uint8)

    def encode(display):
        options = overfitted.Options(objective="jod", display=display)
        if whole:
            return overfitted.encode_batch([image], options, directory=tmp_path)
        return overfitted.encode(image, options, tile=16, directory=tmp_path)

    for same in ("standard_4k", get_display("standard_4k")):
        with pytest.raises(KeyboardInterrupt):
            encode(same)
        (tmp_path / "fit").mkdir(exist_ok=True)
    for other in (get_display("standard_4k")._replace(peak=201.0), "standard_fhd"):
        with pytest.raises(ValueError, match="holds the progress of other"):
            encode(other)


@pytest.mark.parametrize(("shape", "levels"), [((1, 1, 3), 1), ((2, 1, 3), 2), ((17, 3, 3), 6), ((512, 768, 3), 7)])
def test_grids_go_down_to_one_number_or_seven_levels(shape, levels):
    assert architecture(shape, overfitted.Options()).levels == levels


def test_presets_take_longer_and_longer():
    steps = [schedule.steps for schedule in overfitted.PRESETS.values()]
    assert list(overfitted.PRESETS) == ["fast", "medium", "slow", "best"]
    assert steps == sorted(set(steps)) and steps[-1] == 10_000


def test_pixels_per_degree_are_those_of_the_display_where_there_is_one():
    options = overfitted.Options(objective="wd", sigma="0.1deg", pixels_per_degree=12.0, fixation=None)
    assert sigma_options(options) == {"saliency": None, "fixation": None, "pixels_per_degree": 12.0}
    shown = sigma_options(options._replace(display="standard_phone", sigma="acuity", fixation=(3.0, 4.0)))
    assert shown["pixels_per_degree"] == get_display("standard_phone").pixels_per_degree
    assert shown["fixation"] == (3.0, 4.0)
