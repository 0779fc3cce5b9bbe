"""Oracles: the formulas by hand, an exact simulation of one letter, dithered quantizers, limits in n."""

import jax
import numpy as np
import pytest

from theory import gaussian
from theory.channel_simulation import functional_information
from theory.discrete import rate_distortion_perception
from theory.finite_blocklength import realism

COIN, HAMMING = [0.7, 0.3], 1 - np.eye(2)


def test_rates_are_their_formulas_and_come_down_to_the_information():
    n = np.array([1.0, 8.0, 1024.0, 1e6])
    rates = realism.simulation_rates(0.5, blocklength=n)
    total = 0.5 * n
    least = np.minimum(total + np.log2(total + 1) + 2.45, total + np.log2(total + 3.4) + 1)
    np.testing.assert_allclose(rates.entropy, least / n, rtol=1e-14)
    np.testing.assert_allclose(rates.length, (least + 1) / n, rtol=1e-14)
    np.testing.assert_array_equal(rates.lower, 0.5)
    excess = np.asarray(rates.length) - 0.5
    assert np.all(np.diff(excess) < 0) and excess[-1] < 3e-5
    nothing = realism.simulation_rates(0.0, blocklength=n)
    assert all(np.all(np.asarray(field) == 0) for field in nothing)
    slope = jax.grad(lambda i: realism.simulation_rates(i, blocklength=8).length)(0.5)
    ends = realism.simulation_rates(np.array([0.5 - 1e-6, 0.5 + 1e-6]), blocklength=8).length
    np.testing.assert_allclose(slope, (ends[1] - ends[0]) / 2e-6, rtol=1e-8)


def test_published_constants():
    """Li and El Gamal (2018) have log2(I + 1) + 4 bits beyond I, a bit more for a prefix code; what followed has 2.45
    in place of 4, which is the least below some .4 bit, and log2(I + 3.4) + 1 above."""
    information = np.array([1e-3, 0.1, 0.3, 0.5, 4.0, 30.0, 1e3])
    rates = realism.simulation_rates(information, blocklength=1)
    first = information + np.log2(information + 1) + 4
    saved = first - np.asarray(rates.entropy)
    assert np.all(np.asarray(rates.length) <= first + 1)
    np.testing.assert_allclose(saved[:3], 4 - 2.45, rtol=1e-12)
    assert np.all(np.diff(saved[2:]) > 0) and saved[-1] == pytest.approx(3 - np.log2(1003.4 / 1001), rel=1e-12)


def test_gaussian_letters():
    n = np.array([1, 2, 24, 1024])
    rates = realism.gaussian_realism_rates(0.5, 0.0, blocklength=n)
    rate = float(gaussian.rate_distortion_perception(0.5, 0.0))
    np.testing.assert_array_equal(rates.lower, rate)
    assert np.all(rates.lower < rates.entropy) and np.all(rates.entropy < rates.length)
    assert np.all(np.diff(rates.length) < 0)
    # At D = 2 - sqrt(3) R(D, 0) is 1 bit; the layered dither needs 1.50715642 (docs/derivations/layered_dither.md).
    single = realism.gaussian_realism_rates(2 - np.sqrt(3), 0.0, blocklength=1)
    assert float(single.lower) == pytest.approx(1.0, rel=1e-12)
    assert float(single.entropy) == pytest.approx(1.50715642, abs=1e-8)
    assert float(single.length) == pytest.approx(2.50715642, abs=1e-8)
    idle = realism.gaussian_realism_rates(0.25, 1.0, 1.0, blocklength=64, divergence="kl")
    assert float(idle.lower) == pytest.approx(1.0, rel=1e-12)


def test_discrete_letters():
    """One letter of a binary channel: its functional information, which no exact scheme beats, lies between."""
    solution = rate_distortion_perception(COIN, HAMMING, distortion=0.1, perception=0.0, divergence="tv")
    rates = realism.discrete_realism_rates(solution, blocklength=np.array([1, 100]))
    assert float(rates.lower[0]) == float(solution.rate_lower)
    joint = np.asarray(COIN)[:, None] * np.asarray(solution.channel)
    np.testing.assert_allclose(joint.sum(0), COIN, atol=1e-9)  # perfect realism
    assert rates.lower[0] <= functional_information(joint) <= rates.entropy[0]
    total = 100 * float(solution.rate)
    np.testing.assert_allclose(rates.entropy[1], (total + np.log2(total + 3.4) + 1) / 100, rtol=1e-12)
    failed = realism.discrete_realism_rates(solution._replace(rate=np.asarray(np.nan)), blocklength=4)
    assert np.isnan(failed.lower) and np.isnan(failed.length)


def test_arguments_outside_their_domain_are_refused():
    for call, said in [
        (lambda: realism.simulation_rates(-0.1, blocklength=4), "information"),
        (lambda: realism.simulation_rates(0.1, blocklength=0), "blocklength"),
        (lambda: realism.simulation_rates(0.1, blocklength=1.5), "blocklength must be whole"),
        (lambda: realism.gaussian_realism_rates(0.1, -1.0, blocklength=4), "perception"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
    assert np.isnan(jax.jit(lambda i: realism.simulation_rates(i, blocklength=4).length)(-1.0))
