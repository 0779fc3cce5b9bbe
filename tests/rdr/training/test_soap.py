"""SOAP: against its definition, on rotated quadratics, compiled and restarted."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rdr.training.checkpoints import Checkpoints
from rdr.training.soap import scale_by_soap


def run(transformation, gradient, params, steps, rate=1e-2, state=None, first=0):
    state = transformation.init(params) if state is None else state

    @jax.jit
    def one(params, state):
        change, state = transformation.update(gradient(params), state)
        return jax.tree.map(lambda p, c: p - rate * c, params, change), state

    for _ in range(first, steps):
        params, state = one(params, state)
    return params, state


def quadratic(turn_left, turn_right):
    """sum of s_ij (U^T W V)_ij^2 with spread scales s."""
    scales = jnp.logspace(-2, 2, 12).reshape(3, 4)

    def value(w):
        return jnp.sum(scales * (turn_left.T @ w @ turn_right) ** 2)

    return value


def rotation(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


def test_turning_the_problem_turns_the_path():
    start = np.random.default_rng(0).standard_normal((3, 4))
    left, right = rotation(3, 1), rotation(4, 2)
    plain = quadratic(np.eye(3), np.eye(4))
    turned = quadratic(left, right)
    # In its own eigenbasis the first gradient is diagonal; its other entries are rounding, about 1e-14, over eps.
    soap = scale_by_soap(eps=1e-4)
    a, _ = run(soap, jax.grad(plain), start, 40)
    b, _ = run(soap, jax.grad(turned), left @ start @ right.T, 40)
    np.testing.assert_allclose(left.T @ np.asarray(b) @ right, a, rtol=0, atol=1e-8)
    adam, _ = run(optax.scale_by_adam(), jax.grad(turned), left @ start @ right.T, 40)
    plain_adam, _ = run(optax.scale_by_adam(), jax.grad(plain), start, 40)
    assert np.abs(left.T @ np.asarray(adam) @ right - plain_adam).max() > 1e-2  # what the test can tell apart


def test_the_first_step_has_the_size_of_adams():
    """G = U S V^T: in its own eigenbasis G is diagonal, and each singular value becomes 1."""
    gradient = np.random.default_rng(3).standard_normal((3, 3))
    soap = scale_by_soap()
    change, _ = jax.jit(lambda gradient: soap.update(gradient, soap.init(gradient)))(gradient)
    u, _, v = np.linalg.svd(gradient)
    np.testing.assert_allclose(change, u @ v, atol=1e-5)


def test_vectors_are_adams():
    gradients = np.random.default_rng(4).standard_normal((5, 6))
    soap, adam = scale_by_soap(b1=0.9, b2=0.95), optax.scale_by_adam(0.9, 0.95)
    states = soap.init(gradients[0]), adam.init(gradients[0])
    soap_update, adam_update = jax.jit(soap.update), jax.jit(adam.update)
    for gradient in gradients:
        one, first = soap_update(gradient, states[0])
        two, second = adam_update(gradient, states[1])
        states = first, second
        np.testing.assert_allclose(one, two, rtol=1e-6)


def test_it_is_faster_than_adam_where_axes_are_turned():
    value = quadratic(rotation(3, 1), rotation(4, 2))
    start = np.ones((3, 4))
    soap, _ = run(scale_by_soap(), jax.grad(value), start, 300)
    adam, _ = run(optax.scale_by_adam(0.9, 0.95), jax.grad(value), start, 300)
    assert value(soap) < 0.5 * value(adam) < 0.5 * value(start)


def test_a_checkpoint_restarts_it_exactly(tmp_path):
    value = quadratic(rotation(3, 1), rotation(4, 2))
    params = {"w": np.ones((3, 4), np.float32), "b": np.ones(3, np.float32)}

    def gradient(p):
        return jax.grad(lambda p: value(p["w"]) + jnp.sum(p["b"] ** 2))(p)

    whole = run(scale_by_soap(), gradient, params, 25)
    half = run(scale_by_soap(), gradient, params, 12)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(12, half)
    _, (params, state) = checkpoints.restore(half)
    checkpoints.close()
    again = run(scale_by_soap(), gradient, params, 25, state=state, first=12)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("options", "named"), [
    ({"b1": 1.0}, "b1"), ({"renew_every": 0}, "renew_every"), ({"eps": 0.0}, "eps")])  # fmt: skip
def test_impossible_options_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        scale_by_soap(**options)
