"""Distances between the sets of originals and of candidates: values, errors and protocols of an evaluation's report."""

import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from rdr.data.folders import images_by_name
from rdr.data.image_pairs import file_digest
from rdr.evaluation.metric_plan import (
    NATURAL_PATCH,
    NEIGHBORHOOD,
    NEIGHBORHOODS_PER_IMAGE,
    PYRAMID_LEVELS,
    Plan,
)
from rdr.evaluation.metric_suite import MetricSuite
from rdr.metrics import niqe, pyramid_sliced
from rdr.metrics.protocol import Protocol
from rdr.metrics.set_distances import set_distances

SIDES = ("candidate", "reference")
_FEW_PATCHES = 100  # of 36 statistics each
# Feature arrays of an image by "what side", as files of features hold them.
Features = Mapping[str, np.ndarray]


def both_sides(candidate: Features, reference: Features) -> dict[str, np.ndarray]:
    """Joins the features of candidates and of references under the names that `between_sets` looks for.

    Args:
      candidate: of `MetricSuite.features`.
      reference: the same of the references.

    Returns:
      "what candidate" and "what reference" -> arrays.
    """
    return {f"{what} {side}": array for side, features in zip(SIDES, (candidate, reference))
            for what, array in features.items()}


def between_sets(
    plan: Plan, suite: MetricSuite, images: Sequence[Features], records: Sequence[dict[str, Any]], notes: list[str]
) -> dict[str, dict[str, Any]]:
    """Computes the distances between sets from the features of all images.

    Args:
      plan: says which.
      suite: of the plan.
      images: per image, the features of both sides.
      records: per image; "natural" is added to their values.
      notes: what could not be computed is appended.

    Returns:
      Metric -> value, error, direction and protocol.
    """
    table = {}
    for name, kinds in plan.kinds.items():
        sets = [np.concatenate([image[f"{name} {side}"] for image in images]) for side in SIDES]
        groups = np.repeat(np.arange(len(images)), [len(image[f"{name} candidate"]) for image in images])
        e = plan.embeddings[name]
        for kind in kinds:
            try:
                entries, settings = set_distances(
                    kind, sets[0], sets[1], groups, seed=plan.seed, max_samples=plan.max_samples
                )
            except ValueError as error:
                notes.append(f"left out: {kind}_{name} ({error})")
                continue
            if settings.get("extrapolation", "").startswith("none"):
                notes.append(f"{kind}_{name} is not corrected for the number of samples, which makes it too large: "
                             "the correction needs 8 images and four samples for each dimension")
            protocol = Protocol(
                f"{kind}_{name}", network=name if e.params is not None else None, weights_sha256=e.weights_sha256,
                patch_size=plan.patch_size or None, num_samples=settings.pop("num_samples"),
                options=e.options | settings,
            )  # fmt: skip
            for part, entry in entries.items():
                table[f"{part or kind}_{name}"] = entry | {
                    "higher_is_better": kind == "prdc", "protocol": protocol.tag()
                }  # fmt: skip
    if plan.sliced:
        table |= _sliced(plan, images)
    if plan.natural is not None:
        try:
            table |= _natural_distances(plan, suite, images, records, notes)
        except ValueError as error:
            notes.append(f"left out: natural ({error})")
    return table


def _sliced(plan: Plan, images: Sequence[Features]) -> dict[str, dict[str, Any]]:
    table = {}
    groups = np.repeat(np.arange(len(images)), NEIGHBORHOODS_PER_IMAGE)
    for level in range(PYRAMID_LEVELS):
        sets = [np.concatenate([image[f"level{level} {side}"] for image in images]) for side in SIDES]
        folds = min(16, len(images))
        options = {"level": level, "neighborhood": NEIGHBORHOOD, "per_image": NEIGHBORHOODS_PER_IMAGE,
                   "projections": 128, "squared": True, "seed": plan.seed}
        protocol = Protocol(f"sliced_level{level}", input="Laplacian pyramid of sRGB in [0, 1]",
                            num_samples=len(groups), options=options)
        value, error = pyramid_sliced.sliced_distance(
            *sets, key=jax.random.key(plan.seed), seed=plan.seed,
            groups=groups if folds > 1 else None, num_folds=max(folds, 2),
        )  # fmt: skip
        entry = {"value": value} | ({"standard_error": error} if folds > 1 else {})
        table[f"sliced_level{level}"] = entry | {"higher_is_better": False, "protocol": protocol.tag()}
    return table


def _natural_distances(
    plan: Plan, suite: MetricSuite, images: Sequence[Features], records: Sequence[dict[str, Any]], notes: list[str]
) -> dict[str, dict[str, Any]]:
    options: dict[str, Any] = {"fitted_on": "the references"}
    if plan.natural:
        files = images_by_name(plan.natural, flag="natural").values()
        digests = "".join(map(file_digest, files))
        options = {"fitted_on": pathlib.Path(plan.natural).resolve().name,
                   "files_sha256": hashlib.sha256(digests.encode()).hexdigest()}
        model = suite.fit_natural_model(files)
    else:
        statistics, sharpness = (
            np.concatenate([image[f"{what} reference"] for image in images]) for what in ("natural", "sharpness")
        )
        model = niqe.fit_natural_model(statistics, sharpness, patch_size=NATURAL_PATCH)
    if model.num_patches < _FEW_PATCHES:
        notes.append(f"natural was fitted on {model.num_patches} patches only: give --natural=DIR with more images")
    table, options = {}, options | {"fitted_patches": model.num_patches}
    for side, name in (("candidate", "natural"), ("reference", "natural_of_reference")):
        values = [niqe.natural_distance(model, image[f"natural {side}"]) for image in images]
        for record, value in zip(records, values):
            record["values"][name] = value
        protocol = Protocol(name, input="luma (BT.601) in [0, 255]", patch_size=NATURAL_PATCH,
                            num_samples=len(images), options=options)
        entry = {"value": float(np.mean(values))}
        if len(values) > 1:
            entry["standard_error"] = float(np.std(values, ddof=1) / np.sqrt(len(values)))
        table[name] = entry | {"higher_is_better": False, "protocol": protocol.tag()}
    return table
