"""Encoding and decoding images."""

import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted import codec, training
from rdr.codecs.overfitted.objectives import RD_LAMBDAS, Objective

SIZE = 270
FAST = overfitted.Options(schedule=overfitted.Schedule(steps=30), rd_lambda=0.02)


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


def test_progress_of_other_fits_is_refused(tmp_path, monkeypatch):
    def stop(*_):
        (tmp_path / "fit").mkdir(exist_ok=True)
        raise KeyboardInterrupt

    def start(picture, options, sigma):
        overfitted.encode_batch([picture], options, sigmas=[sigma], directory=tmp_path)

    monkeypatch.setattr(training, "initial_state", stop)
    same = {"picture": _picture(), "options": FAST, "sigma": np.ones((16, 12))}
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            start(**same)
    for other in ({"picture": _picture()[::-1]}, {"options": FAST._replace(rd_lambda=0.03)},
                  {"sigma": np.full((16, 12), 2.0)}):
        with pytest.raises(ValueError, match=f"{tmp_path.name} holds the progress of another picture or of other opt"):
            start(**same | other)


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


def test_batches_of_gray_noisy_pictures_have_files_of_their_own():
    # Maps of sigma that ask for different levels of pooling: of a flat picture for none.
    options = FAST._replace(noise_levels=2, objective="wd_mse", features="pixels", sigma="intrinsic",
                            schedule=overfitted.Schedule(steps=10))
    pictures = [_picture(8, 6, 1), np.full((8, 6, 1), 99, np.uint8)]
    messages = overfitted.encode_batch(pictures, options)
    assert messages[0] != messages[1]
    for message in messages:
        assert overfitted.decode(message).shape == (8, 6, 1)
        assert overfitted.describe(message)["seed"] == 0


def test_sizes_that_weights_alone_exceed_give_the_shortest_file():
    flat = np.full((16, 12, 3), 128, np.uint8)  # of the other pictures' shape: the same programs
    made = overfitted.encode(flat, FAST._replace(size=100))
    assert overfitted.describe(made)["bytes_grids"] == 0
    assert np.abs(overfitted.decode(made).astype(int) - 128).max() <= 16


def test_sizes_beyond_what_a_picture_can_use_are_no_error(message):
    made = overfitted.encode(_picture(), FAST._replace(size=2 * len(message)))  # lambda is held back
    assert len(message) <= len(made) <= 2 * len(message)


@pytest.mark.parametrize(("size", "grids", "thrifts", "length"), [
    (800, 500, [1.0, 1.5], 666),  # weights are more than half, and coarser ones do it
    (800, 700, [1.0], 900),  # they are less: the shortest that was found
    (950, 500, [1.0], 900),  # correcting the grids is enough
    (50, 0, list(codec.WEIGHT_RATE_MULTIPLIERS), 90),
])  # fmt: skip
def test_weights_are_coarsened_where_correcting_the_grids_is_not_enough(size, grids, thrifts, length, monkeypatch,
                                                                        tmp_path):
    asked = []
    monkeypatch.setattr(codec, "finish", lambda *_, thrift: asked.append(thrift) or thrift)
    monkeypatch.setattr(codec.format, "write", lambda thrift: bytes(int(1000 / thrift)))
    monkeypatch.setattr(codec.format, "grid_bytes", lambda message: grids)
    monkeypatch.setattr(codec, "_corrected", lambda *args, patient: [bytes(int(900 / args[5]))])
    goal, options = Objective("mse", None, None, None), FAST._replace(size=size)
    assert len(codec._finish(None, goal, options, None, None, None, tmp_path, "")) == length and asked == thrifts


@pytest.mark.parametrize(("size", "taken", "left"), [(1638, 600, 1038), (800, 602, 200), (600, 700, 150)])
def test_grids_get_what_weights_leave(size, taken, left):
    assert codec._left(size, taken) == left


def test_searches_for_lambda_start_from_what_the_image_says():
    goal = Objective("mse", None, None, lambda scale, target, image: scale * jnp.square(target - image).mean((1, 2, 3)))

    def first(image, scale=1.0, wanted=0.2):
        image = jnp.asarray(image, jnp.float32)
        data = training.Data(image[None], None, (), image, params=jnp.float32(scale))
        return codec._first_trade_off(goal, data, wanted)

    board = np.indices((16, 32)).sum(0)[:, :, None] % 2  # flat at a quarter of its resolution: both errors are 1/4
    np.testing.assert_allclose(first(board), 0.1 / 0.25, rtol=1e-4)
    np.testing.assert_allclose(first(board, scale=10.0), 0.01 / 0.25, rtol=1e-4)
    np.testing.assert_allclose(first(board, wanted=0.4), 2**1.7 * 0.1 / 0.25, rtol=1e-4)
    assert first(np.linspace(0, 1, 512).reshape(16, 32, 1)) > 10 * first(board)  # what is smooth costs little
    assert first(np.full((16, 32, 1), 0.3)) == RD_LAMBDAS["mse"]


def test_batches_must_be_of_one_size():
    with pytest.raises(ValueError, match="one size"):
        overfitted.encode_batch([_picture(4, 4), _picture(4, 5)], FAST)
