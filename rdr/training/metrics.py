"""Metrics as JSON lines, cut back to a checkpoint when a run resumes."""

import json
import math
import pathlib
from collections.abc import Mapping

from rdr import files


class MetricsLog:
    """A file with one line for every so many steps.

    Args:
      path: of the file.
      done: steps that the run resumes from; lines of later ones, and one cut off by an interruption, are dropped.
    """

    def __init__(self, path: str | pathlib.Path, *, done: int):
        self._path = pathlib.Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        retained = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= done]
        # In place of the file at once: being killed here must not cost the lines of earlier steps.
        files.write_text(self._path, "".join(line + "\n" for line in retained))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Appends a line.

        Args:
          step: how many steps are done.
          values: metrics by name, finite.
        """
        assert all(math.isfinite(value) for value in values.values())
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
