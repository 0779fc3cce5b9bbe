"""Oracles: R(D) of a Gaussian; principal components by NumPy's singular values."""

import numpy as np
import pytest

from experiments.sources import sample_bounds_codecs
from experiments.sources.harness import Schedule
from rdr.data.samples import Samples
from theory.gaussian import vector

DEVIATIONS = np.array([2.0, 1.0, 0.5, 0.0])
RNG = np.random.default_rng(0)
TURN = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
X = ((RNG.normal(size=(3000, 4)) * DEVIATIONS) @ TURN.T + 3.0).astype(np.float32)
SAMPLES = Samples(X[:2000], X[2000:], (4,), "gaussian", "gaussian")


def test_principal_axes():
    mean, variances, axes = sample_bounds_codecs.principal_axes(SAMPLES.vectors)
    centered = SAMPLES.vectors - SAMPLES.vectors.mean(0, dtype=np.float64)
    np.testing.assert_allclose(np.sqrt(variances[:3]), np.linalg.svd(centered)[1][:3] / np.sqrt(2000), rtol=1e-5)
    np.testing.assert_allclose(axes.T @ axes, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(mean, 3.0, atol=0.2)


def test_components_cost_a_quarter_of_a_bit_more_than_rate_distortion():
    low, high = sample_bounds_codecs.klt_dither(SAMPLES, (0.5, 9.0), seed=0)
    for m, coded in ((low, 1), (high, 3)):
        gap = m.cross_entropy - float(vector.rate_distortion(m.distortion, DEVIATIONS**2))
        noise = 4 * (m.bits + m.errors).std() / np.sqrt(1000)
        assert -noise < gap < 0.2547 * coded + noise + 0.05
        assert m.cross_entropy < m.rate < m.cross_entropy + 8 * 64 * coded / 1000
    assert high.rate == 8 * high.message_bytes / 1000 and high.distortion == pytest.approx(high.errors.mean())


@pytest.mark.stress
@pytest.mark.parametrize("name", ["scalar_dither", "lattice_transform"])
def test_trained_codecs_come_near_the_bound(tmp_path, name):
    m, = sample_bounds_codecs.measure(name, SAMPLES, (6.0,), Schedule(400, 100, 128, 0.003, hard_fraction=1.0),
                                      hidden=(8,), seed=0, directory=tmp_path)
    gap = m.rate - float(vector.rate_distortion(m.distortion, DEVIATIONS**2))
    assert 0 < gap < 1.5
