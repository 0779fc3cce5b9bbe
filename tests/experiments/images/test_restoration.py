"""The experiment: settings and photographs, comparison at one perception, and a small run of everything."""

import numpy as np
import pytest

from experiments.images import restoration
from rdr.evaluation import tables


def test_gray_and_patches_of_held_out_photographs():
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0] = (255, 0, 0)
    image[1, 2] = (10, 20, 30)
    np.testing.assert_array_equal(restoration.gray(image)[..., 0], [[76, 0, 0], [0, 0, 18]])
    patches, numbers = restoration.load_patches("", flag="images", test=False)
    others, _ = restoration.load_patches("", flag="test_images", test=True)
    assert patches.shape[1:] == (64, 64, 1) and numbers[-1] == 4 and len(others) > 24
    assert not {part.tobytes() for part in patches} & {part.tobytes() for part in others}
    x, groups = restoration.choose(patches, numbers, restoration.Config(patches_per_image=5))
    assert len(x) == 25 and (np.bincount(groups) == 5).all() and np.abs(x).max() <= 0.5


def test_comparison_at_one_perception():
    """Posterior samples mix to D* (1 + a^2); the flow's end has D = 1.3 at P = 0.01, where samples have 1.49."""
    def row(method, parameter, distortion, root):
        return {"task": "denoising", "noise": 0.1, "method": method, "parameter": parameter,
                "distortion": distortion, "perception": root**2}

    rows = [row("mean", 0.0, 1.0, 1.0), row("posterior sample", 0.5, 1.25, 0.5), row("posterior sample", 1.0, 2.0, 0.0),
            row("rectified flow", 1.0, 1.3, 0.1), row("transport", 1.2, 9.0, 0.0), row("transport", 1.0, 1.4, 0.05)]
    found = {r["method"]: r for r in restoration.equal_perception(rows)}
    assert found["transport"]["perception"] == pytest.approx(0.01)
    assert found["rectified flow"]["psnr"] == pytest.approx(-10 * np.log10(1.3))
    expected = np.interp(0.1, [0.0, 0.5, 1.0], [2.0, 1.25, 1.0])
    assert found["rectified flow"]["gain_db"] == pytest.approx(10 * np.log10(expected / 1.3))
    assert found["posterior sample"]["gain_db"] == 0.0 and len(found) == 3


@pytest.mark.parametrize(("values", "said"), [
    ({"sources": ("nothing",)}, "sources must be among"), ({"noises": ()}, "noises must be positive"),
    ({"mean_steps": (1,)}, "mean_steps must be two"), ({"alphas": (-1.0,)}, "alphas must be in"),
    ({"perceptual_tasks": ("all",)}, "perceptual_tasks must be among"),
    ({"channels": 0}, "channels must be at least 1"), ({"seed": -1}, "seed must be in"),
])
def test_bad_settings_are_named(values, said):
    with pytest.raises(ValueError, match=said):
        restoration.Config(**values)


def test_networks_of_perceptual_losses_are_those_that_are_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(restoration.training, "train", lambda name, settings, patches, others, *, steps, directory: (
        steps, settings.crop, list(others)))
    config = restoration.Config(perceptual_steps=7, perceptual_tasks=("super-resolution",))
    assert set(restoration.train_networks(config, "denoiser", None, tmp_path)) == {"denoiser", "denoiser_flow"}
    assert restoration.train_networks(config, "upscaler", None, tmp_path) == {
        "upscaler": (800, 32, []), "upscaler_denoiser": (600, 32, ["upscaler"]),
        "upscaler_flow": (600, 32, ["upscaler"]),
        "upscaler_wasserstein": (7, 64, ["upscaler"]), "upscaler_lpips": (7, 64, ["upscaler"])}
    assert len(restoration.train_networks(restoration.Config(), "upscaler", None, tmp_path)) == 3


def test_mistakes_are_one_sentence(capsys, tmp_path):
    call = ["restoration", "--preset=smoke", f"--workdir={tmp_path / 'run'}", f"--test_images={tmp_path}"]
    assert restoration.main(call) == 1
    assert "but no image" in capsys.readouterr().err


@pytest.mark.stress
def test_a_small_run_writes_points_of_every_way_and_resumes(tmp_path, capsys):
    call = ["restoration", "--preset=smoke", f"--workdir={tmp_path}"]
    assert restoration.main(call) == 0
    text = (tmp_path / "points.csv").read_text()
    _, names, rows = tables.read_rows(tmp_path / "points.csv")
    assert names[: len(tables.POINT_COLUMNS)] == list(tables.POINT_COLUMNS)
    methods = {(row[0], row[names.index("codec")]) for row in rows}
    for method in ("transport", "posterior sample", "rectified flow", "probability flow"):
        assert {("gaussian", method), ("photographs", method)} <= methods
    (tmp_path / "points.csv").unlink()
    (tmp_path / "super-resolution_0.json").unlink()
    assert restoration.main(call) == 0
    assert (tmp_path / "points.csv").read_text() == text
