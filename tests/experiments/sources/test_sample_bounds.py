"""Oracles: R(D) of a Gaussian between its bounds, and below every codec; what makes a run fail."""

import numpy as np
import pytest

from experiments.sources import sample_bounds, sample_bounds_codecs
from paper_figures.tables import read_table
from rdr.evaluation import estimate_tables
from rdr.evaluation.tables import POINT_COLUMNS
from theory.estimation import known_sources
from theory.gaussian import vector

CONFIG = sample_bounds.Config(dimension=5, samples=1500, held_out=1000, num_points=4, max_rate=8.0,
                              estimators=("gaussian",), codecs=("klt_dither",))
VARIANCES = np.asarray(known_sources.decaying_gaussian_variances(5))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    sample_bounds.run(CONFIG, folder)
    return folder


def test_bounds_hold_the_truth_and_codecs_are_above_it(finished):
    header, points = read_table(finished / "points.csv")
    assert tuple(points)[: len(POINT_COLUMNS)] == POINT_COLUMNS and header["experiment"] == "sample_bounds"
    truth = np.asarray(vector.rate_distortion(points["distortion"], VARIANCES))
    np.testing.assert_allclose(points["bound_lower_bits"], truth, rtol=1e-8)  # known: it counts among the bounds
    np.testing.assert_allclose(points["bound_upper_bits"], truth, rtol=1e-8)
    np.testing.assert_allclose(points["left_to_gain_bits"], points["rate_bits"] - truth, atol=1e-6)
    # A dithered scalar of a Gaussian component loses at most 1/2 log2(2 pi e / 12) bits; messages have their headers.
    most = 5 * 0.2547 + 4 * points["gap_se"] + points["rate_bits"] - points["cross_entropy_bits"]
    assert (points["gap_bits"] > 0).all() and (points["gap_bits"] < most).all()
    assert (points["gap_se"] > 0).all() and (points["gap_se"] < 0.3).all()
    _, bounds = estimate_tables.read_table(finished / "bounds.csv")
    assert set(bounds["estimator"]) == {"gaussian", "known"} and not estimate_tables.contradictions(bounds)
    _, curves = read_table(finished / "curves.csv")
    best = (curves["estimator"] == "best") & (curves["kind"] == "upper")  # of what samples say, where codecs are
    rate, at = curves["rate_bits"][best], curves["distortion"][best]
    assert 0.5 * points["rate_bits"].max() < rate.max() <= 1.1 * points["rate_bits"].max()
    count = bounds["estimator"].count("gaussian")
    alone = estimate_tables.upper_curve({name: column[:count] for name, column in bounds.items()}, at)
    np.testing.assert_allclose(rate, alone.rate, rtol=1e-6)


def test_a_run_goes_on_from_what_it_has(finished, monkeypatch, capsys):
    monkeypatch.setattr(sample_bounds.curves, "curve", lambda *_, **__: 1 / 0)
    sample_bounds.run(CONFIG, finished)
    assert "gaussian: kept from before" in capsys.readouterr().err


def test_a_codec_below_a_bound_fails_the_run(finished, monkeypatch):
    real = sample_bounds_codecs.measure
    monkeypatch.setattr(sample_bounds_codecs, "measure", lambda *a, **k: [
        m._replace(rate=0.5 * m.rate) for m in real(*a, **k)])
    with pytest.raises(ValueError, match="lie below their bound by more than 3 standard"):
        sample_bounds.run(CONFIG, finished)


def test_a_bound_above_another_fails_the_run(finished, monkeypatch):
    real = sample_bounds.sample_bounds_sources.load
    monkeypatch.setattr(sample_bounds.sample_bounds_sources, "load", lambda *a: real(*a)._replace(
        truth=lambda d: (np.full(np.shape(d), 9.0), np.full(np.shape(d), 10.0))))
    with pytest.raises(ValueError, match="lower bounds above an upper bound"):
        sample_bounds.run(CONFIG, finished)


def test_settings_out_of_range_are_refused():
    for flags, said in (({"estimators": ("oracle",)}, "estimators must be among"), ({"estimators": ()}, "at least one"),
                        ({"codecs": ("zip",)}, "codecs must be among"), ({"max_rate": -1.0}, "max_rate must be"),
                        ({"held_out": 1}, "held_out at least 2"), ({"codec_rates": (0.0,)}, "codec_rates must be"),
                        ({"num_points": 0}, "num_points must be"), ({"projection_size": 4}, "projection_size must be"),
                        ({"seed": -1}, "seed must be")):
        with pytest.raises(ValueError, match=said):
            sample_bounds.Config(**flags)


def test_few_dimensions_have_the_dual_as_well(tmp_path):
    config = sample_bounds.Config(dimension=2, samples=100, held_out=50)
    source = sample_bounds.sample_bounds_sources.load(config, tmp_path)
    assert list(sample_bounds.make_estimators(config, source, tmp_path)) == [*config.estimators, "dual"]
    assert source.samples.vectors.shape == (100, 2)


@pytest.mark.stress
def test_smoke_runs_all_parts(tmp_path):
    table = sample_bounds.run(sample_bounds.PRESETS["smoke"], tmp_path)
    assert table["codec"] == ["klt_dither", "scalar_dither"]
