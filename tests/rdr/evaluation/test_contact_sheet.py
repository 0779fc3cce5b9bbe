"""The contact sheet shows the worst and the best, with their values."""

import numpy as np
from PIL import Image

from rdr.data.image_pairs import Pair
from rdr.evaluation import contact_sheet
from rdr.metrics.full_reference import full_reference


def test_images_run_from_the_worst_to_the_best(tmp_path):
    metrics = {name: full_reference(name) for name in ("mse", "ssim")}
    values = [0.9, 0.2, 0.5, 0.95, 0.6, 0.3, 0.7, 0.8]
    records = [{"values": {"mse": 1 - v, "ssim": v}} for v in values]
    chosen, order = contact_sheet.choose(records, metrics)
    assert order == "ssim" and len(chosen) == contact_sheet.MAX_ROWS
    shown = [values[i] for i in chosen]
    assert shown == sorted(shown) and shown[0] == 0.2 and shown[-1] == 0.95
    assert contact_sheet.choose(records[:2], {"mse": metrics["mse"]}) == ([1, 0], "mse")
    assert contact_sheet.choose(records[:2], {}) == ([0, 1], None)


def test_the_difference_is_gray_where_there_is_none(tmp_path):
    x = np.full((30, 40, 3), 100, np.uint8)
    y = x.copy()
    y[:15] += 10
    for name, pixels in (("x.png", x), ("y.png", y)):
        Image.fromarray(pixels).save(tmp_path / name)
    pair = Pair("a", tmp_path / "x.png", tmp_path / "y.png", 30, 40, 600)
    figure = contact_sheet.make_figure([pair], [{"values": {"psnr": 30.0}}], {"psnr": full_reference("psnr")})
    reference, candidate, difference = (axis.get_images()[0].get_array() for axis in figure.axes)
    np.testing.assert_allclose(reference, x / 255, rtol=1e-6)
    np.testing.assert_allclose(candidate, y / 255, rtol=1e-6)
    np.testing.assert_allclose(difference[20], 0.5)
    np.testing.assert_allclose(difference[5], 0.5 + 2 * 10 / 255, rtol=1e-6)
    assert figure.axes[1].get_title(loc="left") == "0.500 bpp · PSNR 30"


def test_large_images_are_averaged_down():
    image = np.arange(1200 * 4 * 3, dtype=np.float32).reshape(1200, 4, 3)
    found = contact_sheet._thumbnail(image)
    assert found.shape == (600, 2, 3)
    np.testing.assert_allclose(found[0, 0], image[:2, :2].mean((0, 1)))
