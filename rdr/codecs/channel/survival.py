"""Survival functions, which exact selection rules need, of the search for a Gaussian sample among Gaussians.

In noise scales, the target is Q = N(z, I) and candidates are P = N(0, k^2 I), k^2 = a^2 + 1. The density ratio r =
dQ/dP falls with the distance from c = z k^2 / a^2:

    ln r(y) = ln r_max - e^w,    w = ln(a^2 |y - c|^2 / 2 k^2),    ln r_max = n ln k + |z|^2 / 2 a^2.

A rule that has removed from Q what lies below the level h of r still has S(h) = Q(r >= h) - h P(r >= h) to give,
which is the integral of P(r >= h') over h' >= h; in time, h' = S(h), so that it reaches h at t(h), the integral of 1
/ S below h. P(r >= h) is a noncentral chi-square probability. ln S / r_max and ln t are tabulated over |z| and w.

Reference: [harsha2010communication] (greedy rejection), [flamich2023gprs] (t is its stretch function).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.special import chndtr
from scipy.stats import chi2

_NORMS, _PLACES, _FINER = 65, 768, 4
_DEEPEST = 14.0  # ln of how far below one levels are tabulated
MAX_CANDIDATES = 2**24


class Survival(NamedTuple):
    """Tables.

    Attributes:
      norms: float64 [2], least and largest |z|; beyond, nothing is tabulated.
      places: float64 [2], least and largest w.
      log_survival: float32 [norms, places], ln S / r_max.
      log_time: float32 [norms, places], ln t.
    """

    norms: np.ndarray
    places: np.ndarray
    log_survival: np.ndarray
    log_time: np.ndarray


def log_largest_ratio(norm: np.ndarray, ratio: float, dimension: int) -> np.ndarray:
    """ln r_max.

    Args:
      norm: |z|.
      ratio: a, of the candidates.
      dimension: n.

    Returns:
      Same shape.
    """
    return 0.5 * dimension * np.log1p(ratio**2) + norm**2 / (2.0 * ratio**2)


def survival_tables(ratio: float, dimension: int, deviation: float) -> Survival:
    """Makes the tables for a Gaussian source, of whose blocks 10^-7 lie beyond them.

    Args:
      ratio: a, of the candidates.
      dimension: n.
      deviation: of the source, in noise scales.

    Returns:
      The tables; quadratures agree with finer ones to 10^-5.
    """
    largest = deviation * np.sqrt(chi2.isf(1e-7, dimension))
    norms = np.linspace(0.0, largest, _NORMS)
    tops = log_largest_ratio(norms, ratio, dimension)[:, None]
    low, high = -2.0 / dimension * (np.log(MAX_CANDIDATES) + 4.0), np.log(tops[-1, 0] + _DEEPEST)
    w = np.linspace(low, high, (_PLACES - 1) * _FINER + 1)
    spread = ratio**2 + 1.0
    # Below 10^-290 the probability is lost in float64; times are then far beyond every number of candidates.
    inside = chndtr(2.0 * np.exp(w)[None] / ratio**2, dimension, (norms**2 * spread / ratio**4)[:, None])
    inside = np.fmax(inside, 1e-290)
    falling = np.exp(w - np.exp(w))[None]  # -dh/dw / r_max
    start = inside[:, :1] * np.exp(low) / (1.0 + 0.5 * dimension)
    survival = start + cumulative_simpson(inside * falling, x=w, initial=0.0)
    speed = falling / survival
    levels = tops - np.exp(high)
    time = np.exp(levels) + cumulative_simpson(speed[:, ::-1], dx=w[1] - w[0], initial=0.0)[:, ::-1]
    return Survival(np.array([0.0, largest]), np.array([low, high]),
                    *(np.log(part[:, ::_FINER]).astype(np.float32) for part in (survival, time)))


def curves(table: np.ndarray, tables: Survival, norm: np.ndarray) -> np.ndarray:
    """A table's curve over w for given |z|, by cubic interpolation.

    Args:
      table: `log_survival` or `log_time`.
      tables: with the ranges.
      norm: float64 [blocks], within the range.

    Returns:
      float32 [blocks, places].
    """
    position = (norm - tables.norms[0]) / (tables.norms[1] - tables.norms[0]) * (len(table) - 1)
    base = np.clip(np.floor(position).astype(int), 1, len(table) - 3)
    weights = _cubic((position - base).astype(np.float32))
    return np.asarray(sum(weight[:, None] * table[base + k] for k, weight in zip((-1, 0, 1, 2), weights)))


def _cubic(x):
    """Weights of the values at -1, 0, 1, 2."""
    return (-x * (x - 1) * (x - 2) / 6, (x + 1) * (x - 1) * (x - 2) / 2, -(x + 1) * x * (x - 2) / 2,
            (x + 1) * x * (x - 1) / 6)


def look_up(curve: jax.Array, w: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """A curve's values by cubic interpolation; beyond its ends, those at its ends.

    Args:
      curve: [places].
      w: any shape.
      low: w of the first value.
      high: w of the last value.

    Returns:
      Same shape as w.
    """
    count = curve.shape[0]
    position = jnp.clip((w - low) * ((count - 1) / (high - low)), 0.0, count - 1.0)
    base = jnp.clip(jnp.floor(position), 1, count - 3)
    index = base.astype(jnp.int32)
    return jnp.asarray(sum(weight * curve[index + k] for k, weight in zip((-1, 0, 1, 2), _cubic(position - base))))
