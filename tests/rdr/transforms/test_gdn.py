"""GDN: its definition, its bounds, and gradients that find their way back."""

import jax
import jax.numpy as jnp
import numpy as np

from rdr.transforms.gdn import GDN, gdn


def test_it_follows_its_definition_and_the_inverse_multiplies():
    rng = np.random.default_rng(0)
    x, beta, gamma = rng.standard_normal((2, 3, 4, 5)), 0.1 + rng.random(5), rng.random((5, 5))
    root = np.sqrt(beta + np.einsum("ij,bhwj->bhwi", gamma, x**2))
    arrays = (jnp.asarray(a) for a in (x, beta, gamma))
    x_, beta_, gamma_ = arrays
    np.testing.assert_allclose(gdn(x_, beta_, gamma_), x / root, rtol=1e-10)
    np.testing.assert_allclose(gdn(x_, beta_, gamma_, inverse=True), x * root, rtol=1e-10)


def test_it_starts_as_the_paper_does():
    x = jnp.asarray(np.random.default_rng(1).standard_normal((1, 2, 2, 3)), jnp.float32)
    layer = GDN()
    y = layer.apply(layer.init(jax.random.key(0), x), x)
    np.testing.assert_allclose(y, x / jnp.sqrt(1.0 + 0.1 * x**2), rtol=1e-4)  # gamma is 1.5e-11 off its diagonal


def test_a_parameter_below_its_bound_can_come_back():
    x = jnp.ones((1, 1, 1, 2), jnp.float32)
    params = {"params": {"root_beta": jnp.array([1.0, -1.0], jnp.float32),
                         "root_gamma": 0.3 * jnp.eye(2, dtype=jnp.float32)}}

    def value(params, sign):
        return sign * jnp.sum(GDN().apply(params, x)[..., 1])

    up, down = (jax.grad(value)(params, sign)["params"]["root_beta"][1] for sign in (1.0, -1.0))
    # Less beta means more output: descent on +output wants beta larger, which leads back; the other way is shut.
    assert float(up) < 0 and float(down) == 0.0
    assert jnp.isfinite(GDN().apply(params, x)).all()
