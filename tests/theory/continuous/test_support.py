"""Oracles: automatic differentiation of the objective; invariance of the output distribution."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from theory.continuous import support
from theory.continuous.support import Atoms

merge_and_remove = jax.jit(support.merge_and_remove)
newton = jax.jit(support.newton, static_argnames=("steps", "tolerance"))

NODES = jnp.linspace(-0.5, 0.5, 41)[:, None]
PMF = jnp.full(41, 1.0 / 41)
SLOPE = jnp.asarray(20.0)
ATOMS = Atoms(jnp.array([[-0.3], [0.1], [0.35]]), jnp.log(jnp.array([0.3, 0.5, 0.2])))


def test_an_undamped_step_is_newton_s_where_curvature_is_positive():
    start = Atoms(jnp.array([[-0.22], [0.0], [0.22]]), jnp.log(jnp.array([0.4, 0.2, 0.4])))
    start = newton(NODES, PMF, start, SLOPE, steps=40, tolerance=1e-13)[0]
    start = Atoms(start.positions + 1e-4, start.log_weights + jnp.array([1e-4, -2e-4, 1e-4]))

    def objective(z):
        return support.objective(NODES, PMF, Atoms(z[:, 1:] / jnp.sqrt(SLOPE), z[:, 0]), SLOPE)

    z = jnp.concatenate([start.log_weights[:, None], start.positions * jnp.sqrt(SLOPE)], axis=1)
    gradient, hessian = jax.jit(lambda z: (jax.grad(objective)(z), jax.hessian(objective)(z)))(z)
    expected = -np.linalg.solve(np.asarray(hessian).reshape(6, 6), np.asarray(gradient).reshape(-1))
    step, _, _ = jax.jit(support._newton_direction)(NODES, PMF, start, SLOPE, jnp.asarray(0.0))
    # Only cross terms of the order of the gradient are dropped: the steps agree to second order in the displacement,
    # which is about 5e-4 in these coordinates.
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(step.reshape(-1), expected, atol=6e-6)


def test_newton_reaches_a_stationary_point():
    atoms, _ = newton(NODES, PMF, ATOMS, SLOPE, steps=40, tolerance=1e-13)
    gradient = jax.jit(jax.grad(lambda a: support.objective(NODES, PMF, a, SLOPE)))(atoms)
    np.testing.assert_allclose(gradient.positions, 0.0, atol=1e-10)
    np.testing.assert_allclose(gradient.log_weights, 0.0, atol=1e-10)
    assert support.objective(NODES, PMF, atoms, SLOPE) < support.objective(NODES, PMF, ATOMS, SLOPE)


def test_merging_keeps_the_distribution_and_frees_slots():
    atoms = Atoms(jnp.array([[0.2], [-0.1], [0.2], [0.2 + 1e-6]]), jnp.log(jnp.array([0.2, 0.4, 0.3, 0.1])))
    merged = merge_and_remove(NODES, atoms, SLOPE)
    assert int(jnp.isfinite(merged.log_weights).sum()) == 2
    np.testing.assert_allclose(jnp.exp(merged.log_weights).sum(), 1.0, rtol=1e-14)
    np.testing.assert_allclose(
        support.objective(NODES, PMF, merged, SLOPE), support.objective(NODES, PMF, atoms, SLOPE), atol=1e-12
    )


def test_negligible_atoms_are_removed_and_distant_ones_kept():
    atoms = Atoms(jnp.array([[0.0], [0.4], [-0.4]]), jnp.log(jnp.array([1.0, 1e-14, 1e-3])))
    kept = jnp.isfinite(merge_and_remove(NODES, atoms, SLOPE).log_weights)
    np.testing.assert_array_equal(kept, [True, False, True])


def test_insertion_takes_the_worthiest_place_not_the_largest_c():
    pmf = jnp.where(NODES[:, 0] > -0.1, 1e-12, 1.0)
    pmf = pmf / pmf.sum()
    atoms = Atoms(jnp.array([[0.0], [0.0]]), jnp.array([0.0, -jnp.inf]))
    places, values = jnp.array([[0.5], [-0.3]]), jnp.array([50.0, 1.2])
    insert = jax.jit(partial(support.insert, number=1, tolerance=1e-9))
    added = insert(NODES, pmf, atoms, SLOPE, values, places)
    np.testing.assert_allclose(added.positions[1], [-0.3])
    _, posterior = support.log_partition(NODES, added, SLOPE)
    # It starts with a posterior of 0.1 / 1.1 at most.
    np.testing.assert_allclose(posterior[:, 1].max(), 0.1 / 1.1, rtol=1e-6)
    full = insert(NODES, pmf, ATOMS, SLOPE, values, places)
    np.testing.assert_array_equal(full.log_weights, ATOMS.log_weights)


def test_inflation_raises_weights_only_near_violations():
    values, places = jnp.array([0.9, 1.1]), jnp.array([[-0.3], [0.36]])
    raised = support.inflate(ATOMS, SLOPE, values, places).log_weights - ATOMS.log_weights
    np.testing.assert_allclose(raised, [0.0, np.log1p(0.15), np.log1p(0.15)], atol=1e-12)


def test_a_banded_product_is_the_product_where_posteriors_are_narrow():
    rng = np.random.default_rng(0)
    nodes, places = np.sort(rng.uniform(0.0, 60.0, 600)), rng.permutation(np.arange(0.0, 60.0, 0.5))
    atoms = Atoms(jnp.asarray(places[:, None]), jnp.asarray(np.where(np.arange(120) < 110, -np.log(110.0), -np.inf)))
    _, posterior = jax.jit(support.log_partition)(nodes[:, None], atoms, 2.0)
    posterior = np.asarray(posterior)
    basis = np.stack([posterior, posterior * (nodes[:, None] - places[None])], -1).reshape(600, 240)
    np.testing.assert_allclose(jax.jit(support._banded_gram)(basis, nodes, atoms), basis.T @ basis, atol=1e-12)
