"""The command `rdr study analyze`: scales, intervals, observers and figures of answers."""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from rdr import command_line, files
from rdr.cli.outcome import Outcome, show_json
from rdr.command_line import CommandLine, UsageError, option
from rdr.evaluation import tables
from rdr.evaluation.studies.answers import read_answers
from rdr.evaluation.studies.comparisons import SCOPES
from rdr.evaluation.studies.pairwise_models import MODELS
from rdr.evaluation.studies.psychometric import TASKS
from rdr.evaluation.studies.scaling import INTERVALS, PRECISION

DESCRIPTION = """
Makes scales of the answers of observers, and says how certain they are.

    rdr study analyze answers/*.csv --out=out

FILES are answers of `rdr study make` or `serve`, of JPEG AIC-3's layout (observer, img_num, codec_left, dlevel_left,
..), or pairs (observer, scene, condition_A, condition_B, is_A_selected); CSV, compressed by gzip or not. Files of one
study of ours are put together; every file of another layout is a study of its own.

Scales are in just noticeable differences: at a distance of one, 75 % name one of the two. Of triplets, and flicker,
they are distortion, from the source at 0, each codec by itself; of 2afc and pairs they are preference. Answers of 3afc
and foveated are right or wrong: of these, thresholds are computed.

Metrics are compared with the scales (--metrics), and codecs by the rate that they need for one scale (--rates).

Writes scales.csv (source, condition, level, scale, lower, upper), errors.csv (with all standard errors),
observers.csv, study.json and scales.png; shares.csv, thresholds.csv and thresholds.png where answers are right or
wrong; metrics.csv; curves.csv, bd_rates.csv and curves.png; and, of ratings (--ratings), opinions.csv.
"""


@dataclasses.dataclass(frozen=True)
class Config:
    """How answers are analyzed; each field says what it is."""

    model: str = option("thurstone", "how probabilities follow from scales; davidson has ties of its own",
                        choices=MODELS)
    ties: str = option("half", "what 'not sure' is: half an answer for each side, or none (drop)",
                       choices=("half", "drop"))
    scope: str = option(
        "auto", "what is fitted together: a codec with its source alone (codec), or all of a source (source); auto: "
        "codec for questions about distortion, source for preferences", choices=SCOPES, first=True)
    reject: bool = option(False, "leave out the observers who are named", first=True)
    catch: float = option(0.7, "share of catch trials that an observer must answer rightly, from 0 to 1")
    intervals: str = option("auto", "where intervals are from: differences between observers, observers that are drawn "
                            "again (bootstrap), or hessian: answers; auto: observers from five on, else hessian",
                            choices=INTERVALS)
    resamples: int = option(1000, "how often observers are drawn again")
    prior: float = option(PRECISION, "precision of the weak normal prior of scales, 1 / variance in the model's "
                          "unit; 0 for none")
    task: str = option("", "what right answers follow from: 2afc, abx or oddity; none: oddity of 3afc, 2afc of "
                       "foveated", choices=("", *TASKS))
    lapse: float = option(0.01, "share of right and wrong answers that are given without looking, from 0 to 1")
    metrics: str = option("", "folder of evaluations by rdr evaluate, named CODEC@LEVEL or CODEC/LEVEL, or a table "
                          "with the columns source, condition, level and metrics: how these agree with the scales",
                          metavar="PATH")
    rates: str = option("", "table with the columns source, condition, level and rate_bpp: curves and BD-rates over "
                        "JND; none: the rates of --metrics", metavar="FILE")
    ratings: str = option("", "table of ratings with the columns observer, source, condition, level and score: mean "
                          "opinion scores, plain, as BT.500 and as P.910", metavar="FILE")
    anchor: str = option("", "codec that BD-rates compare others with; none: the first", metavar="NAME")
    seed: int = option(0, "random seed of the bootstrap")

    def __post_init__(self):
        for name in ("model", "ties", "scope", "intervals", "task"):
            choices = {field.name: field.metadata["choices"] for field in dataclasses.fields(self)}[name]
            if getattr(self, name) not in choices:
                raise ValueError(f"--{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if not 0.0 <= self.catch <= 1.0:
            raise ValueError(f"--catch must be from 0 to 1, got {self.catch}")
        if not 0.0 <= self.lapse < 1.0:
            raise ValueError(f"--lapse must be at least 0 and less than 1, got {self.lapse}")
        if self.resamples < 2:
            raise ValueError(f"--resamples must be at least 2, got {self.resamples}")
        if not 0.0 <= self.prior < float("inf"):
            raise ValueError(f"--prior must be at least 0, got {self.prior}")


@dataclasses.dataclass(frozen=True)
class Extra:
    """Where results go, and what is printed."""

    out: str = option("", "folder of the results", first=True, metavar="FOLDER")
    json: bool = option(False, "print one line of JSON: seconds, and what study.json holds")


def run(config: Config, inputs: Sequence[str], extra: Extra = Extra()) -> dict[str, Any]:
    """Analyzes answers.

    Args:
      config: how.
      inputs: files of answers.
      extra: where results go, and what is printed.

    Returns:
      What `study.json` holds: `studies`, with observers that are named, and the rows of scales.csv.

    Raises:
      UsageError: if no file or no folder is given.
      ValueError: if a file cannot be used; nothing is written then.
    """
    from rdr.cli import study_metrics, study_results

    began = time.perf_counter()
    if not (inputs or config.ratings) or not extra.out:
        raise UsageError("say which answers, and where results go: rdr study analyze FILES --out=DIR")
    out = pathlib.Path(extra.out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out must be a folder, but {out} is a file")
    values = study_metrics.read_tables(config)
    results = [study_results.analyze(answers, config) for answers in read_answers(inputs)]
    document, written = study_results.prepare(results, lapse=config.lapse)
    text = study_metrics.compare(results, values, config, document, written)
    text += study_metrics.rate(config, document, written)
    written["study.json"] = study_results.to_json(document)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in written.items():
        if isinstance(content, str):
            files.write_text(out / name, content)
        else:
            files.write_figure(out / name, content, dpi=150, metadata={"Software": None})
    seconds = time.perf_counter() - began
    tables.write_run_record(out, name="rdr study analyze", config=config, duration_seconds=seconds)
    if extra.json:
        show_json(Outcome(seconds=seconds), out=str(out), **document)
        return document
    for result in results:
        print(study_results.describe(result))
        for note in result.notes:
            print(f"note: {note}", file=sys.stderr)
    print("".join(f"{part}\n\n" for part in text) + f"{', '.join(written)} are in {out}")
    return document


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        line = CommandLine("rdr study analyze", DESCRIPTION, {"": Config()}, Extra(), "FILES..", workdir="none")
        parsed = command_line.parse(line, argv)
        run(parsed.config, parsed.words, parsed.extra)

    return command_line.run_safely(call, interrupted="the same command starts again")
