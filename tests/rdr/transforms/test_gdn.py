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
    y, _ = jax.jit(layer.init_with_output)(jax.random.key(0), x)
    want = x / np.sqrt(1.0 + 0.1 * np.asarray(x) ** 2)
    np.testing.assert_allclose(y, want, rtol=1e-4)  # gamma is 1.5e-11 off its diagonal


def test_a_parameter_below_its_bound_can_come_back():
    x = jnp.ones((1, 1, 1, 2), jnp.float32)
    params = {"params": {"root_beta": jnp.array([1.0, -1.0], jnp.float32),
                         "root_gamma": 0.3 * jnp.eye(2, dtype=jnp.float32)}}

    def value(params, sign):
        return sign * jnp.sum(GDN().apply(params, x)[..., 1])

    slope = jax.jit(jax.grad(value))
    up, down = (slope(params, np.float32(sign))["params"]["root_beta"][1] for sign in (1.0, -1.0))
    # Less beta means more output: descent on +output wants beta larger, which leads back; the other way is shut.
    assert float(up) < 0 and float(down) == 0.0
    assert np.isfinite(jax.jit(GDN().apply)(params, x)).all()


def test_the_inverse_undoes_all_but_the_fifth_order():
    """With beta = 1 and g = gamma x^2, y = x (1 - g / 2 + ..) has gamma y^2 = g + O(x^4): y sqrt(1 + gamma y^2) is
    x (1 + O(x^4)), and half of x leaves 2^-5 of the error; y itself is off by x g / 2, of third order.
    """
    rng = np.random.default_rng(3)
    x, gamma = rng.uniform(-1, 1, (20, 3)), jnp.asarray(rng.random((3, 3)))

    @jax.jit
    def there_and_back(x):
        y = gdn(x, jnp.ones(3), gamma)
        return y, gdn(y, jnp.ones(3), gamma, inverse=True)

    errors, before = [], []
    for size in (0.02, 0.01):
        y, back = there_and_back(size * x)
        before.append(np.abs(y - size * x).max())
        errors.append(np.abs(back - size * x).max())
    assert 7 < before[0] / before[1] < 9 and 28 < errors[0] / errors[1] < 36
