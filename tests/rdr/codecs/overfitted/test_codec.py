"""Encoding and decoding images."""

import jax
import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs import overfitted
from rdr.codecs.overfitted import codec, training
from rdr.metrics.psnr import image_psnr

SIZE = 110
# The options and the image's size are those of test_tiling.py, the programs therefore, too. Most of the time of so
# short fits is writing checkpoints: of 150 steps, five.
FAST = overfitted.Options(schedule=overfitted.Schedule(steps=150), rd_lambda=0.02, noise_levels=1)


def _image(height=10, width=14, channels=3):
    rows, columns = np.mgrid[:height, :width]
    waves = 128 + 90 * np.sin(rows / 3)[..., None] * np.cos(columns / 4)[..., None] * np.linspace(0.6, 1, channels)
    return waves.astype(np.uint8)


def _psnr(a, b):
    return -10 * np.log10(((a.astype(float) - b) ** 2).mean() / 255**2)


@pytest.fixture(scope="module")
def fitted():
    """A message, and the fit and the states that it was made of."""
    seen, run = [], codec.run_steps

    def record(fit, *args, **options):
        seen.append((fit, run(fit, *args, **options)))
        return seen[-1][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "run_steps", record)
        made = overfitted.encode(_image(), FAST)
    [(fit, states)] = seen
    return made, fit, states


@pytest.fixture(scope="module")
def message(fitted):
    return fitted[0]


@pytest.fixture(scope="module")
def sized():
    return overfitted.encode(_image(), FAST._replace(size=SIZE))


def test_pictures_come_back(message):
    decoded = overfitted.decode(message)
    assert decoded.dtype == np.uint8 and decoded.shape == (10, 14, 3)
    flat = _psnr(np.full((10, 14, 3), _image().mean()), _image())
    assert _psnr(decoded, _image()) > flat + 6


@pytest.mark.stress  # interrupted fits below, and those of tiles, are second ones of the same seed
def test_same_seed_makes_the_same_file(message):
    assert overfitted.encode(_image(), FAST) == message


# In the fit, as tiles are interrupted in test_tiling.py, and while a size is sought.
@pytest.mark.parametrize("interrupted", [pytest.param(2, marks=pytest.mark.stress), 7])
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
        overfitted.encode(_image(), options, directory=tmp_path)
    monkeypatch.setattr(loop.Checkpoints, "save", save)
    assert overfitted.encode(_image(), options, directory=tmp_path) == expected


def test_progress_of_other_fits_is_refused(tmp_path, monkeypatch):
    def stop(*_):
        (tmp_path / "fit").mkdir(exist_ok=True)
        raise KeyboardInterrupt

    def start(image, options, sigma):
        overfitted.encode_batch([image], options, sigmas=[sigma], directory=tmp_path)

    monkeypatch.setattr(training, "initial_state", stop)
    same = {"image": _image(), "options": FAST, "sigma": np.ones((10, 14))}
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            start(**same)
    for other in ({"image": _image()[::-1]}, {"options": FAST._replace(rd_lambda=0.03)},
                  {"sigma": np.full((10, 14), 2.0)}):
        with pytest.raises(ValueError, match=f"{tmp_path.name} holds the progress of other data or of other opt"):
            start(**same | other)


def test_description_adds_up(message):
    about = overfitted.describe(message)
    assert about["bytes_header"] + about["bytes_weights"] + about["bytes_latents"] == about["bytes"] == len(message)
    assert about["bits_per_pixel"] == 8 * len(message) / (10 * 14)


def test_a_short_fit_reaches_a_longer_size():
    """It ended at 158 bytes: latents of zero stayed zero in every correction."""
    assert 0.95 * 180 < len(overfitted.encode(_image(), FAST._replace(size=180))) <= 180


def test_sizes_are_met(message, sized):
    assert 0.9 * SIZE < len(sized) <= SIZE
    assert sized != message


@pytest.mark.stress  # batches: test_tiling.py; noise and gray: test_golden.py; sigma: test_objectives.py
def test_batches_of_gray_noisy_pictures_have_files_of_their_own():
    # Maps of sigma that ask for different levels of pooling: of a flat image for none.
    options = FAST._replace(noise_levels=2, objective="wd_mse", features="pixels", sigma="intrinsic",
                            schedule=overfitted.Schedule(steps=10))
    images = [_image(8, 6, 1), np.full((8, 6, 1), 99, np.uint8)]
    messages = overfitted.encode_batch(images, options)
    assert messages[0] != messages[1]
    for message in messages:
        assert overfitted.decode(message).shape == (8, 6, 1)
        assert overfitted.describe(message)["seed"] == 0


@pytest.mark.stress  # test_target_size.py: what is tried, and that the shortest is taken
def test_sizes_that_weights_alone_exceed_give_the_shortest_file(monkeypatch):
    monkeypatch.setattr(overfitted.options, "MIN_SIZE", 1)
    flat = np.full((10, 14, 3), 128, np.uint8)  # of the other images' shape: the same programs
    wild = overfitted.Schedule(steps=150, weight_rate=0.2)  # weights go far from where they start
    made = overfitted.encode(flat, FAST._replace(size=70, schedule=wild))
    assert len(made) > 70 and overfitted.describe(made)["bytes_latents"] == 0
    assert np.abs(overfitted.decode(made).astype(int) - 128).max() <= 16


@pytest.mark.parametrize("kind", ["flat", pytest.param("two values", marks=pytest.mark.stress)])
def test_blank_pictures_are_never_longer_with_a_size_than_without(kind):
    """Fault 13: a flat image of 285 bytes had 514 with a size, for which lambda had run away."""
    flat = np.full((10, 14, 3), 200, np.uint8)  # of the other images' shape: the same programs
    if kind == "two values":
        flat[:, ::5] = 201
    options = FAST._replace(rd_lambda=None)
    free = len(overfitted.encode(flat, options))
    assert len(overfitted.encode(flat, options._replace(size=120))) <= max(free, 120)


@pytest.mark.parametrize("change", [-4.0, pytest.param(1.0, marks=pytest.mark.stress)])
def test_psnrs_are_met_and_worse_files_are_shorter(message, change):
    usual = image_psnr(_image(), overfitted.decode(message))
    made = overfitted.encode(_image(), FAST._replace(rd_lambda=None, psnr=usual + change))
    # So short a fit goes on getting better while its PSNR is sought: a shorter file may be better, too.
    assert usual + change <= image_psnr(_image(), overfitted.decode(made)) < usual + change + 3.0
    assert change > 0 or len(made) < len(message)


@pytest.mark.stress  # a size of which a blank image cannot make use: above
def test_sizes_beyond_what_a_picture_can_use_are_no_error(message):
    made = overfitted.encode(_image(), FAST._replace(size=2 * len(message)))  # lambda is held back
    assert len(message) <= len(made) <= 2 * len(message)


def test_batches_must_be_of_one_size():
    with pytest.raises(ValueError, match="one size"):
        overfitted.encode_batch([_image(4, 4), _image(4, 5)], FAST)


def absolute_error(images, reference):
    return 40.0 * abs(images - reference).mean((1, 2, 3))


def test_a_loss_of_ones_own_is_an_objective(monkeypatch):
    """What a fit minimizes is that loss of that image; `make stress` has a whole fit."""
    seen = []

    def stop(fit, *_, **__):
        seen.append(fit)
        raise KeyboardInterrupt

    monkeypatch.setattr(codec, "run_steps", stop)
    with pytest.raises(KeyboardInterrupt):
        overfitted.encode(_image(), FAST._replace(objective=absolute_error, rd_lambda=1.0))
    [fit] = seen
    images = np.asarray([_image() / 255, np.zeros((10, 14, 3))], np.float32)
    for image, expected in zip(images, (0.0, 40.0 * images[0].mean())):
        found = fit.goal.distance(fit.data[0].params, fit.data[0].target, image[None])
        np.testing.assert_allclose(found, [expected], rtol=1e-5)


@pytest.mark.stress
def test_a_fit_for_a_loss_of_ones_own(message):
    made = overfitted.encode(_image(), FAST._replace(objective=absolute_error, rd_lambda=1.0))
    assert made != message and _psnr(overfitted.decode(made), _image()) > 15


def test_deep_images_come_back_with_their_bits(fitted, tmp_path, monkeypatch):
    """The fit is that of the same values of 8 bits, to the last number; what is decoded has more bits."""
    message, shallow_fit, states = fitted

    def as_before(fit, start, directory):
        assert fit.options == shallow_fit.options._replace(signal=fit.options.signal)
        jax.tree.map(np.testing.assert_array_equal, fit.data, shallow_fit.data)
        directory.mkdir()
        return states

    monkeypatch.setattr(codec, "run_steps", as_before)
    deep = _image().astype(np.uint16) * 257
    options = FAST._replace(signal=overfitted.Signal(10, "pq", "bt2020"))
    found = overfitted.encode(deep, options, directory=tmp_path)
    assert container.unpack(found).payloads[1:] == container.unpack(message).payloads[1:]
    assert overfitted.signal_of_message(found) == options.signal
    decoded, shallow = overfitted.decode(found), overfitted.decode(message)
    codes = np.rint(decoded / 65535 * 1023)
    np.testing.assert_array_equal(decoded, (codes * 65535 + 511) // 1023)
    assert decoded.dtype == np.uint16 and len(np.unique(codes)) > len(np.unique(shallow))
    assert np.abs(decoded / 257 - shallow).max() < 0.5 + 0.5 * 255 / 1023 + 0.04  # z is rounded to 2^-12, too
    for other in (options._replace(signal=overfitted.Signal(16, "pq", "bt2020")), FAST):
        with pytest.raises(ValueError, match="holds the progress of other data"):
            overfitted.encode(deep, other, directory=tmp_path)
