"""Reads the tables that figures are drawn from."""

import pathlib
from collections.abc import Collection

import numpy as np

DATA = pathlib.Path(__file__).resolve().parent / "data"


def read_table(path: str | pathlib.Path, needed: Collection[str] = ()) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Reads a CSV table that starts with `# key: value` lines.

    Args:
      path: the file.
      needed: names of columns that it must have.

    Returns:
      The header lines by key, and the columns by name: float64 where every cell is a number, else strings.

    Raises:
      ValueError: if the file is missing, empty or lacks a column, or a row has another number of cells than the
        heading.
    """
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"table {path} cannot be read: {error.strerror or error}") from None
    header, rows = {}, []
    for line in lines:
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            header[key.strip()] = value.strip()
        elif line.strip():
            rows.append(line.split(","))
    if not rows:
        raise ValueError(f"table {path} holds no columns")
    names, cells = rows[0], rows[1:]
    if missing := set(needed) - set(names):
        raise ValueError(f"{path} lacks the columns {', '.join(sorted(missing))}")
    for number, row in enumerate(cells, 1):
        if len(row) != len(names):
            raise ValueError(f"table {path}: row {number} has {len(row)} cells, the heading has {len(names)}")
    columns = {}
    for j, name in enumerate(names):
        texts = [row[j] for row in cells]
        try:
            columns[name] = np.array([float(text) for text in texts], np.float64)
        except ValueError:
            columns[name] = np.array(texts, str)
    return header, columns


def read_beside(path: pathlib.Path, name: str) -> dict[str, np.ndarray]:
    """Reads the second table of a figure: `TABLE_NAME.csv` beside a committed table, `NAME.csv` beside a run's own.

    Args:
      path: the first table.
      name: of the second.

    Returns:
      Its columns by name.

    Raises:
      ValueError: if it cannot be read.
    """
    committed = path.with_name(f"{path.stem}_{name}.csv")
    return read_table(committed if committed.exists() else path.with_name(f"{name}.csv"))[1]


def rows_by(columns: dict[str, np.ndarray], group: str, order: str) -> dict[str, dict[str, np.ndarray]]:
    """Parts a table by the words of a column.

    Args:
      columns: of `read_table`.
      group: column of words.
      order: column of numbers by which the rows of each part are sorted.

    Returns:
      Word, in the table's order -> columns by name.
    """
    result = {}
    for name in dict.fromkeys(columns[group]):
        rows = np.flatnonzero(columns[group] == name)
        rows = rows[np.argsort(columns[order][rows])]
        result[str(name)] = {key: column[rows] for key, column in columns.items()}
    return result
