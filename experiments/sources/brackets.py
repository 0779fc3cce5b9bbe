"""Brackets of R(D) of a density from a few certified points, for the whole range of distortions."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from rdr import files
from theory import bounds, continuous


class Bracket(NamedTuple):
    """Points and lines that bracket R(D), each [slopes].

    Attributes:
      slope: bits per unit of distortion.
      intercept: R(D) >= intercept - slope D for every D.
      distortion: of a channel that was found.
      rate: its mutual information, bits.
    """

    slope: np.ndarray
    intercept: np.ndarray
    distortion: np.ndarray
    rate: np.ndarray


def solve(density: continuous.Density, slopes: Sequence[float], atoms: Sequence[int], *, tolerance: float,
          path: pathlib.Path) -> Bracket:
    """Brackets R(D) of a density under squared error at several slopes; once, the file then keeps it.

    Args:
      density: the source.
      slopes: bits per unit of distortion.
      atoms: room for atoms of the channel at each slope. Slopes of equal numbers share a grid and a compilation; in the
        plane, where a grid for the largest slope is a burden to the small ones, let them differ.
      tolerance: at which a slope counts as solved, bits.
      path: of the file, `.npz`.

    Returns:
      The bracket; it holds whether the tolerance was reached or not.
    """
    if path.exists():
        with np.load(path) as stored:
            return Bracket(*(stored[name] for name in Bracket._fields))
    solved = []
    for capacity in sorted(set(atoms)):
        curve = continuous.rate_distortion_curve(
            density, [slope for slope, a in zip(slopes, atoms) if a == capacity], tolerance=tolerance,
            max_atoms=capacity, rounds=3, steps=12)
        solved.append([np.asarray(v) for v in (curve.slope, curve.intercept_lower, curve.distortion, curve.rate)])
    result = Bracket(*(np.concatenate(parts) for parts in zip(*solved)))
    files.write_arrays(path, result._asdict())
    return result


def bracketing_bounds(found: Bracket, *, dimension: int) -> tuple[bounds.Bound, bounds.Bound]:
    """Bounds on R(D) from a bracket.

    Below: the largest of the lines. Above: at a channel of distortion D_i and rate R_i, R_i from D_i on, and
    R_i + (n/2) log2(D_i / D) below it: what that channel leaves, of mean squared error D_i, goes through the channel
    b Z + sqrt(b D / n) N with b = 1 - D / D_i, whose error is D and whose information is at most (n/2) log2(D_i / D).
    Between two channels also the line through them, because R(D) is convex.

    Args:
      found: from `solve`.
      dimension: n, components of the source.

    Returns:
      A lower and an upper bound.
    """
    order = np.argsort(found.distortion)
    knots = [jnp.asarray(part[order], jnp.float64) for part in (found.distortion, found.rate)]

    def bracket(distortion):
        d = jnp.asarray(distortion, jnp.float64)[..., None]
        shape = (*d.shape[:-1], found.slope.size)
        slope, intercept, solved, rate = (jnp.broadcast_to(part, shape) for part in found)
        lower = jnp.maximum(jnp.max(intercept - slope * d, -1), 0.0)
        rest = 0.5 * dimension * jnp.maximum(jnp.log2(solved / jnp.where(d > 0, d, jnp.nan)), 0.0)
        chord = jnp.interp(d[..., 0], *knots, left=jnp.inf)  # beyond the last channel: its rate
        return lower, jnp.minimum(jnp.min(rate + rest, -1), chord)

    return bounds.certified(bracket, name="certified solver, refined at smaller distortions",
                            reference="theory.continuous.rate_distortion",
                            conditions="the upper bound below the solved distortions adds a Gaussian's rate")
