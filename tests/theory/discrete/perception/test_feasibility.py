"""Least distortions against linear programs of their own, and proofs that hold whatever the multipliers."""

import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete import rate_distortion_perception
from theory.discrete.perception import feasibility, rdp
from theory.discrete.perception.problem import Options, Problem, known_limits_of, pad


def problem_of(pmf, matrix, distortion, perception, name):
    transport, on_line = rdp.transport_costs(len(pmf), name, None, None)
    options = Options(name, on_line, False, False, 100)
    arrays = (jnp.asarray(x, jnp.float64) for x in (pmf, matrix, distortion, perception))
    return pad(Problem(*arrays, transport, jnp.asarray(1e-8)), options), options


PMF = np.array([0.6, 0.3, 0.1])
CYCLE = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])  # every letter is best mapped to another one


@pytest.mark.parametrize("name, perception, least", [
    # A coupling of p with itself takes .3 + .1 + .1 along the cycle; the rest stays or goes where it costs 1.
    ("tv", 0.0, 0.5), ("kl", 0.0, 0.5), ("w1", 0.0, 0.5),
    # With q = (.1, .6, .3), at a total variation of .5, nothing is left; in between a unit moved saves a unit.
    ("tv", 0.5, 0.0), ("tv", 0.2, 0.3),
])
def test_least_distortion_of_a_cycle(name, perception, least):
    problem, options = problem_of(PMF, CYCLE, 0.3, perception, name)
    scale = float(known_limits_of(problem, options).problem.scale)
    answer = feasibility.least_distortion(problem, options)
    np.testing.assert_allclose(answer.lower * scale, least, atol=1e-8)


@pytest.mark.parametrize("name", ["tv", *(pytest.param(name, marks=pytest.mark.stress) for name in ("kl", "w2sq"))])
def test_refused_below_and_solved_above(name):
    # Fault 3: refusals need a proof; the bound of the linear program is one.
    below = problem_of(PMF, CYCLE, 0.49, 0.0, name)
    assert feasibility.is_impossible(*below)
    assert not feasibility.is_impossible(*problem_of(PMF, CYCLE, 0.51, 0.0, name))
    with pytest.raises(ValueError, match="no channel has"):
        rate_distortion_perception(PMF, CYCLE, distortion=0.49, perception=0.0, divergence=name)
    answer = rate_distortion_perception(PMF, CYCLE, distortion=0.6, perception=0.0, divergence=name)
    assert bool(answer.converged)


def test_no_multipliers_prove_too_much():
    rng = np.random.default_rng(0)
    problem, options = problem_of(PMF, CYCLE, 0.3, 0.0, "tv")
    for _ in range(50):
        f = jnp.zeros(problem.pmf.size).at[:3].set(rng.standard_normal(3))
        assert feasibility._proved(problem, options, f) <= 0.5 + 1e-12


def test_distortions_to_which_the_identity_is_best_are_never_impossible():
    assert not feasibility.is_impossible(*problem_of(PMF, 1.0 - np.eye(3), 0.0, 1e-300, "js"))
