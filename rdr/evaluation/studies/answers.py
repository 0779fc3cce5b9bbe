"""Answers of observers: files of our own studies, of JPEG AIC-3's, and tables of pairs, brought to one form.

Our own files have the columns `COLUMNS`, a trial a row:

* `kind`: training, test or catch; `protocol`: 2afc, 3afc, triplet, flicker or foveated;
* `codec_*` and `level_*`: what was shown on the left, as the pivot, and on the right; `reference` is the source;
* `response`: left, right, middle, notsure or skip. Of a triplet, or flicker, it is the image that is *more distorted*,
  farther from the pivot; of 2afc the one that is *preferred*; of 3afc and foveated the answer to a question that has
  one, which is `correct`. Catch trials have a `correct` answer, too.
"""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rdr.evaluation.studies import answer_layouts
from rdr.evaluation.studies.answer_layouts import COLUMNS, Item, Trial

__all__ = ["COLUMNS", "Answers", "Item", "merge_trials", "natural_order", "read_answers"]

# What the side means that an answer names.
_QUESTIONS = {"triplet": "distortion", "flicker": "distortion", "2afc": "preference", "3afc": "correctness",
              "foveated": "correctness"}


class Answers(NamedTuple):
    """Answers of one study and protocol, as columns of trials.

    Attributes:
      study: its name.
      protocol: 2afc, 3afc, triplet, flicker or foveated.
      question: what the named side has more of: "distortion" or "preference"; or "correctness".
      reference: codec of the source, or "" where sources are not shown.
      observers: names.
      sources: names.
      items: conditions and levels that occur.
      observer: [trials] index into `observers`.
      source: [trials] index into `sources`.
      left: [trials] index into `items`.
      pivot: [trials] index into `items`, -1 for none.
      right: [trials] index into `items`.
      response: [trials] left, right, middle, notsure or skip.
      kind: [trials] training, test or catch.
      correct: [trials] the known answer, or "".
      response_ms: [trials] time to the answer, milliseconds; NaN where unknown.
    """

    study: str
    protocol: str
    question: str
    reference: str
    observers: tuple[str, ...]
    sources: tuple[str, ...]
    items: tuple[Item, ...]
    observer: np.ndarray
    source: np.ndarray
    left: np.ndarray
    pivot: np.ndarray
    right: np.ndarray
    response: np.ndarray
    kind: np.ndarray
    correct: np.ndarray
    response_ms: np.ndarray

    def select(self, trials: np.ndarray) -> "Answers":
        """Gives some of the trials.

        Args:
          trials: [trials] of booleans, or indices.

        Returns:
          These answers, with the same names.
        """
        columns = ("observer", "source", "left", "pivot", "right", "response", "kind", "correct", "response_ms")
        return self._replace(**{name: getattr(self, name)[trials] for name in columns})


def read_answers(paths: Sequence[str | pathlib.Path]) -> list[Answers]:
    """Reads files of answers.

    Files of our own are told apart by their column `study`, and those of one study are put together; a trial that two
    files hold counts once. Every file of another layout is a study of its own, named after the file.

    Args:
      paths: CSV files, compressed by gzip or not: our columns; JPEG AIC-3's (observer, img_num, codec_left,
        dlevel_left, .., is_bias, is_trap, response, response_time); or pairs (observer, scene, condition_A,
        condition_B, is_A_selected).

    Returns:
      One element a study and protocol, in the order of the files, our own studies first.

    Raises:
      ValueError: if a file is damaged, of no known layout, or holds a cell that it must not.
      OSError: if a file cannot be read.
    """
    trials: dict[tuple[str, str], list[Trial]] = {}
    references: dict[tuple[str, str], str] = {}
    seen: dict[tuple[str, ...], tuple[str, Trial]] = {}
    taken: set[str] = set()
    files = [(path, *answer_layouts.read_trials(path)) for path in paths]
    # Our own first: files of another layout are named so that they are told from them.
    for path, layout, rows in sorted(files, key=lambda file: file[1].study is None):
        name = pathlib.Path(path).name.split(".")[0]
        while layout.study is None and name in taken:
            name += "'"
        if layout.study is None:
            taken.add(name)
        for key, trial in rows:
            if key is not None:
                if key in seen and seen[key][1] == trial:
                    continue
                if key in seen:
                    raise ValueError(f"{path}: {seen[key][0]} has another answer of observer {key[1]}, session "
                                     f"{key[2]}, trial {key[3]}, of study {key[0]}")
                seen[key] = str(path), trial
                taken.add(key[0])
            group = (key[0] if key is not None else name, trial.protocol)
            trials.setdefault(group, []).append(trial)
            references[group] = layout.reference
    return [merge_trials(*group, references[group], own) for group, own in trials.items()]


def merge_trials(study: str, protocol: str, reference: str, trials: Sequence[Trial]) -> Answers:
    """Makes columns of trials.

    Args:
      study: its name.
      protocol: of all the trials.
      reference: codec of the source, or "".
      trials: at least one.

    Returns:
      The answers.

    Raises:
      ValueError: if the protocol is unknown, or there are no trials.
    """
    if protocol not in _QUESTIONS:
        raise ValueError(f"protocol must be one of {', '.join(_QUESTIONS)}, got {protocol!r}")
    if not trials:
        raise ValueError(f"study {study} must have at least one trial")
    observers, observer = _factorize([trial.observer for trial in trials])
    sources, source = _factorize([trial.source for trial in trials])
    items = sorted({item for t in trials for item in (t.left, t.pivot, t.right) if item is not None},
                   key=lambda item: (item.condition != reference, *map(natural_order, item)))
    number = {item: i for i, item in enumerate(items)} | {None: -1}
    sides = {side: np.array([number[getattr(trial, side)] for trial in trials]) for side in ("left", "pivot", "right")}
    texts = {name: np.array([getattr(trial, name) for trial in trials]) for name in ("response", "kind", "correct")}
    return Answers(study, protocol, _QUESTIONS[protocol], reference, observers, sources, tuple(items), observer, source,
                   **sides, **texts, response_ms=np.array([trial.response_ms for trial in trials], np.float64))


def natural_order(text: str) -> tuple[int, float, str]:
    """Orders labels: numbers by their value, before words.

    Args:
      text: a label.

    Returns:
      What to sort by.
    """
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _factorize(labels: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    names = sorted(set(labels), key=natural_order)
    number = {name: i for i, name in enumerate(names)}
    return tuple(names), np.array([number[label] for label in labels])
