"""Oracles: pixels put somewhere by hand; files of the right length for what is said of them."""

import numpy as np
import pytest

from experiments.sources import sample_bounds_image_codecs as image_codecs
from rdr.data.samples import Samples

RNG = np.random.default_rng(0)


def images(count, shape=(8, 8, 1)):
    smooth = np.cumsum(RNG.normal(size=(count, *shape)), 1).cumsum(2) / 40 + 0.5
    vectors = np.clip(smooth, 0, 1).reshape(count, -1).astype(np.float32)
    return Samples(vectors[count // 2 :], vectors[: count // 2], shape, "images", "")


def test_a_mosaic_holds_each_image_in_its_place():
    x = RNG.normal(size=(11, 2, 3, 1))
    picture = image_codecs.mosaic(x)
    assert picture.shape == (6, 9, 1)
    np.testing.assert_array_equal(picture[2:4, 6:9], x[5])
    np.testing.assert_array_equal(image_codecs.tiles(picture, (2, 3, 1)), x[:9])


def test_what_is_no_image_is_left_out():
    assert image_codecs.why_not("overfitted", images(8)) == ""
    assert "no images" in image_codecs.why_not("overfitted", images(8)._replace(shape=(64,)))
    brighter = images(8)._replace(held_out=np.full((4, 64), 1.1, np.float32))
    assert "not in [0, 1]" in image_codecs.why_not("amortized", brighter)


def test_lambda_is_the_slope_and_every_byte_counts(monkeypatch, tmp_path):
    """A codec that sends nothing but 25 bytes and decodes to gray: 25 * 8 bits for nine images."""
    seen, samples = [], images(20)
    monkeypatch.setattr(image_codecs.overfitted, "encode", lambda picture, options, directory: seen.append(
        (picture.shape, options)) or bytes(25))
    monkeypatch.setattr(image_codecs.overfitted, "decode", lambda message: np.full((24, 24, 1), 51, np.uint8))
    (target, m), = image_codecs.measure("overfitted", samples, (4.0,), levels=(), count=10, steps=7, seed=3,
                                        directory=tmp_path)
    slope = image_codecs.vector_slopes(samples.vectors, (4.0,))[0][0]
    assert target == 4.0 and seen[0][0] == (24, 24, 1)
    assert seen[0][1].rd_lambda == pytest.approx(slope / 255**2) and seen[0][1].schedule.steps == 7
    assert m.rate == 8 * 25 / 9 and m.message_bytes == 25
    assert m.distortion == pytest.approx(np.square(samples.held_out[:9] - 0.2).sum(1).mean(), rel=1e-6)


@pytest.mark.stress
def test_the_pretrained_codec_codes_small_images_better_at_higher_levels(tmp_path):
    settings = {"levels": (0.0, 0.5), "count": 70, "steps": 1, "seed": 0, "directory": tmp_path}
    (_, low), (_, high) = image_codecs.measure("amortized", images(140), (), **settings)
    assert high.rate > low.rate > 0 and high.distortion < low.distortion < 64 * 0.01
    assert len(low.errors) == 64 and low.rate == 8 * low.message_bytes / 64


@pytest.mark.stress
def test_a_decoder_is_fitted_to_a_mosaic(tmp_path):
    (_, coarse), (_, fine) = image_codecs.measure("overfitted", images(60), (4.0, 60.0), levels=(), count=25, steps=60,
                                                  seed=0, directory=tmp_path)
    assert len(fine.errors) == 25 and fine.rate > coarse.rate and fine.distortion < coarse.distortion
