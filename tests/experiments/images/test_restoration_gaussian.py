"""Gaussian patches: degradations by hand, samplers against formulas, bias of the distance."""

import types

import numpy as np
import pytest

from experiments.images import restoration_gaussian as gaussian
from rdr.metrics.frechet import gaussian_frechet

CONFIG = types.SimpleNamespace(alphas=(0.5, 1.2), sampling_steps=25, flow_noise=(0.025, 0.05), vectors=4000, seed=0,
                               noises=(0.35,))


def test_degradations():
    task = gaussian.make_task(0.0)
    patch = np.arange(64.0).reshape(8, 8)
    means = [patch[i : i + 4, j : j + 4].mean() for i in (0, 4) for j in (0, 4)]
    np.testing.assert_allclose(task.operator @ patch.ravel(), means)
    assert task.name == "super-resolution" and np.linalg.matrix_rank(task.seen.covariance, tol=1e-12) == 4
    np.testing.assert_allclose(gaussian.covariance()[0, 9], 0.05 * np.exp(-np.sqrt(2) / 8))
    assert gaussian.make_task(0.1).name == "denoising"


def test_denoisers_are_conditional_means():
    """Oracle: of the joint distribution of x_0 and x_t = sqrt(1 - t) x_0 + sqrt(t) n, a component at a time."""
    t, values, center = 0.3, np.array([2.0, 0.5]), np.array([[1.0, -1.0]])
    x = np.array([[0.2, 3.0]])
    joint = [np.array([[v, np.sqrt(1 - t) * v], [np.sqrt(1 - t) * v, (1 - t) * v + t]]) for v in values]
    expected = center + [j[0, 1] / j[1, 1] for j in joint] * (x - np.sqrt(1 - t) * center)
    np.testing.assert_allclose(gaussian._denoiser(center, values)(x, t), expected, rtol=1e-14)


@pytest.mark.stress
def test_every_way_is_where_theory_says():
    rows = gaussian.rows(CONFIG)
    assert [row["noise"] for row in rows] == [0.35] * 6 + [0.0] * 5
    for row in rows:
        where = f"{row['task']} {row['method']} {row['parameter']}"
        assert row["distortion"] == pytest.approx(row["theory_distortion"], rel=0.05), where
        assert row["perception"] == pytest.approx(row["theory_perception"], rel=0.1, abs=2e-4), where
        assert row["gap"] > -3 * row["gap_se"] - 1e-5, where
        if row["method"] in ("transport", "probability flow") and row["parameter"] <= 1:
            assert row["gap"] < 0.05 * row["line"] + 3 * row["gap_se"], where
        # In super-resolution W^2 is nearly D*, and a sample costs 0.8 % more than the line: less than can be told here.
        if row["method"] == "posterior sample" and row["parameter"] == 1 and row["noise"]:
            assert row["gap"] > 0.1 * row["line"], where


def test_the_bias_of_the_distance_is_taken_off():
    rng, c = np.random.default_rng(0), np.diag([1.0, 0.5, 0.25, 0.1] * 4)
    plain, corrected = [], []
    for seed in range(12):
        y = rng.standard_normal((600, 16)) * np.sqrt(np.diag(c))
        corrected.append(gaussian.measure(y, y, c, seed=seed)["perception"])
        plain.append(gaussian_frechet(y.mean(0), np.cov(y.T), np.zeros(16), c) / 16)
    assert np.mean(corrected) < 0.25 * np.mean(plain)
