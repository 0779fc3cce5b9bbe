"""Metrics and rates beside the scales of `rdr study analyze`."""

from collections.abc import Sequence
from typing import Any

from rdr.cli.study_results import Result
from rdr.evaluation.rd_plots import make_figure
from rdr.evaluation.studies.condition_values import RATE, Values, read_values
from rdr.evaluation.studies.jnd_curves import DELTA_COLUMNS, METRIC, compare_curves, make_curves
from rdr.evaluation.studies.metric_agreement import (
    AGREEMENT_COLUMNS,
    STATISTICS,
    agreement_with_scales,
    gather_points,
)
from rdr.evaluation.studies.opinion_scores import opinion_rows, read_ratings
from rdr.evaluation.studies.scale_tables import to_csv
from rdr.evaluation.tables import render

_CURVE_COLUMNS = ("study", "codec", RATE, METRIC, "sources")


def read_tables(config: Any) -> dict[str, Values]:
    """Reads what scales are compared with.

    Args:
      config: of `rdr.cli.study_analyze`.

    Returns:
      "metrics" and "rates", those that there are.

    Raises:
      ValueError: if a table cannot be used.
    """
    values = {}
    if config.metrics:
        values["metrics"] = read_values(config.metrics)
        if RATE in values["metrics"].numbers:
            values["rates"] = values["metrics"]
    if config.rates:
        values["rates"] = read_values(config.rates)
        if RATE not in values["rates"].numbers:
            raise ValueError(f"--rates: {config.rates} must have a column {RATE}")
    return values


def compare(
    results: Sequence[Result], values: dict[str, Values], config: Any, document: dict[str, Any], written: dict[str, Any]
) -> list[str]:
    """Compares metrics and rates with the scales of all studies.

    Args:
      results: of the studies.
      values: of `read_tables`.
      config: of `rdr.cli.study_analyze`.
      document: gets "metrics" and "bd_rates".
      written: gets metrics.csv, curves.csv, bd_rates.csv and curves.png.

    Returns:
      Tables for a person.

    Raises:
      ValueError: if a study and a table have nothing in common.
    """
    metrics, deltas, points_of_curves, text = [], [], [], []
    for result in results if values else ():
        if not result.scales:
            continue
        study, question = result.answers.study, result.answers.question
        points = gather_points(result.scales, question=question, resamples=config.resamples, seed=config.seed)
        if "metrics" in values:
            metrics += [{"study": study, **row} for row in agreement_with_scales(points, values["metrics"],
                                                                                 seed=config.seed)]
        if "rates" in values:
            curves, places = make_curves(points, values["rates"], question=question)
            deltas += [{"study": study, **row} for row in compare_curves(
                curves, places, points, question=question, anchor=config.anchor, seed=config.seed)]
            points_of_curves += [
                dict(zip(_CURVE_COLUMNS, (study, curve.name, float(rate), float(scale), len(curve.images))))
                for curve in curves for rate, scale in zip(curve.rates, curve.metrics[METRIC])]
            figure = make_figure(curves, [METRIC])
            figure.axes[0].set_ylabel(f"{question} (JND)")
            written["curves.png" if len(results) == 1 else f"curves_{study}_{result.answers.protocol}.png"] = figure
    if metrics:
        document["metrics"] = metrics
        written["metrics.csv"] = to_csv(metrics, AGREEMENT_COLUMNS)
        shown = {name: [f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]" for row in metrics]
                 for name in STATISTICS}
        text.append(render({name: [row[name] for row in metrics] for name in ("study", "metric")} | shown
                           | {name: [row[name] for row in metrics] for name in ("images", "pairs")}))
    if points_of_curves:
        document["bd_rates"] = deltas
        written["curves.csv"] = to_csv(points_of_curves, _CURVE_COLUMNS)
        written["bd_rates.csv"] = to_csv(deltas, DELTA_COLUMNS)
        text += [_say(row) for row in deltas]
    return text


def rate(config: Any, document: dict[str, Any], written: dict[str, Any]) -> list[str]:
    """Makes mean opinion scores of ratings, where there are any.

    Args:
      config: of `rdr.cli.study_analyze`.
      document: gets "opinions" and "rejected_raters".
      written: gets opinions.csv.

    Returns:
      Tables for a person.

    Raises:
      ValueError: if the table cannot be used.
    """
    if not config.ratings:
        return []
    ratings = read_ratings(config.ratings)
    rows, rejected = opinion_rows(ratings)
    ways = [f"{name}{end}" for name in ("mos", "bt500", "p910") for end in ("", "_low", "_high")]
    document |= {"opinions": rows, "rejected_raters": list(rejected)}
    written["opinions.csv"] = to_csv(rows, ("source", "condition", "level", *ways, "ratings"))
    shown = {name: [f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]" for row in rows]
             for name in ("mos", "bt500", "p910")}
    names = {name: [row[name] for row in rows] for name in ("source", "condition", "level")}
    return [render(names | shown), f"BT.500 rejects {', '.join(rejected) or 'nobody'} of {len(ratings.observers)}"]


def _say(row: dict[str, Any]) -> str:
    start = f"{row['study']}: at equal scales {row['codec']} needs, beside {row['anchor']},"
    if row["refused"]:
        return f"{start} no rate that can be told: {row['refused']}"
    return (f"{start} {row['bd_rate_percent']:+.1f} % rate [{row['bd_rate_low']:+.1f}, {row['bd_rate_high']:+.1f}], "
            f"from {row['from']:.2f} to {row['to']:.2f} JND")
