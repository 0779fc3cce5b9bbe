"""Comparisons of curves by `rdr compare`: Bjontegaard deltas, their intervals, and what is not compared."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdr.command_line import option
from rdr.evaluation.rd_curves import Curve
from rdr.evaluation.rd_plots import points_of
from rdr.metrics.bjontegaard import METHODS, Deltas, bd_difference, bd_metric, bd_rate
from rdr.metrics.bootstrap import bootstrap_interval

_OVERSHOOT = 0.2  # difference of two interpolations in log rate that is more than a matter of taste


@dataclasses.dataclass(frozen=True)
class Config:
    """What to compare; each field says what it is."""

    inputs: tuple[str, ...] = option((), "tables and folders; words without a flag are the same")
    reference: str = option(
        "", "folder of original images, where inputs hold decoded ones", first=True, metavar="FOLDER")
    metrics: tuple[str, ...] = option(("fast",), "metrics of evaluations made here; see `rdr evaluate --help`")
    anchor: str = option(
        "", "name of the curve that others are compared with; none: the first", first=True, metavar="NAME")
    codecs: tuple[str, ...] = option((), "names of the curves to compare, separated by commas; none: all", first=True)
    method: str = option("akima", "interpolation of the curves; cubic is the original, and overshoots", choices=METHODS)
    min_overlap: float = option(
        0.1, "least share of both curves' range that they must have in common, from 0 to 1, to be compared")
    hull: bool = option(False, "compare convex hulls, for curves that are not monotone")
    axis: str = option(
        "", "metric over which --other is compared: realism at equal fidelity, --axis=psnr --other=fid", metavar="NAME")
    other: str = option("", "metric that is compared at equal values of --axis", metavar="NAME")
    seed: int = option(0, "random seed of evaluations and resamples")

    def __post_init__(self):
        if not 0.0 <= self.min_overlap <= 1.0:
            raise ValueError(f"--min_overlap must be in [0, 1], got {self.min_overlap}")


def compare_metric(curves: Sequence[Curve], metric: str, config: Config) -> list[dict[str, Any]]:
    """Compares all curves that have a metric with the anchor.

    Args:
      curves: the anchor first.
      metric: the metric.
      config: method, hull and seed.

    Returns:
      One row per other curve: deltas, interval, or why they cannot be computed. With three curves or more also the
      deltas over the range that all of them share.
    """
    anchor, rows = curves[0], []
    own = [curve for curve in curves if metric in curve.metrics]
    if anchor not in own or len(own) < 2:
        return []

    def deltas(chosen, resample=None):
        axes = list(zip(*(points_of(curve, metric, hull=config.hull, resample=resample) for curve in chosen)))
        options = {"method": config.method, "names": [curve.name for curve in chosen]}
        return bd_rate(*axes, **options), bd_metric(*axes, **options)

    try:
        shared = [part.values for part in deltas(own)] if len(own) > 2 else None
    except ValueError:
        shared = None
    for number, curve in enumerate(own[1:], 1):
        row: dict[str, Any] = {"metric": metric, "codec": curve.name, "anchor": anchor.name}
        try:
            check_protocols(metric, anchor, curve)
            rate, value = deltas((anchor, curve))
            check_overlap(rate, config)
        except ValueError as error:
            rows.append(row | {"refused": str(error)})
            continue
        row |= {
            "bd_rate_percent": rate.values[1], "bd_metric": value.values[1], "from": rate.interval[0],
            "to": rate.interval[1], "overlap": rate.overlap,
        }  # fmt: skip
        if shared is not None:
            row |= {"bd_rate_percent_common": shared[0][number], "bd_metric_common": shared[1][number]}
        if config.method == "cubic":
            points = (points_of(one, metric, hull=config.hull) for one in (anchor, curve))
            row |= check_fit(rate, *zip(*points))
        if metric in anchor.per_image and metric in curve.per_image and anchor.images == curve.images:
            count = len(anchor.images)
            if count > 1:
                try:
                    result = bootstrap_interval(
                        lambda index, pair=(anchor, curve): deltas(pair, index)[0].values[1], count, seed=config.seed,
                        resamples=200,
                    )  # fmt: skip
                    row |= {"bd_rate_low": result.low, "bd_rate_high": result.high}
                except ValueError:
                    row["note"] = "no interval: most resamples of images cannot be compared"
        rows.append(row)
    return rows


def check_overlap(found: Deltas, config: Config) -> None:
    """Refuses comparisons that rest on a small part of the curves.

    Args:
      found: deltas of two curves.
      config: the least overlap.

    Raises:
      ValueError: if the curves have less in common.
    """
    if found.overlap < config.min_overlap:
        raise ValueError(f"the curves share {100 * found.overlap:.1f} % of their range, {found.interval[0]:.4g} to "
                         f"{found.interval[1]:.4g}: --min_overlap=0 compares them all the same")


def check_fit(found: Deltas, rates: Sequence[np.ndarray], metrics: Sequence[np.ndarray]) -> dict[str, str]:
    """Looks whether a fit by one cubic each follows the curves.

    Args:
      found: the change of rate by the cubics.
      rates: of both curves, [points] each.
      metrics: of both curves.

    Returns:
      A note, or nothing.
    """
    other = bd_rate(rates, metrics, method="pchip").values[1]
    differs = abs(np.log1p(found.values[1] / 100) - np.log1p(other / 100)) > _OVERSHOOT
    return {"note": f"the cubic fit overshoots: pchip says {other:.1f} %"} if differs else {}


def check_protocols(metric: str, anchor: Curve, curve: Curve) -> None:
    """Refuses numbers that mean different things.

    Args:
      metric: the metric.
      anchor: a curve.
      curve: another.

    Raises:
      ValueError: if both say what they computed the metric under, and it differs.
    """
    ours, theirs = (c.protocols.get(metric) for c in (anchor, curve))
    if ours is None or theirs is None or ours == theirs:
        return
    flat = [{**protocol, **(protocol.get("options") or {})} for protocol in (ours, theirs)]
    differ = sorted(key for key in flat[0] | flat[1] if key != "options" and flat[0].get(key) != flat[1].get(key))
    raise ValueError(f"{curve.name} and {anchor.name} must have one protocol of {metric}, they differ in "
                     f"{', '.join(differ)}")


def compare_axes(curves: Sequence[Curve], config: Config) -> list[dict[str, Any]]:
    """Compares one metric at equal values of another.

    Args:
      curves: the anchor first.
      config: `axis` and `other`.

    Returns:
      One row per other curve.

    Raises:
      ValueError: if only one of `axis` and `other` is given, or the anchor lacks one.
    """
    if not (config.axis or config.other):
        return []
    both = [curve for curve in curves if config.axis in curve.metrics and config.other in curve.metrics]
    if not both or both[0] is not curves[0]:
        raise ValueError(f"--axis and --other must both name metrics of {curves[0].name}, got {config.axis!r} and "
                         f"{config.other!r}; it has {', '.join(curves[0].metrics)}")
    rows = []
    for curve in both[1:]:
        row: dict[str, Any] = {"metric": f"{config.other} at equal {config.axis}", "codec": curve.name,
                               "anchor": both[0].name}
        try:
            for name in (config.axis, config.other):
                check_protocols(name, both[0], curve)
            result = bd_difference(
                *([c.metrics[name] for c in (both[0], curve)] for name in (config.axis, config.other)),
                method=config.method, names=[both[0].name, curve.name],
            )  # fmt: skip
            check_overlap(result, config)
            row |= {"bd_metric": result.values[1], "from": result.interval[0], "to": result.interval[1],
                    "overlap": result.overlap}
        except ValueError as error:
            row["refused"] = str(error)
        rows.append(row)
    return rows
