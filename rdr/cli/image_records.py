"""Records of evaluated images: computed one by one, kept at once, and reused while the files are the same."""

import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from rdr import files
from rdr.data.image_pairs import Pair, file_digest
from rdr.evaluation.feature_files import feature_path, save_features
from rdr.evaluation.metric_suite import MetricSuite
from rdr.evaluation.set_report import both_sides


def read_finished(path: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Reads the per-image results that an earlier run kept.

    Args:
      path: `images.jsonl`.

    Returns:
      name -> record; a last line that was cut short is left out.
    """
    return {record["name"]: record for record in files.read_json_lines(path)}


def evaluate_images(
    suite: MetricSuite, pairs: Sequence[Pair], workdir: pathlib.Path, *, batch_size: int, failures: dict[str, str]
) -> list[dict[str, Any]]:
    """Computes what is computed image by image, keeping each result at once.

    Args:
      suite: computes.
      pairs: of images.
      workdir: where `images.jsonl` and `features/` are.
      batch_size: images per call; those of one call have one size.
      failures: name -> what is wrong with a pair that cannot be read; gets those that are found.

    Returns:
      One record per pair that can be read, in their order.
    """
    log = workdir / "images.jsonl"
    retained = read_finished(log)
    digests = {pair.name: digests_of(pair) for pair in pairs}
    finished = {
        pair.name: retained[pair.name]
        for pair in pairs
        if pair.name in retained and is_current(retained[pair.name], pair, digests[pair.name])
        and (not suite.has_features or feature_path(workdir, pair.name).exists())
    }
    if log.exists():  # without lines that were cut short, and without those of files that have changed
        files.write_text(log, "".join(json.dumps(record) + "\n" for record in finished.values()))
    by_size: dict[tuple[int, int], list[Pair]] = {}
    for pair in pairs:
        if pair.name not in finished:
            by_size.setdefault((pair.height, pair.width), []).append(pair)
    with tqdm(total=len(pairs), initial=len(finished), unit="image", disable=None) as progress:
        for group in by_size.values():
            for start in range(0, len(group), batch_size):
                batch = group[start : start + batch_size]
                loaded = {}
                for pair in batch:
                    try:
                        loaded[pair] = pair.load()
                    except ValueError as error:
                        failures[pair.name] = str(error)
                progress.update(len(batch))
                if not loaded:
                    continue
                batch = list(loaded)
                references, candidates = map(np.stack, zip(*loaded.values()))
                values = suite.compare(candidates, references, batch_size=batch_size)
                features = both_sides(*(suite.features(x, batch_size=batch_size) for x in (candidates, references)))
                for i, pair in enumerate(batch):
                    if features:
                        save_features(workdir, pair.name, {key: array[i] for key, array in features.items()})
                    record = {
                        "name": pair.name, "height": pair.height, "width": pair.width, "bits": pair.bits,
                        "sha256": digests[pair.name], "values": {k: encode(float(v[i])) for k, v in values.items()},
                    }  # fmt: skip
                    files.append_json_line(log, record)
                    finished[pair.name] = record
    return [finished[pair.name] for pair in pairs if pair.name in finished]


def digests_of(pair: Pair) -> list[str]:
    """Computes the digests of a pair's files.

    Args:
      pair: of images.

    Returns:
      The SHA-256 of the reference and of the candidate.
    """
    return [file_digest(pair.reference), file_digest(pair.candidate)]


def is_current(record: dict[str, Any], pair: Pair, digests: list[str]) -> bool:
    """Tells whether a record is of the files that are there now.

    Args:
      record: of `images.jsonl`.
      pair: of images.
      digests: of its files.

    Returns:
      Whether they are the same.
    """
    return record["sha256"] == digests and record["bits"] == pair.bits


def encode(value: float) -> float | str:
    """Turns a number into what JSON can hold: infinities and NaN become strings.

    Args:
      value: the number.

    Returns:
      The number, or "inf", "-inf" or "nan", which `float` reads.
    """
    return value if math.isfinite(value) else str(value)
