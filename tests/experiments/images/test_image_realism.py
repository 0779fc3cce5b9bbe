"""Rate, distortion and realism of images."""

import dataclasses

import numpy as np
import pytest

from experiments.images import image_realism

CONFIG = dataclasses.replace(image_realism.PRESETS["smoke"], steps=4, realism_steps=4, size=24, realism_size=24,
                             realism_bpp=5.0, trade_offs=(0.05,))


def test_smoke_run_writes_what_it_measured(tmp_path, unfitted):
    rows = image_realism.run(CONFIG, tmp_path)
    files = {len(path.read_bytes()) for path in (tmp_path / "messages").glob("*.rdr")}
    ours = [row for row in rows if row["codec"].startswith("overfitted")]
    assert len(ours) == 5 and {row["bytes"] for row in ours} == files
    assert {row["part"] for row in rows} == {"rates", "realism"}
    for row in ours:
        assert row["bits_per_pixel"] == 8 * row["bytes"] / 24**2 and np.isfinite(row["psnr"])
    for name in ("pictures.csv", "bd_rates.csv", "rate_psnr.png", "brick.png", "run.json"):
        assert (tmp_path / name).stat().st_size > 0
    size = 5.0 * 24**2 // 8
    assert [(o.objective, o.noise_levels, o.rd_lambda, o.size) for o in unfitted] == [
        ("mse", 0, 0.05, None), ("mse", 0, None, size), ("wd_mse", 0, None, size),
        ("wd_mse", 2, None, size),
        ("mse", 2, None, size)]
    with np.load(tmp_path / "pictures.npz") as kept:
        assert set(kept) >= {"brick original", "brick JPEG", *(f"brick {row['codec']}" for row in ours)}
    # A second run decodes the same files.
    before = (tmp_path / "pictures.csv").read_bytes()
    image_realism.run(CONFIG, tmp_path)
    assert (tmp_path / "pictures.csv").read_bytes() == before
    assert len(unfitted) == 5


def test_curves_or_realism_may_be_left_out(tmp_path, unfitted):
    rows = image_realism.run(dataclasses.replace(CONFIG, realism_names=("none",)), tmp_path / "a")
    assert {row["part"] for row in rows} == {"rates"}
    rows = image_realism.run(dataclasses.replace(CONFIG, trade_offs=(), realism_names=()), tmp_path / "b")
    assert {row["part"] for row in rows} == {"realism"} and not (tmp_path / "b" / "rate_psnr.png").exists()
    with pytest.raises(ValueError, match="--trade_offs is empty"):
        image_realism.run(dataclasses.replace(CONFIG, trade_offs=(), realism_names=("none",)), tmp_path / "c")


@pytest.mark.stress
def test_smoke_preset_with_fits(tmp_path):
    rows = image_realism.run(image_realism.PRESETS["smoke"], tmp_path)
    # Other codecs can keep so small an image without loss.
    assert all(np.isfinite(row["psnr"]) for row in rows if row["codec"].startswith("overfitted"))


def test_bd_rates_are_those_of_shifted_curves():
    # Twice the bytes at the same PSNR is +100 %; too few points give no number.
    rows = [{"part": "rates", "picture": "a", "codec": codec, "bytes": factor * size, "psnr": 20.0 + 2 * i}
            for codec, factor, count in (("JPEG", 1, 4), ("twice", 2, 4), ("short", 1, 3))
            for i, size in enumerate((100, 200, 400, 800)[:count])]
    found = image_realism.bd_rates(rows)
    assert [(row["picture"], row["codec"]) for row in found] == [("a", "twice"), ("mean", "twice")]
    np.testing.assert_allclose([row["bd_rate_percent"] for row in found], 100.0)


def test_crops_come_from_the_middle():
    image = np.arange(20, dtype=np.uint8).reshape(4, 5, 1)
    np.testing.assert_array_equal(image_realism.crop(image, 2)[:, :, 0], [[6, 7], [11, 12]])
    with pytest.raises(ValueError, match="--size"):
        image_realism.crop(image, 5)


@pytest.mark.parametrize(("change", "words"), [
    ({"realism_names": ("brik",)}, "brik: not among the images"), ({"trade_offs": (0.01, 0.01)}, "must differ"),
    ({"size": -5}, "--size must be at least 0"), ({"names": ("grass",), "trade_offs": ()}, "brick: not among"),
])  # fmt: skip
def test_wrong_choices_are_named(tmp_path, unfitted, change, words):
    with pytest.raises(ValueError, match=words):
        image_realism.run(dataclasses.replace(image_realism.PRESETS["smoke"], **change), tmp_path)


def test_unknown_pictures_are_named(tmp_path):
    with pytest.raises(ValueError, match="choose among"):
        image_realism.load_images(dataclasses.replace(CONFIG, names=("lena",)))
    with pytest.raises(ValueError, match="there is no folder"):
        image_realism.load_images(dataclasses.replace(CONFIG, images=str(tmp_path / "none")))
