"""Results on disk: tables with a header that says what they hold, and a record of the run.

`points.csv` has one row per operating point of a codec; `POINT_COLUMNS` is its schema.
"""

import csv
import gzip
import io
import itertools
import json
import math
import pathlib
import platform
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from rdr import files

SCHEMA_VERSION = 1
_MAX_TEXT = 1 << 30  # bytes that a compressed table may have

POINT_COLUMNS = (
    "source", "dimension", "codec", "shared", "rate_bits", "distortion", "perception", "bound_kind",
    "bound_lower_bits", "bound_upper_bits", "gap_bits", "gap_se", "seed",
)


def format_value(value: Any) -> str:
    """Writes one cell: floats with ten significant digits, everything else as it is.

    Args:
      value: a string, an integer, a float, or a 0-d array.

    Returns:
      The cell's text, without commas or line breaks.

    Raises:
      ValueError: if it would hold one.
    """
    if hasattr(value, "item"):
        value = value.item()
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    if "," in text or "\n" in text:
        raise ValueError(f"a table cell must hold no comma or line break, got {text!r}")
    return text


def write_table(path: pathlib.Path, columns: Mapping[str, Sequence | np.ndarray], header: Mapping[str, Any]) -> None:
    """Writes a table as CSV behind `# key: value` lines.

    Args:
      path: the file.
      columns: column name -> values, all of one length.
      header: what the table is: units, preset, seed and so on.

    Raises:
      ValueError: if the columns' lengths differ.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns must have one length, got {lengths}")
    lines = [f"# {key}: {value}" for key, value in {"schema_version": SCHEMA_VERSION, **header}.items()]
    lines.append(",".join(columns))
    lines.extend(",".join(map(format_value, row)) for row in zip(*columns.values()))
    files.write_text(path, "\n".join(lines) + "\n")


def write_points(path: pathlib.Path, columns: Mapping[str, Sequence | np.ndarray], header: Mapping[str, Any]) -> None:
    """Writes `points.csv`: the operating points of codecs and their bounds.

    Args:
      path: the file.
      columns: at least `POINT_COLUMNS`, which come first and in that order.
      header: further header lines.

    Raises:
      ValueError: if a column of the schema is missing.
    """
    missing = [name for name in POINT_COLUMNS if name not in columns]
    if missing:
        raise ValueError(f"points lack the columns {', '.join(missing)}")
    ordered = {name: columns[name] for name in POINT_COLUMNS}
    write_table(path, ordered | {k: v for k, v in columns.items() if k not in ordered}, header)


def read_rows(path: str | pathlib.Path) -> tuple[dict[str, str], list[str], list[list[str]]]:
    """Reads a CSV table as people and programs write it.

    A byte-order mark, quoted cells, with line breaks in them as well, blank lines, `# key: value` lines above the
    heading and compression by gzip are understood.

    Args:
      path: the file.

    Returns:
      The keys and values of `#` lines, the names of the columns, and the rows; cells without blanks around them.

    Raises:
      ValueError: if the file is no such table, is damaged, or holds no rows.
      OSError: if it cannot be read.
    """
    data = pathlib.Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = _decompressed(path, data)
    try:
        text = data.decode("utf-8-sig")  # spreadsheets begin with a byte-order mark, and quote cells
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be a text in UTF-8 ({error})") from None
    header, stream = {}, io.StringIO(text, newline="")
    for line in stream:
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            header[key.strip()] = value.strip()
        elif line.strip(" ,\t\r\n"):
            break
    else:
        line = ""
    try:
        reader = csv.reader(itertools.chain([line], stream), skipinitialspace=True, strict=True)
        rows = [row for row in ([cell.strip() for cell in row] for row in reader) if any(row)]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV table: {error}") from None
    if len(rows) < 2:
        raise ValueError(f"{path} holds no rows")
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(rows[0]):
            raise ValueError(f"{path}: row {number} has {len(row)} cells, the heading has {len(rows[0])}")
    return header, rows[0], rows[1:]


def _decompressed(path: str | pathlib.Path, data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            text = stream.read(_MAX_TEXT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file: {error}") from None
    if len(text) > _MAX_TEXT:
        raise ValueError(f"{path} must hold at most {_MAX_TEXT >> 20} MiB of text")
    return text


def violations(columns: Mapping[str, Sequence | np.ndarray]) -> list[int]:
    """Finds operating points that beat their bound.

    A violation is a rate below the bound's lower side by more than three standard errors of the gap, or a
    row in which one of these is not finite.

    Args:
      columns: at least `rate_bits`, `bound_lower_bits` and `gap_se`.

    Returns:
      The indices of the rows, in order.
    """
    rows = zip(columns["rate_bits"], columns["bound_lower_bits"], columns["gap_se"])
    return [i for i, (rate, bound, error) in enumerate(rows)
            if not (math.isfinite(rate) and math.isfinite(error) and rate >= bound - 3.0 * error)]


def render(columns: Mapping[str, Sequence | np.ndarray], digits: int = 4) -> str:
    """Lays a table out for a person: aligned columns, rounded numbers.

    Args:
      columns: column name -> values.
      digits: digits after the decimal point.

    Returns:
      The text, without a final line break.
    """
    def cell(value):
        if hasattr(value, "item"):
            value = value.item()
        return f"{value:.{digits}f}" if isinstance(value, float) and math.isfinite(value) else str(value)

    table = [list(columns), *([cell(v) for v in row] for row in zip(*columns.values()))]
    widths = [max(len(row[j]) for row in table) for j in range(len(columns))]
    lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths)) for row in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _commit() -> str | None:
    root = pathlib.Path(__file__).resolve().parents[2]
    def git(*words):
        return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True,
                              timeout=10).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def write_run_record(workdir: pathlib.Path, *, name: str, config: Any, duration_seconds: float) -> None:
    """Writes `run.json`: what was run, with which versions, where, and how long it took.

    Args:
      workdir: the working directory; it is not named in the record.
      name: the experiment's module, such as `experiments.sources.gaussian_rdp`.
      config: the configuration (a dataclass with JSON-able fields).
      duration_seconds: how long the run took.
    """
    import dataclasses
    import importlib.metadata

    versions: dict[str, str | None] = {}
    for package in ("jax", "jaxlib", "flax", "optax", "numpy", "constriction", "orbax-checkpoint"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    options = " ".join(
        f"--{field}={','.join(map(str, value)) if isinstance(value, tuple | list) else value}"
        for field, value in dataclasses.asdict(config).items()
    )
    record = {
        "command": f"python -m {name} {options}",
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "versions": versions,
        "devices": [device.device_kind for device in jax.devices()],
        "duration_seconds": round(duration_seconds, 1),
    }
    files.write_text(pathlib.Path(workdir) / "run.json", json.dumps(record, indent=2) + "\n")
