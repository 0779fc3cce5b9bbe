"""The search where a first attempt is not enough: each further attempt is a bound by itself, and the best are kept."""

import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete.perception import search
from theory.discrete.perception.problem import Options, Problem, pad

PMF, HAMMING = np.array([0.7, 0.3]), 1.0 - np.eye(2)


def problem_of(name, perception):
    options = Options(name, False, False, False, 500)
    arrays = (jnp.asarray(x) for x in (PMF, HAMMING, 0.1, perception))
    return pad(Problem(*arrays, (), jnp.asarray(1e-8)), options), options


@pytest.mark.parametrize("name, perception", [
    ("kl", 1e-9), *(pytest.param(*case, marks=pytest.mark.stress) for case in (("kl", 1e-3), ("tv", 1e-10)))])
def test_without_its_first_attempt_it_finds_the_same(name, perception):
    problem, options = problem_of(name, perception)
    direct = search.solve(problem, options, "constrained")
    nothing, candidate = search._attempt(problem, options._replace(max_iterations=1), jnp.nan, jnp.nan)
    assert not bool(nothing.converged)
    found = search._search(problem, options, nothing, candidate)
    assert bool(found.converged)
    np.testing.assert_allclose(found.rate, direct.rate, atol=2e-8)
    assert found.rate_lower <= direct.rate + 1e-13 and direct.rate_lower <= found.rate + 1e-13


def test_the_best_channel_and_the_best_dual_point_are_joined():
    problem, options = problem_of("kl", 1e-3)
    good = search.solve(problem, options, "constrained")
    loose = good._replace(rate=good.rate + 0.1, rate_lower=good.rate_lower - 0.2, slope=jnp.asarray(7.0))
    for pair in ((good, loose), (loose, good)):
        joined = search._merge(*pair, options, 1e-8)
        assert float(joined.rate) == float(good.rate) and float(joined.rate_lower) == float(good.rate_lower)
        assert float(joined.slope) == float(good.slope) and bool(joined.converged)
    # Bounds that cross say that one of them is wrong: nothing is claimed of the lower one.
    crossed = search._merge(good, loose._replace(rate_lower=good.rate + 0.1), options, 1e-8)
    assert np.isnan(crossed.rate_lower) and not bool(crossed.converged)
    # At a given slope rates plus what the slope charges are compared: a proof is of its own channel's distortion.
    at_slope = options._replace(fixed_slope=True)
    upper, lower = (good._replace(rate=jnp.asarray(rate), rate_lower=jnp.asarray(proved), slope=jnp.asarray(2.0),
                                  distortion=jnp.asarray(distortion))
                    for rate, proved, distortion in ((0.5, 0.4, 0.1), (0.3, 0.2, 0.22)))
    for pair in ((upper, lower), (lower, upper)):
        joined = search._merge(*pair, at_slope, 1e-8)
        assert float(joined.rate) == 0.5 and not bool(joined.converged)
        np.testing.assert_allclose(joined.rate_lower, 0.2 + 2 * (0.22 - 0.1), atol=1e-14)
        assert joined.rate_lower < 0.2 + 2 * (0.22 - 0.1)  # rounded outwards
