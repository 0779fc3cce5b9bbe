"""Gradients at edges, against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np

from rdr.gradients import absolute, lower_bound, recomputed, safe_sqrt


def test_roots_and_absolute_values_have_gradient_zero_at_zero():
    x = jnp.asarray([-1.0, 0.0, 4.0])
    np.testing.assert_array_equal(safe_sqrt(x), [0.0, 0.0, 2.0])
    np.testing.assert_array_equal(jax.grad(lambda x: safe_sqrt(x).sum())(x), [0.0, 0.0, 0.25])
    np.testing.assert_array_equal(absolute(x), [1.0, 0.0, 4.0])
    np.testing.assert_array_equal(jax.grad(lambda x: absolute(x).sum())(x), [-1.0, 0.0, 1.0])


def test_a_bound_lets_gradients_point_back():
    x = jnp.array([0.05, 0.05, 0.5])
    pull = jnp.array([-1.0, 1.0, 1.0])  # descent along -pull: the first wants up, the second further down
    gradient = jax.grad(lambda v: jnp.sum(pull * lower_bound(v, 0.1)))(x)
    np.testing.assert_array_equal(gradient, [-1.0, 0.0, 1.0])
    np.testing.assert_allclose(lower_bound(x, 0.1), [0.1, 0.1, 0.5])


def test_what_is_computed_twice_has_the_same_values_and_gradients_and_keeps_nothing():
    def function(scale, x):
        for _ in range(4):
            x = jnp.sin(scale["a"] * x)
        return x.sum(-1)

    x, scale = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3), {"a": jnp.float32(1.3)}
    np.testing.assert_array_equal(recomputed(function, scale, x), function(scale, x))
    ours, theirs = (jax.jit(jax.grad(call, argnums=(0, 1)))(scale, x) for call in (
        lambda s, x: jnp.sum(recomputed(function, s, x) ** 2), lambda s, x: jnp.sum(function(s, x) ** 2)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), ours, theirs)
    # What a derivative keeps of the forward pass are the arguments.
    kept = jax.tree.leaves(jax.eval_shape(lambda x: jax.vjp(lambda y: recomputed(function, scale, y), x)[1], x))
    assert sum(leaf.size for leaf in kept) <= x.size + 1
    plain = jax.tree.leaves(jax.eval_shape(lambda x: jax.vjp(lambda y: function(scale, y), x)[1], x))
    assert sum(leaf.size for leaf in plain) > 2 * x.size
    # Forward over reverse.
    ahead = [jax.jvp(jax.grad(call), (x,), (jnp.ones_like(x),))[1] for call in (
        lambda x: jnp.sum(recomputed(function, scale, x) ** 2), lambda x: jnp.sum(function(scale, x) ** 2))]
    np.testing.assert_allclose(*ahead, rtol=1e-4)
