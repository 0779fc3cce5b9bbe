"""A value with a gradient attached: what passes, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete.common.gradients import with_gradient, without_gradient


def attached(x, y):
    return with_gradient(x[0] * 7.0 + y, (x, jnp.array([2.0, 3.0])), (y, jnp.asarray(-jnp.inf)))


def test_value_is_kept_and_gradient_is_the_one_given():
    x, y = jnp.array([1.0, 5.0]), jnp.asarray(4.0)
    assert attached(x, y) == 11.0
    np.testing.assert_array_equal(jax.grad(attached)(x, y), [2.0, 3.0])
    assert jax.grad(attached, argnums=1)(x, y) == -jnp.inf
    _, tangent = jax.jvp(lambda x: attached(x, y), (x,), (jnp.array([1.0, -1.0]),))
    assert tangent == -1.0


def test_chain_rule_and_vmap():
    xs = jnp.array([[1.0, 5.0], [2.0, 6.0]])
    got = jax.vmap(jax.grad(lambda x: attached(x**2, 0.0)))(xs)
    np.testing.assert_allclose(got, 2.0 * xs * jnp.array([[2.0, 3.0]]))


def test_an_infinite_argument_has_no_pull():
    y = jnp.asarray(jnp.inf)
    assert jax.grad(lambda y: with_gradient(jnp.ones(()), (y, jnp.asarray(5.0))))(y) == 0.0


def test_refusal():
    assert without_gradient(jnp.ones(())) == 1.0
    with pytest.raises(ValueError, match="no derivative"):
        jax.grad(lambda x: without_gradient(x))(1.0)
