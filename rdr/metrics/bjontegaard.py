"""Bjontegaard deltas: how far curves are apart on average, on the range that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import interpolate

METHODS = ("cubic", "pchip", "akima")
# Least points that each interpolation is defined by.
_MIN_POINTS = {"cubic": 4, "pchip": 2, "akima": 2}


class Deltas(NamedTuple):
    """Average differences of several curves to the first, all over one interval.

    Attributes:
      values: [curves], 0 for the first; percent for a rate (`bd_rate`), else units of the compared axis.
      interval: ends of the common range of the other axis.
      overlap: the interval's length divided by that of the union of all curves' ranges.
    """

    values: np.ndarray
    interval: tuple[float, float]
    overlap: float


def bd_rate(
    rates: Sequence[ArrayLike], metrics: Sequence[ArrayLike], *, method: str = "akima",
    names: Sequence[str] | None = None,
) -> Deltas:
    """Computes how much more rate each curve takes than the first at equal quality, in percent.

    With r_k(q) the interpolated log rate of curve k at quality q, and [a, b] the range of q that all curves have,

        100 (exp( 1/(b - a) int_a^b r_k(q) - r_1(q) dq ) - 1).

    All curves are compared over one interval, so that their order does not depend on the pairing.

    Args:
      rates: for each curve its rates, [points], positive; at least two curves.
      metrics: for each curve the metric at these rates, [points]; PSNR in dB, or any other that rises with the rate,
        or any that falls with it, the same for all curves.
      method: "cubic" (one polynomial of degree 3, of least squares if there are more than four points: the original),
        "pchip" (monotone piecewise cubics) or "akima" (piecewise cubics that follow measured curves best).
      names: the curves' names, for messages.

    Returns:
      Percent per curve, negative if the curve needs less rate than the first.

    Raises:
      ValueError: if a curve has too few points, a rate is not positive, a number is not finite, a curve is not
        strictly monotone, curves run in opposite directions, the curves share no range of the metric, the
        method is unknown, or `names` are not one per curve.

    Reference:
      Bjontegaard (bjontegaard2001calculation), Calculation of average PSNR differences between RD-curves, VCEG-M33
      (2001). Herglotz et al., The Bjontegaard Bible: why your way of comparing video codecs may be wrong, IEEE TIP
      2024, arXiv 2304.12852, for Akima interpolation. For two curves equal to the package `bjontegaard`.
    """
    arrays = [np.asarray(rate, np.float64) for rate in rates]
    for name, rate in zip(_names(names, len(arrays)), arrays):
        if not ((rate > 0) & np.isfinite(rate)).all():
            raise ValueError(f"{name} must have positive finite rates, got {rate}")
    deltas = bd_difference(metrics, [np.log(rate) for rate in arrays], method=method, names=names)
    return deltas._replace(values=100.0 * np.expm1(deltas.values))


def bd_metric(
    rates: Sequence[ArrayLike], metrics: Sequence[ArrayLike], *, method: str = "akima",
    names: Sequence[str] | None = None,
) -> Deltas:
    """Computes how much higher the metric of each curve is than the first's at equal rate ("BD-PSNR").

    The average of the difference over the common range of the logarithm of the rate.

    Args:
      rates: as for `bd_rate`.
      metrics: as for `bd_rate`.
      method: as for `bd_rate`.
      names: as for `bd_rate`.

    Returns:
      Units of the metric, per curve; the interval in log rate (natural).

    Raises:
      ValueError: as `bd_rate`.
    """
    arrays = [np.asarray(rate, np.float64) for rate in rates]
    for name, rate in zip(_names(names, len(arrays)), arrays):
        if not ((rate > 0) & np.isfinite(rate)).all():
            raise ValueError(f"{name} must have positive finite rates, got {rate}")
    return bd_difference([np.log(rate) for rate in arrays], metrics, method=method, names=names)


def bd_difference(
    bases: Sequence[ArrayLike], values: Sequence[ArrayLike], *, method: str = "akima",
    names: Sequence[str] | None = None,
) -> Deltas:
    """Computes the average difference of curves v_k(b) to the first over the range of b that all have.

    `bd_rate` and `bd_metric` are this with a logarithm on one axis; with two metrics (PSNR and a Frechet distance,
    say) it compares realism at equal fidelity.

    Args:
      bases: for each curve its abscissae, [points].
      values: for each curve its ordinates, [points].
      method: as for `bd_rate`.
      names: as for `bd_rate`.

    Returns:
      Units of `values`, per curve.

    Raises:
      ValueError: as `bd_rate`.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
    if len(bases) != len(values) or len(bases) < 2:
        raise ValueError(f"curves must be two or more, each with both axes, got {len(bases)} and {len(values)}")
    names = _names(names, len(bases))
    curves = [_checked(n, b, v, _MIN_POINTS[method]) for n, b, v in zip(names, bases, values)]
    # Curves share a direction, or a difference at equal abscissae means nothing.
    rising = [curve[1][-1] > curve[1][0] for curve in curves]
    for name, up in zip(names, rising):
        if up != rising[0]:
            raise ValueError(f"{name} must run in the same direction as {names[0]}: one rises where the other falls")
    low, high = max(b[0] for b, _ in curves), min(b[-1] for b, _ in curves)
    if not low < high:
        first = max(range(len(curves)), key=lambda i: curves[i][0][0])
        last = min(range(len(curves)), key=lambda i: curves[i][0][-1])
        raise ValueError(
            f"curves must share a range, but {names[first]} begins at {low:.6g} where {names[last]} ends at {high:.6g}"
        )
    means = np.array([_integral(b, v, low, high, method) / (high - low) for b, v in curves])
    union = max(b[-1] for b, _ in curves) - min(b[0] for b, _ in curves)
    return Deltas(means - means[0], (float(low), float(high)), float((high - low) / union))


def _names(names: Sequence[str] | None, count: int) -> list[str]:
    if names is None:
        return [f"curve {i + 1}" for i in range(count)]
    if len(names) != count:
        raise ValueError(f"names must be one per curve, {count}, got {len(names)}")
    return list(names)


def _checked(name: str, base: Any, value: Any, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Sorts a curve by its abscissa; refuses what is not the graph of a monotone function."""
    base, value = np.asarray(base, np.float64), np.asarray(value, np.float64)
    if base.ndim != 1 or base.shape != value.shape:
        raise ValueError(f"{name} must have as many values as abscissae, got shapes {base.shape} and {value.shape}")
    if base.size < least:
        raise ValueError(f"{name} must have at least {least} points for this interpolation, got {base.size}")
    if not (np.isfinite(base).all() and np.isfinite(value).all()):
        raise ValueError(f"{name} must have finite values, got {base} and {value}")
    order = np.argsort(base, kind="stable")
    base, value = base[order], value[order]
    steps = np.diff(value)
    if (np.diff(base) <= 0).any() or not ((steps > 0).all() or (steps < 0).all()):
        at = int(np.argmax(np.diff(base) <= 0)) if (np.diff(base) <= 0).any() else int(
            np.argmax(np.sign(steps) != np.sign(value[-1] - value[0])))
        raise ValueError(
            f"{name} must be strictly monotone, but goes from ({base[at]:.6g}, {value[at]:.6g}) to "
            f"({base[at + 1]:.6g}, {value[at + 1]:.6g}): drop points, or take its convex hull first"
        )
    return base, value


def _integral(base: np.ndarray, value: np.ndarray, low: float, high: float, method: str) -> float:
    if method == "cubic":
        # Centerd and scaled for the sake of the fit's condition; the polynomial is the same.
        middle, scale = 0.5 * (base[0] + base[-1]), 0.5 * (base[-1] - base[0])
        integral = np.polyint(np.polyfit((base - middle) / scale, value, 3))
        ends = (np.array([low, high]) - middle) / scale
        return float(scale * np.subtract(*np.polyval(integral, ends)[::-1]))
    if method == "pchip" or base.size == 2:
        return float(interpolate.PchipInterpolator(base, value).integrate(low, high))
    return float(interpolate.Akima1DInterpolator(base, value).integrate(low, high))
