"""Distances between sets by name: which are extrapolated, and what their protocol says."""

import numpy as np
import pytest

from rdr.metrics.frechet import extrapolated_frechet_distance, frechet_distance
from rdr.metrics.kernel_distance import kernel_distance
from rdr.metrics.set_distances import set_distances

RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(16), 8)
FEATURES, REFERENCE = RNG.normal(size=(128, 3)), 0.3 + RNG.normal(size=(128, 3))


def test_distances_are_those_of_the_functions_with_images_as_groups():
    entries, settings = set_distances("fd", FEATURES, REFERENCE, GROUPS, seed=4)
    expected = extrapolated_frechet_distance(
        FEATURES, REFERENCE, seed=4, groups=GROUPS, reference_groups=GROUPS, num_folds=16
    )
    assert entries[""] == {"value": expected.extrapolated, "standard_error": expected.standard_error,
                           "uncorrected": expected.value}
    assert settings["num_samples"] == 128 and settings["images"] == 16
    entries, _ = set_distances("kd", FEATURES, REFERENCE, GROUPS, seed=4)
    expected = kernel_distance(FEATURES, REFERENCE, seed=4, groups=GROUPS, reference_groups=GROUPS, num_folds=16)
    assert entries[""] == expected._asdict()
    entries, settings = set_distances("prdc", FEATURES, REFERENCE, GROUPS, seed=4)
    assert list(entries) == ["precision", "recall", "density", "coverage"] and settings["k"] == 5


def test_few_images_are_not_extrapolated_and_say_so():
    entries, settings = set_distances("fd", FEATURES[:24], REFERENCE[:24], GROUPS[:24], seed=0)
    assert entries[""]["value"] == frechet_distance(FEATURES[:24], REFERENCE[:24])
    assert "standard_error" not in entries[""] and settings["extrapolation"].startswith("none")
    # So are many images with fewer samples than dimensions ask for.
    wide = RNG.normal(size=(128, 40))
    assert "standard_error" not in set_distances("fd", wide, wide, GROUPS, seed=0)[0][""]
    with pytest.raises(ValueError, match="kd needs patches of at least 3 images, got 2"):
        set_distances("kd", FEATURES[:16], REFERENCE[:16], GROUPS[:16], seed=0)


def test_large_sets_are_cut_at_random_in_pairs():
    entries, settings = set_distances("kd", FEATURES, FEATURES, GROUPS, seed=1, max_samples=60)
    assert settings["num_samples"] == 60 and abs(entries[""]["value"]) < 1e-12
    with pytest.raises(ValueError, match="kind must be one of 'fd', 'kd', 'prdc', got 'is'"):
        set_distances("is", FEATURES, FEATURES, GROUPS, seed=1)
