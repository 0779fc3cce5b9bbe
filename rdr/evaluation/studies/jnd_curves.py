"""Rate-distortion curves whose distortion is what people see, and Bjontegaard deltas between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rdr.evaluation.rd_curves import Curve
from rdr.evaluation.studies.condition_values import RATE, Values, look_up
from rdr.evaluation.studies.metric_agreement import Points
from rdr.metrics.bjontegaard import bd_rate
from rdr.metrics.convex_hull import lower_hull, upper_hull

METRIC = "jnd"
DELTA_COLUMNS = ("study", "codec", "anchor", "bd_rate_percent", "bd_rate_low", "bd_rate_high", "from", "to", "refused")


def make_curves(points: Points, values: Values, *, question: str) -> tuple[list[Curve], dict[str, np.ndarray]]:
    """Makes a curve of each codec: rate and scale, averaged over the sources that have all of its levels.

    Args:
      points: scales of a study.
      values: rates of its images, `RATE`.
      question: "distortion" or "preference": what the curves show.

    Returns:
      Curves of the codecs that have rates at two levels or more, with the values of each source; and codec -> [levels,
      sources] indices of `points`.

    Raises:
      ValueError: if there are no rates, or no codec has them.
    """
    if RATE not in values.numbers:
        raise ValueError(f"rates must be in a column {RATE}")
    rates = look_up(values, RATE, points.keys)
    sign = -1.0 if question == "distortion" else 1.0
    curves, places = [], {}
    for codec in dict.fromkeys(item.condition for _, item in points.keys):
        own = {(points.source[i], item.level): i for i, (_, item) in enumerate(points.keys)
               if item.condition == codec and np.isfinite(rates[i])}
        levels = list(dict.fromkeys(level for _, level in own))
        sources = [s for s in dict.fromkeys(s for s, _ in own) if all((s, level) in own for level in levels)]
        if len(levels) < 2 or not sources:
            continue
        index = np.array([[own[source, level] for source in sources] for level in levels])
        index = index[np.argsort(rates[index].mean(1), kind="stable")]
        if not (rates[index] > 0).all():
            raise ValueError(f"rates must be positive, codec {codec} has {rates[index].min()}")
        scale = sign * points.quality[index]
        names = tuple(points.keys[i][0] for i in index[0])
        curves.append(Curve(codec, RATE, rates[index].mean(1), {METRIC: scale.mean(1)}, "rdr study analyze",
                            {RATE: rates[index], METRIC: scale}, names))
        places[codec] = index
    if not curves:
        raise ValueError("no codec has rates at two levels of one source: do sources, conditions and levels have the "
                         "names that they have in the answers?")
    return curves, places


def compare_curves(
    curves: Sequence[Curve], places: dict[str, np.ndarray], points: Points, *, question: str, anchor: str = "",
    seed: int,
) -> list[dict[str, Any]]:
    """Computes how much more rate codecs take than one of them at equal scales.

    The curves are those of the sources that both codecs have, on their convex hulls, since scales that hardly differ
    are not in order. Each resample draws observers (a sample of the scales) and, of two or more, sources.

    Args:
      curves: of `make_curves`.
      places: of `make_curves`.
      points: scales.
      question: "distortion" or "preference".
      anchor: the codec that others are compared with; "" for the first.
      seed: of the resamples.

    Returns:
      Rows with `DELTA_COLUMNS` but the study, one a codec other than the anchor; "refused" says why there is none.

    Raises:
      ValueError: if there is no curve of the anchor.
    """
    names = [curve.name for curve in curves]
    if anchor and anchor not in names:
        raise ValueError(f"there is no curve of codec {anchor!r}; there are {', '.join(names)}")
    sign = -1.0 if question == "distortion" else 1.0
    first = curves[names.index(anchor)] if anchor else curves[0]

    def deltas(second: Curve, chosen: list[str], quality: np.ndarray) -> Any:
        axes = []
        for curve in (first, second):
            columns = [curve.images.index(name) for name in chosen]
            rates = curve.per_image[RATE][:, columns].mean(1)
            scale = sign * quality[places[curve.name][:, columns]].mean(1)
            retained = (lower_hull if question == "distortion" else upper_hull)(rates, scale)
            axes.append((rates[retained], scale[retained]))
        return bd_rate(*zip(*axes), names=[first.name, second.name])

    rows, rng = [], np.random.default_rng(seed)
    for curve in curves:
        if curve is first:
            continue
        row: dict[str, Any] = dict.fromkeys(DELTA_COLUMNS[3:8], float("nan")) | {"refused": ""}
        row |= {"codec": curve.name, "anchor": first.name}
        shared = [name for name in first.images if name in curve.images]
        try:
            if not shared:
                raise ValueError(f"{first.name} and {curve.name} have no source in common")
            result = deltas(curve, shared, points.quality)
            row |= {"bd_rate_percent": float(result.values[1]), "from": result.interval[0], "to": result.interval[1]}
        except ValueError as error:
            rows.append(row | {"refused": str(error)})
            continue
        drawn = []
        for sample in points.samples:
            chosen = [shared[i] for i in rng.integers(len(shared), size=len(shared))]
            try:
                drawn.append(float(deltas(curve, chosen, sample).values[1]))
            except ValueError:
                continue
        if 2 * len(drawn) > len(points.samples):
            low, high = np.quantile(drawn, (0.025, 0.975))
            row |= {"bd_rate_low": float(low), "bd_rate_high": float(high)}
        rows.append(row)
    return rows
