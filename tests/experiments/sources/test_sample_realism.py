"""Oracles: mixtures by hand; stand-ins for the estimators, which have tests of their own."""

import types

import numpy as np
import pytest

from experiments.sources import sample_realism
from paper_figures.tables import read_table

CONFIG = sample_realism.Config(data="gaussian", dimension=4, samples=600, held_out=300, rates=(2.0,))
CONFIG_VARIANCE = 4 * np.exp(-np.arange(1, 5)).sum()


def test_mixtures_of_points_are_achievable_and_no_better_ones_are_claimed():
    points = np.array([(4.0, 1.0, 0.4), (0.0, 5.0, 0.4), (5.0, 2.0, 0.0)])
    mixed = sample_realism.envelope(points, perception=0.4, distortions=np.array([0.5, 1.0, 3.0, 9.0]))
    np.testing.assert_allclose(mixed, [np.nan, 4.0, 2.0, 0.0], atol=1e-12)
    # A perception of .2 needs half of the last point: D = 3 from (2, 5) / 2 is too much; 1/2 (2) + 1/2 (1) = 1.5.
    half = sample_realism.envelope(points, perception=0.2, distortions=np.array([1.5, 3.5]))
    np.testing.assert_allclose(half, [4.5, 2.5], atol=1e-12)
    np.testing.assert_allclose(sample_realism.envelope(points, perception=0.2), [1.5])
    assert np.isnan(sample_realism.envelope(points[:2], perception=0.2)).all()


def test_less_distortion_than_a_lower_bound_fails_the_run():
    bound = [("lower bound", np.inf, r, d, 0.01) for r, d in ((1.0, 2.0), (2.0, 1.0))]
    sample_realism.check_lower_bounds([*bound, ("codec", 0.1, 1.5, 0.95, 0.03), ("codec", 0.1, 9.0, 0.1, 0.0)])
    for rate, distortion in ((1.5, 0.8), (0.5, 1.8), (2.0, 0.8)):
        with pytest.raises(ValueError, match="codec has a distortion of"):
            sample_realism.check_lower_bounds([*bound, ("codec", 0.1, rate, distortion, 0.03)])


def test_lower_bounds_of_a_gaussian_are_below_what_is_known():
    x = (np.random.default_rng(0).normal(size=(5000, 1)) * 2).astype(np.float32)
    source = sample_realism.Samples(x[:1000], x[1000:], (1,), "gaussian", "")
    rows = sample_realism.lower_bounds(source, np.array([0.5, 1.5]))
    least = 4 * 4.0 ** -np.array([0.5, 1.5])
    real = 8 - 8 * np.sqrt(1 - least / 4)
    for (_, p, _, d, se), truth in zip(rows, [*least, *real], strict=True):
        assert 0.75 * truth < d < truth + 3 * se and se > 0, (p, d, truth)


def test_writes_every_series(tmp_path, monkeypatch):
    fields = ("rate", "distortion", "perception", "rate_se", "distortion_se", "perception_se")

    def estimate(shape):
        return types.SimpleNamespace(**{name: np.full(shape, 0.5) for name in fields})

    monkeypatch.setattr(sample_realism, "realism_particles", lambda *_, perception_slopes, **__: estimate(
        perception_slopes.shape))
    monkeypatch.setattr(sample_realism, "fit_particles", lambda *_, **__: None)
    monkeypatch.setattr(sample_realism, "universal_decoders", lambda *_, realism, **__: estimate(len(realism)))
    monkeypatch.setattr(sample_realism.sample_realism_codecs, "trained_rows", lambda *_, **__: [
        ("trained", a, 3.0, 1.0 + a, 0.5 - a / 4, 0.1, 0.1, 0.1) for a in (0.0, 0.5, 1.0)])
    monkeypatch.setattr(sample_realism, "lower_bounds", lambda samples, rates: [
        ("lower bound", p, 8.0, 0.1, 0.01) for p in (0.0, np.inf)])
    table = sample_realism.run(CONFIG, tmp_path)
    header, read = read_table(tmp_path / "realism.csv")
    assert tuple(read) == sample_realism.COLUMNS and "errs upwards" in header["units"]
    assert table["series"] == ["particles"] * 3 + ["universal"] * 3 + [
        "nothing"] * 3 + ["codec"] * 3 + ["trained"] * 3
    rate, distortion, perception = (np.array(table[name][9:12]) for name in ("rate_bits", "distortion", "perception"))
    assert (rate == rate[0]).all() and 1.0 < rate[0] < 4.0  # one message
    assert (np.diff(distortion) > 0).all() and (np.diff(perception) < 0).all()
    assert table["rate_bits"][6:9] == [0.0] * 3
    # The mean costs the variance, the source's own distribution twice as much.
    np.testing.assert_allclose(np.array(table["distortion"])[[6, 8]] / CONFIG_VARIANCE, [1.0, 2.0], rtol=0.2)
    header, curves = read_table(tmp_path / "curves.csv")
    assert set(curves["series"]) == {"upper bound", "codec", "trained", "lower bound"}
    assert (curves["rate_bits"][curves["series"] == "trained"] == 3.0).all()
    assert set(curves["perception"][curves["series"] == "lower bound"]) == {0.0, np.inf}
    levels = curves["perception"][curves["series"] != "lower bound"] / float(header["perception_of_the_mean"])
    assert set(np.round(levels, 6)) <= {0.05, 0.2, 1.0}


def test_settings_out_of_range_are_refused():
    for flags, said in (({"ratios": (-1.0,)}, "ratios must be"), ({"decoders": (1.5,)}, "decoders must lie"),
                        ({"held_out": 3}, "held_out must be"), ({"rates": (0.0,)}, "rates must be")):
        with pytest.raises(ValueError, match=said):
            sample_realism.Config(**flags)
