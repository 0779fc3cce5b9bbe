"""Tables of scales: for programs, and for people."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdr.evaluation.studies.answers import natural_order
from rdr.evaluation.studies.scaling import Scales
from rdr.evaluation.tables import render

SCALE_COLUMNS = ("source", "condition", "level", "scale", "lower", "upper")
ERROR_COLUMNS = ("study", *SCALE_COLUMNS, "observer_error", "bootstrap_error", "hessian_error", "observers", "answers")


def scale_rows(fits: Sequence[Scales]) -> list[dict[str, Any]]:
    """Lists the scales of all fits.

    Args:
      fits: in any order; sources of several studies are named STUDY/SOURCE.

    Returns:
      Rows with `ERROR_COLUMNS`, the source of each set of fits first and once. `lower` and `upper` are the ends of the
      interval of 95 %; everything is in JND.
    """
    several = len({fit.study for fit in fits}) > 1
    rows, seen = [], set()
    for fit in fits:
        for i, item in enumerate(fit.items):
            key = fit.study, fit.source, item
            if i == fit.reference and key in seen:
                continue
            seen.add(key)
            rows.append({
                "study": fit.study, "source": f"{fit.study}/{fit.source}" if several else fit.source,
                "condition": item.condition, "level": item.level, "scale": float(fit.scale[i]),
                "lower": float(fit.lower[i]), "upper": float(fit.upper[i]),
                "observer_error": float(fit.observer_error[i]), "bootstrap_error": float(fit.bootstrap_error[i]),
                "hessian_error": float(fit.hessian_error[i]), "observers": fit.observers,
                "answers": fit.answers})  # fmt: skip
    return rows


def to_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """Writes rows as CSV, names of the user's quoted where they must be.

    Args:
      rows: each with the columns.
      columns: in order.

    Returns:
      The text: numbers with ten significant digits, nothing for NaN.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return ("" if value != value else f"{value + 0.0:.10g}") if isinstance(value, float) else value


def scale_text(fits: Sequence[Scales]) -> str:
    """Lays scales out for a person: conditions and levels down, sources across.

    Args:
      fits: of one study.

    Returns:
      The text, without a final line break.
    """
    sources = list(dict.fromkeys(fit.source for fit in fits))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for fit in fits:
        for i, item in enumerate(fit.items):
            text = "0" if i == fit.reference else f"{fit.scale[i]:.2f} [{fit.lower[i]:.2f}, {fit.upper[i]:.2f}]"
            cells.setdefault(item, {})[fit.source] = text
    references = {fit.items[fit.reference] for fit in fits if fit.reference is not None}
    items = sorted(cells, key=lambda item: (item not in references, natural_order(item[0]), natural_order(item[1])))
    return render({"condition": [item[0] for item in items], "level": [item[1] for item in items],
                   **{source: [cells[item].get(source, "") for item in items] for source in sources}})
