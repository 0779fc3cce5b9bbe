"""Perception of reconstructions from samples, with errors and the direction of the bias.

W2 squared, its average over directions and squared MMD are convex in both distributions together. The value of two
empirical distributions is therefore above the true one in expectation, however the two sets depend on each other
(Jensen), and a point (R, D, P) whose P is measured so is reached at a P that is no larger.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from scipy.optimize import linear_sum_assignment

from rdr.losses.mmd import mmd_squared
from rdr.losses.sliced_wasserstein import sliced_w2_squared

Measure = Callable[[jax.Array, jax.Array], jax.Array]
MEASURES = ("sliced_w2", "w2", "mmd")


def perception_of_groups(
    reconstructions: np.ndarray, originals: np.ndarray, *, measure: str | Measure, key: jax.Array, groups: int = 10,
    training: np.ndarray | None = None,
) -> tuple[float, float, bool]:
    """Measures how far two sets are apart, in groups that give a standard error.

    Args:
      reconstructions: [samples, dimension].
      originals: the same shape.
      measure: "sliced_w2" (mean of W2 squared over 64 random directions), "w2" (W2 squared by an optimal assignment),
        "mmd" (squared, Gaussian kernels whose bandwidths are 1/2, 1 and 2 times the training samples' root mean squared
        distance), or a function of two sets [n, dimension].
      key: a `jax.random.key`, of the directions.
      groups: how many; smaller ones have more bias.
      training: other samples of the source, [training samples, dimension], for the bandwidths of "mmd": those of the
        originals would make the kernel depend on what it measures, and the bias could be on either side.

    Returns:
      Mean over groups, its standard error, and whether the bias is known to be upwards.

    Raises:
      ValueError: if the measure is unknown, the shapes differ, a group would have fewer than two samples, or "mmd" is
        asked for without training samples.
    """
    if not callable(measure) and measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(map(repr, MEASURES))} or a function, got {measure!r}")
    if reconstructions.shape != originals.shape:
        raise ValueError(f"reconstructions must have the shape of originals, {originals.shape}, got "
                         f"{reconstructions.shape}")
    size = originals.shape[0] // groups if groups > 1 else 0
    if size < 2:
        raise ValueError(f"groups must be at least 2 and leave two samples each, got {groups} for {originals.shape[0]}")
    if measure == "mmd" and training is None:
        raise ValueError("training must be given for the bandwidths of 'mmd', got None")
    pairs = [np.asarray(x[: size * groups].reshape(groups, size, -1), np.float32) for x in (reconstructions, originals)]
    if measure == "w2":
        values = np.asarray([_assigned(y, x) for y, x in zip(*pairs, strict=True)])
    else:
        function = _measure(measure, training, key)
        values = np.asarray(jax.lax.map(lambda pair: function(*pair), tuple(pairs)), np.float64)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(groups)), not callable(measure)


def _measure(measure: str | Measure, training: np.ndarray | None, key: jax.Array) -> Measure:
    if callable(measure):
        return measure
    if measure == "sliced_w2":
        return lambda y, x: sliced_w2_squared(y, x, key=key)
    width = float(np.sqrt(2 * np.var(np.asarray(training), axis=0, dtype=np.float64).sum())) or 1.0
    return lambda y, x: mmd_squared(y, x, bandwidths=(width / 2, width, 2 * width))


def _assigned(y: np.ndarray, x: np.ndarray) -> float:
    """W2 squared of two sets of one size, without rounding of large norms."""
    y, x = (a.astype(np.float64) - x.mean(0, dtype=np.float64) for a in (y, x))
    cost = np.maximum((y**2).sum(1)[:, None] + (x**2).sum(1) - 2 * y @ x.T, 0.0)
    return float(cost[linear_sum_assignment(cost)].mean())
