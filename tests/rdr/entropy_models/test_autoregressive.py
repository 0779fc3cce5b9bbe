import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.bitstream.tables import check_tables, table_bits
from rdr.entropy_models import autoregressive
from rdr.entropy_models.autoregressive import A2_CELLS, CausalBlock, plain_cells

REACH, SPAN = 20, 60


def made(dimension, cells, **changed):
    prior = CausalBlock(dimension, hidden=5)
    x, unit = np.zeros((1, dimension), np.float32), np.ones(dimension, np.float32)
    params = jax.jit(prior.init)(jax.random.key(0), x, x, unit, unit)["params"] | changed
    rng = np.random.default_rng(0)
    params["second"] = jnp.asarray(0.4 * rng.standard_normal(params["second"].shape), jnp.float32)
    step = np.linspace(0.7, 1.1, dimension).astype(np.float32)
    return prior, params, step, autoregressive.block_tables(prior, params, step, cells, reach=REACH, span=SPAN)


@pytest.fixture(scope="module")
def cubic():
    weights = jnp.array([[9.0, 9.0, 9.0], [1.0, 9.0, 9.0], [0.30078125, -1.5, 9.0]], jnp.float32)
    return made(3, plain_cells(3), weights=weights)


def index_of(k, weights, i, cells):
    at = autoregressive.integer_contexts(k, weights, i, REACH)
    return at, autoregressive.table_index(at, k[:, i - 1], i, cells[i], REACH)


def test_contexts_are_integer_arithmetic_and_causal(cubic):
    """Oracle: the same sums in float64, rounded to quarters, half up; neither diagonal nor later coordinates matter."""
    weights = autoregressive.integer_weights(cubic[1]["weights"])
    k = np.random.default_rng(1).integers(-9, 10, (200, 3))
    at = autoregressive.integer_contexts(k, weights, 2, 10**6)
    np.testing.assert_array_equal(at, np.floor(4 * (0.30078125 * k[:, 0] - 1.5 * k[:, 1]) + 0.5))
    np.testing.assert_array_equal(autoregressive.integer_contexts(k, weights, 1, 10**6), 4 * k[:, 0])
    assert not autoregressive.integer_contexts(k, weights, 0, 5).any()
    huge = np.full((1, 3), 2**31 - 1)
    assert abs(int(autoregressive.integer_contexts(huge, weights, 2, REACH)[0])) == 4 * REACH

    # What made quarters necessary: with a weight of 1/2 each integer still has a context of its own.
    half = autoregressive.integer_weights(np.array([[0.0, 0.0], [0.52, 0.0]]))
    line = np.stack([np.arange(-9, 10)] * 2, -1)
    assert (np.diff(autoregressive.integer_contexts(line, half, 1, REACH)) >= 1).all()


def test_tables_cost_what_the_distribution_says(cubic):
    prior, params, step, tables = cubic
    for part in tables:
        check_tables(part)
    weights, cells = autoregressive.integer_weights(params["weights"]), plain_cells(3)
    k = np.random.default_rng(2).integers(-3, 4, (300, 3))
    values = np.stack([autoregressive.integer_contexts(k, weights, i, REACH) for i in range(3)], -1) / 4
    bits = prior.apply({"params": params}, jnp.float32(k) + 0.5, jnp.float32(values), step, jnp.ones(3, jnp.float32),
                       method=CausalBlock.bits_at)
    for i in range(3):
        coded = table_bits(k[:, i], tables[i], index_of(k, weights, i, cells)[1])
        np.testing.assert_allclose(coded, bits[:, i], atol=5e-3)
    # Training's contexts differ by their rounding only: those of the second coordinate need none.
    trained = prior.apply({"params": params}, jnp.float32(k) + 0.5, jnp.float32(k), step, jnp.ones(3, jnp.float32))
    np.testing.assert_allclose(trained[:, :2], bits[:, :2], rtol=1e-5)


def test_hexagonal_cells_add_up_to_one_given_either_parity():
    prior, params, step, tables = made(2, A2_CELLS)
    weights = autoregressive.integer_weights(params["weights"])
    distribution = jax.jit(lambda upper, k, widths: prior.apply({"params": params}, upper, k, step, widths))
    for first in (-3, 4):
        second = np.arange(-41, 42)[(np.arange(-41, 42) - first) % 2 == 0]
        k = np.stack([np.full(second.size, first), second], -1)
        widths = np.array([1.0, 2.0], np.float32)
        bits = np.asarray(distribution(np.float32(k + 0.5 * widths), np.float32(k), widths))
        np.testing.assert_allclose(np.exp2(-np.asarray(bits[:, 1], np.float64)).sum(), 1.0, atol=1e-3)
        near = np.abs(second) < 8
        ids = index_of(k, weights, 1, A2_CELLS)[1]
        coded = table_bits((second - first % 2) // 2, tables[1], ids)
        np.testing.assert_allclose(coded[near], bits[near, 1], atol=5e-3)


def test_gradients_reach_every_parameter(cubic):
    prior, params, step, _ = cubic
    k = jnp.asarray(np.random.default_rng(3).normal(size=(50, 3)), jnp.float32)
    gradient = jax.jit(jax.grad(
        lambda p: prior.apply({"params": p}, k + 0.5, k, step, jnp.ones(3, jnp.float32)).sum()))(params)
    assert all(np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))
    assert np.abs(np.triu(gradient["weights"])).max() == 0
