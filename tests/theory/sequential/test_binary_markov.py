"""Oracles: the certified solver on blocks, two-letter formulas, a grid over causal codes, hand values."""

import jax
import numpy as np
import pytest

from theory.sequential import binary_markov


def h(x):
    x = np.asarray(x, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(-x * np.log2(x) - (1 - x) * np.log2(1 - x))


def test_closed_forms():
    np.testing.assert_allclose(binary_markov.causal_rate(0.1, 0.2), h(0.26) - h(0.1), rtol=1e-13)
    np.testing.assert_allclose(binary_markov.causal_rate(0.3, 0.5), 1 - h(0.3), rtol=1e-13)  # no memory
    np.testing.assert_allclose(binary_markov.causal_rate([0.0, 0.5, 0.9], 0.2), [h(0.2), 0.0, 0.0], atol=1e-15)
    # Gray: q = 1/4, D_c = (1 - sqrt(8)/3)/2.
    np.testing.assert_allclose(binary_markov.critical_distortion([0.25, 0.75, 0.5, 0.0]),
                               [(1 - np.sqrt(8) / 3) / 2] * 2 + [0.5, 0.0], rtol=1e-14, atol=1e-15)


def test_a_source_without_surprise_costs_nothing_and_gradients_are_those_of_one_problem():
    assert (np.asarray(binary_markov.causal_rate(np.array([[1e-300], [1e-12], [0.1], [0.3]]), [0.0, 1.0])) == 0).all()
    value = jax.vmap(jax.grad(binary_markov.causal_rate, 1), (None, 0))(0.1, np.array([0.3, 0.5, 0.7]))
    step = (binary_markov.causal_rate(0.1, 0.3 + 1e-6) - binary_markov.causal_rate(0.1, 0.3 - 1e-6)) / 2e-6
    np.testing.assert_allclose(value, [step, 0.0, -step], atol=1e-8)


def test_mrs_gerber_over_causal_codes_with_two_qualities():
    """Codes that take turns between errors D - e and D + e (any order of entropies u_t) are no better."""
    q, d = 0.15, 0.2
    e = np.linspace(0, 0.19, 50)
    noisy = [q + x - 2 * q * x for x in (d - e, d + e)]
    rate = 0.5 * sum(h(n) - h(x) for n, x in zip(noisy, (d - e, d + e)))
    assert (rate >= float(binary_markov.causal_rate(d, q)) - 1e-14).all() and rate.argmin() == 0


def test_blocks_bracket_the_rate():
    q = 0.2
    small, large = 0.01, 0.3
    assert small < float(binary_markov.critical_distortion(q)) < large
    found = binary_markov.rate_bracket(small, q, block=3)
    np.testing.assert_allclose([found.lower, found.upper], np.full(2, h(q) - h(small)), rtol=1e-13)
    found = binary_markov.rate_bracket(large, q, block=3)
    assert 0 <= found.lower < found.upper < binary_markov.causal_rate(large, q) < 1 - h(large)
    # The width is at most what one block tells the next.
    assert found.upper - found.lower <= (1 - h(q)) / 3 + 1e-8
    # The bound of blocks on its own is below the exact value where that is known, the rate of blocks above it.
    one = binary_markov.rate_bracket(large, q, block=1)
    np.testing.assert_allclose(one.upper, 1 - h(large), rtol=1e-8)
    assert one.lower <= found.upper and found.lower <= one.upper


@pytest.mark.parametrize(("arguments", "said"), [
    ((-0.1, 0.2), "distortion"), ((0.1, 0.0), "flip"), ((0.1, 1.0), "flip"), ((0.1, 0.2, 9), "block")])
def test_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        binary_markov.rate_bracket(*arguments[:2], **({"block": arguments[2]} if len(arguments) > 2 else {}))
