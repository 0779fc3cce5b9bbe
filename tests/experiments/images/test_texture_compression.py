"""Few bytes for a texture."""

import dataclasses
import math

import numpy as np
import pytest

from experiments.images import texture_compression
from rdr.codecs import overfitted


def test_smoke_run_writes_what_it_measured(tmp_path, unfitted):
    config = dataclasses.replace(texture_compression.PRESETS["smoke"], sizes=(330, 400))
    rows = texture_compression.run(config, tmp_path)
    files = sorted(len(path.read_bytes()) for path in (tmp_path / "messages").glob("*.rdr"))
    assert sorted(row["bytes"] for row in rows) == files and len(files) == 6
    with np.load(tmp_path / "textures.npz") as kept:
        assert set(kept) == {"brick original", *(f"brick {row['method']} {row['wanted_bytes']}" for row in rows)}
    for name in ("textures.csv", "brick-330.png", "brick-400.png", "run.json"):
        assert (tmp_path / name).stat().st_size > 0
    assert [(o.objective, o.noise_levels > 0, o.size) for o in unfitted] == [
        ("wd", True, 330), ("mse", False, 330), ("wd", True, 330),
        ("wd", True, 400), ("mse", False, 400), ("wd", True, 400)]
    seeds = {path.name: overfitted.describe(path.read_bytes())["seed"] for path in (tmp_path / "messages").iterdir()}
    assert sorted(name for name, seed in seeds.items() if seed is not None) == [
        "brick-WD-noise-330.rdr", "brick-WD-noise-400.rdr", "brick-statistics-noise-330.rdr",
        "brick-statistics-noise-400.rdr"]


@pytest.mark.parametrize("name", ["WD + noise", "statistics + noise"])
def test_realism_has_noise_and_windows(name):
    options = texture_compression.methods(texture_compression.PRESETS["quick"])[name]
    assert options.objective == "wd" and options.noise_levels > 0
    assert math.isinf(options.sigma) == (name == "statistics + noise")


@pytest.mark.stress
def test_smoke_preset_with_fits(tmp_path):
    rows = texture_compression.run(texture_compression.PRESETS["smoke"], tmp_path)
    assert len(rows) == 3 and all(math.isfinite(row["psnr"]) for row in rows)
