import numpy as np
import pytest

from theory import channel_simulation as cs
from theory.channel_simulation.diffusion_steps import block_constant, uniform_noise_constant, uniform_noise_rate
from theory.quantization.tabulated_density import gaussian_density


def test_uniform_noise_costs_what_the_dithered_quantizer_s_quadrature_says():
    information = np.array([0.01, 0.3, 1.0, 3.0])
    half = np.sqrt(3 / np.expm1(2 * np.log(2) * information))
    expected = cs.layered_dither_rate(gaussian_density(), cs.uniform_noise(), half)
    np.testing.assert_allclose(uniform_noise_rate(information), expected, atol=2e-9)
    high = np.array([8.0, 12.0])
    np.testing.assert_allclose(uniform_noise_rate(high), high + 0.5 * np.log2(2 * np.pi * np.e / 12), atol=1e-6)
    np.testing.assert_array_equal(uniform_noise_rate(np.array([0.0, np.inf])), [0.0, np.inf])
    with pytest.raises(ValueError, match="information"):
        uniform_noise_rate(-0.1)


def test_uniform_noise_costs_the_root_at_low_information():
    # J by a sum over a fine grid, and the limit seen at 1e-6 bit.
    t = np.linspace(-12, 12, 200_001)
    from scipy.special import ndtr
    phi = np.clip(ndtr(t), 1e-300, 1.0)
    j = -2 * np.sum(phi * np.log2(phi)) * (t[1] - t[0])
    np.testing.assert_allclose(uniform_noise_constant(), j * np.sqrt(2 * np.log(2) / 12), rtol=1e-9)
    np.testing.assert_allclose(uniform_noise_constant(), 0.885777, atol=1e-6)
    np.testing.assert_allclose(uniform_noise_rate(1e-6) / 1e-3, uniform_noise_constant(), rtol=1e-3)
    assert uniform_noise_rate(0.1) > 0.1


def test_blocks_cost_the_root_of_their_information():
    np.testing.assert_allclose(block_constant(1), cs.low_rate_constant(), rtol=1e-12)
    ratio = [float(cs.gaussian_functional_information(i, 2)) / np.sqrt(i) for i in (1e-4, 1e-6)]
    # The next term falls with the root, so that two points show where it leads.
    np.testing.assert_allclose(ratio[1] + (ratio[1] - ratio[0]) / 9, block_constant(2), rtol=2e-3)
    assert 1.51 < block_constant(64) < 1.5342
    with pytest.raises(ValueError, match="dimension"):
        block_constant(0)
