"""The problem of `rdr bound` that is a file or folder of samples: bounds on R(D) by several estimators."""

import functools
import hashlib
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rdr import command_line, files
from rdr.cli.outcome import Outcome, show_json
from rdr.data import samples as data
from rdr.evaluation import estimate_tables, sample_curves
from rdr.evaluation.tables import render, write_run_record, write_table

CHANNELS = data.CHANNELS
DISTORTIONS = ("mse", "squared")
_MAX_RATE = 60.0  # bits per vector, unless --max_rate says more
DEFAULTS = ("gaussian", "particles", "mixture", "variational", "projections")
ESTIMATORS = (*DEFAULTS, "generator", "dual")
_MARKS = {"upper": "o-", "lower": "^--", "asymptotic": "x:"}
# Flags about samples alone, and their defaults.
_OWN = {"estimators": (), "max_rate": 0.0, "patch": 8, "channels": "luma", "count": 0, "seed": 0}


def check(config: Any) -> None:
    """Refuses flags that do not fit together.

    Args:
      config: of `rdr bound`.

    Raises:
      ValueError: naming the flag, what it got and what it needs.
    """
    if not config.samples:
        for name, usual in _OWN.items():
            if getattr(config, name) != usual:
                raise ValueError(f"--{name} is about --samples, which is not given")
        return
    others = ("pmf", "observation", "side_information", "encoder", "perceptions", "distortions", "blocklength")
    given = [name for name in others if getattr(config, name)] + (
        ["divergence"] if config.divergence != "none" else [])
    if given:
        raise ValueError(f"--samples and --{given[0]} are two problems: give one of them")
    if config.distortion not in DISTORTIONS:
        raise ValueError(f"--samples needs --distortion=mse, squared error summed over components, got "
                         f"{config.distortion}")
    unknown = [name for name in config.estimators if name not in ESTIMATORS]
    if unknown:
        raise ValueError(f"--estimators must be among {', '.join(ESTIMATORS)}, got {unknown[0]}")
    if len(set(config.estimators)) < len(config.estimators):
        raise ValueError("--estimators must name each once")
    for name in ("num_particles", "steps"):
        if not 2 <= getattr(config, name) <= 10**7:
            raise ValueError(f"--{name} must be from 2 to 10000000, got {getattr(config, name)}")
    if not 0.0 <= config.max_rate < float("inf"):
        raise ValueError(f"--max_rate must be positive and finite, or 0, got {config.max_rate:g}")
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"--seed must be from 0 to 2^32 - 1, got {config.seed}")
    if config.count < 0:
        raise ValueError(f"--count must be 0 or more, got {config.count}")


def load(config: Any) -> data.Samples:
    """Reads what `--samples` names.

    Args:
      config: the flags.

    Returns:
      The samples.

    Raises:
      ValueError: if there is no such file or folder, or what it holds cannot be used.
    """
    path = pathlib.Path(config.samples)
    options: dict[str, Any] = {"count": config.count, "seed": config.seed}
    if config.samples == "digits" and not path.exists():
        return data.load_samples("digits", **options)
    if path.is_dir():
        try:
            data.idx.find_images(path)
        except ValueError:
            return data.load_samples("photographs", path, patch=config.patch, channels=config.channels, **options)
        return data.load_samples("mnist", path, **options)._replace(name=path.name)
    return data.load_samples("array", path, **options)


def rates(config: Any, dimension: int) -> np.ndarray:
    """Rates that the curve aims at.

    Args:
      config: the flags.
      dimension: components of a vector.

    Returns:
      Bits per vector, rising geometrically, [num_points].
    """
    largest = config.max_rate or min(2.0 * dimension, _MAX_RATE)
    return np.geomspace(largest, largest / 100.0, config.num_points)[::-1]


def _make(config: Any, found: data.Samples, directory: pathlib.Path) -> dict[str, Callable[[], Any]]:
    """The estimators that were asked for, as functions by name."""
    from theory.estimation import curves

    aims = rates(config, found.dimension)
    slopes, _ = estimate_tables.vector_slopes(found.vectors, aims.tolist())
    budget = sample_curves.Budget(config.num_particles, max(config.steps // 5, 1), config.steps,
                                  mixture_steps=max(config.steps // 50, 1), seed=config.seed)
    names = config.estimators or (*DEFAULTS, *(["dual"] if found.dimension <= curves.MAX_DIMENSION else []))
    return {name: functools.partial(
        sample_curves.trained_curve, name, found, slopes, budget=budget, directory=directory / name)
        if name in sample_curves.TRAINED else functools.partial(
            curves.curve, name, found.vectors, found.held_out, rate=aims) for name in names}


def _digest(found: data.Samples) -> str:
    return hashlib.sha256(found.vectors.tobytes() + found.held_out.tobytes()).hexdigest()


def _header(config: Any, found: data.Samples) -> dict[str, Any]:
    described = found.description.replace(",", ";")
    return {"units": "rates in bits per sample vector; distortion: squared error summed over the components",
            "samples": f"{len(found.vectors)} to fit to and {len(found.held_out)} held out: {described}",
            "dimension": found.dimension, "seed": config.seed, "source_sha256": _digest(found)}


def run(config: Any, workdir: pathlib.Path, *, json: bool = False) -> dict[str, list[Any]]:
    """Writes `points.csv`, `summary.txt`, `points.png`, `points.pdf`, `config.json` and `run.json`, or shows them.

    Args:
      config: the flags.
      workdir: where to; made where it does not exist, and left alone when the input is refused. Each estimator's rows
        are kept there as soon as they are known, and its training as it goes: an interrupted run goes on.
      json: whether to print a line of JSON instead of a table.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: on samples that cannot be used, a lower bound that is above an upper one by more than three standard
        errors, or a directory that holds the results of another configuration.
    """
    started, workdir = time.monotonic(), pathlib.Path(workdir)
    found = load(config)
    header, path = _header(config, found), workdir / "points.csv"
    if command_line.check_workdir(workdir, config) and path.exists():
        known, columns = estimate_tables.read_table(path)
        if known.get("source_sha256") == header["source_sha256"]:
            _show(columns, header, workdir, time.monotonic() - started, json)
            return columns
    with command_line.claim_workdir(workdir, config):
        mark = header["source_sha256"][:12]
        columns = estimate_tables.run_estimators(
            _make(config, found, workdir / "training" / mark), workdir / "estimators",
            header={"source_sha256": header["source_sha256"]},
            tell=lambda line: print(line, file=sys.stderr, flush=True))
        wrong = estimate_tables.contradictions(columns)
        if wrong:
            raise ValueError(f"{len(wrong)} lower bounds lie above an upper bound by more than 3 standard errors, the "
                             f"first of {columns['estimator'][wrong[0]]} at distortion "
                             f"{columns['distortion'][wrong[0]]:g}: the estimators contradict each other")
        figure = make_figure(columns, found.description)
        files.write_figure(workdir / "points.png", figure, dpi=200, metadata={"Software": None})
        files.write_figure(workdir / "points.pdf", figure, metadata={"CreationDate": None})
        files.write_text(workdir / "summary.txt", render(columns) + "\n")
        write_run_record(workdir, name="rdr bound", config=config, duration_seconds=time.monotonic() - started)
        write_table(path, columns, header)
    _show(columns, header, workdir, time.monotonic() - started, json)
    return columns


def make_figure(columns: estimate_tables.Table, title: str) -> Figure:
    """Draws rate against distortion, a curve for each estimator with bands of two standard errors.

    Args:
      columns: of `points.csv`.
      title: what a sample is.

    Returns:
      The figure.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    rate, distortion, se = (np.asarray(columns[name], np.float64) for name in ("rate_bits", "distortion", "rate_se"))
    kinds, names = np.array(columns["kind"]), np.array(columns["estimator"])
    for number, name in enumerate(dict.fromkeys(columns["estimator"])):
        for kind in dict.fromkeys(kinds[names == name].tolist()):
            rows = np.flatnonzero((names == name) & (kinds == kind) & np.isfinite(rate))
            rows = rows[np.argsort(distortion[rows], kind="stable")]
            axes.plot(distortion[rows], rate[rows], _MARKS.get(kind, "."), color=f"C{number}", markersize=3.5,
                      linewidth=1.2, label=f"{name.replace('_', ' ')} ({kind})")
            axes.fill_between(distortion[rows], np.maximum(rate - 2 * se, 0)[rows], (rate + 2 * se)[rows],
                              color=f"C{number}", alpha=0.2, linewidth=0)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("squared error of a vector")
    axes.set_ylabel("bits per vector")
    axes.set_title(title, fontsize="small", wrap=True)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def _show(columns: estimate_tables.Table, header: dict[str, Any], workdir: pathlib.Path, seconds: float, json: bool
          ) -> None:
    if json:
        show_json(Outcome(seconds=seconds), points=len(columns["rate_bits"]), workdir=str(workdir),
                  **{name: list(column) for name, column in columns.items()})
        return
    print(render(columns))
    print(f"{len(columns['rate_bits'])} points, {header['samples']}; written to {workdir / 'points.csv'}")
