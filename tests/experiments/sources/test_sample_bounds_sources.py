import numpy as np
import pytest

from experiments.sources import sample_bounds, sample_bounds_sources
from rdr.data import samples as data


def config(**flags):
    return sample_bounds.Config(samples=300, held_out=100, **flags)


def test_the_noisy_sphere_is_known_where_shannons_bound_is_reached(tmp_path):
    source = sample_bounds_sources.load(config(data="deconvolution", dimension=5), tmp_path)
    lower, upper = source.truth(np.array([0.5, 0.6]))
    assert lower[0] == upper[0] and np.isnan(lower[1]) and np.isnan(upper[1])
    # The value of the benchmark, nats: R + 10 D' with D' half of the squared error, at D = d / 10.
    assert lower[0] * np.log(2) + 10 * 0.5 / 2 == pytest.approx(5.178030147, rel=1e-6)
    power = np.square(source.samples.vectors).sum(-1)  # 1 + d v, with variance 4 v + 2 d v^2
    assert abs(power.mean() - 1.5) < 5 * np.sqrt(0.5 / 300)
    assert source.samples.held_out.shape == (100, 5)


def test_other_sources_come_from_files(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(500, 2)))
    flags = {"data": "array", "folder": str(tmp_path / "x.npy")}
    source = sample_bounds_sources.load(config(**flags), tmp_path)
    assert source.truth is None and source.samples.vectors.shape == (300, 2)
    assert set(data.SOURCES) < set(sample_bounds_sources.SOURCES)
    with pytest.raises(ValueError, match="no folder"):
        sample_bounds_sources.load(config(data="fashion_mnist"), tmp_path)


@pytest.mark.stress
def test_the_banana_is_bracketed(tmp_path):
    source = sample_bounds_sources.load(config(data="banana", brackets="coarse"), tmp_path)
    lower, upper = source.truth(np.array([0.5, 1.0]))
    assert (lower < upper).all() and (upper - lower < 0.5).all()
