import jax
import jax.numpy as jnp
import numpy as np

from rdr.transforms.dense import ResidualDense

X = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)


def test_it_starts_as_an_orthonormal_line():
    module = ResidualDense(features=3, hidden=(4,))
    params = jax.jit(module.init)(jax.random.key(0), X)
    line = np.asarray(params["params"]["line"], np.float64)
    np.testing.assert_allclose(line @ line.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(jax.jit(module.apply)(params, X), np.asarray(X, np.float64) @ line, atol=1e-6)


def test_it_is_line_bias_and_network_of_all_inputs():
    """Oracle: the formula in NumPy."""
    module, extra = ResidualDense(features=2, hidden=(4,)), jnp.ones((5, 1), jnp.float32)
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32),
                          jax.eval_shape(module.init, jax.random.key(0), X, extra))
    p = params["params"]
    assert p["Dense_0"]["kernel"].shape == (4, 4)
    h = np.tanh(np.concatenate([X, extra], 1) @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"])
    want = p["bias"] + np.asarray(X) @ p["line"] + h @ p["Dense_1"]["kernel"]
    found = jax.jit(module.apply)(params, X, extra)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5)


def test_without_hidden_layers_it_is_linear_and_without_a_line_it_is_not():
    params = jax.eval_shape(ResidualDense(features=2, hidden=()).init, jax.random.key(0), X)
    assert set(params["params"]) == {"bias", "line"}
    params = jax.jit(ResidualDense(features=2, hidden=(4,), line=False).init)(jax.random.key(0), X)
    assert "line" not in params["params"] and np.abs(params["params"]["Dense_1"]["kernel"]).max() > 0
