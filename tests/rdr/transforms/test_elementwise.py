import jax
import jax.numpy as jnp
import numpy as np

from rdr.transforms.elementwise import ElementwiseNetwork


def test_starts_as_a_line_and_acts_on_each_number_alone():
    network = ElementwiseNetwork(hidden=(5,), slope=2.5)
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    straight, params = jax.jit(network.init_with_output)(jax.random.key(0), x)
    np.testing.assert_allclose(straight, 2.5 * x, rtol=1e-6)
    bent, apply = jax.tree.map(lambda leaf: np.asarray(leaf) + np.float32(0.1), params), jax.jit(network.apply)
    whole = apply(bent, x)
    np.testing.assert_allclose(whole[1, 2], apply(bent, x[1, 2]), rtol=1e-6)
    assert whole.dtype == jnp.float32 and np.abs(np.asarray(whole) - straight).max() > 0.01


def test_extra_inputs_count():
    network = ElementwiseNetwork(hidden=(5,))
    x = jnp.ones((4,), jnp.float32)
    params = jax.tree.map(lambda leaf: np.asarray(leaf) + np.float32(0.1),
                          jax.jit(network.init)(jax.random.key(0), x, x))
    apply = jax.jit(network.apply)
    assert np.abs(np.asarray(apply(params, x, x)) - apply(params, x, -x)).min() > 1e-3
