"""Values of metrics for images that people have judged, kept one by one so that a run resumes."""

import json
import pathlib
from collections.abc import Sequence

import numpy as np

from rdr import files
from rdr.data.image_io import read_image
from rdr.data.image_pairs import as_float
from rdr.evaluation.metric_suite import MetricSuite
from rdr.evaluation.subjective_scores import Opinion, find_file


def score_opinions(
    opinions: Sequence[Opinion], folder: str | pathlib.Path, suite: MetricSuite, log: pathlib.Path
) -> dict[str, np.ndarray]:
    """Computes every metric of images that people have judged.

    Args:
      opinions: name the images and their references.
      folder: where these are.
      suite: the metrics.
      log: a file of JSON lines, where each image's values are kept at once; images that are in it are not scored again.

    Returns:
      Metric -> [opinions].

    Raises:
      ValueError: if an image cannot be read, or sizes differ.
    """
    retained = [record for record in files.read_json_lines(log) if set(suite.metrics) <= set(record["scores"])]
    # Without a line that was cut short, which the next would be appended to.
    files.write_text(log, "".join(json.dumps(record) + "\n" for record in retained))
    done = {record["image"]: record["scores"] for record in retained}
    for opinion in opinions:
        if opinion.distorted in done:
            continue
        image, reference = (
            as_float(read_image(find_file(pathlib.Path(folder), name), channels=3))
            for name in (opinion.distorted, opinion.reference)
        )
        if image.shape != reference.shape:
            raise ValueError(f"{opinion.distorted} and {opinion.reference} must have one size, got "
                             f"{image.shape[:2]} and {reference.shape[:2]}")
        values = {name: float(value[0]) for name, value in suite.compare(image[None], reference[None]).items()}
        done[opinion.distorted] = values
        files.append_json_line(log, {"image": opinion.distorted, "scores": values})
    return {name: np.array([done[opinion.distorted][name] for opinion in opinions]) for name in suite.metrics}
