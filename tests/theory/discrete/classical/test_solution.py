"""Oracles: closed forms of dispersion, the definition of tilted information, gradients of the rate, the certificate."""

import jax
import numpy as np
import pytest

from theory.discrete import rate_distortion, rate_distortion_curve, rate_distortion_perception
from theory.finite_blocklength import dispersion

COIN, HAMMING = [0.7, 0.3], 1 - np.eye(2)


@pytest.mark.parametrize("distortion", [0.0, 0.1, 0.29, 0.3, 0.5])
def test_a_coin_has_its_closed_forms(distortion):
    result = rate_distortion(COIN, HAMMING, distortion=distortion)
    j = dispersion.bernoulli_tilted_information([0, 1], 0.3, distortion)
    # nu is off by about sqrt(2 gap) in the worst case; here by far less.
    np.testing.assert_allclose(result.tilted_information, j, atol=1e-6)
    np.testing.assert_allclose(result.dispersion, dispersion.bernoulli_dispersion(0.3, distortion), atol=1e-6)


def test_slopes_curves_and_an_erased_coin():
    for slope in (2.0, np.inf):
        result = rate_distortion(COIN, HAMMING, slope=slope)
        np.testing.assert_allclose(result.dispersion, dispersion.bernoulli_dispersion(0.3, 0.1), atol=1e-8)
    assert rate_distortion(COIN, HAMMING, slope=0.0).dispersion == 0
    curve = rate_distortion_curve(COIN, HAMMING, distortions=[0.05, 0.1, 0.4])
    assert curve.tilted_information.shape == (3, 2) and curve.pmf.shape == (3, 2)
    np.testing.assert_allclose(curve.dispersion, dispersion.bernoulli_dispersion(0.3, [0.05, 0.1, 0.4]), atol=1e-7)
    delta, d = 0.1, 0.1
    result = rate_distortion([0.45, 0.1, 0.45], [[0, 1], [0.5, 0.5], [1, 0]], distortion=d)
    by_chance = delta * float(result.slope) ** 2 / 4
    np.testing.assert_allclose(
        result.dispersion + by_chance, dispersion.erased_coin_dispersion(d, delta), atol=1e-7)


def test_random_sources_obey_the_definition():
    """j(x) = -log2 sum_y q(y) 2^(s (D - d(x, y))) of the solution; its differences are the slopes of the rate."""
    rng = np.random.default_rng(3)
    pmf, matrix = rng.dirichlet(np.ones(4)), rng.uniform(size=(4, 3))
    solve = lambda p: rate_distortion(p, matrix, distortion=matrix.min(1) @ pmf + 0.1)  # noqa: E731
    result = solve(pmf)
    tilted = 2.0 ** (result.slope * (result.distortion - matrix)) @ result.output_pmf
    np.testing.assert_allclose(result.tilted_information, -np.log2(tilted), atol=1e-6)
    np.testing.assert_allclose(np.dot(pmf, result.tilted_information), result.rate, rtol=1e-12)
    assert result.rate_lower <= result.rate <= result.rate_lower + 1e-9
    slopes = jax.grad(lambda p: solve(p).rate)(pmf)
    np.testing.assert_allclose(np.diff(slopes), np.diff(result.tilted_information), atol=1e-8)
    step = 1e-5 * np.array([1.0, -1.0, 0.0, 0.0])
    ends = [float(rate_distortion(pmf + s, matrix, distortion=matrix.min(1) @ pmf + 0.1, tolerance=1e-12).rate)
            for s in (-step, step)]
    j = np.asarray(result.tilted_information)
    np.testing.assert_allclose((ends[1] - ends[0]) / 2e-5, j[0] - j[1], atol=1e-5)


def test_under_a_constraint_on_perception_nothing_is_claimed():
    free = rate_distortion_perception(COIN, HAMMING, distortion=0.1, perception=np.inf, divergence="tv")
    np.testing.assert_allclose(free.dispersion, dispersion.bernoulli_dispersion(0.3, 0.1), atol=1e-6)
    np.testing.assert_allclose(np.dot(COIN, free.tilted_information), free.rate, rtol=1e-12)
    perfect = rate_distortion_perception(COIN, HAMMING, distortion=0.1, perception=0.0, divergence="tv")
    assert np.isnan(perfect.dispersion) and np.isnan(perfect.tilted_information).all()
    assert perfect.tilted_information.shape == (2,)
