"""Oracles: recorded values, Monte Carlo of both decoders, limits."""

import jax
import numpy as np
import pytest

from theory.gaussian import diffusion
from theory.gaussian import vector_realism as realism
from theory.numerics import units

EIGENVALUES = np.array([4.0, 1.0, 0.25])
NOISE = np.array([0.05, 0.2, 0.5, 0.8])


def test_recorded_values():
    found = diffusion.diffusion_compression(NOISE, EIGENVALUES)
    recorded = [
        (units.bits_to_nats(found.rate), [4.544368775, 2.567899219, 1.262864322, 0.488457677]),
        (found.ancestral_distortion, [0.290852626, 1.120588235, 3.0, 6.070588235]),
        (found.flow_distortion, [0.148312320, 0.596452226, 1.706762112, 3.827450747]),
        (found.ancestral_optimum, [0.290015847, 1.083099304, 2.762741700, 5.511764706]),
        (found.optimum, [0.148209734, 0.592260256, 1.671858340, 3.726417926]),
        (found.unconstrained_optimum, [0.145007923, 0.541549652, 1.381370850, 2.755882353]),
    ]
    for values, oracle in recorded:
        np.testing.assert_allclose(values, oracle, atol=6e-10)
    gain = units.power_to_db(found.ancestral_distortion[0] / found.flow_distortion[0])
    np.testing.assert_allclose(gain, 2.925, atol=6e-4)


def test_monte_carlo_of_both_decoders():
    """Simulates Z, a draw from the posterior, and the flow; both outputs must have the source's variances."""
    n, s2 = 200_000, 0.5
    keys = jax.random.split(jax.random.key(0), 3)
    x, noise, fresh = (np.asarray(jax.random.normal(k, (n, 3))) for k in keys)
    x = x * np.sqrt(EIGENVALUES)
    z = np.sqrt(1 - s2) * x + np.sqrt(s2) * noise
    w = (1 - s2) * EIGENVALUES + s2
    mean, spread = np.sqrt(1 - s2) * EIGENVALUES / w * z, np.sqrt(EIGENVALUES * s2 / w)
    found = diffusion.diffusion_compression(s2, EIGENVALUES)
    for y, distortion in [(mean + spread * fresh, found.ancestral_distortion),
                          (np.sqrt(EIGENVALUES / w) * z, found.flow_distortion)]:
        errors = ((x - y) ** 2).sum(1)
        assert abs(errors.mean() - distortion) < 4.5 * errors.std() / np.sqrt(n)
        assert (np.abs((y**2).mean(0) / EIGENVALUES - 1) < 4.5 * np.sqrt(2 / n)).all()


def test_no_decoder_beats_the_optima_and_equal_variances_reach_them():
    rng = np.random.default_rng(0)
    found = diffusion.diffusion_compression(rng.uniform(0, 1, 40), 10 ** rng.uniform(-2, 1, (40, 5)))
    scale = np.asarray(found.ancestral_distortion)
    assert (found.flow_distortion >= found.optimum - 1e-12 * scale).all()
    assert (found.ancestral_distortion >= found.ancestral_optimum - 1e-12 * scale).all()
    assert (found.ancestral_distortion >= found.flow_distortion).all()
    assert (found.optimum >= found.unconstrained_optimum).all()
    equal = diffusion.diffusion_compression(NOISE, [2.0, 2.0, 2.0])
    np.testing.assert_allclose(equal.flow_distortion, equal.optimum, rtol=1e-11)
    np.testing.assert_allclose(equal.ancestral_distortion, equal.ancestral_optimum, rtol=1e-12)


def test_the_flow_wins_three_decibels_at_high_rate():
    found = diffusion.diffusion_compression(1e-7, EIGENVALUES)
    gain = units.power_to_db(found.ancestral_distortion / found.flow_distortion)
    np.testing.assert_allclose(gain, units.power_to_db(2.0), atol=1e-5)
    np.testing.assert_allclose(found.flow_distortion / found.unconstrained_optimum, 1.0, atol=1e-5)


def test_optimal_noise_gives_the_optimum():
    rate = np.array([0.5, 2.0, 6.0])
    noise = np.asarray(diffusion.optimal_noise_variances(rate, EIGENVALUES))
    np.testing.assert_allclose(-0.5 * np.log2(noise).sum(-1), rate, rtol=1e-11)
    reached = (2 * EIGENVALUES * (1 - np.sqrt(1 - noise))).sum(-1)
    np.testing.assert_allclose(reached, realism.perfect_realism_distortion_rate(rate, EIGENVALUES), rtol=1e-11)
    assert (np.diff(noise, axis=-1) > 0).all()  # strong components get little noise


def test_value_and_gradient_at_both_ends():
    lam = np.array([4.0, 1.0, 0.0])
    start, end = (diffusion.diffusion_compression(s, lam) for s in (0.0, 1.0))
    np.testing.assert_array_equal(np.stack(start), [np.inf, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(np.stack(end), [0, 10, 10, 10, 10, 5], atol=1e-15)

    @jax.jit
    def slopes(s, lam):  # field by field: a row of a Jacobian with an infinite entry makes others NaN
        return [jax.grad(lambda s, k=k: diffusion.diffusion_compression(s, lam)[k])(s) for k in range(6)]

    np.testing.assert_allclose(slopes(0.0, lam), [-np.inf, 4, 2, 4, 2, 2], rtol=1e-12)
    assert slopes(1.0, lam)[2] == np.inf and slopes(1.0, lam)[4] == np.inf
    numeric = (np.stack(diffusion.diffusion_compression(0.3 + 1e-6, EIGENVALUES))
               - np.stack(diffusion.diffusion_compression(0.3 - 1e-6, EIGENVALUES))) / 2e-6
    np.testing.assert_allclose(slopes(0.3, EIGENVALUES), numeric, rtol=1e-6)
    by_lam = jax.jit(jax.jacrev(lambda lam: jax.numpy.stack(diffusion.diffusion_compression(1.0, lam))))(lam)
    np.testing.assert_allclose(by_lam, [[0] * 3, [2] * 3, [2] * 3, [2] * 3, [2] * 3, [1] * 3], atol=1e-12)


def test_arguments_outside_their_domain_are_refused_or_nan():
    with pytest.raises(ValueError, match="noise_variance must be >= 0 and <= 1"):
        diffusion.diffusion_compression(1.5, EIGENVALUES)
    with pytest.raises(ValueError, match="eigenvalues"):
        diffusion.diffusion_compression(0.5, [-1.0])
    with pytest.raises(ValueError, match="rate"):
        diffusion.optimal_noise_variances(-1.0, EIGENVALUES)
    found = jax.jit(diffusion.diffusion_compression)(1.5, EIGENVALUES)
    assert np.isnan(np.stack(found)[:3]).all()
