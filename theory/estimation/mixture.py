"""Reproduction measures fitted to samples at a slope: equal Gaussian mixtures, by expectation and maximization."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.numerics.elementwise import squared_distances


class Reproduction(NamedTuple):
    """Atoms of a reproduction measure, with a leading axis for each slope where there are several.

    Attributes:
      atoms: y_j, [m, d].
      log_weights: ln w_j, [m].
    """

    atoms: jax.Array
    log_weights: jax.Array


def log_partition(samples: jax.Array, reproduction: Reproduction, slope: ArrayLike) -> jax.Array:
    """ln Z(x) = ln sum_j w_j exp(-s |x - y_j|^2); at most 0.

    Args:
      samples: [n, d].
      reproduction: m atoms.
      slope: s, nats per unit of squared distance.

    Returns:
      Nats, [n].
    """
    distances = squared_distances(samples, reproduction.atoms)
    return jax.scipy.special.logsumexp(reproduction.log_weights[None] - slope * distances, axis=-1)


@partial(jax.jit, static_argnames="iterations")
def fit_reproduction(
    samples: jax.Array, start: jax.Array, slopes: jax.Array, *, iterations: int = 200
) -> tuple[Reproduction, jax.Array]:
    """Minimizes -E ln sum_j w_j exp(-s |X - y_j|^2) over weights and places of atoms, for each slope.

    This is I + s E d of the channel into the atoms, minimized by turns over the channel and the reproduction: weights
    as by Blahut and Arimoto, places at conditional means; no step makes it larger. It is also expectation and
    maximization for a mixture of Gaussians of variance 1 / (2 s). Memory is n times m numbers.

    Args:
      samples: [n, d].
      start: places of the atoms to start from, [m, d].
      slopes: [k], nats per unit of squared distance.
      iterations: number of turns.

    Returns:
      A `Reproduction` with a leading axis [k], and the mean squared error of its channel, [k].

    Reference:
      [rose1994mapping] Rose 1994 (the mapping), [blahut1972computation] Blahut 1972.
    """

    def fit(slope):
        def share(atoms, log_weights):
            distances = squared_distances(samples, atoms)
            return distances, jax.nn.softmax(log_weights[None] - slope * distances, axis=-1)

        def turn(_, state):
            atoms, log_weights = state
            _, joint = share(atoms, log_weights)
            mass = joint.mean(0)
            moved = (joint.T @ samples) / jnp.maximum(mass * samples.shape[0], 1e-300)[:, None]
            return jnp.where(mass[:, None] > 0, moved, atoms), jnp.log(mass)

        uniform = jnp.full(start.shape[0], -jnp.log(start.shape[0]))
        atoms, log_weights = lax.fori_loop(0, iterations, turn, (start, uniform))
        distances, joint = share(atoms, log_weights)
        return Reproduction(atoms, log_weights), jnp.mean(jnp.sum(joint * distances, -1))

    return lax.map(fit, slopes)
