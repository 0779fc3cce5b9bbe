"""Encoding and decoding images."""

import numpy as np
import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted import codec
from rdr.codecs.overfitted.codec import architecture, as_image

SIZE = 270
FAST = overfitted.Options(schedule=overfitted.Schedule(steps=30), trade_off=0.02)


def _picture(height=16, width=12, channels=3):
    rows, columns = np.mgrid[:height, :width]
    waves = 128 + 90 * np.sin(rows / 3)[..., None] * np.cos(columns / 4)[..., None] * np.linspace(0.6, 1, channels)
    return waves.astype(np.uint8)


def _psnr(a, b):
    return -10 * np.log10(((a.astype(float) - b) ** 2).mean() / 255**2)


@pytest.fixture(scope="module")
def message():
    return overfitted.encode(_picture(), FAST)


@pytest.fixture(scope="module")
def sized():
    return overfitted.encode(_picture(), FAST._replace(size=SIZE))


def test_pictures_come_back(message):
    decoded = overfitted.decode(message)
    assert decoded.dtype == np.uint8 and decoded.shape == (16, 12, 3)
    flat = _psnr(np.full((16, 12, 3), _picture().mean()), _picture())
    assert _psnr(decoded, _picture()) > flat + 6


def test_same_seed_makes_the_same_file(message):
    assert overfitted.encode(_picture(), FAST) == message


@pytest.mark.parametrize("interrupted", [2, 12])  # in the fit, and while a size is sought
def test_interrupted_fits_end_in_the_same_file(message, sized, interrupted, tmp_path, monkeypatch):
    options, expected = (FAST, message) if interrupted < 5 else (FAST._replace(size=SIZE), sized)
    from rdr.training import loop

    save, calls = loop.Checkpoints.save, []

    def fail(self, *args):
        save(self, *args)
        calls.append(1)
        if len(calls) == interrupted:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.Checkpoints, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        overfitted.encode(_picture(), options, directory=tmp_path)
    monkeypatch.setattr(loop.Checkpoints, "save", save)
    assert overfitted.encode(_picture(), options, directory=tmp_path) == expected


def test_description_adds_up(message):
    about = overfitted.describe(message)
    assert about["bytes_header"] + about["bytes_weights"] + about["bytes_grids"] == about["bytes"] == len(message)
    assert about["bits_per_pixel"] == 8 * len(message) / (16 * 12)


def test_sizes_are_met(message, sized):
    assert 0.9 * SIZE < len(sized) <= SIZE
    assert sized != message


@pytest.mark.parametrize(("steps", "chunk"), [(1, 1), (4, 1), (30, 6), (300, 50), (500, 50), (400, 50), (601, 50)])
def test_fits_go_in_a_few_equal_parts(steps, chunk):
    assert codec._chunk(steps) == chunk


def test_batches_of_grey_noisy_pictures_have_files_of_their_own():
    options = FAST._replace(noise_levels=2, objective="wd_mse", features="pixels",
                            schedule=overfitted.Schedule(steps=10))
    pictures = [_picture(8, 6, 1), _picture(8, 6, 1)[::-1]]
    messages = overfitted.encode_batch(pictures, options)
    assert messages[0] != messages[1]
    for message in messages:
        assert overfitted.decode(message).shape == (8, 6, 1)
        assert overfitted.describe(message)["seed"] == 0


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
    ({"trade_off": 0.0}, "trade_off"), ({"trade_off": float("nan")}, "trade_off"), ({"size": 3}, "size"),
    ({"seed": -1}, "seed"), ({"noise_levels": 8}, "noise_levels"), ({"entropy_width": 0}, "entropy_width"),
    ({"objective": "x"}, "objective"), ({"schedule": overfitted.Schedule(steps=0)}, "steps"),
])  # fmt: skip
def test_wrong_options_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        overfitted.encode(_picture(4, 4), FAST._replace(**change))


def test_batches_must_be_of_one_size():
    with pytest.raises(ValueError, match="one size"):
        overfitted.encode_batch([_picture(4, 4), _picture(4, 5)], FAST)


@pytest.mark.parametrize(("shape", "levels"), [((1, 1, 3), 1), ((2, 1, 3), 2), ((17, 3, 3), 6), ((512, 768, 3), 7)])
def test_grids_go_down_to_one_number_or_seven_levels(shape, levels):
    assert architecture(shape, FAST).levels == levels
