"""Distortions: each stronger level differs more, and noise has the squared error that was asked for."""

import numpy as np
import pytest
from scipy import ndimage

from experiments.images.distortions import DISTORTIONS, NUM_LEVELS, compress, distort, noise_of_equal_error
from rdr.codecs import overfitted

# White noise smoothed a little: farther away means more different, so that every order is strict.
IMAGE = ndimage.gaussian_filter(np.random.default_rng(0).random((64, 64, 3)), (6, 6, 0))
IMAGE = np.float32((IMAGE - IMAGE.min()) / np.ptp(IMAGE) * 0.8 + 0.1)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_squared_errors_rise_with_the_level(name):
    images = [distort(IMAGE, name, level, seed=0) for level in range(NUM_LEVELS)]
    errors = [np.mean((x - IMAGE) ** 2) for x in images]
    assert errors[0] > 0 and (np.diff(errors) > 0).all()
    assert all(x.dtype == np.float32 and x.min() >= 0 and x.max() <= 1 and x.shape == IMAGE.shape for x in images)
    np.testing.assert_array_equal(distort(IMAGE, name, 1, seed=0), images[1])


def test_each_distortion_does_what_its_name_says():
    np.testing.assert_allclose(distort(IMAGE, "brightness", 1, seed=0) - IMAGE, 0.06, atol=1e-6)
    np.testing.assert_array_equal(distort(IMAGE, "shift", 2, seed=0)[:, 4:], IMAGE[:, :-4])
    np.testing.assert_allclose((distort(IMAGE, "noise", 0, seed=0) - IMAGE).std(), 0.02, rtol=0.05)
    # Blocks from near by: every block is found in the image, two to three pixels away.
    textured = distort(IMAGE, "texture", 0, seed=0)
    block = textured[16:32, 16:32]
    found = [
        (r, c) for r in range(-2, 3) for c in range(-2, 3)
        if np.array_equal(IMAGE[16 + r : 32 + r, 16 + c : 32 + c], block)
    ]  # fmt: skip
    assert len(found) == 1 and found != [(0, 0)]


def test_noise_has_the_squared_error_asked_for_also_when_cut():
    for error in (1e-5, 1e-3, 0.05):
        found = noise_of_equal_error(IMAGE, error, seed=1)
        # Rounded to float32 after the search.
        np.testing.assert_allclose(np.mean((np.float64(found) - IMAGE) ** 2), error, rtol=1e-5)
    with pytest.raises(ValueError, match="mean_squared_error must be reachable"):
        noise_of_equal_error(IMAGE, 0.9, seed=1)


def test_levels_of_our_codec_are_its_trade_offs_and_rates_the_length_of_its_messages(monkeypatch, tmp_path):
    asked = []

    def encode(image, options, *, directory):
        asked.append((options, directory))
        return b"1234567"

    decoded = np.arange(16 * 16 * 3).reshape(16, 16, 3).astype(np.uint8)
    monkeypatch.setattr(overfitted, "encode", encode)
    monkeypatch.setattr(overfitted, "decode", lambda message: decoded)
    for level, rd_lambda in enumerate((0.1, 0.03, 0.01, 0.003)):
        found, rate = compress(IMAGE[:16, :16], level, steps=9, seed=3, directory=tmp_path)
        np.testing.assert_array_equal(np.round(255 * found), decoded)
        assert found.dtype == np.float32 and rate == 8 * 7 / 256
        options, directory = asked[-1]
        assert (options.objective, options.rd_lambda, options.schedule.steps, options.seed) == ("mse", rd_lambda, 9, 3)
        assert options.size is None and options.noise_levels == 0 and directory == tmp_path
    with pytest.raises(ValueError, match="level must be from 0 to 3, got -1"):
        compress(IMAGE, -1, steps=1, seed=0)


@pytest.mark.stress
def test_our_codec_decodes_the_message_whose_length_is_told(monkeypatch):
    messages, encode = [], overfitted.encode

    def record(image, options, **where):
        messages.append((options, encode(image, options, **where)))
        return messages[-1][1]

    monkeypatch.setattr(overfitted, "encode", record)
    image = ndimage.gaussian_filter(np.random.default_rng(1).random((16, 16, 3)), (1, 1, 0))
    image = np.float32(np.round(255 * np.clip(4 * image - 1.5, 0, 1))) / np.float32(255)
    found = [compress(image, level, steps=60, seed=3) for level in (0, 3)]
    for (decoded, rate), (options, message) in zip(found, messages):
        assert decoded.shape == image.shape and decoded.dtype == np.float32
        np.testing.assert_array_equal(np.round(255 * decoded), overfitted.decode(message))
        assert rate == 8 * len(message) / 16**2
        assert (options.objective, options.seed, options.schedule.steps) == ("mse", 3, 60)
    # The first level is the finest.
    (fine, more), (coarse, fewer) = found
    assert more > fewer and np.mean((fine - image) ** 2) < np.mean((coarse - image) ** 2)


def test_unknown_names_and_levels_are_refused():
    with pytest.raises(ValueError, match="distortions must be among blur, .*, got 'haze'"):
        distort(IMAGE, "haze", 0, seed=0)
    with pytest.raises(ValueError, match="level must be from 0 to 3, got 4"):
        distort(IMAGE, "blur", 4, seed=0)
