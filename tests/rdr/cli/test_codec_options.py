"""Options of the commands that code images, and what the library is asked for."""

import pytest

from rdr.cli import codec_options
from rdr.codecs import overfitted


def test_the_library_is_asked_for_what_the_flags_say():
    config = codec_options.Config(objective="wd_mse", bpp=0.2, preset="fast", steps=7, sigma="intrinsic",
                                  squared_error_weight=30.0, noise_levels=5)
    asked = codec_options.overfitted_options(config, (100, 80, 3))
    assert asked == overfitted.Options(objective="wd_mse", size=200, noise_levels=5, sigma="intrinsic",
                                       squared_error_weight=30.0,
                                       schedule=overfitted.PRESETS["fast"]._replace(steps=7))
    assert codec_options.overfitted_options(codec_options.Config(size=300), (9, 9, 1)).size == 300


def test_foveation_takes_the_distance_of_the_eye():
    """Fault 27: 40 pixels per degree were built in."""
    config = codec_options.Config(sigma="eccentricity", pixels_per_degree=20.0)
    assert codec_options.overfitted_options(config, (9, 9, 1)).pixels_per_degree == 20.0
    for change, words in (({"pixels_per_degree": 20.0}, "of --sigma=eccentricity, acuity and degrees only"),
                          ({"pixels_per_degree": 0.0, "sigma": "eccentricity"}, "must be positive")):
        with pytest.raises(ValueError, match=words):
            codec_options.Config(**change)


def test_a_display_is_of_jod():
    def display(**flags):
        return codec_options.overfitted_options(codec_options.Config(**flags), (9, 9, 1)).display

    assert display() is None and display(objective="jod") == "standard_4k"
    assert display(objective="jod", display="standard_phone") == "standard_phone"
    for change, words in (({"display": "standard_phone"}, "--display is of --objective=jod, and of"),
                          ({"objective": "jod", "display": "tv"}, "--display must be one of standard_4k, .*'tv'")):
        with pytest.raises(ValueError, match=words):
            codec_options.Config(**change)


@pytest.mark.parametrize("change", [{"rd_lambda": -1.0}, {"rd_lambda": float("nan")}, {"bpp": 65.0}, {"bpp": 1e200},
                                    {"bpp": -1.0}, {"tile": 9}, {"tile": -1}, {"squared_error_weight": -1.0},
                                    {"level": 2.0}, {"realism": -0.1}, {"size": 200, "bpp": 1.0}])
def test_numbers_that_no_codec_takes_are_refused(change):
    with pytest.raises(ValueError, match=f"--{next(iter(change)) if len(change) == 1 else 'bpp and --size'}"):
        codec_options.Config(**change)


def test_goals_are_options_of_the_library():
    def asked(**flags):
        return codec_options.overfitted_options(codec_options.Config(**flags), (9, 9, 1))

    assert asked(psnr=33.0) == overfitted.Options(psnr=33.0)
    assert asked(quality=50.0) == overfitted.Options(rd_lambda=0.01)
    assert asked(quality=0.0).rd_lambda == pytest.approx(0.01 / 32)
    assert asked(quality=60.0, objective="lpips").rd_lambda == pytest.approx(6.0)
    half = asked(realism=0.5)
    assert half == overfitted.Options(objective="wd_mse", sigma=4.0, noise_levels=5, rd_lambda=1.0)
    assert asked(realism=1.0, bpp=16.0, noise_levels=3) == overfitted.Options(
        objective="wd_mse", sigma=8.0, noise_levels=3, size=162)
    assert asked(realism=1.0, quality=60.0).rd_lambda == pytest.approx(2 * asked(realism=1.0).rd_lambda)
    assert asked(realism=1.0).rd_lambda > half.rd_lambda and asked(realism=1.0, rd_lambda=7.0).rd_lambda == 7.0


@pytest.mark.parametrize(("change", "words"), [
    ({"psnr": 30.0, "quality": 0.0}, "--psnr and --quality are two goals: give one"),
    ({"bpp": 1.0, "psnr": 30.0}, "--bpp and --psnr are two goals: give one"),
    ({"quality": 10.0, "rd_lambda": 1.0}, "--quality and --rd_lambda are two goals"),
    ({"quality": 10.0, "level": 1.0}, "--quality and --level are two goals"),
    ({"psnr": 101.0}, "--psnr must be at most 100 dB"), ({"psnr": -1.0}, "--psnr must be positive"),
    ({"quality": 101.0}, "--quality must be in"), ({"quality": -2.0}, "--quality must be in"),
    ({"realism": 0.5, "objective": "wd"}, "--realism and --objective say the same"),
    ({"realism": 0.5, "sigma": "2"}, "--realism and --sigma say the same"),
])
def test_goals_that_contradict_each_other_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        codec_options.Config(**change)


def test_an_amortized_codec_has_a_realism_beside_everything():
    config = codec_options.Config(realism=0.5, objective="wd", checkpoint="pretrained")  # refused without a checkpoint
    assert config.realism == 0.5 and config.objective == "wd"


def test_windows_in_degrees_and_where_the_eye_looks():
    def options(**flags):
        return codec_options.overfitted_options(codec_options.Config(objective="wd", **flags), (9, 9, 1))

    assert options(sigma="0.1deg").sigma == "0.1deg" and options(sigma="2.5").sigma == 2.5
    seen = options(sigma="acuity", fixation=(3.0, 4.0), display="standard_phone")
    assert (seen.sigma, seen.fixation, seen.display) == ("acuity", (3.0, 4.0), "standard_phone")
    assert options(sigma="acuity", pixels_per_degree=30.0).pixels_per_degree == 30.0
    assert options(features="vdp").display == "standard_4k" and options().display is None
    realistic = codec_options.Config(realism=0.5, features="vdp")
    assert codec_options.overfitted_options(realistic, (9, 9, 1)).display == "standard_4k"
    for change, words in (({"fixation": (1.0, 2.0)}, "--fixation must be a row and a column"),
                          ({"fixation": (1.0,), "sigma": "acuity"}, "--fixation must be a row and a column"),
                          ({"display": "standard_phone"}, "--display is of --objective=jod, and of"),
                          ({"display": "standard_phone", "sigma": "1deg", "pixels_per_degree": 9.0}, "not beside"),
                          ({"sigma": "-1deg"}, "--sigma must be a number of pixels, of degrees as in 0.1deg")):
        with pytest.raises(ValueError, match=words):
            options(**change)
