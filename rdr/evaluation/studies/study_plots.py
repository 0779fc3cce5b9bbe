"""Figures of studies: scales over levels, and what right answers depend on."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from rdr.evaluation.studies.answers import natural_order
from rdr.evaluation.studies.psychometric import CHANCE, metamer_sensitivity, percent_correct, share_interval
from rdr.evaluation.studies.scaling import Scales
from rdr.evaluation.studies.thresholds import ALL_SOURCES, Detection

COLORS = ("#1b1b4b", "#8a1c5c", "#d1495b", "#e8963a", "#7fb069", "#58a4b0")
_MARKERS = "os^DvP"
_MAX_PANELS = 24


def scales_figure(fits: Sequence[Scales], *, label: str) -> Figure:
    """Draws the scales of one study with their intervals, a panel for each source.

    Args:
      fits: of the study; the first 24 sources are drawn.
      label: of the axis of scales, such as "distortion".

    Returns:
      The figure: over levels where all of them are numbers and some condition has several, else by name.
    """
    sources = list(dict.fromkeys(fit.source for fit in fits))[:_MAX_PANELS]
    fits = [fit for fit in fits if fit.source in sources]
    names = sorted({item.condition for fit in fits for i, item in enumerate(fit.items) if i != fit.reference},
                   key=natural_order)
    levels = {name: {item.level for fit in fits for item in fit.items if item.condition == name} for name in names}
    ordered = all(natural_order(level)[0] == 0 for own in levels.values() for level in own)
    ordered = ordered and any(len(own) > 1 for own in levels.values())
    columns = min(3 if ordered else 2, len(sources))
    rows = -(-len(sources) // columns)
    height = 2.5 if ordered else 0.9 + 0.22 * sum(map(len, levels.values()))
    figure = Figure(figsize=(3.4 * max(columns, 1.3), height * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=ordered)
    for axis, source in zip(axes.flat, sources):
        own = [fit for fit in fits if fit.source == source]
        (_draw_levels if ordered else _draw_names)(axis, own, names)
        axis.set_title(f"source {source}", fontsize=9).set_parse_math(False)
        _clean(axis)
    for number in range(len(sources), axes.size):
        axes.flat[number].set_visible(False)
        axes.flat[number - columns].tick_params(labelbottom=True)
    if ordered:
        figure.supylabel(f"{label} (JND)", fontsize=9)
        figure.supxlabel("level", fontsize=9)
        if len(names) > 1:
            handles = {text: handle for axis in axes.flat for handle, text in zip(*axis.get_legend_handles_labels())}
            legend = figure.legend(handles.values(), handles.keys(), loc="outside upper center", frameon=False,
                                   fontsize=8, ncols=min(4, len(handles)))
            for text in legend.get_texts():
                text.set_parse_math(False)
    else:
        figure.supxlabel(f"{label} (JND), with intervals of 95 %", fontsize=9)
    return figure


def _draw_levels(axis, fits: Sequence[Scales], names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        points = []
        for fit in fits:
            for i, item in enumerate(fit.items):
                # The source stands at level 0 of each of its codecs, if it is called so.
                of_source = i == fit.reference and natural_order(item.level)[0] == 0 and fit.condition in ("", name)
                if item.condition == name or of_source:
                    points.append((float(item.level), fit.scale[i], fit.lower[i], fit.upper[i]))
        if not any(item.condition == name for fit in fits for item in fit.items):
            continue
        level, scale, lower, upper = np.array(sorted(set(points))).T
        color = COLORS[number % len(COLORS)]
        axis.fill_between(level, lower, upper, color=color, alpha=0.18, linewidth=0)
        axis.plot(level, scale, color=color, marker=_MARKERS[number % len(_MARKERS)], ms=3.5, lw=1.2, label=name)


def _draw_names(axis, fits: Sequence[Scales], names: Sequence[str]) -> None:
    points = sorted({(item, fit.scale[i], fit.lower[i], fit.upper[i]) for fit in fits
                     for i, item in enumerate(fit.items)}, key=lambda point: point[1])  # fmt: skip
    conditions = [item.condition for item, *_ in points]
    texts = [item.condition if conditions.count(item.condition) == 1 else f"{item.condition}, {item.level}"
             for item, *_ in points]
    for row, (item, scale, lower, upper) in enumerate(points):
        color = COLORS[names.index(item.condition)] if item.condition in names and len(names) <= len(COLORS) else "0.3"
        axis.plot([lower, upper], [row, row], color=color, lw=1.4)
        axis.plot([scale], [row], marker="o", ms=4, color=color)
    axis.set_yticks(range(len(points)), texts, fontsize=7)
    for text in axis.get_yticklabels():
        text.set_parse_math(False)
    axis.set_ylim(-0.6, len(points) - 0.4)


def _clean(axis) -> None:
    axis.grid(color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def detection_figure(detections: Sequence[Detection], *, lapse: float) -> Figure:
    """Draws shares of right answers over levels with their intervals, and the fitted functions, a panel a codec.

    Args:
      detections: of a study; those of all sources together if there are such, else every source's.
      lapse: of the fits.

    Returns:
      The figure.
    """
    pooled = [one for one in detections if one.source == ALL_SOURCES]
    shown = (pooled or list(detections))[:_MAX_PANELS]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(3.4 * max(columns, 1.3), 2.6 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axis, one in zip(axes.flat, shown):
        numeric = all(natural_order(level)[0] == 0 for level in one.levels)
        places = np.array([float(level) if numeric else i for i, level in enumerate(one.levels)])
        share, low, high = np.array([share_interval(r, t) for r, t in zip(one.right.T, one.total.T)]).T
        axis.axhline(CHANCE[one.task], color="0.6", lw=0.8, ls=":")
        axis.errorbar(places, share, yerr=np.maximum([share - low, high - share], 0.0), fmt="o", ms=4, lw=1.2,
                      color=COLORS[0])
        fit = one.threshold
        if fit is not None:
            grid = np.geomspace(places.min(), places.max(), 200)
            d = metamer_sensitivity(grid, fit.critical, fit.gain, rising=fit.rising)
            expected = (1 - lapse) * percent_correct(d, one.task) + lapse * CHANCE[one.task]
            axis.plot(grid, expected, color=COLORS[2], lw=1.2)
            if places.min() < fit.critical < places.max():
                axis.axvline(fit.critical, color=COLORS[2], lw=0.8, ls="--")
        if not numeric:
            axis.set_xticks(places, one.levels)
        axis.set_title(f"{one.condition}, source {one.source}" if not pooled else one.condition,
                       fontsize=9).set_parse_math(False)
        axis.set_ylim(None, 1.03)
        _clean(axis)
    for number in range(len(shown), axes.size):
        axes.flat[number].set_visible(False)
    figure.supylabel("share of right answers", fontsize=9)
    figure.supxlabel("level", fontsize=9)
    return figure
