import numpy as np
import pytest

from rdr.entropy_models.trellis import prior_from_tree, prior_tree, trellis_prior
from rdr.entropy_models.trellis_coder import path_bits
from rdr.quantize import trellis


@pytest.mark.parametrize("levels", [4, 32])
@pytest.mark.parametrize("step", [0.2, 0.8, 2.5])
def test_chances_and_tables_make_the_distribution_of_each_state(step, levels):
    """Oracle: exp(-beta step^2 (k - u)^2) normalized over the integers of the state's parity, in float64."""
    beta, found = 0.45, trellis(8)
    prior = trellis_prior(beta=beta, step=step, levels=levels)
    # The distribution is looked at in state 0 and in an odd state, at the last step of a path there.
    path = _path_to_odd(found)
    far = np.arange(-200, 201)
    for d in (range(levels) if levels > 4 else (0,)):
        for prefix in ([], path):
            q = len(prefix) > 0
            k = far[far % 2 == int(q)]
            u = 4 * d / levels
            pmf = np.exp(-beta * (step * (k - u)) ** 2)
            pmf /= pmf.sum()
            likely = pmf > 1e-3
            integers = np.concatenate([np.tile(prefix, (likely.sum(), 1)).astype(int), k[likely][:, None]], 1)
            dither = np.full(integers.shape, d)
            bits = path_bits(integers, dither, found, prior)[:, -1]
            np.testing.assert_allclose(2.0**-bits, pmf[likely], rtol=0.01, atol=3e-5)


def _path_to_odd(found):
    state, path = 0, []
    while not state & 1:
        j = 1 if (found.next_state[state, 1] & 1) or found.next_state[state, 0] == state else 0
        path.append(2 * j)
        state = found.next_state[state, j]
        assert len(path) < 10
    return path


def test_the_tree_holds_everything():
    prior = trellis_prior(beta=0.5, step=0.7, levels=8)
    again = prior_from_tree(prior_tree(prior))
    np.testing.assert_array_equal(prior.chances, again.chances)
    for a, b in zip(prior.integers, again.integers):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("options, said", [
    ({"beta": -1.0, "step": 1.0, "levels": 4}, "beta and step must be positive and finite, got -1.0"),
    ({"beta": 1.0, "step": 1.0, "levels": 6}, "levels must be a multiple of 4, got 6"),
    ({"beta": 1.0, "step": 1e-6, "levels": 4}, "the step is too small for integer tables"),
])
def test_refusals(options, said):
    with pytest.raises(ValueError, match=said):
        trellis_prior(**options)
