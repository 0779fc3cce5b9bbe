"""Which images can be fitted, and how."""

import numpy as np
import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted.options import architecture, as_image


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
    ({"objective": "x"}, "objective"), ({"schedule": overfitted.Schedule(steps=0)}, "steps"),
])  # fmt: skip
def test_wrong_options_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        overfitted.encode(np.zeros((4, 4, 3), np.uint8), overfitted.Options(**change))


@pytest.mark.parametrize(("shape", "levels"), [((1, 1, 3), 1), ((2, 1, 3), 2), ((17, 3, 3), 6), ((512, 768, 3), 7)])
def test_grids_go_down_to_one_number_or_seven_levels(shape, levels):
    assert architecture(shape, overfitted.Options()).levels == levels


def test_presets_take_longer_and_longer():
    steps = [schedule.steps for schedule in overfitted.PRESETS.values()]
    assert list(overfitted.PRESETS) == ["fast", "medium", "slow", "best"]
    assert steps == sorted(set(steps)) and steps[-1] == 10_000
