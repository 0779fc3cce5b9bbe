"""Qualities and degrees of realism as options of a fit."""

import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted import goals
from rdr.codecs.overfitted.options import check_options


def test_ten_more_of_quality_double_lambda():
    assert goals.lambda_of_quality(50.0, "mse") == 0.01 and goals.lambda_of_quality(50.0, "lpips") == 3.0
    assert goals.lambda_of_quality(60.0, "mse") == pytest.approx(0.02)
    assert goals.lambda_of_quality(0.0, "mse") == pytest.approx(0.01 / 32)
    assert goals.lambda_of_quality(100.0, "wd_mse") == pytest.approx(32.0)
    with pytest.raises(ValueError, match="quality must be in"):
        goals.lambda_of_quality(101.0, "mse")


def test_realism_widens_windows():
    assert goals.options_of_realism(0.0) == {"objective": "mse"}
    assert goals.options_of_realism(0.5) == {"objective": "wd_mse", "sigma": 4.0, "noise_levels": 5}
    assert goals.options_of_realism(1.0)["sigma"] == 8.0
    check_options(overfitted.Options(**goals.options_of_realism(0.25)))
    for call in (goals.options_of_realism, goals.lambda_of_realism):
        with pytest.raises(ValueError, match="realism must be in"):
            call(1.5)


def test_lambda_follows_realism():
    values = [goals.lambda_of_realism(realism) for realism in (0.25, 0.5, 1.0)]
    assert values == sorted(values) and values[1] == 1.0 == goals.lambda_of_realism(0.0)
