import jax
import jax.numpy as jnp
import numpy as np

from theory.numerics import elementwise


def test_broadcasting_across_ranks():
    a, b = elementwise.broadcast(np.ones((3, 1)), np.arange(2, dtype=np.int32))
    assert a.shape == b.shape == (3, 2) and a.dtype == b.dtype == jnp.float64


def test_known_values_are_broadcast_as_traced_ones_are():
    values = [[1.0], [2.0]], np.float32(3.0), np.arange(4)
    known, traced = elementwise.broadcast(*values), jax.jit(elementwise.broadcast)(*map(np.asarray, values))
    for a, b in zip(known, traced, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.shape == b.shape == (2, 4) and a.dtype == b.dtype == jnp.float64
    mixed = jax.grad(lambda x: elementwise.broadcast(x, values[2])[0].sum())(1.0)
    assert mixed == 4.0


def test_one_program_counts_once_for_each_shape_and_is_part_of_a_trace():
    calls = []

    @elementwise.one_program
    def norm(x, y):
        calls.append(x.shape)
        return jnp.sqrt(x**2 + y**2)

    assert [float(norm(x, 4.0)) for x in (3.0, 0.0)] == [5.0, 4.0] and calls == [()]
    np.testing.assert_allclose(jax.grad(norm)(3.0, 4.0), 0.6, rtol=1e-15)
    assert len(calls) == 2


def test_nan_only_where_invalid():
    np.testing.assert_array_equal(elementwise.nan_unless(jnp.array([True, False]), jnp.ones(2)), [1.0, np.nan])


def test_roots_and_their_derivatives_by_target_and_parameter():
    # Oracle: f(x) = a / x has the root a / t, with derivatives -a / t^2 and 1 / t.
    @jax.jit
    def root(target, a):
        return elementwise.decreasing_root(lambda x: a / x, target, 1e-3, 1e3)

    targets = jnp.array([0.1, 1.0, 7.0])
    np.testing.assert_allclose(root(targets, 2.0), 2.0 / targets, rtol=1e-14)
    by_target, by_a = jax.jit(jax.jacrev(root, (0, 1)))(targets, 2.0)
    np.testing.assert_allclose(jnp.diag(by_target), -2.0 / targets**2, rtol=1e-13)
    np.testing.assert_allclose(by_a, 1 / targets, rtol=1e-13)
    # No root between the ends: the nearer end.
    np.testing.assert_allclose(root(jnp.array([1e-9, 1e9]), 2.0), [1e3, 1e-3], rtol=1e-9)
