"""Distances between sets in a report are those of their functions."""

import hashlib
import pathlib

import jax
import numpy as np
from PIL import Image

from rdr.cli.evaluate import Config
from rdr.data.image_pairs import Pair
from rdr.evaluation.metric_plan import make_plan
from rdr.evaluation.metric_suite import MetricSuite
from rdr.evaluation.set_report import between_sets, both_sides
from rdr.metrics import niqe
from rdr.metrics.pyramid_sliced import sliced_distance

PAIRS = [Pair(name, pathlib.Path("r"), pathlib.Path("c"), 40, 48, None) for name in "abc"]


def test_sliced_and_natural_distances_are_those_of_their_functions(tmp_path):
    pairs = [pair._replace(height=96, width=96) for pair in PAIRS]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 3, 96, 96, 3), np.uint8)
    candidates, references = pixels.astype(np.float32) / np.float32(255)
    for i in range(3):
        Image.fromarray(pixels[1, i]).save(tmp_path / f"{i}.png")
    tables = {}
    # The sliced distance comes last, as `found` is looked at below; image by image, so that all is compiled for one.
    for metrics, folder in ((("natural",), str(tmp_path)), (("sliced", "natural"), "")):
        plan = make_plan(Config(metrics=metrics, natural=folder), pairs)
        suite = MetricSuite.from_plan(plan)
        found = both_sides(*(suite.features(x, batch_size=1) for x in (candidates, references)))
        records, notes = [{"values": {}} for _ in pairs], []
        images = [{name: values[i] for name, values in found.items()} for i in range(3)]
        tables[folder] = between_sets(plan, suite, images, records, notes)
        assert notes == ["natural was fitted on 3 patches only: give --natural=DIR with more images"]
    table = tables[""]
    assert list(table) == [*(f"sliced_level{k}" for k in range(4)), "natural", "natural_of_reference"]
    # The finest level is the image less its low-pass: white noise of one distribution on both sides.
    level = [np.concatenate(found[f"level1 {side}"]) for side in ("candidate", "reference")]
    assert level[0].shape == (3 * 64, 7 * 7 * 3)
    groups = np.repeat(np.arange(3), 64)
    value, error = sliced_distance(*level, key=jax.random.key(0), seed=0, groups=groups, num_folds=3)
    assert (table["sliced_level1"]["value"], table["sliced_level1"]["standard_error"]) == (value, error)
    assert found["natural reference"].shape == (3, 1, 36) and found["sharpness reference"].shape == (3, 1)
    model = niqe.fit_natural_model(found["natural reference"][:, 0], found["sharpness reference"][:, 0])
    for name, side in (("natural", "candidate"), ("natural_of_reference", "reference")):
        expected = [niqe.natural_distance(model, x) for x in found[f"natural {side}"]]
        np.testing.assert_allclose([record["values"][name] for record in records], expected, rtol=1e-4)
        np.testing.assert_allclose(table[name]["value"], np.mean(expected), rtol=1e-4)
    # The same photographs from a folder.
    assert list(tables[str(tmp_path)]) == ["natural", "natural_of_reference"]
    for name in tables[str(tmp_path)]:
        np.testing.assert_allclose(tables[str(tmp_path)][name]["value"], table[name]["value"], rtol=1e-4)
    # Known by what is in it, wherever it lies.
    digests = "".join(hashlib.sha256((tmp_path / f"{i}.png").read_bytes()).hexdigest() for i in range(3))
    options = tables[str(tmp_path)]["natural"]["protocol"]["options"]
    assert options == {"fitted_on": tmp_path.name, "fitted_patches": 3,
                       "files_sha256": hashlib.sha256(digests.encode()).hexdigest()}
    assert table["natural"]["protocol"]["options"] == {"fitted_on": "the references", "fitted_patches": 3}
