"""Distances between sets of feature vectors by name, each with its error, as plain numbers for a report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rdr.metrics.frechet import extrapolated_frechet_distance, frechet_distance
from rdr.metrics.kernel_distance import kernel_distance
from rdr.metrics.prdc import neighbor_statistics

KINDS = ("fd", "kd", "prdc")


def set_distances(
    kind: str,
    features: ArrayLike,
    reference: ArrayLike,
    groups: ArrayLike,
    *,
    seed: int,
    max_samples: int = 5000,
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Computes one kind of distance between paired sets: patches of reference and candidate images.

    Args:
      kind: "fd" (Fréchet distance), "kd" (kernel distance) or "prdc" (precision, recall, density, coverage).
      features: [samples, dimension], of the candidates.
      reference: the same shape, of the references.
      groups: [samples] number of the image that a patch comes from, the same for both.
      seed: of folds and subsets.
      max_samples: for "kd" and "prdc", whose cost grows with the square: a random subset of this size is used.

    Returns:
      Name (or part of it, for "prdc") -> {"value", and where there is one "standard_error"}, for "fd" also
      "uncorrected"; and settings for the protocol, the number of samples among them. "fd" and its error are
      extrapolated to infinitely many samples if there are at least 8 images and more samples than dimensions in a
      quarter of them; otherwise the value is uncorrected and has no error.

    Raises:
      ValueError: if there is no such kind, or a set is too small for it.
    """
    features, reference, groups = np.asarray(features), np.asarray(reference), np.asarray(groups)
    images = np.unique(groups).size
    if kind == "fd":
        settings: dict[str, Any] = {"num_samples": len(features), "images": images}
        folds = min(16, images // 4 * 4)
        if folds < 8 or len(features) < 4 * features.shape[1]:
            value = frechet_distance(features, reference)
            settings["extrapolation"] = "none: needs 8 images and four samples for each dimension"
            return {"": {"value": value, "uncorrected": value}}, settings
        result = extrapolated_frechet_distance(
            features, reference, seed=seed, groups=groups, reference_groups=groups, num_folds=folds
        )
        settings |= {"extrapolation": f"line in 1/N through 7 subsets, {folds} folds of images", "seed": seed}
        entry = {"value": result.extrapolated, "standard_error": result.standard_error, "uncorrected": result.value}
        return {"": entry}, settings
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}, got {kind!r}")
    if len(features) > max_samples:
        chosen = np.sort(np.random.default_rng(seed).choice(len(features), max_samples, replace=False))
        features, reference, groups = features[chosen], reference[chosen], groups[chosen]
    settings = {"num_samples": len(features), "images": np.unique(groups).size, "seed": seed}
    if kind == "kd":
        folds = min(20, settings["images"])
        if folds < 3:
            raise ValueError(f"kd needs patches of at least 3 images, got {folds}")
        result = kernel_distance(
            features, reference, seed=seed, groups=groups, reference_groups=groups, num_folds=folds
        )
        settings |= {"kernel": "(x.y / dimension + 1)^3", "pairs": "of different images"}
        return {"": result._asdict()}, settings
    k = min(5, len(features) - 1)
    return {
        name: {"value": value} for name, value in neighbor_statistics(features, reference, k=k)._asdict().items()
    }, settings | {"k": k}
