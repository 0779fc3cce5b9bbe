"""Results of `rdr study analyze` for one study: scales and observers, as tables, figures and text."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rdr.evaluation.studies.answers import Answers
from rdr.evaluation.studies.comparisons import count_answers
from rdr.evaluation.studies.observers import Observer, screen_observers
from rdr.evaluation.studies.scale_tables import ERROR_COLUMNS, SCALE_COLUMNS, scale_rows, scale_text, to_csv
from rdr.evaluation.studies.scaling import Scales, fit_scales, resample_observers, warnings_of
from rdr.evaluation.studies.study_plots import detection_figure, scales_figure
from rdr.evaluation.studies.thresholds import (
    SHARE_COLUMNS,
    THRESHOLD_COLUMNS,
    Detection,
    detect,
    detection_text,
    share_rows,
    threshold_rows,
)

_OBSERVER_COLUMNS = ("study", "observer", "answers", "catch_trials", "catch_right", "likelihood", "left", "reasons")


class Result(NamedTuple):
    """What was found in a study.

    Attributes:
      answers: of the study, all of them.
      scales: of its fits; none where answers are right or wrong.
      detections: shares of right answers and thresholds, where they are.
      observers: all of them, with reasons where one is named.
      rejected: names of those who were left out.
      notes: what a reader must know.
    """

    answers: Answers
    scales: list[Scales]
    detections: list[Detection]
    observers: list[Observer]
    rejected: tuple[str, ...]
    notes: list[str]


def analyze(answers: Answers, config: Any) -> Result:
    """Analyzes a study.

    Args:
      answers: of the study.
      config: of `rdr.cli.study_analyze`.

    Returns:
      What was found.

    Raises:
      ValueError: if there is nothing to fit.
    """
    if answers.question == "correctness":
        return _analyze_detection(answers, config)
    counted = count_answers(answers, scope=config.scope)
    if config.ties == "drop":
        counted = [one._replace(counts=one.counts * np.array([1.0, 1.0, 0.0])) for one in counted]
        counted = [one for one in counted if one.counts.any()]
    if not counted:
        raise ValueError(f"study {answers.study} has no answer that compares two images of a codec and its source: try "
                         "--scope=source, or see whether all of its trials are for training")
    options = {"model": config.model, "precision": config.prior, "intervals": config.intervals}
    everyone = resample_observers(len(answers.observers), resamples=config.resamples, seed=config.seed)
    scales = [fit_scales(one, everyone, **options) for one in counted]
    observers = screen_observers(answers, list(zip(counted, scales)), min_catch=config.catch)
    rejected = tuple(one.name for one in observers if one.reasons) if config.reject else ()
    if rejected:
        retained = np.array([not one.reasons for one in observers])
        if not retained.any():
            raise ValueError(f"study {answers.study} has no observer that --reject leaves")
        weights = resample_observers(int(retained.sum()), resamples=config.resamples, seed=config.seed)
        counted = [one for one in (one.keep(retained) for one in counted) if one.counts.any()]
        scales = [fit_scales(one, weights, **options) for one in counted]
    return Result(answers, scales, [], observers, rejected, warnings_of(scales))


def _analyze_detection(answers: Answers, config: Any) -> Result:
    observers = screen_observers(answers, [], min_catch=config.catch)
    rejected = tuple(one.name for one in observers if one.reasons) if config.reject else ()
    retained = ~np.isin(np.array(answers.observers)[answers.observer], rejected)
    if not retained.any():
        raise ValueError(f"study {answers.study} has no observer that --reject leaves")
    weights = resample_observers(len(answers.observers), resamples=config.resamples, seed=config.seed)
    detections = detect(answers.select(retained), weights, task=config.task, lapse=config.lapse)
    return Result(answers, [], detections, observers, rejected, [])


def prepare(results: Sequence[Result], *, lapse: float = 0.01) -> tuple[dict[str, Any], dict[str, Any]]:
    """Puts results into the files that are written.

    Args:
      results: of all studies.
      lapse: of the fits of right and wrong answers.

    Returns:
      What `study.json` will hold, and file name -> text or figure of the others.
    """
    scales = [fit for result in results for fit in result.scales]
    rows = scale_rows(scales)
    observers = [{"study": result.answers.study, "observer": one.name, **one._asdict(),
                  "reasons": "; ".join(one.reasons)} for result in results for one in result.observers]
    document = {
        "unit": "JND: at a distance of 1, 75 % name one of the two",
        "studies": [{
            "study": result.answers.study, "protocol": result.answers.protocol, "scale": result.answers.question,
            "answers": int(result.answers.observer.size), "observers": len(result.answers.observers),
            "named": {one.name: list(one.reasons) for one in result.observers if one.reasons},
            "rejected": list(result.rejected), "notes": result.notes,
        } for result in results],
        "scales": [{name: row[name] for name in SCALE_COLUMNS} for row in rows],
    }  # fmt: skip
    written: dict[str, Any] = {
        "scales.csv": to_csv(rows, SCALE_COLUMNS), "errors.csv": to_csv(rows, ERROR_COLUMNS),
        "observers.csv": to_csv(observers, _OBSERVER_COLUMNS)}
    detections = [one for result in results for one in result.detections]
    if detections:
        document["thresholds"] = threshold_rows(detections)
        written["thresholds.csv"] = to_csv(document["thresholds"], THRESHOLD_COLUMNS)
        written["shares.csv"] = to_csv(share_rows(detections), SHARE_COLUMNS)
    for result in results:
        suffix = "" if len(results) == 1 else f"_{_file_name(result.answers)}"
        if f"scales{suffix}.png" in written or f"thresholds{suffix}.png" in written:
            suffix += f"_{len(written)}"  # other signs, or an end, of the names were left out
        if result.scales:
            written[f"scales{suffix}.png"] = scales_figure(result.scales, label=result.answers.question)
        else:
            written[f"thresholds{suffix}.png"] = detection_figure(result.detections, lapse=lapse)
    return document, written


def to_json(document: dict[str, Any]) -> str:
    """Writes a document as JSON.

    Args:
      document: of `prepare`.

    Returns:
      The text; infinite numbers and NaN, which JSON lacks, are strings.
    """
    return json.dumps(_plain(document), indent=2) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _file_name(answers: Answers) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in f"{answers.study[:80]}_{answers.protocol}")


def describe(result: Result) -> str:
    """Writes what was found for a person.

    Args:
      result: of a study.

    Returns:
      The text, without a final line break.
    """
    answers = result.answers
    what = f"{answers.question} in JND" if result.scales else "share of right answers and d'"
    lines = [f"{answers.study}: {answers.observer.size} answers ({answers.protocol}) of {len(answers.observers)} "
             f"observers; {what}, with intervals of 95 %", ""]
    lines += [scale_text(result.scales) if result.scales else detection_text(result.detections), ""]
    named = [one for one in result.observers if one.reasons]
    if named:
        what = "left out" if result.rejected else "named, not left out (--reject does)"
        lines += [f"{len(named)} observers {what}: {', '.join(one.name for one in named)}",
                  f"the first: {'; '.join(named[0].reasons)}; all reasons are in observers.csv", ""]
    return "\n".join(lines)
