"""Sources of `experiments.sources.sample_bounds`: by name, with R(D) where it is known."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.sources import brackets
from rdr.data import samples as data
from rdr.data.samples import Samples
from theory import bounds, continuous
from theory.bounds import sources as theory_sources
from theory.estimation import known_sources
from theory.gaussian import vector

SYNTHETIC = ("gaussian", "deconvolution", "banana")
SOURCES = (*SYNTHETIC, *data.SOURCES)
# Slopes in bits per unit, atoms and tolerance in bits of the banana's certified brackets.
BRACKETS = {"fine": ((0.5, 0.9, 1.5, 2.6), (100, 160, 240, 360), 0.005), "coarse": ((0.4,), (40,), 0.1)}


class Source(NamedTuple):
    """A source and what is known of it.

    Attributes:
      samples: its samples.
      truth: `truth(distortions) -> (lower, upper)` in bits, NaN where it is not known; None if nothing is.
    """

    samples: Samples
    truth: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None


def load(config: Any, workdir: pathlib.Path) -> Source:
    """Draws or loads the samples of a source.

    Args:
      config: settings of the experiment.
      workdir: where brackets that take minutes are kept.

    Returns:
      The source.

    Raises:
      ValueError: if there is no such source or its files cannot be used.
    """
    name = config.data
    if name not in SOURCES:
        raise ValueError(f"data must be one of {', '.join(SOURCES)}, got {name!r}")
    if name not in SYNTHETIC:
        return Source(data.load_samples(name, config.folder, patch=config.patch, channels=config.channels,
                                        count=config.samples, seed=config.seed), None)
    count, held_out = config.samples or 20_000, config.held_out
    key = jax.random.key(config.seed)
    if name == "gaussian":
        variances = known_sources.decaying_gaussian_variances(config.dimension)
        drawn = known_sources.gaussian_samples(key, count + held_out, variances)
        truth = _exactly(lambda d: vector.rate_distortion(d, variances))
        words = f"Gaussian vectors of {config.dimension} components with deviations 2 exp(-k/2)"
    elif name == "deconvolution":
        drawn = known_sources.noisy_sphere_samples(key, count + held_out, config.dimension)
        limit = known_sources.SPHERE_NOISE * config.dimension
        truth = _exactly(lambda d: known_sources.noisy_sphere_rate(d, config.dimension), limit)
        words = f"a point of the unit sphere in {config.dimension} dimensions plus Gaussian noise of variance 0.1"
    else:
        drawn = known_sources.banana_samples(key, count + held_out)
        truth = _banana(workdir, config.brackets)
        words = "the banana-shaped density of the plane"
    vectors = np.asarray(drawn, np.float32)
    samples = Samples(vectors[:count], vectors[count:], vectors.shape[1:], name, words)
    return Source(samples, truth)


def _exactly(rate: Callable[[Any], Any], limit: float = np.inf):
    def truth(distortions):
        d = np.asarray(distortions, np.float64)
        known = (d > 0) & (d <= limit)
        value = np.where(known, np.asarray(rate(np.where(known, d, min(limit, 1.0)))), np.nan)
        return value, value

    return truth


def _banana(workdir: pathlib.Path, accuracy: str):
    slopes, atoms, tolerance = BRACKETS[accuracy]
    solved = brackets.solve(continuous.banana(tail_mass=1e-4), slopes, atoms, tolerance=tolerance,
                            path=workdir / "bracket.npz")
    found = bounds.bounds_of(theory_sources.banana()) + brackets.bracketing_bounds(solved, dimension=2)

    def truth(distortions):
        interval = bounds.interval(found, np.asarray(distortions, np.float64))
        return np.asarray(interval.lower), np.asarray(interval.upper)

    return truth
