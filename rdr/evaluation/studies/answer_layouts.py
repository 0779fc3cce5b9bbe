"""The three layouts of files of answers, and a trial of any of them."""

import functools
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rdr.evaluation.tables import read_rows

# Columns of a table of answers.
COLUMNS = (
    "study", "observer", "session", "trial", "protocol", "kind", "source", "codec_left", "level_left", "codec_pivot",
    "level_pivot", "codec_right", "level_right", "response", "correct", "response_ms", "pixels_per_degree", "time",
)
_AIC3 = ("observer", "img_num", "codec_left", "codec_right", "codec_pivot", "dlevel_left", "dlevel_right",
         "dlevel_pivot", "is_bias", "is_trap", "response", "response_time")
_PAIRS = ("observer", "scene", "condition_A", "condition_B", "is_A_selected")
_KINDS = ("training", "test", "catch")
_RESPONSES = ("left", "right", "notsure", "skip")
_PROTOCOLS = ("2afc", "3afc", "triplet", "flicker", "foveated")


class Item(NamedTuple):
    """What is compared.

    Attributes:
      condition: a codec; that of the source is the study's `reference`.
      level: of distortion, a number as text or any other label.
    """

    condition: str
    level: str


class Trial(NamedTuple):
    """An answer; see `rdr.evaluation.studies.answers.Answers` for the fields."""

    observer: str
    source: str
    protocol: str
    kind: str
    left: Item
    pivot: Item | None
    right: Item
    response: str
    correct: str
    response_ms: float


class Layout(NamedTuple):
    """A kind of file.

    Attributes:
      columns: that it must have.
      parse: cells by name to a key that no other trial has (study, observer, session, trial), or None, and the trial.
      reference: codec of the source, or "" where there is none.
      study: the column that names the study, or None.
    """

    columns: tuple[str, ...]
    parse: Callable[[dict[str, str]], tuple[tuple[str, ...] | None, Trial]]
    reference: str
    study: str | None


def _one_of(cells: dict[str, str], name: str, words: Sequence[str]) -> str:
    if cells[name] not in words:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, got {cells[name]!r}")
    return cells[name]


def _filled(cells: dict[str, str], name: str) -> str:
    if not cells[name]:
        raise ValueError(f"{name} must not be empty")
    return cells[name]


def _milliseconds(cells: dict[str, str], name: str) -> float:
    try:
        value = float(cells[name]) if cells[name] else math.nan
    except ValueError:
        raise ValueError(f"{name} must be a number, got {cells[name]!r}") from None
    return value if math.isfinite(value) else math.nan  # the one object, so that equal trials are equal


@functools.cache
def item_of(codec: str, level: str) -> Item:
    """Makes an item, with one name for one number: levels 1, 1.0 and 01 are the same.

    Args:
      codec: its name.
      level: a number as text, or another label.

    Returns:
      The item.

    Raises:
      ValueError: if one of them is empty, or the level is an infinite number or none.
    """
    if not codec or not level:
        raise ValueError("a codec and a level must not be empty")
    try:
        value = float(level)
    except ValueError:
        return Item(codec, level)
    if not math.isfinite(value):
        raise ValueError(f"a level must be a finite number or another label, got {level!r}")
    return Item(codec, f"{value:.12g}")


def _own(cells: dict[str, str]) -> tuple[tuple[str, ...], Trial]:
    def item(side):
        return item_of(cells[f"codec_{side}"], cells[f"level_{side}"])

    protocol = _one_of(cells, "protocol", _PROTOCOLS)
    answers = (*_RESPONSES, "middle") if protocol == "3afc" else _RESPONSES
    kind, correct = _one_of(cells, "kind", _KINDS), _one_of(cells, "correct", ("", *answers))
    if not correct and kind == "test" and protocol in ("3afc", "foveated"):
        raise ValueError(f"correct must be given where the protocol is {protocol}, got nothing")
    trial = Trial(_filled(cells, "observer"), _filled(cells, "source"), protocol, kind, item("left"),
                  item("pivot") if cells["codec_pivot"] else None, item("right"), _one_of(cells, "response", answers),
                  correct, _milliseconds(cells, "response_ms"))
    return tuple(_filled(cells, name) for name in ("study", "observer", "session", "trial")), trial


def _aic3(cells: dict[str, str]) -> tuple[None, Trial]:
    left, pivot, right = (item_of(cells[f"codec_{side}"], cells[f"dlevel_{side}"])
                          for side in ("left", "pivot", "right"))
    trap, bias = (_one_of(cells, name, ("0", "1")) == "1" for name in ("is_trap", "is_bias"))
    # A trap shows the pivot itself beside a heavy distortion, which is the answer; a bias trial shows one image twice.
    correct = "notsure" if bias else {left: "right", right: "left"}.get(pivot, "") if trap else ""
    kind = "catch" if trap or bias else "test"
    return None, Trial(_filled(cells, "observer"), _filled(cells, "img_num"), "triplet", kind, left, pivot, right,
                       _one_of(cells, "response", _RESPONSES), correct, _milliseconds(cells, "response_time"))


def _pair(cells: dict[str, str]) -> tuple[None, Trial]:
    response = "left" if _one_of(cells, "is_A_selected", ("0", "1")) == "1" else "right"
    left, right = (Item(_filled(cells, f"condition_{name}"), "1") for name in "AB")
    return None, Trial(_filled(cells, "observer"), _filled(cells, "scene"), "2afc", "test", left, None, right, response,
                       "", math.nan)


LAYOUTS = (Layout(COLUMNS, _own, "reference", "study"), Layout(_AIC3, _aic3, "0", None),
           Layout(_PAIRS, _pair, "", None))


def read_trials(path: str | pathlib.Path) -> tuple[Layout, Iterator[tuple[tuple[str, ...] | None, Trial]]]:
    """Reads a file of answers.

    Args:
      path: the file.

    Returns:
      Its layout, and for each row the key of the trial, where the layout has one, and the trial.

    Raises:
      ValueError: if it is damaged or of no known layout; or, from the iterator, if a cell is not what it must be.
      OSError: if it cannot be read.
    """
    _, names, rows = read_rows(path)
    if len(set(names)) < len(names):
        raise ValueError(f"{path} names a column twice")
    layout = next((layout for layout in LAYOUTS if set(layout.columns) <= set(names)), None)
    if layout is None:
        nearest = min(LAYOUTS, key=lambda layout: len(set(layout.columns) - set(names)))
        missing = [name for name in nearest.columns if name not in names]
        raise ValueError(f"{path} holds no answers that can be read: it lacks the columns {', '.join(missing)}")

    def parsed():
        for number, row in enumerate(rows, 1):
            try:
                yield layout.parse(dict(zip(names, row)))
            except ValueError as error:
                raise ValueError(f"{path}: row {number}: {error}") from None

    return layout, parsed()
