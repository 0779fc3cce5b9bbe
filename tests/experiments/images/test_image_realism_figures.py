"""Figures of image experiments: curves per image, and images side by side with their lengths."""

import numpy as np
from PIL import Image

from experiments.images import image_realism_figures


def test_curves_and_images_are_drawn(tmp_path):
    rows = [{"picture": "brick", "codec": codec, "bits_per_pixel": bits, "psnr": 20 + 10 * bits + shift}
            for codec, shift in (("JPEG", 0), ("overfitted MSE", 2)) for bits in (0.2, 0.4, 0.8)]
    image_realism_figures.draw_curves(tmp_path / "curves.png", rows)
    image = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)
    image_realism_figures.draw_images(tmp_path / "images.png", {"original": (image, 0), "JPEG": (image // 2, 99)})
    for name in ("curves.png", "images.png"):
        drawn = np.asarray(Image.open(tmp_path / name).convert("L"))
        assert drawn.min() < 100 and drawn.max() == 255 and drawn.std() > 5
