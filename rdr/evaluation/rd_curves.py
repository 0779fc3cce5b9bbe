"""Curves of codecs: read from tables, from evaluations and from our own results."""

import json
import pathlib
from typing import Any, NamedTuple

import numpy as np

from rdr import files
from rdr.evaluation.tables import POINT_COLUMNS, read_rows

PUBLISHED = pathlib.Path(__file__).resolve().parent / "published"
MAX_METRICS = 100  # each has a panel in the figure
_NOT_METRICS = ("codec", "rate_bpp", "rate_bits", "estimated_bpp")
_SHORT = {"lpips": "lpips_alexnet"}
_NOT_PICTURE_METRICS = ("part", "picture", "codec", "bytes", "bits_per_pixel")


class Curve(NamedTuple):
    """Operating points of a codec.

    Attributes:
      name: of the codec.
      rate_name: "rate_bpp" (bits per pixel) or "rate_bits" (bits per sample).
      rates: [points].
      metrics: name -> [points]; NaN where there is no value.
      source: where the numbers are from.
      per_image: metric, and the rate, -> [points, images], where they are known.
      images: names of these images.
      protocols: metric -> what its values were computed under, where it is known.
    """

    name: str
    rate_name: str
    rates: np.ndarray
    metrics: dict[str, np.ndarray]
    source: str
    per_image: dict[str, np.ndarray] = {}  # noqa: RUF012
    images: tuple[str, ...] = ()
    protocols: dict[str, dict[str, Any]] = {}  # noqa: RUF012


def read_curves(word: str) -> list[Curve]:
    """Reads curves from wherever a word points to.

    Args:
      word: a CSV file in the form of `rdr/evaluation/published/README.md`, or the name of one that ships with it; a
        folder with `points.csv` of an experiment, `curve.csv` of `experiments.images.rd_sweep`, or `pictures.csv` of
        `experiments.images.image_realism`; a folder with `results.json` of `rdr evaluate`, or with subfolders that
        have one, an operating point each.

    Returns:
      The curves, at least one; [] for a folder that holds none of these (images, say).

    Raises:
      ValueError: if there is no such file, or it is not of the form.
    """
    path = pathlib.Path(word)
    published = PUBLISHED / f"{word}.csv"
    if not path.exists() and published.is_file():
        path = published
    if path.is_file():
        return read_table(path)
    if not path.is_dir():
        names = ", ".join(sorted(file.stem for file in PUBLISHED.glob("*.csv")))
        raise ValueError(f"there is no file or folder {word!r}, nor a published table of this name (there are {names})")
    if (path / "points.csv").is_file():
        return read_points(path / "points.csv")
    if (path / "curve.csv").is_file():
        # LPIPS there is on AlexNet, as its default everywhere.
        return [curve._replace(metrics={_SHORT.get(name, name): values for name, values in curve.metrics.items()})
                for curve in read_table(path / "curve.csv")]
    if (path / "pictures.csv").is_file():
        return read_images(path / "pictures.csv")
    folders = [path] if (path / "results.json").is_file() else sorted(f.parent for f in path.glob("*/results.json"))
    return [read_evaluations(path.resolve().name, folders)] if folders else []


def _number(path: pathlib.Path, column: str, text: str) -> float:
    try:
        return float(text) if text else float("nan")
    except ValueError:
        raise ValueError(f"{path}: column {column} must hold numbers, got {text!r}") from None


def read_table(path: pathlib.Path) -> list[Curve]:
    """Reads a table in the form of `rdr/evaluation/published/README.md`.

    Args:
      path: the file.

    Returns:
      One curve per value of the column `codec`, in their order.

    Raises:
      ValueError: if a column or number is missing, a rate is not positive and finite, or there are too many metrics.
    """
    header, names, rows = read_rows(path)
    if names[:1] != ["codec"] and "codec" not in names:
        raise ValueError(f"{path} must have a column codec, it has {', '.join(names)}")
    rate_name = next((name for name in ("rate_bpp", "rate_bits") if name in names), None)
    metrics = [name for name in names if name not in _NOT_METRICS]
    if rate_name is None or not metrics:
        raise ValueError(f"{path} must have a column rate_bpp and at least one metric, it has {', '.join(names)}")
    if len(metrics) > MAX_METRICS:
        raise ValueError(f"{path} must have at most {MAX_METRICS} metrics, it has {len(metrics)}")
    curves = []
    for codec in dict.fromkeys(row[names.index("codec")] for row in rows):
        own = [row for row in rows if row[names.index("codec")] == codec]
        columns = {
            name: np.array([_number(path, name, row[names.index(name)]) for row in own])
            for name in (rate_name, *metrics)
        }
        if not ((columns[rate_name] > 0) & np.isfinite(columns[rate_name])).all():
            raise ValueError(f"{path}: {codec} must have a positive, finite {rate_name} in every row")
        retained = {name: columns[name] for name in metrics if np.isfinite(columns[name]).any()}
        curves.append(Curve(codec, rate_name, columns[rate_name], retained, header.get("source", path.name)))
    return curves


def read_points(path: pathlib.Path) -> list[Curve]:
    """Reads the operating points of an experiment.

    Args:
      path: `points.csv`.

    Returns:
      One curve per codec and kind of shared randomness, with the metrics `distortion` and `perception`.

    Raises:
      ValueError: if a column is missing.
    """
    _, names, rows = read_rows(path)
    missing = [name for name in POINT_COLUMNS[:7] if name not in names]
    if missing:
        raise ValueError(f"{path} must have the columns of points.csv, it lacks {', '.join(missing)}")
    place = {name: names.index(name) for name in names}
    curves = []
    for key in dict.fromkeys((row[place["source"]], row[place["codec"]], row[place["shared"]]) for row in rows):
        own = [row for row in rows if (row[place["source"]], row[place["codec"]], row[place["shared"]]) == key]
        column = {
            name: np.array([_number(path, name, row[place[name]]) for row in own])
            for name in ("rate_bits", "distortion", "perception")
        }
        if not np.isfinite(column["rate_bits"]).all():
            raise ValueError(f"{path}: {' '.join(key)} must have a finite rate_bits in every row")
        metrics = {name: column[name] for name in ("distortion", "perception")}
        curves.append(Curve(" ".join(key), "rate_bits", column["rate_bits"], metrics, str(path)))
    return curves


def read_images(path: pathlib.Path) -> list[Curve]:
    """Reads the rates of `experiments.images.image_realism`: every image in the same number of files by every codec.

    Args:
      path: `pictures.csv`.

    Returns:
      One curve per codec, with rates and metrics averaged over the images, and the values of each.

    Raises:
      ValueError: if a column is missing, or a codec has another number of files for some image.
    """
    _, names, rows = read_rows(path)
    metrics = [name for name in names if name not in _NOT_PICTURE_METRICS]
    missing = [name for name in _NOT_PICTURE_METRICS if name not in names]
    if missing or not metrics:
        raise ValueError(f"{path} must have the columns of pictures.csv, it lacks {', '.join(missing) or 'a metric'}")
    table = [dict(zip(names, row)) for row in rows]
    table = [row for row in table if row["part"] == "rates"]
    images = tuple(dict.fromkeys(row["picture"] for row in table))
    curves = []
    for codec in dict.fromkeys(row["codec"] for row in table):
        files = [[row for row in table if row["codec"] == codec and row["picture"] == name] for name in images]
        if len({len(own) for own in files}) > 1:
            raise ValueError(f"{path}: {codec} must have as many files for every image, got {list(map(len, files))}")
        per_image = {
            name: np.array([[_number(path, column, row[column]) for row in own] for own in files]).T
            for name, column in (("rate_bpp", "bits_per_pixel"), *((metric, metric) for metric in metrics))
        }
        per_image = {name: values for name, values in per_image.items() if np.isfinite(values).all()}
        means = {name: values.mean(1) for name, values in per_image.items()}
        curves.append(Curve(codec, "rate_bpp", means.pop("rate_bpp"), means, str(path), per_image, images))
    return curves


def read_evaluations(name: str, folders: list[pathlib.Path]) -> Curve:
    """Reads evaluations of one codec at several rates.

    Args:
      name: of the codec.
      folders: working directories of `rdr evaluate`, an operating point each.

    Returns:
      The curve, with the values of each image.

    Raises:
      ValueError: if an evaluation has no rate, or they were made of different images or with different protocols.
    """
    documents = []
    for folder in folders:
        try:
            documents.append(json.loads((folder / "results.json").read_text(encoding="utf-8"))["metrics"])
        except (ValueError, KeyError):
            raise ValueError(f"{folder / 'results.json'} is damaged") from None
        if "rate_bpp" not in documents[-1]:
            raise ValueError(
                f"{folder} was evaluated without rates: give --bitstreams to rdr evaluate, or candidates in "
                "the format that they were compressed to"
            )
    common = [key for key in documents[0] if all(key in other for other in documents) and key != "rate_bpp"]
    for key in common:
        protocols = [document[key]["protocol"] for document in documents]
        if any(protocol != protocols[0] for protocol in protocols):
            raise ValueError(f"evaluations in {folders[0].parent} differ in the protocol of {key}")
    records = [list({record["name"]: record for record in files.read_json_lines(folder / "images.jsonl")}.values())
               for folder in folders]
    names = [tuple(sorted(record["name"] for record in point)) for point in records]
    per_image: dict[str, np.ndarray] = {}
    if names[0] and all(other == names[0] for other in names):
        ordered = [sorted(point, key=lambda record: record["name"]) for point in records]
        for key in common:
            if all(key in record["values"] for point in ordered for record in point):
                per_image[key] = np.array([[float(record["values"][key]) for record in point] for point in ordered])
        per_image["rate_bpp"] = np.array(
            [[record["bits"] / (record["height"] * record["width"]) for record in point] for point in ordered]
        )
    rates, *values = (
        np.array([float(document[key]["value"]) for document in documents]) for key in ("rate_bpp", *common)
    )
    images = names[0] if per_image else ()
    protocols = {key: documents[0][key]["protocol"] for key in common}
    metrics = dict(zip(common, values))
    return Curve(name, "rate_bpp", rates, metrics, "rdr evaluate", per_image, images, protocols)
