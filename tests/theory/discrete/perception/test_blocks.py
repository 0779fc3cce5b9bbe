"""A block's elimination against a dense Newton step: the same conditions, differentiated and solved as a whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete.perception import blocks as blocks
from theory.discrete.perception.divergences import SEPARABLE, Divergence

P = np.array([0.1, 0.35, 0.2, 0.35])
COST = (np.arange(4.0)[:, None] - np.arange(4.0)) ** 2


def quadratic(p, q):
    return jnp.sum((p - q) ** 2) + 0.5 * (p - q)[0] * (p - q)[1]


def conditions(name, x, z, f, h, t, targets):
    """What a block's variables must satisfy, written from the mathematics; complementarity last."""
    if name == "tv":
        (q, u, v), (zq, zu, zv) = x, z
        first = jnp.concatenate([h + zq - 0.5 * t + zu, h + zq + 0.5 * t - zv, P + u - v - q])
    elif name == "w2sq":
        first = jnp.concatenate([(h[None] - t * COST - f[:, None] + z).ravel(), P - x.sum(1)])
    elif name == "own":
        first = h - t * jax.grad(quadratic, argnums=1)(P, x) + z
    else:
        first = h - t * SEPARABLE[name].slope(P, x) + z
    return jnp.concatenate([first, (x * z - targets).ravel()])


def block_of(name):
    if name == "tv":
        return blocks.total_variation_block(P)
    if name == "w2sq":
        return blocks.transport_block(P, COST)
    if name == "own":
        return blocks.smooth_block(P, Divergence(quadratic, None))
    return blocks.separable_block(P, SEPARABLE[name])


# One of each kind; each is programs of its own.
@pytest.mark.parametrize("name", ["tv", "w2sq", "own", "kl", *(
    pytest.param(name, marks=pytest.mark.stress) for name in ("reverse_kl", "js", "chi2", "hellinger2"))])
def test_elimination_is_the_dense_newton_step(name):
    rng = np.random.default_rng(3)
    block = block_of(name)
    start = block.start()
    shape = start.primal.shape
    x, z = (jnp.asarray(rng.uniform(0.05, 0.5, shape)) for _ in range(2))
    f = jnp.asarray(rng.standard_normal(4)) if name == "w2sq" else jnp.zeros(4)
    h, dh = jnp.asarray(rng.standard_normal((2, 4)))
    t, dt, targets = jnp.asarray(0.7), jnp.asarray(0.3), jnp.asarray(rng.uniform(0.0, 0.1, shape))
    state = blocks.PairState(x, z, f)

    free = 4 if name == "w2sq" else 0
    size = x.size

    def system(v):
        return conditions(
            name, v[:size].reshape(shape), v[size : 2 * size].reshape(shape),
            v[2 * size :] if free else jnp.zeros(4), h + dh, t + dt, targets)

    def at_old_price(v, h, t):
        return conditions(
            name, v[:size].reshape(shape), v[size : 2 * size].reshape(shape),
            v[2 * size :] if free else jnp.zeros(4), h, t, targets)

    variables = jnp.concatenate([x.ravel(), z.ravel(), f[:free]])
    @jax.jit
    def linearized(v):
        moved = at_old_price(v, h, t) + jax.jvp(lambda a, b: at_old_price(v, a, b), (h, t), (dh, dt))[1]
        return jax.jacobian(at_old_price)(v, h, t), moved

    jacobian, moved = linearized(variables)
    step = np.linalg.solve(jacobian, -moved)
    got, e = jax.jit(lambda s: (block.back_substitute(s, h, t, targets, dh, dt), block.eliminate(s, h, t, targets)))(
        state)
    np.testing.assert_allclose(got.primal.ravel(), step[:size], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(got.dual.ravel(), step[size : 2 * size], rtol=1e-9, atol=1e-11)
    if free:
        np.testing.assert_allclose(got.potential, step[2 * size :], rtol=1e-9, atol=1e-11)

    # The eliminated equations say the same of the output pmf and of the divergence.
    dx = jnp.asarray(step[:size].reshape(shape))
    _, dq = jax.jvp(lambda x: block.output_pmf(state._replace(primal=x)), (x,), (dx,))
    _, ddelta = jax.jvp(lambda x: block.value(state._replace(primal=x)), (x,), (dx,))
    np.testing.assert_allclose(e.compliance @ dh - e.omega * dt + e.rho, dq, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(e.omega @ dh - e.theta * dt + e.chi, ddelta, rtol=1e-9, atol=1e-11)
    # C is positive semidefinite, so that the system that is left is.
    np.testing.assert_allclose(e.compliance, e.compliance.T, atol=1e-12)
    assert np.linalg.eigvalsh(e.compliance).min() > -1e-12


def test_a_block_starts_inside_and_at_its_source():
    for name in ("tv", "w2sq", "own", "kl", "js"):
        block = block_of(name)
        start = block.start()
        assert bool(jnp.all(start.primal > 0)) and bool(jnp.all(start.dual > 0))
        np.testing.assert_allclose(block.output_pmf(start).sum(), 1.0, rtol=1e-14)
    perfect = blocks.fixed_output_block(jnp.asarray(P))
    np.testing.assert_array_equal(perfect.output_pmf(perfect.start()), P)
