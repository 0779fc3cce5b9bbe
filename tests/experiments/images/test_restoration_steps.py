"""Steps of posterior sampling: the linear recursion against draws, the two parts of the error, a run of Gaussians."""

import numpy as np
import pytest

from experiments.images import restoration, restoration_photographs, restoration_steps
from experiments.images import restoration_training as training
from rdr.codecs.diffusion import process
from rdr.evaluation import tables


@pytest.mark.parametrize("steps", [3, 12])
def test_the_recursion_is_what_samplers_draw(steps):
    rng, values, noise = np.random.default_rng(0), np.array([0.05, 0.002]), 0.35
    x = rng.standard_normal((200_000, 2)) * np.sqrt(values)
    times = restoration_photographs.falling_times(noise, steps)
    start = np.sqrt(1 - times[0]) * (x + noise * rng.standard_normal(x.shape))

    def denoise(z, t):
        return z * np.sqrt(1 - t) * values / ((1 - t) * values + t)

    one, two = (process.ancestral(denoise, start, times, lambda _: rng.standard_normal(x.shape)) for _ in range(2))
    found = restoration_steps.exact_sampler(values, noise, steps)
    np.testing.assert_allclose(found.mean_error, np.mean((one - x) * (two - x)), rtol=0.01)
    np.testing.assert_allclose(found.variance, np.mean((one - two) ** 2) / 2, rtol=0.01)
    np.testing.assert_allclose(found.perception, np.mean((one.std(0) - np.sqrt(values)) ** 2), rtol=0.03)


def test_many_steps_sample_the_posterior_and_few_lack_variance():
    values = np.array([0.05, 0.01])
    least = np.mean(values * 0.35**2 / (values + 0.35**2))
    fine, end = restoration_steps.exact_sampler(values, 0.35, 20_000), training.LEAST_NOISE**2
    assert fine.mean_error == pytest.approx(least, rel=1e-5) and fine.perception < 1e-6
    assert 0.9 * end < least - fine.variance < 1.5 * end  # the last step takes what noise is left, less what it keeps
    variances = [restoration_steps.exact_sampler(values, 0.35, steps).variance for steps in (100, 200, 400)]
    lack = least - end - np.array(variances)
    np.testing.assert_allclose(lack[:-1] / lack[1:], 2.0, rtol=0.1)  # in proportion to the length of steps


def test_error_is_that_of_the_mean_and_variance():
    rng, folds = np.random.default_rng(0), np.arange(48) % 12
    x = rng.normal(size=(48, 16, 16, 1))
    center = x + 0.5 * rng.normal(size=x.shape)
    one, two = (center + 0.3 * rng.normal(size=x.shape) for _ in range(2))
    found = restoration_steps.split_error(one, two, x, folds)
    assert found["mean_error"] == pytest.approx(0.25, rel=0.05) and found["variance"] == pytest.approx(0.09, rel=0.05)
    total = (np.mean((one - x) ** 2) + np.mean((two - x) ** 2)) / 2
    assert found["mean_error"] + found["variance"] == pytest.approx(total, rel=1e-12)
    assert abs(found["ratio"] - 0.36) < 4 * found["ratio_se"] < 0.1


def test_gaussian_pixels_are_sampled_as_the_recursion_says(monkeypatch, tmp_path):
    """Networks that are exact for independent pixels: ratio and perception as predicted, gain as of the formulas."""
    v, noise = 0.01, 0.35
    error = v * noise**2 / (v + noise**2)
    monkeypatch.setattr(training, "denoise", lambda channels, params, x, noise, mean=None: x * (
        v / (v + noise**2))[:, None, None, None])
    monkeypatch.setattr(training, "velocity", lambda channels, params, z, t, noise: z * (
        t * error / (v - error + t**2 * error))[:, None, None, None])
    monkeypatch.setattr(restoration, "train_networks", lambda *_: {"denoiser": None, "denoiser_flow": None})
    x = (0.1 * np.random.default_rng(0).normal(size=(96, 16, 16, 1))).astype(np.float32)
    monkeypatch.setattr(restoration, "load_patches", lambda folder, flag, test: (None, None))
    monkeypatch.setattr(restoration, "choose", lambda *_: (x, np.arange(96) // 4))
    monkeypatch.setattr(restoration, "SIDE", 16)
    config = restoration_steps.Config(training_steps=(7,), sampling_steps=(4, 40))
    table = restoration_steps.run(config, tmp_path)
    assert table["method"] == ["mean", "rectified flow", "posterior sample", "posterior sample"]
    for row, steps in ((2, 4), (3, 40)):
        exact = restoration_steps.exact_sampler(np.array([v]), noise, steps)
        ratio = exact.variance / exact.mean_error
        assert abs(table["ratio"][row] - ratio) < 4 * table["ratio_se"][row] < 0.1 * ratio
        assert table["distortion"][row] == pytest.approx(exact.mean_error + exact.variance, rel=0.04)
        assert table["exact_ratio"][row] == pytest.approx(ratio, rel=0.1)  # of 384 patches' covariance
    assert table["ratio"][2] < 0.5 < 0.8 < table["ratio"][3] < 1.0
    _, names, rows = tables.read_rows(tmp_path / "steps.csv")
    assert names == list(restoration_steps.COLUMNS) and len(rows) == 4
    monkeypatch.setattr(restoration_steps, "study", None)  # kept: nothing is made again
    assert restoration_steps.run(config, tmp_path)["ratio"][2:] == table["ratio"][2:]


@pytest.mark.parametrize(("values", "said"), [
    ({"noise": 0.2}, "noise must be one of"), ({"training_steps": ()}, "training_steps must be"),
    ({"sampling_steps": (25, 25)}, "sampling_steps must be"), ({"sampling_steps": (1,)}, "sampling_steps must be"),
    ({"flow_steps": 0}, "flow_steps must be two positive"), ({"batch": 0}, "batch must be at least 1"),
])
def test_bad_settings_are_named(values, said):
    with pytest.raises(ValueError, match=said):
        restoration_steps.Config(**values)
