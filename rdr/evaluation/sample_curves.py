"""Curves of the estimators that are trained, by name and with one budget: what commands and experiments run."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from rdr.data.samples import Samples
from rdr.estimators import Estimate

_MAX_NUMBERS = 1 << 26  # in the particles of the slopes that are fitted at once


class Budget(NamedTuple):
    """How much the training of a curve may take.

    Attributes:
      num_particles: of `particles`, and draws of `generator`.
      particle_steps: steps of `particles`.
      network_steps: steps of `variational` and `generator`.
      components: Gaussians of `mixture`.
      mixture_steps: its steps, each on all samples.
      hidden: widths of the hidden layers of networks.
      batch: samples of a step of networks.
      seed: of initialization, batches and noise.
    """

    num_particles: int = 1000
    particle_steps: int = 200
    network_steps: int = 2000
    components: int = 32
    mixture_steps: int = 50
    hidden: tuple[int, ...] = (64, 64)
    batch: int = 256
    seed: int = 0


def _particles(samples: Samples, slopes: np.ndarray, budget: Budget, directory: pathlib.Path) -> list[Estimate]:
    from rdr.estimators import particles

    together = max(1, _MAX_NUMBERS // (budget.num_particles * samples.dimension))
    return [particles(samples.vectors, samples.held_out, slopes=slopes[start : start + together],
                      key=jax.random.fold_in(jax.random.key(budget.seed), start),
                      num_particles=budget.num_particles, steps=budget.particle_steps,
                      workdir=directory / f"{start:04d}")
            for start in range(0, slopes.size, together)]


def _variational(samples: Samples, slopes: np.ndarray, budget: Budget, directory: pathlib.Path) -> list[Estimate]:
    from rdr.estimators import variational

    return [variational(samples.vectors, samples.held_out, slopes=slopes, key=jax.random.key(budget.seed),
                        hidden=budget.hidden, steps=budget.network_steps, batch=budget.batch, workdir=directory)]


def _generator(samples: Samples, slopes: np.ndarray, budget: Budget, directory: pathlib.Path) -> list[Estimate]:
    from rdr.estimators import generator

    return [generator(samples.vectors, samples.held_out, slopes=slopes, key=jax.random.key(budget.seed),
                      draws=budget.num_particles, beyond_cap="keep", hidden=budget.hidden,
                      steps=budget.network_steps, batch=budget.batch, workdir=directory)]


def _mixture(samples: Samples, slopes: np.ndarray, budget: Budget, directory: pathlib.Path) -> list[Estimate]:
    from rdr.estimators import mixture

    return [mixture(samples.vectors, samples.held_out, slopes=slopes, key=jax.random.key(budget.seed),
                    components=budget.components, steps=budget.mixture_steps, workdir=directory)]


TRAINED: dict[str, Callable[[Samples, np.ndarray, Budget, pathlib.Path], list[Estimate]]] = {
    "particles": _particles, "mixture": _mixture, "variational": _variational, "generator": _generator}


def trained_curve(name: str, samples: Samples, slopes: np.ndarray, *, budget: Budget, directory: pathlib.Path
                  ) -> list[Estimate]:
    """Trains an estimator at several slopes and measures it on the held-out samples.

    Args:
      name: "particles", "mixture", "variational" or "generator"; of the last, rates beyond log2 of its draws are kept,
        which are bounds all the same.
      samples: of the source.
      slopes: bits per unit of squared error, [points].
      budget: how much it may take.
      directory: of checkpoints, so that an interrupted training goes on.

    Returns:
      Upper bounds, of all slopes together [points].

    Raises:
      ValueError: if there is no such estimator, or it refuses the samples or the budget.
    """
    if name not in TRAINED:
        raise ValueError(f"name must be one of {', '.join(TRAINED)}, got {name!r}")
    return TRAINED[name](samples, np.atleast_1d(np.asarray(slopes, np.float64)), budget, directory)
