"""Answers that are right or wrong: shares and d' of each level, and the level at which a difference becomes visible."""

from typing import Any, NamedTuple

import numpy as np

from rdr.evaluation.studies.answers import Answers, natural_order
from rdr.evaluation.studies.psychometric import (
    CHANCE,
    Threshold,
    fit_threshold,
    sensitivity_of,
    share_interval,
)
from rdr.evaluation.tables import render

TASK_OF_PROTOCOL = {"3afc": "oddity", "foveated": "2afc"}
ALL_SOURCES = "all"
SHARE_COLUMNS = ("study", "source", "condition", "level", "right", "answers", "share", "share_lower", "share_upper",
                 "d_prime", "d_prime_lower", "d_prime_upper")  # fmt: skip
THRESHOLD_COLUMNS = ("study", "source", "condition", "critical", "lower", "upper", "gain", "rising", "observers",
                     "answers")


class Detection(NamedTuple):
    """How visible a condition is at its levels.

    Attributes:
      study: its name.
      source: its name, or "all".
      condition: the codec.
      task: of `rdr.evaluation.studies.psychometric.TASKS`.
      levels: labels, in order.
      right: [observers, levels] right answers; what one was not sure of is right as often as by chance.
      total: [observers, levels] answers.
      threshold: None where levels are fewer than two, or no positive numbers.
    """

    study: str
    source: str
    condition: str
    task: str
    levels: tuple[str, ...]
    right: np.ndarray
    total: np.ndarray
    threshold: Threshold | None


def detect(answers: Answers, weights: np.ndarray, *, task: str = "", lapse: float = 0.01) -> list[Detection]:
    """Counts right answers of each codec, and fits its critical level.

    Args:
      answers: of 3afc or foveated.
      weights: [resamples, observers] how often each observer was drawn, for intervals.
      task: of `rdr.evaluation.studies.psychometric.TASKS`; "" for what the protocol says: oddity of 3afc, 2afc of
        foveated.
      lapse: share of answers that are given without looking.

    Returns:
      One element a source and codec, and, of several sources, a codec's of all of them together, first.

    Raises:
      ValueError: if the answers are not right or wrong, or there are none to test trials.
    """
    if answers.question != "correctness":
        raise ValueError(f"answers of the protocol {answers.protocol} are not right or wrong")
    task = task or TASK_OF_PROTOCOL[answers.protocol]
    shown = np.stack([answers.left, answers.pivot, answers.right])
    is_source = np.array([item.condition == answers.reference for item in answers.items])
    other = np.where(is_source[shown] | (shown < 0), -1, shown).max(0)  # what is not the source: one condition
    counted = (answers.kind == "test") & (answers.response != "skip") & (other >= 0)
    if not counted.any():
        raise ValueError(f"study {answers.study} has no answers to test trials")
    score = np.where(answers.response == "notsure", CHANCE[task], (answers.response == answers.correct).astype(float))
    conditions = sorted({answers.items[i].condition for i in np.unique(other[counted])}, key=natural_order)
    sources = [(ALL_SOURCES, counted)] if len(answers.sources) > 1 else []
    sources += [(name, counted & (answers.source == number)) for number, name in enumerate(answers.sources)]
    result = []
    for source, trials in sources:
        for condition in conditions:
            of_condition = np.array([item.condition == condition for item in answers.items])
            own = trials & of_condition[other]
            if own.any():
                numbers, place = np.unique(other[own], return_inverse=True)
                right, total = np.zeros((2, len(answers.observers), numbers.size))
                np.add.at(right, (answers.observer[own], place), score[own])
                np.add.at(total, (answers.observer[own], place), 1.0)
                levels = tuple(answers.items[i].level for i in numbers)
                values = np.array([natural_order(level)[1] for level in levels])
                threshold = None
                if values.size > 1 and (values > 0).all() and all(natural_order(level)[0] == 0 for level in levels):
                    threshold = fit_threshold(values, right, total, weights, task=task, lapse=lapse)
                result.append(Detection(answers.study, source, condition, task, levels, right, total, threshold))
    return result


def share_rows(detections: list[Detection]) -> list[dict[str, Any]]:
    """Lists shares of right answers and d', with intervals of 95 %.

    Args:
      detections: of `detect`.

    Returns:
      Rows with `SHARE_COLUMNS`.
    """
    rows = []
    for one in detections:
        for i, level in enumerate(one.levels):
            share = share_interval(one.right[:, i], one.total[:, i])
            d = sensitivity_of(np.array(share), one.task)
            values = (one.study, one.source, one.condition, level, float(one.right[:, i].sum()),
                      int(one.total[:, i].sum()), *share, *map(float, d))
            rows.append(dict(zip(SHARE_COLUMNS, values, strict=True)))
    return rows


def threshold_rows(detections: list[Detection]) -> list[dict[str, Any]]:
    """Lists critical levels.

    Args:
      detections: of `detect`; those without one are left out.

    Returns:
      Rows with `THRESHOLD_COLUMNS`.
    """
    return [dict(zip(THRESHOLD_COLUMNS, (
        one.study, one.source, one.condition, fit.critical, fit.lower, fit.upper, fit.gain, fit.rising,
        int(np.sum(one.total.sum(1) > 0)), int(one.total.sum())), strict=True))
        for one in detections if (fit := one.threshold) is not None]


def detection_text(detections: list[Detection]) -> str:
    """Lists shares and critical levels for a person.

    Args:
      detections: of `detect`, of one study.

    Returns:
      The text, without a final line break.
    """
    rows = share_rows(detections)

    def interval(row: dict[str, Any], name: str) -> str:
        return f"{row[name]:.2f} [{row[f'{name}_lower']:.2f}, {row[f'{name}_upper']:.2f}]"

    lines = [render({
        **{name: [row[name] for row in rows] for name in ("source", "condition", "level")},
        "answers": [row["answers"] for row in rows], "right": [interval(row, "share") for row in rows],
        "d'": [interval(row, "d_prime") for row in rows]}), ""]
    for row in threshold_rows(detections):
        what = "above" if row["rising"] else "below"
        lines.append(f"{row['condition']}, source {row['source']}: visible {what} the critical level "
                     f"{row['critical']:.3g} [{row['lower']:.3g}, {row['upper']:.3g}]")
    return "\n".join(lines)
