import jax
import numpy as np
import pytest
from scipy import integrate, optimize, special

from theory.closed_form import circle, manifolds


@pytest.mark.parametrize("kappa", [0.3, 2.0, 40.0])
def test_rates_are_those_of_the_von_mises_channel(kappa):
    # By quadrature: the information of angle noise, and squared errors of both reproductions.
    density = lambda a: np.exp(kappa * (np.cos(a) - 1)) / (2 * np.pi * special.i0e(kappa))  # noqa: E731
    entropy = integrate.quad(lambda a: -density(a) * np.log2(max(density(a), 1e-300)), -np.pi, np.pi, limit=200)[0]
    rate = np.log2(2 * np.pi) - entropy
    cosine = integrate.quad(lambda a: np.cos(a) * density(a), -np.pi, np.pi, limit=200)[0]
    np.testing.assert_allclose(circle.mean_cosine(kappa), cosine, rtol=1e-9)
    np.testing.assert_allclose(circle.perfect_realism_rate_distortion(2 - 2 * cosine), rate, rtol=1e-8)
    np.testing.assert_allclose(circle.rate_distortion(1 - cosine**2), rate, rtol=1e-8)


def test_perfect_realism_agrees_with_sinkhorn_on_points():
    n, slope = 256, 2.5  # nats per unit of squared error
    angle = 2 * np.pi * np.arange(n) / n
    cost = 2 - 2 * np.cos(angle[:, None] - angle)
    kernel = np.exp(-slope * cost)
    plan = kernel / kernel.sum()  # symmetric under rotation: one scaling makes both marginals uniform
    np.testing.assert_allclose(plan.sum(0), 1 / n)
    distortion, nats = (plan * cost).sum(), (plan * np.log(plan * n * n)).sum()
    np.testing.assert_allclose(circle.perfect_realism_rate_distortion(distortion), nats / np.log(2), rtol=1e-9)
    derivative = jax.grad(circle.perfect_realism_rate_distortion)(distortion)
    np.testing.assert_allclose(derivative, -slope / np.log(2), rtol=1e-9)
    step = 1e-5
    for curve, d in ((circle.perfect_realism_rate_distortion, 0.3), (circle.rate_distortion, 0.3)):
        finite = (curve(d + step) - curve(d - step)) / (2 * step)
        np.testing.assert_allclose(jax.grad(curve)(d), finite, rtol=1e-6)


def test_rate_distortion_is_certified_by_its_dual():
    # R(D) >= -s D - E ln of the largest over y of E exp(-s |x - y|^2) / Z: with the channel's own Z it is tight.
    for d in (0.05, 0.4, 0.9):
        s = -np.log(2) * float(jax.grad(circle.rate_distortion)(d))
        radii = np.linspace(0, 1.3, 2001)
        log_c = -s * np.square(1 - radii) + np.log(special.i0e(2 * s * radii))
        nats = -s * d - log_c.max()
        np.testing.assert_allclose(circle.rate_distortion(d), nats / np.log(2), atol=1e-5)


def test_no_quantizer_beats_it_and_ends_are_right():
    d = np.array([0.02, 0.1, 0.3, 0.7])
    assert (circle.rate_distortion(d) < manifolds.hull_rate_distortion(d, "circle")).all()
    assert (circle.perfect_realism_rate_distortion(d) > circle.rate_distortion(d)).all()
    np.testing.assert_array_equal(circle.rate_distortion(np.array([1.0, 3.0, 0.0])), [0, 0, np.inf])
    np.testing.assert_array_equal(circle.perfect_realism_rate_distortion(np.array([2.0, 3.0, 0.0])), [0, 0, np.inf])
    # High rate: a line of length 2 pi with Gaussian noise of variance D, R = log2 2 pi - 1/2 log2 2 pi e D.
    np.testing.assert_allclose(circle.perfect_realism_rate_distortion(1e-5),
                               np.log2(2 * np.pi) - 0.5 * np.log2(2 * np.pi * np.e * 1e-5), atol=1e-4)
    root = optimize.brentq(lambda k: float(circle.mean_cosine(k)) - 0.5, 0.1, 5)
    np.testing.assert_allclose(special.i1(root) / special.i0(root), 0.5, rtol=1e-9)
    for function in (circle.rate_distortion, circle.perfect_realism_rate_distortion, circle.mean_cosine):
        with pytest.raises(ValueError, match="must be"):
            function(-0.1)
