import jax
import numpy as np
import pytest

from experiments.sources import sample_bounds, sample_bounds_sources
from rdr import estimators
from rdr.data import samples as data
from theory import continuous
from theory.estimation import known_sources


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


@pytest.mark.stress
def test_upper_bounds_of_the_banana_are_within_a_percent_of_the_certified_ones():
    """R + s D at a slope, bits: the solver's two sides, particles and mixtures on held-out samples."""
    slope, key = 0.9, jax.random.key(6)
    x = np.asarray(known_sources.banana_samples(jax.random.key(5), 30_000), np.float32)
    solved = continuous.rate_distortion_curve(continuous.banana(tail_mass=1e-4), [slope], tolerance=0.01, max_atoms=160,
                                              rounds=3, steps=12)
    low = float(solved.intercept_lower[0])
    high = float(solved.rate[0] + slope * solved.distortion[0])
    assert low <= high < 1.005 * low
    found = {"particles": estimators.particles(x[:15_000], x[15_000:], slopes=slope, key=key, num_particles=200,
                                               steps=150),
             "mixture": estimators.mixture(x[:15_000], x[15_000:], slopes=slope, key=key, components=24, steps=60)}
    for name, one in found.items():
        value = float(one.rate + slope * one.distortion)
        error = float(one.rate_se + slope * one.distortion_se)  # as if they were fully dependent
        print(f"{name}: {value:.4f} +- {error:.4f}, certified {low:.4f} to {high:.4f}")
        assert low - 3 * error < value < 1.01 * high + error, name
