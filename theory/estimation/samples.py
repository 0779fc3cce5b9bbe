"""Samples of a source as arrays: checks, and the random split into those that fit and those that are held out."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain, check_precision, is_concrete


def check_samples(name: str, samples: ArrayLike, *, minimum: int = 2, dimension: int | None = None) -> jax.Array:
    """Refuses what are not samples of a vector, and gives them in float64.

    Repeated rows are samples like others: a source may have atoms. Copies of a data set are not independent samples,
    and make every standard error too small; nothing here can tell one from the other.

    Args:
      name: the argument's name, for the message.
      samples: [n, d], a row for each sample; values are looked at outside of a trace only.
      minimum: least n.
      dimension: the d it needs, None for any.

    Returns:
      Float64, [n, d].

    Raises:
      ValueError: if it has another shape or too few rows, or an entry is not a finite real number.
    """
    check_precision()
    if not is_concrete(samples):
        array = jnp.asarray(samples)
    else:
        array = np.asarray(samples)
    needs = f"[n, {'d' if dimension is None else dimension}] with n >= {minimum}"
    if array.ndim != 2 or array.shape[0] < minimum or array.shape[1] < 1 or dimension not in (None, array.shape[1]):
        raise ValueError(f"{name} must have shape {needs}, got shape {array.shape}")
    check_domain(name, array, finite=True)
    return jnp.asarray(array, jnp.float64)


def check_both(training: ArrayLike, held_out: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Checks samples that fit and samples that are held out.

    Args:
      training: [n, d].
      held_out: [m, d], independent of `training`.

    Returns:
      Both in float64.

    Raises:
      ValueError: as `check_samples`, which names the one that is wrong.
    """
    training = check_samples("training", training)
    return training, check_samples("held_out", held_out, dimension=training.shape[1])


def split(key: jax.Array, samples: ArrayLike, *, held_out: float = 0.5) -> tuple[jax.Array, jax.Array]:
    """Divides samples at random into those that fit and those that are held out.

    Args:
      key: of the random order.
      samples: [n, d], n >= 4.
      held_out: share that is held out, in (0, 1); at least two samples go to either part.

    Returns:
      Training and held-out samples.

    Raises:
      ValueError: if the samples are refused by `check_samples` or the share is not in (0, 1).
    """
    array = check_samples("samples", samples, minimum=4)
    if not 0.0 < held_out < 1.0:
        raise ValueError(f"held_out must be in (0, 1), got {held_out}")
    number = min(max(round(len(array) * held_out), 2), len(array) - 2)
    array = array[jax.random.permutation(key, len(array))]
    return array[number:], array[:number]
