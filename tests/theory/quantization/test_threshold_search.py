import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.quantization import tabulated_density as sd
from theory.quantization import threshold_search as search

PANELS = 14
WEIGHT = 1.5


@functools.cache
def density():
    return sd.gaussian_mixture_density([0.4, 0.6], [-1.0, 1.0], [0.3, 1.2], panels=PANELS)


def value(cells, spread, entropy):
    return sum(spread[a, b] + WEIGHT * entropy[a, b] for a, b in zip(cells[:-1], cells[1:]))


def test_the_first_start_is_the_best_of_all_partitions_of_the_edges():
    # Oracle: exhaustive search over the 2^13 ways to choose thresholds among 13 inner edges.
    spread, entropy = (np.asarray(v) for v in search.pairs(density()))
    best = min(
        ((0, *inner, PANELS) for n in range(PANELS) for inner in itertools.combinations(range(1, PANELS), n)),
        key=lambda cells: value(cells, spread, entropy),
    )
    first = np.asarray(search.starts(density(), spread, entropy, WEIGHT)[0])
    edges = np.asarray(density().edges)
    np.testing.assert_array_equal(first[first < edges[-1]], edges[list(best[1:-1])])
    assert len(best) > 2 and len(first) == search.threshold_count(density())


def test_refinement_lowers_the_lagrangian_to_a_point_of_zero_gradient():
    # Second route: automatic differentiation of the Lagrangian itself, not the Newton equations.
    weight = 0.3  # for which five cells all have their place

    @jax.jit
    @jax.value_and_grad
    def lagrangian(thresholds):
        spread, entropy = search.spread_and_entropy(search.cells(density(), thresholds)[2])
        return jnp.sum(spread) + weight * jnp.sum(entropy)

    start = jnp.array([-2.0, -0.1, 0.9, 2.2])
    refined, residual, found = jax.jit(search.refine)(density(), start, weight)
    assert found < lagrangian(start)[0]
    there, gradient = lagrangian(refined)
    assert float(found) == pytest.approx(float(there), rel=1e-14)
    assert np.max(np.abs(gradient)) < 1e-7 and residual < 1e-7
    assert np.all(np.diff(refined) >= 0)


def test_empty_cells_cost_nothing():
    spread, entropy = search.spread_and_entropy(jnp.array([[0.0, 0.0, 0.0], [0.5, 0.1, 0.2]]))
    np.testing.assert_allclose(spread, [0.0, 0.2 - 0.02], rtol=1e-15)
    np.testing.assert_allclose(entropy, [0.0, 0.5 * np.log(2)], rtol=1e-15)
