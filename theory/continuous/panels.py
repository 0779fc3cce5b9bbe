"""The line cut into intervals with a Gauss-Legendre rule each, so that integrals over any of them are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_SAMPLES = 4096  # between two breakpoints, where the density is looked at to place the intervals


class Panels(NamedTuple):
    """Intervals of the line with the rule of a density on each.

    Attributes:
      edges: [m + 1], increasing.
      nodes: [m, k].
      weights: [m, k], non-negative, sum 1.
    """

    edges: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray


def panel_edges(breakpoints: np.ndarray, nodes: np.ndarray, values: np.ndarray, number: int) -> np.ndarray:
    """Cuts the line into intervals none of which has a breakpoint inside.

    Half of them are spread evenly, half like the cube root of the density: the latter makes the mean variance within
    intervals the least, the former resolve what has little mass.

    Args:
      breakpoints: [k + 1], increasing.
      nodes: [n], increasing, where the density is known well enough to place intervals.
      values: [n], the density there up to a factor.
      number: of intervals, at least k.

    Returns:
      The ends of the intervals, [number + 1].
    """
    ends = breakpoints
    fine = np.concatenate([np.linspace(a, b, _SAMPLES + 1)[1:] for a, b in zip(ends[:-1], ends[1:])])
    fine = np.concatenate([ends[:1], fine])
    steps = np.diff(fine)
    root = np.cbrt(np.interp(0.5 * (fine[:-1] + fine[1:]), nodes, values)) * steps
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * root / root.sum() + 0.5 * steps / (fine[-1] - fine[0]))])
    marks = cumulative[::_SAMPLES]
    # Every part has an interval at least; what is left goes where most are lacking.
    wanted = np.diff(marks) / marks[-1] * number
    counts = np.maximum(np.floor(wanted), 1.0).astype(int)
    while counts.sum() != number:
        lacking = wanted - counts
        if counts.sum() < number:
            counts[lacking.argmax()] += 1
        else:
            counts[np.where(counts > 1, lacking, np.inf).argmin()] -= 1
    levels = [np.linspace(a, b, count + 1)[1:] for a, b, count in zip(marks[:-1], marks[1:], counts)]
    edges = np.interp(np.concatenate([[0.0], *levels]), cumulative, fine)
    edges[np.concatenate([[0], np.cumsum(counts)])] = breakpoints
    return edges


def gauss_legendre(edges: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Computes Gauss-Legendre rules for Lebesgue measure on every interval.

    Args:
      edges: [m + 1], increasing.
      order: number of nodes per interval, k.

    Returns:
      Nodes and weights, [m, k] each; exact for polynomials of degree 2 k - 1.
    """
    t, w = np.polynomial.legendre.leggauss(order)
    half, center = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[:-1] + edges[1:])[:, None]
    return center + half * t, half * w
