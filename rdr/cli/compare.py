"""The command `rdr compare`: curves of rate, fidelity and realism, and Bjontegaard deltas to one of them."""

import contextlib
import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdr import command_line, files
from rdr.cli import evaluate
from rdr.cli.comparisons import Config, compare_axes, compare_metric
from rdr.cli.outcome import Outcome, show_json
from rdr.command_line import CommandLine, UsageError, option
from rdr.data.image_pairs import pair_folders
from rdr.evaluation import tables
from rdr.evaluation.rd_curves import Curve, read_curves
from rdr.evaluation.rd_plots import make_figure
from rdr.metrics.bjontegaard import METHODS

DESCRIPTION = """
Compares codecs: their curves of rate, fidelity and realism, and Bjontegaard deltas to the first one.

    rdr compare kodak_compressai kodak_papers --anchor="VTM 4:4:4" --workdir=out

Each WORD is one of: a published table (kodak_compressai, kodak_papers, clic2020_realism); a CSV table of your own in
the same form (rdr/evaluation/published/README.md); a working directory of `rdr evaluate`, or a folder of them, an
operating point each; a working directory of experiments.images.rd_sweep (our amortized image codecs), of
experiments.images.image_realism (our overfitted codec beside others) or, with points.csv, of any other of our
experiments; or, with --reference=DIR, a folder of folders of decoded images, an operating point each, which are
evaluated first.

Writes curves.csv (all points), comparison.csv and comparison.json (BD-rate in percent and BD-metric, per metric; with
95 % intervals over images where both curves have values of the same images) and curves.png.
"""


@dataclasses.dataclass(frozen=True)
class Extra:
    """What is printed."""

    json: bool = option(False, "print one line of JSON: seconds, curves, and the rows of comparison.csv")


def gather(config: Config, workdir: pathlib.Path) -> list[Curve]:
    """Reads all curves, evaluating folders of images first.

    Args:
      config: names them.
      workdir: evaluations go to its folder `evaluations`.

    Returns:
      The curves that are compared, each of another name.

    Raises:
      ValueError: if an input cannot be used, names are not unique, or a codec that was named is not there.
    """
    read = {word: read_curves(word) for word in config.inputs}
    # Whatever can be refused is refused before the first image is evaluated.
    points = {word: folders_of_points(pathlib.Path(word), config) for word, result in read.items() if not result}
    names = [name for word in config.inputs
             for name in ([pathlib.Path(word).resolve().name] if word in points else [c.name for c in read[word]])]
    compared = {*config.codecs, config.anchor} if config.codecs else set(names)
    for name in names:
        if name in compared and names.count(name) > 1:
            raise ValueError(f"curves must have different names, but {names.count(name)} are called {name!r}: leave it "
                             "out with --codecs, or name one otherwise")
    for name in (*config.codecs, *((config.anchor,) if config.anchor else ())):
        if name not in names:
            raise ValueError(f"there is no curve {name!r}; there are {', '.join(names)}")
    curves = []
    for word in config.inputs:
        curves += [evaluate_folder(pathlib.Path(word), points[word], config, workdir)] if word in points else read[word]
    if config.codecs:
        curves = [curve for curve in curves if curve.name in compared]
    if config.anchor:
        curves.sort(key=lambda curve: curve.name != config.anchor)
    if len({curve.rate_name for curve in curves}) > 1:
        raise ValueError("curves must have one kind of rate, got bits per pixel and bits per sample")
    return curves


def folders_of_points(folder: pathlib.Path, config: Config) -> list[pathlib.Path]:
    """Finds the folders of decoded images in a folder, and checks them.

    Args:
      folder: holds one folder per operating point.
      config: the reference.

    Returns:
      The folders.

    Raises:
      ValueError: if there is no reference or there are no folders, or images are not pairs or have no rates.
    """
    points = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    if not config.reference or not points:
        raise ValueError(
            f"{folder} holds no results; to evaluate images, give --reference=DIR and a folder with one folder of "
            "decoded images per operating point"
        )
    for point in points:
        if pair_folders(config.reference, str(point))[0].bits is None:
            raise ValueError(f"{point} has no rates, as its images are not in the format that they were compressed to: "
                             "evaluate it by `rdr evaluate` with --bitstreams, and compare that")
    return points


def evaluate_folder(
    folder: pathlib.Path, points: Sequence[pathlib.Path], config: Config, workdir: pathlib.Path
) -> Curve:
    """Evaluates a folder of folders of decoded images.

    Args:
      folder: what the curve is named after.
      points: its folders, one per operating point.
      config: the reference, metrics and seed.
      workdir: evaluations go to `evaluations/NAME/POINT`.

    Returns:
      The curve.
    """
    name = folder.resolve().name
    for point in points:
        print(f"evaluating {point}")
        settings = evaluate.Config(
            reference=config.reference, candidate=str(point), metrics=config.metrics, seed=config.seed
        )
        evaluate.run(settings, workdir / "evaluations" / name / point.name)
    return read_curves(str(workdir / "evaluations" / name))[0]


def run(config: Config, workdir: pathlib.Path, extra: Extra = Extra()) -> list[dict[str, Any]]:
    """Compares curves.

    Args:
      config: what to compare.
      workdir: where to write; left alone when the input is refused.
      extra: what is printed.

    Returns:
      The rows of the comparison.

    Raises:
      ValueError: if an input or option cannot be used.
    """
    began = time.perf_counter()
    if not config.inputs:
        raise UsageError("say what to compare: tables or folders, for example kodak_compressai")
    if config.method not in METHODS:
        raise UsageError(f"--method must be one of {', '.join(METHODS)}, got {config.method!r}")
    workdir = pathlib.Path(workdir)
    command_line.check_workdir(workdir, config)
    with contextlib.redirect_stdout(sys.stderr if extra.json else sys.stdout):
        curves = gather(config, workdir)
    metrics = list(dict.fromkeys(name for curve in curves for name in curve.metrics))
    rows = [row for metric in metrics for row in compare_metric(curves, metric, config)] + compare_axes(curves, config)
    with command_line.claim_workdir(workdir, config):
        write_results(workdir, config, curves, metrics, rows)
        duration = time.perf_counter() - began
        tables.write_run_record(workdir, name="rdr compare", config=config, duration_seconds=duration)
    if extra.json:
        show_json(Outcome(seconds=time.perf_counter() - began), curves=[curve.name for curve in curves], rows=rows,
                  workdir=str(workdir))
        return rows
    if rows:
        hidden = ("bd_metric_common", "from", "to", "note", "refused")
        shown = [key for key in _columns(rows) if key not in hidden]
        print(tables.render({key: [_number(row.get(key, "")) for row in rows] for key in shown}, digits=3))
        for row in rows:
            if "refused" in row:
                print(f"no comparison of {row['codec']} by {row['metric']}: {row['refused']}", file=sys.stderr)
            if "note" in row:
                print(f"note: {row['codec']} by {row['metric']}: {row['note']}", file=sys.stderr)
    print(f"{len(curves)} curves; curves.csv, comparison.csv, comparison.json and curves.png are in {workdir}")
    return rows


def write_results(
    workdir: pathlib.Path, config: Config, curves: Sequence[Curve], metrics: Sequence[str], rows: list[dict[str, Any]]
) -> None:
    """Writes `curves.csv`, `comparison.csv`, `comparison.json` and `curves.png`.

    Args:
      workdir: where to.
      config: what was compared.
      curves: the anchor first.
      metrics: of all curves.
      rows: of the comparison.
    """
    figure = make_figure(curves, metrics)
    files.write_figure(workdir / "curves.png", figure, dpi=150, metadata={"Software": None})
    points = {
        "codec": [curve.name.replace(",", "_") for curve in curves for _ in curve.rates],
        curves[0].rate_name: [rate for curve in curves for rate in curve.rates.tolist()],
        **{name: [value for curve in curves for value in
                  curve.metrics.get(name, np.full(curve.rates.size, np.nan)).tolist()] for name in metrics},
    }  # fmt: skip
    points = {name: ["" if value != value else value for value in column] for name, column in points.items()}
    sources = {curve.name: curve.source for curve in curves}
    tables.write_table(workdir / "curves.csv", points, {f"source of {k}": v for k, v in sources.items()})
    cells = {key: [_cell(row.get(key, "")) for row in rows] for key in _columns(rows)}
    header = {
        "method": config.method, "hull": config.hull,
        "from and to": "range of the metric (or of --axis) that both curves have; overlap: its share of their union",
    }  # fmt: skip
    tables.write_table(workdir / "comparison.csv", cells, header)
    document = {
        "anchor": curves[0].name, "method": config.method, "hull": config.hull, "rows": rows, "sources": sources
    }  # fmt: skip
    files.write_text(workdir / "comparison.json", json.dumps(document, indent=2, default=float) + "\n")


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    keys = ["metric", "codec", "anchor", "bd_rate_percent", "bd_rate_low", "bd_rate_high", "bd_metric",
            "bd_rate_percent_common", "bd_metric_common", "from", "to", "overlap", "note", "refused"]
    return [key for key in keys if any(key in row for row in rows)] or ["metric"]


def _cell(value: Any) -> Any:
    return value.replace(",", ";") if isinstance(value, str) else float(value)


def _number(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        parsed = command_line.parse(CommandLine("rdr compare", DESCRIPTION, {"": Config()}, Extra(), "WORD.."), argv)
        inputs = (*parsed.config.inputs, *parsed.words)
        run(dataclasses.replace(parsed.config, inputs=inputs), parsed.required_workdir(), parsed.extra)

    return command_line.run_safely(call)
