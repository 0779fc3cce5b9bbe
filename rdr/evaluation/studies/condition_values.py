"""Metrics and rates of the images of a study, from evaluations by `rdr evaluate` or from a table."""

import json
import pathlib
from typing import NamedTuple

import numpy as np

from rdr.evaluation.studies.answer_layouts import Item, item_of
from rdr.evaluation.tables import read_rows
from rdr.metrics import registry

RATE = "rate_bpp"
_NOT_METRICS = ("image", "source", "condition", "level", "height", "width")
_HIGHER = ("psnr", "ssim", "ms_ssim")  # of the metrics that rdr has
_ENDINGS = ("png", "jpg", "jpeg", "webp", "bmp", "ppm", "tif", "tiff", "avif", "jxl", "rdr")
_ERROR = "_se"  # what a column of standard errors ends with


class Values(NamedTuple):
    """Numbers of images.

    Attributes:
      numbers: metric -> (source, item) -> value; `RATE` is one of them where rates are known.
      errors: metric -> (source, item) -> standard error, where a table has them.
      higher_is_better: metric -> its direction, of all but `RATE`.
    """

    numbers: dict[str, dict[tuple[str, Item], float]]
    errors: dict[str, dict[tuple[str, Item], float]]
    higher_is_better: dict[str, bool]


def read_values(path: str | pathlib.Path) -> Values:
    """Reads metrics and rates.

    Args:
      path: a folder with working directories of `rdr evaluate`, one for each condition, named CODEC@LEVEL, or CODEC for
        level 1, or in a folder CODEC named LEVEL, images named as the sources are; or a CSV table with the columns
        source, condition, level and one for each metric, NAME_se for its standard error, and a line
        `# higher_is_better: NAME, NAME` where rdr has no metric of the name.

    Returns:
      The numbers.

    Raises:
      ValueError: if there are none, a number or column is missing, a direction is unknown, or an image occurs twice.
      OSError: if a file cannot be read.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return _read_evaluations(path)
    header, names, rows = read_rows(path)
    missing = [name for name in ("source", "condition", "level") if name not in names]
    metrics = [name for name in names if name not in _NOT_METRICS and not name.endswith(_ERROR)]
    if missing or not metrics:
        raise ValueError(f"{path} must have the columns source, condition, level and a metric, it lacks "
                         f"{', '.join(missing) or 'a metric'}")
    listed = {name.strip() for name in header.get("higher_is_better", "").split(",")}
    higher = {name: _direction(path, name, listed) for name in metrics if name != RATE}
    values = Values({name: {} for name in metrics}, {name: {} for name in metrics if name + _ERROR in names}, higher)
    for row in rows:
        cells = dict(zip(names, row))
        _add(path, values, cells, name_of(cells["source"]), item_of(cells["condition"], cells["level"]))
    return values


def _direction(path: pathlib.Path, name: str, listed: set[str]) -> bool:
    if name in listed:
        return True
    if name in registry.names():
        return name in _HIGHER
    if listed - {""}:
        return False  # those that are better are listed
    raise ValueError(f"{path}: say whether larger values of {name} are better, by a line '# higher_is_better: {name}' "
                     "or '# higher_is_better: none'")


def _add(path: pathlib.Path, values: Values, cells: dict[str, str], source: str, item: Item) -> None:
    for name in values.numbers:
        if (source, item) in values.numbers[name]:
            raise ValueError(f"{path}: source {source}, condition {item.condition}, level {item.level} occurs twice")
        for column, table in ((name, values.numbers), (name + _ERROR, values.errors)):
            if name not in table:
                continue
            try:
                table[name][source, item] = float(cells[column]) if cells[column] else float("nan")
            except ValueError:
                raise ValueError(f"{path}: column {column} must hold numbers, got {cells[column]!r}") from None


def _read_evaluations(folder: pathlib.Path) -> Values:
    values = Values({}, {}, {})
    for file in sorted((*folder.glob("*/images.csv"), *folder.glob("*/*/images.csv"))):
        name = file.parent.relative_to(folder).as_posix()
        codec, level = name.split("/") if "/" in name else (name.rpartition("@")[::2] if "@" in name else (name, "1"))
        try:
            metrics = json.loads((file.parent / "results.json").read_text(encoding="utf-8"))["metrics"]
            higher = {metric: bool(entry["higher_is_better"]) for metric, entry in metrics.items()}
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(f"{file.parent / 'results.json'} is missing or damaged") from None
        _, names, rows = read_rows(file)
        result = [metric for metric in names if metric not in _NOT_METRICS]
        for metric in result:
            values.numbers.setdefault(metric, {})
            if metric != RATE:
                values.higher_is_better[metric] = higher.get(metric, False)
        for row in rows:
            cells = dict(zip(names, row))
            own = values._replace(numbers={metric: values.numbers[metric] for metric in result})
            _add(file, own, cells, name_of(cells["image"]), item_of(codec, level))
    if not values.numbers:
        raise ValueError(f"{folder} holds no evaluations: folders named CODEC@LEVEL, or CODEC/LEVEL, with the "
                         "images.csv of rdr evaluate")
    return values


def look_up(values: Values, metric: str, keys: list[tuple[str, Item]]) -> np.ndarray:
    """Finds the values of a metric.

    Args:
      values: of `read_values`.
      metric: its name.
      keys: sources and items.

    Returns:
      [keys], NaN where there is none; sources are found with and without the endings of file names.
    """
    table = values.numbers[metric]
    return np.array([table.get((name_of(source), item), np.nan) for source, item in keys])


def name_of(source: str) -> str:
    """Takes the ending of an image file off, so that tables with and without endings go together.

    Args:
      source: a source, or its file.

    Returns:
      The name.
    """
    stem, dot, ending = source.rpartition(".")
    return stem if dot and stem and ending.lower() in _ENDINGS else source
