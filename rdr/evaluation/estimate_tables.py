"""Tables of bounds that were computed from samples: rows by estimator, the best curves on both sides, contradictions.

R(D) falls and is convex. So upper bounds (D_i, R_i) bound it by their lower convex hull, from their least D on, and a
lower bound (D_i, R_i) bounds it at every D <= D_i. Errors of a point are those of its rate and, through the slope of
the hull there, of its distortion; they are added up as if they were fully dependent, which errs on the safe side.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rdr.evaluation.tables import read_rows, write_table
from rdr.metrics.convex_hull import lower_hull

COLUMNS = ("estimator", "kind", "rate_bits", "distortion", "rate_se", "distortion_se", "held_out")
_WORDS = ("estimator", "kind")
_SIGNIFICANT = 3.0  # standard errors
_ROUNDING = 1e-4  # of rates, which are computed in float32

Table = Mapping[str, Sequence[Any] | np.ndarray]


class Curve(NamedTuple):
    """A bound on R(D) at several distortions.

    Attributes:
      rate: bits per sample vector; NaN where nothing is known.
      se: its standard error.
    """

    rate: np.ndarray
    se: np.ndarray


def estimate_rows(name: str, estimate: Any) -> dict[str, list[Any]]:
    """Lays an estimate out as rows.

    Args:
      name: of the estimator, as the table calls it.
      estimate: anything with the fields `rate`, `distortion`, `rate_se`, `distortion_se`, `kind` and `held_out` of
        `rdr.estimators.Estimate`.

    Returns:
      The columns `COLUMNS`, in order of distortion.
    """
    values = np.broadcast_arrays(*(np.atleast_1d(np.asarray(getattr(estimate, field), np.float64)) for field in (
        "rate", "distortion", "rate_se", "distortion_se")))
    rate, distortion, rate_se, distortion_se = (value.ravel() for value in values)
    order = np.argsort(distortion, kind="stable")
    count = order.size
    columns = ([name] * count, [str(estimate.kind)] * count, rate[order], distortion[order], rate_se[order],
               distortion_se[order], [int(estimate.held_out)] * count)
    return {column: list(cells) for column, cells in zip(COLUMNS, columns)}


def joined(tables: Sequence[Table]) -> dict[str, list[Any]]:
    """Puts tables of the same columns below each other.

    Args:
      tables: at least one.

    Returns:
      The columns of all.
    """
    return {name: [cell for table in tables for cell in table[name]] for name in tables[0]}


def read_table(path: str | pathlib.Path) -> tuple[dict[str, str], dict[str, list[Any]]]:
    """Reads a table of estimates.

    Args:
      path: the file.

    Returns:
      Its header, and the columns: texts, whole numbers of samples, and floats.

    Raises:
      ValueError: if it is no such table.
      OSError: if it cannot be read.
    """
    header, names, rows = read_rows(path)
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}")
    try:
        return header, {name: [cell if name in _WORDS else float(cell) for cell in column]
                        for name, column in zip(names, zip(*rows))}
    except ValueError as error:
        raise ValueError(f"{path} holds a cell that is no number: {error}") from None


def run_estimators(
    estimators: Mapping[str, Callable[[], Any]], directory: pathlib.Path, *, header: Mapping[str, Any],
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, list[Any]]:
    """Runs estimators one after the other; those whose rows are in the directory already are not run again.

    Args:
      estimators: functions by name, each of which returns an estimate or several.
      directory: where rows are kept, a file each; made where it does not exist.
      header: what the rows depend on; kept rows with another header are not used.
      tell: called with a line of progress.

    Returns:
      The rows of all.
    """
    tables = []
    known = {key: str(value) for key, value in header.items()}
    for number, (name, estimator) in enumerate(estimators.items(), 1):
        path, at = directory / f"{name}.csv", f"[{number}/{len(estimators)}] {name}"
        if path.exists():
            found, columns = read_table(path)
            if {key: found.get(key) for key in known} == known:
                tell(f"{at}: kept from before")
                tables.append(columns)
                continue
        tell(f"{at} ..")
        estimates = estimator()
        estimates = [estimates] if hasattr(estimates, "kind") else list(estimates)
        columns = joined([estimate_rows(name, estimate) for estimate in estimates])
        directory.mkdir(parents=True, exist_ok=True)
        write_table(path, columns, known)
        tables.append(columns)
    return joined(tables)


def _points(table: Table, kind: str) -> np.ndarray:
    """Distortion, rate and their errors of all finite points of a kind, float64 [4, points]."""
    keep = np.array([k == kind for k in table["kind"]], bool)
    found = np.array([np.asarray(table[name], np.float64)[keep] for name in (
        "distortion", "rate_bits", "distortion_se", "rate_se")])
    return found[:, np.isfinite(found).all(0)]


def upper_curve(table: Table, distortion: Any) -> Curve:
    """The best upper bound on R(D): the convex hull of all points of kind "upper", best by the ends of their intervals.

    Points go by their rate plus two standard errors, so that one with a large error does not win by luck.

    Args:
      table: the rows of estimators.
      distortion: D [...].

    Returns:
      Rates and errors [...]; NaN below the least distortion of an upper bound. What was chosen among points that err is
      a little too small in expectation.
    """
    d = np.asarray(distortion, np.float64)
    x, y, x_se, y_se = _points(table, "upper")
    if not x.size:
        return Curve(np.full(d.shape, np.nan), np.full(d.shape, np.nan))
    chosen = lower_hull(x, y + 2.0 * y_se)
    x, y, x_se, y_se = (value[chosen] for value in (x, y, x_se, y_se))
    slope = np.abs(np.diff(y) / np.diff(x)) if x.size > 1 else np.zeros(1)  # to the right of each point
    total = y_se + np.append(slope, slope[-1])[: x.size] * x_se
    return Curve(*(np.interp(d, x, values, left=np.nan) for values in (y, total)))


def lower_curve(table: Table, distortion: Any) -> Curve:
    """The best lower bound on R(D): the largest rate of a point of kind "lower" at a distortion of at least D.

    Args:
      table: the rows of estimators.
      distortion: D [...].

    Returns:
      Rates and errors [...]; 0 where nothing is known. An error of a point's distortion counts as that of its rate as
      steeply as the lower bound falls there: so much less is known at D, if the point is at D less its error.
    """
    d = np.asarray(distortion, np.float64)
    x, y, x_se, y_se = _points(table, "lower")
    rate, se = np.zeros(d.shape), np.zeros(d.shape)
    slope = _own_slopes(x, y, _slopes(table, x))
    for here, bits, error in zip(x, y, y_se + slope * x_se):
        better = (here >= d) & (bits > rate)
        rate, se = np.where(better, bits, rate), np.where(better, error, se)
    return Curve(rate, se)


def _own_slopes(distortion: np.ndarray, rate: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """How steep a bound is at its points, to the steeper side, bits per unit; `otherwise` where there is one alone."""
    order = np.argsort(distortion, kind="stable")
    x, y = distortion[order], np.maximum.accumulate(rate[order][::-1])[::-1]  # what is known at least as far out
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(np.diff(x) > 0, -np.diff(y) / np.diff(x), 0.0)
    steeper = np.maximum(np.append(steps, 0.0), np.append(0.0, steps))
    found = otherwise.copy()
    if x.size > 1:
        found[order] = steeper
    return found


def _slopes(table: Table, distortion: np.ndarray) -> np.ndarray:
    """How steep the best upper curve is at distortions, bits per unit; 0 where there is none."""
    step = 1e-3 * np.maximum(distortion, 1e-30)
    rise = upper_curve(table, distortion - step).rate - upper_curve(table, distortion + step).rate
    return np.nan_to_num(np.maximum(rise, 0.0) / (2.0 * step))


def contradictions(table: Table) -> list[int]:
    """Finds lower bounds above upper ones, by more than three standard errors of both.

    Args:
      table: the rows of estimators.

    Returns:
      Indices of the lower bounds' rows.
    """
    upper = upper_curve(table, table["distortion"])
    errors = np.asarray(table["rate_se"], np.float64) + _slopes(table, np.asarray(table["distortion"], np.float64)) * (
        np.asarray(table["distortion_se"], np.float64))
    with np.errstate(invalid="ignore"):
        above = np.asarray(table["rate_bits"], np.float64) - upper.rate > _ROUNDING + _SIGNIFICANT * np.hypot(
            upper.se, errors)
    return [row for row, kind in enumerate(table["kind"]) if kind == "lower" and above[row]]


def vector_slopes(vectors: np.ndarray, rates: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and distortions at which the Gaussian of the same covariance has given rates: where to look for a curve.

    Reverse water-filling of the covariance's eigenvalues lam_i at the level theta:
    R = sum max(0, 1/2 log2(lam_i / theta)), D = sum min(lam_i, theta), -dR/dD = 1 / (2 theta ln 2).

    Args:
      vectors: samples [n, dimension].
      rates: bits per vector, positive.

    Returns:
      Slopes in bits per unit of squared error, and distortions, float64 [rates] each.

    Raises:
      ValueError: if a rate is not positive and finite.

    Reference: cover2006elements, theorem 10.3.3.
    """
    wanted = np.asarray(rates, np.float64)
    if not (wanted.size and np.isfinite(wanted).all() and (wanted > 0).all()):
        raise ValueError(f"rates must be positive and finite, got {rates}")
    centered = np.asarray(vectors, np.float64) - np.mean(vectors, 0, dtype=np.float64)
    eigenvalues = np.sort(np.maximum(np.linalg.eigvalsh(centered.T @ centered / len(centered)), 0.0))[::-1]
    used = eigenvalues[eigenvalues > 1e-9 * eigenvalues[0]]
    logs = np.log2(used)
    counts = np.arange(1, used.size + 1)
    at_next = 0.5 * (np.cumsum(logs) - counts * np.append(logs[1:], -np.inf))  # rate when the next one begins
    active = np.searchsorted(at_next, wanted) + 1
    level = 2.0 ** ((np.cumsum(logs)[active - 1] - 2.0 * wanted) / active)
    return 0.5 / (level * np.log(2.0)), np.minimum(eigenvalues, level[:, None]).sum(-1)
