"""The command `rdr correlate`: how well metrics agree with people."""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from rdr import command_line
from rdr.cli.outcome import Outcome, show_json
from rdr.command_line import CommandLine, UsageError, option
from rdr.evaluation import tables
from rdr.evaluation.metric_suite import MetricSuite
from rdr.evaluation.opinion_scoring import score_opinions
from rdr.evaluation.subjective_scores import STATISTICS, agreement, find_file, read_scores
from rdr.metrics import registry

DESCRIPTION = """
Compares full-reference metrics with opinion scores of images.

    rdr correlate --scores=kadid10k/dmos.csv --images=kadid10k/images --metrics=psnr,ms_ssim,lpips_alexnet --workdir=out

Pearson's correlation and the root mean squared error after a monotone logistic fit, Spearman's and Kendall's
correlations, and the share of forced choices between two distortions of one original that the metric makes as people
do; each with a 95 % bootstrap interval over originals. Correlations are positive where a metric agrees with people.

Writes agreement.csv, values.csv (every metric of every image) and opinions.jsonl, from which an interrupted run goes
on, and prints the table.
"""
DIRECTIONS = {"file": None, "higher": True, "lower": False}


@dataclasses.dataclass(frozen=True)
class Config:
    """What is compared; each field says what it is."""

    scores: str = option(
        "", "CSV file of opinions with columns for the image (dist_img), its reference (ref_img) and mos or dmos, as "
        "of KADID-10k; or TID2013's mos_with_names.txt", first=True, metavar="FILE")
    images: str = option(
        "", "folder of these images, searched with subfolders; none: that of the scores", first=True, metavar="FOLDER")
    metrics: tuple[str, ...] = option(
        ("psnr", "ssim", "ms_ssim"), f"names separated by commas, of {' '.join(registry.names())}; or all that can be "
        "computed here", first=True)
    better: str = option(
        "file", "whether larger opinions are better (higher) or worse (lower); file: as the kind of file says",
        choices=tuple(DIRECTIONS), first=True)
    resamples: int = option(500, "resamples of the bootstrap; more for smoother intervals")
    seed: int = option(0, "random seed of the bootstrap")

    def __post_init__(self):
        known = registry.names()
        for name in self.metrics:
            if name not in (*known, "all"):
                raise ValueError(f"--metrics must be among {', '.join(known)}, or all, got {name!r}")
        if self.resamples < 2:
            raise ValueError(f"--resamples must be at least 2, got {self.resamples}")


@dataclasses.dataclass(frozen=True)
class Extra:
    """What is printed."""

    json: bool = option(False, "print one line of JSON: seconds, images, and the rows of agreement.csv")


def run(config: Config, workdir: pathlib.Path, extra: Extra = Extra()) -> list[dict[str, Any]]:
    """Compares metrics with opinions.

    Args:
      config: what is compared.
      workdir: where to write, and resume from; left alone when the input is refused.
      extra: what is printed.

    Returns:
      Rows of `rdr.evaluation.subjective_scores.agreement`, one for each metric.

    Raises:
      UsageError: if there is nothing to compare.
      ValueError: if a file cannot be read, or does not say whether larger opinions are better.
      FileNotFoundError: if weights that a metric needs are not installed.
    """
    began, workdir = time.perf_counter(), pathlib.Path(workdir)
    if not config.scores or not config.metrics:
        raise UsageError("say which opinions and metrics: --scores=FILE --metrics=A,B")
    command_line.check_workdir(workdir, config)
    opinions = read_scores(config.scores, higher_is_better=DIRECTIONS[config.better])
    folder = pathlib.Path(config.images or pathlib.Path(config.scores).parent)
    for opinion in opinions:  # before the first is scored
        find_file(folder, opinion.distorted), find_file(folder, opinion.reference)
    everything = "all" in config.metrics
    suite = MetricSuite(registry.names() if everything else config.metrics, skip_missing=everything)
    for note in suite.notes:
        print(f"note: {note}", file=sys.stderr)
    with command_line.claim_workdir(workdir, config):
        values = score_opinions(opinions, folder, suite, workdir / "opinions.jsonl")
        directions = {name: metric.higher_is_better for name, metric in suite.metrics.items()}
        rows = agreement(values, directions, opinions, seed=config.seed, resamples=config.resamples)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        tables.write_table(workdir / "agreement.csv", columns, {
            "images": len(opinions), "interval": "low to high: 95 % bootstrap", "rmse": "in units of the opinions"})
        named = {"image": [opinion.distorted.replace(",", "_") for opinion in opinions],
                 "opinion": [opinion.score for opinion in opinions]}
        tables.write_table(workdir / "values.csv", named | {name: list(value) for name, value in values.items()},
                           {"opinion": "higher is better"})
        tables.write_run_record(
            workdir, name="rdr correlate", config=config, duration_seconds=time.perf_counter() - began)
    if extra.json:
        show_json(Outcome(seconds=time.perf_counter() - began), images=len(opinions), workdir=str(workdir), rows=rows)
    else:
        shown = {name: [f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]" for row in rows]
                 for name in STATISTICS}
        print(tables.render({"metric": columns["metric"], **shown}))
        print(f"{len(opinions)} images; agreement.csv and values.csv are in {workdir}")
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        parsed = command_line.parse(CommandLine("rdr correlate", DESCRIPTION, {"": Config()}, Extra()), argv)
        run(parsed.config, parsed.required_workdir(), parsed.extra)

    return command_line.run_safely(call)
