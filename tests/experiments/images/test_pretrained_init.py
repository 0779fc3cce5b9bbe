"""Making the weights that fits start from."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from experiments.images import pretrained_init


def test_mosaics_are_crops_from_calm_to_lively(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(6):
        noise = 128 + rng.normal(size=(20, 24, 3)) * 4 * index
        Image.fromarray(noise.astype(np.uint8)).save(tmp_path / f"{5 - index}.png")
    config = dataclasses.replace(pretrained_init.PRESETS["smoke"], images=str(tmp_path))
    mosaic = pretrained_init.make_mosaic(config)
    assert mosaic.shape == (32, 48, 3)
    spread = [mosaic[r : r + 16, c : c + 16].std() for r in (0, 16) for c in (0, 16, 32)]
    assert spread == sorted(spread) and spread[0] < 1
    (tmp_path / "0.png").unlink()
    with pytest.raises(ValueError, match="must hold 6 photographs"):
        pretrained_init.make_mosaic(config)
