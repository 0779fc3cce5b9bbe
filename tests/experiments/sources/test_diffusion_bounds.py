import numpy as np
import pytest

from experiments.sources import diffusion_bounds
from rdr.codecs.diffusion import banana, circle, gaussian_vector, mixture
from theory.closed_form import circle as circle_theory
from theory.closed_form import manifolds
from theory.gaussian.vector_realism import perfect_realism_rate_distortion

VARIANCES = np.array([0.5, 0.2])


def test_planar_bounds_of_one_gaussian_are_the_closed_forms(monkeypatch):
    coarse = diffusion_bounds._PLANAR["mixture"]._replace(slopes=(1.5, 8.0), points=4, spacing=0.16)
    monkeypatch.setitem(diffusion_bounds._PLANAR, "mixture", coarse)
    source = mixture([1.0], [[0.3, -0.2]], [VARIANCES])
    density, entropy = diffusion_bounds.planar_density(source)
    np.testing.assert_allclose(entropy, 0.5 * np.log2((2 * np.pi * np.e) ** 2 * VARIANCES.prod()), atol=1e-7)
    rule = density.rule(0.2)
    np.testing.assert_allclose(rule.weights @ rule.nodes, [0.3, -0.2], atol=1e-5)
    bounds = diffusion_bounds.source_bounds(source)
    for d in (0.25, 0.4, 0.55):  # Sinkhorn on a grid, and between its slopes the cubic
        np.testing.assert_allclose(bounds.realistic(d), perfect_realism_rate_distortion(d, VARIANCES), atol=3e-3)
        assert bounds.plain(d) < bounds.realistic(d)
    assert np.isnan(bounds.realistic(100.0))


def test_curves_between_points_are_cubic():
    d = np.array([0.02, 0.06, 0.2, 0.6])
    rates = np.asarray(circle_theory.perfect_realism_rate_distortion(d))
    step = 1e-6
    slopes = -np.asarray(circle_theory.perfect_realism_rate_distortion(d * (1 + step)) - rates) / (d * step)
    curve = diffusion_bounds.hermite(d[::-1], rates[::-1], slopes[::-1])
    between = np.geomspace(0.02, 0.6, 30)
    for value in between[1:-1]:
        np.testing.assert_allclose(curve(value), circle_theory.perfect_realism_rate_distortion(value), atol=4e-3)
    np.testing.assert_allclose([curve(value) for value in d[1:3]], rates[1:3], atol=1e-12)


def test_every_source_has_bounds_and_others_are_refused():
    for source, d in ((gaussian_vector(), 1.0), (circle(), 0.2)):
        bounds = diffusion_bounds.source_bounds(source)
        assert 0 < bounds.plain(d) < bounds.realistic(d) and bounds.realistic_kind == "R(D; 0)"
    density, entropy = diffusion_bounds.planar_density(banana())
    np.testing.assert_allclose(entropy, manifolds.banana_entropy(), atol=1e-5)
    rule = density.rule(0.33)
    np.testing.assert_allclose(rule.weights @ rule.nodes, banana().mean, atol=1e-4)
    assert len(rule.weights) < 3000
    with pytest.raises(ValueError, match="bounds are known for"):
        diffusion_bounds.source_bounds(mixture([1.0], [[0.0]], [[1.0]], name="other"))
