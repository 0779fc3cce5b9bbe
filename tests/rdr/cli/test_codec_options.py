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
    for change, words in (({"pixels_per_degree": 20.0}, "of --sigma=eccentricity only"),
                          ({"pixels_per_degree": 0.0, "sigma": "eccentricity"}, "must be positive")):
        with pytest.raises(ValueError, match=words):
            codec_options.Config(**change)


@pytest.mark.parametrize("change", [{"rd_lambda": -1.0}, {"rd_lambda": float("nan")}, {"bpp": 65.0}, {"bpp": 1e200},
                                    {"bpp": -1.0}, {"tile": 9}, {"tile": -1}, {"squared_error_weight": -1.0},
                                    {"level": 2.0}, {"realism": -0.1}, {"size": 200, "bpp": 1.0}])
def test_numbers_that_no_codec_takes_are_refused(change):
    with pytest.raises(ValueError, match=f"--{next(iter(change)) if len(change) == 1 else 'bpp and --size'}"):
        codec_options.Config(**change)
