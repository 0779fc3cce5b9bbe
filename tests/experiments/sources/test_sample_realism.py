"""Oracles: variances of decoded components; stand-ins for the estimators, which have tests of their own."""

import types

import numpy as np
import pytest

from experiments.sources import sample_realism
from paper_figures.tables import read_table
from rdr.codecs.vectors import water_filling

CONFIG = sample_realism.Config(data="gaussian", dimension=4, samples=600, held_out=300, rates=(2.0,))


def test_decoders_go_from_least_error_to_the_components_own_variance():
    made = water_filling.plan(np.array([2.0, 0.5, 0.01]), 0.1)
    rng = np.random.default_rng(0)
    decoded = rng.normal(size=(4000, 3)) * np.sqrt([1.9, 0.4, 0.0])
    np.testing.assert_array_equal(sample_realism.decode_universally(made, decoded, 0.0, seed=1), decoded)
    real = sample_realism.decode_universally(made, decoded, 1.0, seed=1)
    np.testing.assert_allclose(np.square(real).mean(0), made.variances, rtol=0.1)
    half = sample_realism.decode_universally(made, decoded, 0.5, seed=1)
    np.testing.assert_allclose(half, 0.5 * (decoded + real), atol=1e-12)


def test_writes_every_series(tmp_path, monkeypatch):
    fields = ("rate", "distortion", "perception", "rate_se", "distortion_se", "perception_se")

    def estimate(shape):
        return types.SimpleNamespace(**{name: np.full(shape, 0.5) for name in fields})

    monkeypatch.setattr(sample_realism, "realism_particles", lambda *_, perception_slopes, **__: estimate(
        perception_slopes.shape))
    monkeypatch.setattr(sample_realism, "fit_particles", lambda *_, **__: None)
    monkeypatch.setattr(sample_realism, "universal_decoders", lambda *_, realism, **__: estimate(len(realism)))
    table = sample_realism.run(CONFIG, tmp_path)
    header, read = read_table(tmp_path / "realism.csv")
    assert tuple(read) == sample_realism.COLUMNS and "errs upwards" in header["units"]
    assert table["series"] == ["particles"] * 3 + ["universal"] * 3 + ["codec"] * 3
    rate, distortion, perception = (np.array(table[name][6:]) for name in ("rate_bits", "distortion", "perception"))
    assert (rate == rate[0]).all() and 1.0 < rate[0] < 4.0  # one message
    assert (np.diff(distortion) > 0).all() and (np.diff(perception) < 0).all()


def test_settings_out_of_range_are_refused():
    for flags, said in (({"ratios": (-1.0,)}, "ratios must be"), ({"decoders": (1.5,)}, "decoders must lie"),
                        ({"held_out": 3}, "held_out must be"), ({"rates": (0.0,)}, "rates must be")):
        with pytest.raises(ValueError, match=said):
            sample_realism.Config(**flags)
