"""Draws curves of codecs, one panel per metric, over their rates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rdr.evaluation.rd_curves import Curve
from rdr.metrics.convex_hull import lower_hull, upper_hull

_COLORS = ("#1b1b4b", "#8a1c5c", "#d1495b", "#e8963a", "#7fb069", "#58a4b0")
_MARKERS = "os^DvPX*<>"
_LABELS = {
    "psnr": "PSNR (dB)", "psnr_of_mean_mse": "PSNR of mean MSE (dB)",
    "ssim": "SSIM, −10 log₁₀(1 − x) (dB)", "ms_ssim": "MS-SSIM, −10 log₁₀(1 − x) (dB)",
    "fid": "FID",
    "rate_bpp": "rate (bits per pixel)", "rate_bits": "rate (bits per sample)", "mse": "mean squared error",
    "distortion": "distortion (mean squared error)", "perception": "perception (W2²)", "nlpd": "NLPD",
    "ciede2000": "CIEDE2000", "csf": "CSF-weighted error (thresholds)",
    "csf_castle": "castleCSF-weighted error (thresholds)", "lpips_alexnet": "LPIPS (AlexNet)",
    "cvvdp": "ColorVideoVDP (JOD)",
    "lpips_vgg16": "LPIPS (VGG-16)", "dists": "DISTS", "wd_vgg16": "Wasserstein distortion (VGG-16)",
}  # fmt: skip
_SIMILARITIES = ("ssim", "ms_ssim")


def points_of(curve: Curve, metric: str, *, hull: bool, resample: np.ndarray | None = None) -> tuple[Any, Any]:
    """Returns rates and metric of a curve, its hull if asked for.

    Args:
      curve: the curve.
      metric: the metric.
      hull: keep only points on the convex hull.
      resample: indices of images to average over, with repetitions; default: the curve's own values.

    Returns:
      Two arrays [points].
    """
    rates, values = curve.rates, curve.metrics[metric]
    if resample is not None:
        rates = curve.per_image[curve.rate_name][:, resample].mean(1)
        values = curve.per_image[metric][:, resample].mean(1)
    there = np.isfinite(values)
    rates, values = rates[there], values[there]
    if hull and rates.size:
        # Better is more where the metric rises with the rate.
        rising = np.corrcoef(rates, values)[0, 1] > 0 if rates.size > 1 else True
        retained = (upper_hull if rising else lower_hull)(rates, values)
        rates, values = rates[retained], values[retained]
    return rates, values


def make_figure(curves: Sequence[Curve], metrics: Sequence[str]) -> Figure:
    """Draws one panel per metric, all curves over their rates; similarities in decibels of what they lack to 1.

    Args:
      curves: the curves.
      metrics: what to draw.

    Returns:
      The figure.
    """
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    legend_rows = -(-len(curves) // (3 if columns > 1 else 2))
    figure = Figure(figsize=(3.6 * max(columns, 1.4), 2.9 * rows + 0.22 * legend_rows + 0.2), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, metric in zip(axes.flat, metrics):
        for number, curve in enumerate(curves):
            if metric not in curve.metrics:
                continue
            rates, values = points_of(curve, metric, hull=False)
            if metric in _SIMILARITIES:
                # They crowd below 1, which is infinitely good.
                rates, values = rates[values < 1], -10 * np.log10(1 - values[values < 1])
            order = np.argsort(rates)
            axis.plot(rates[order], values[order], color=_COLORS[number % len(_COLORS)], lw=1.2, ms=4,
                      ls=("-", "--", "-.", ":")[number // len(_COLORS) % 4], marker=_MARKERS[number % len(_MARKERS)],
                      label=curve.name)
        drawn = np.concatenate([line.get_xdata() for line in axis.get_lines()] or [[1.0]])
        if drawn.min() > 0 and drawn.max() > 10 * drawn.min():
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter("{x:g}")
        axis.set_xlabel(_LABELS[curves[0].rate_name])
        axis.set_ylabel(_label(metric))
        axis.grid(color="0.9", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in list(axes.flat)[len(metrics):]:
        axis.set_visible(False)
    handles = {label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels())}
    legend = figure.legend(handles.values(), handles.keys(), loc="outside upper center", frameon=False, fontsize=8,
                           ncols=3 if columns > 1 else 2)
    for text in (*legend.get_texts(), *(axis.yaxis.label for axis in axes.flat)):
        text.set_parse_math(False)  # names are the user's, dollar signs and all
    return figure


def _label(metric: str) -> str:
    kind, _, network = metric.partition("_")
    if kind in ("fd", "kd"):
        return f"{kind.upper()} ({network.replace('_', ' ')})"
    return _LABELS.get(metric, metric.replace("_", " "))
