"""Padding of problems, and their limits in the solver's units."""

import jax.numpy as jnp
import numpy as np

from theory.discrete.perception import problem as problems
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.problem import Options, Problem


def make(distortion, transport=()):
    matrix = jnp.asarray([[1.0, 3.0, 2.0], [4.0, 2.0, 2.5], [0.0, 1.0, 5.0]])
    return Problem(jnp.asarray([0.5, 0.25, 0.25]), matrix, jnp.asarray(distortion), jnp.asarray(0.1), transport,
                   jnp.asarray(1e-8))


def test_padded_letters_are_out_of_reach_and_at_the_end_of_the_line():
    cost = jnp.asarray(np.abs(np.arange(3.0)[:, None] - np.arange(3.0)))
    padded = problems.pad(make(1.5, (cost, jnp.asarray([2.0, 0.0, 1.0]))), Options("w1", True, False, False, 9))
    assert padded.pmf.shape == (4,) and float(padded.pmf[3]) == 0.0
    assert np.isinf(padded.distortion_matrix[:, 3]).all() and np.isinf(padded.transport[0][3]).all()
    np.testing.assert_array_equal(padded.transport[1], [2.0, 0.0, 1.0, 2.0])
    limits = problems.known_limits_of(padded, Options("tv", False, False, False, 9))
    np.testing.assert_array_equal(problems.usable_outputs(limits.problem), [True, True, True, False])
    own = Options(Divergence(None, None), False, False, False, 9)
    assert problems.pad(make(1.5), own).pmf.shape == (3,)


def test_limits_are_relative_to_the_smallest_distortion():
    options = Options("tv", False, False, False, 9)
    # Row minima 1, 2, 0 have mean 1: nothing is below, and at it only minima are allowed.
    assert bool(problems.known_limits_of(make(1.0), options).lossless)
    assert not bool(problems.known_limits_of(make(0.99), options).reachable)
    limits = problems.known_limits_of(make(1.5), options)
    np.testing.assert_allclose(limits.target * limits.problem.scale, 0.5, rtol=1e-14)
    assert float(limits.needed) == float(limits.target)
    at_minimum = problems.known_limits_of(make(1.0), options)
    assert float(at_minimum.needed) == 0.0 and np.isinf(at_minimum.problem.distortion).sum() == 6
