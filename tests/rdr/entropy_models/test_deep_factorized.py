import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.entropy_models.deep_factorized import DeepFactorized, cdf_interval_bits, cdf_logits


@pytest.fixture(scope="module")
def trained_like():
    model = DeepFactorized(channels=3)
    rng = np.random.default_rng(1)
    start = jax.device_get(jax.jit(model.init)(jax.random.key(0), np.zeros((1, 3), np.float32)))
    return model, jax.tree.map(lambda leaf: np.float32(leaf + 0.3 * rng.standard_normal(leaf.shape)), start)


def test_the_cumulative_rises_from_zero_to_one(trained_like):
    model, params = trained_like
    x = np.linspace(-300, 300, 6001, dtype=np.float32)[:, None].repeat(3, 1)
    cdf = np.asarray(jax.jit(lambda x: jax.nn.sigmoid(model.apply(params, x)))(x))
    assert (np.diff(cdf, axis=0) >= 0).all()
    assert (cdf[0] < 1e-4).all() and (cdf[-1] > 1 - 1e-4).all()


def test_bins_add_up_to_one(trained_like):
    model, params = trained_like
    centers = np.arange(-1500, 1501, dtype=np.float32)[:, None].repeat(3, 1) + np.float32(0.3)
    bits = jax.jit(lambda x: cdf_interval_bits(model.apply(params, x + 0.5), model.apply(params, x - 0.5)))(centers)
    np.testing.assert_allclose(np.exp2(-np.asarray(bits, np.float64)).sum(0), 1.0, rtol=1e-5)


def test_the_network_equals_its_definition(trained_like):
    """Oracle: the same layers, written with loops in float64."""
    model, params = trained_like
    p = {name: np.asarray(value, np.float64) for name, value in params["params"].items()}
    x = np.array([[0.3, -2.0, 7.0]], np.float32)
    found = np.asarray(jax.jit(model.apply)(params, x))
    for c in range(3):
        h = np.array([float(x[0, c])])
        for k in range(4):
            h = np.log1p(np.exp(p[f"matrix_{k}"][c])) @ h + p[f"bias_{k}"][c]
            if k < 3:
                h = h + np.tanh(h) * np.tanh(p[f"factor_{k}"][c])
        np.testing.assert_allclose(found[0, c], h[0], rtol=2e-6)


def test_channels_do_not_mix(trained_like):
    model, params = trained_like
    x = jnp.zeros((2, 5, 3), jnp.float32)
    jacobian = jax.jit(jax.jacobian(lambda v: model.apply(params, v[None, None])[0, 0]))(np.zeros(3, np.float32))
    assert (np.asarray(jacobian)[~np.eye(3, dtype=bool)] == 0).all() and (np.diag(jacobian) > 0).all()
    assert jax.eval_shape(model.apply, params, x).shape == (2, 5, 3)


@pytest.mark.parametrize("lower, upper", [(-1.0, 0.5), (-60.0, -59.0), (59.0, 60.0), (-2e-3, 2e-3), (3.0, 3.0 + 1e-5)])
def test_interval_bits_are_exact_in_float32(lower, upper):
    """Oracle: the logistic difference in 60 digits."""
    import decimal
    decimal.getcontext().prec = 60
    lower, upper = np.float32(lower), np.float32(upper)

    def sigmoid(v):
        return 1 / (1 + (-decimal.Decimal(float(v))).exp())

    expected = -float((sigmoid(upper) - sigmoid(lower)).ln() / decimal.Decimal(2).ln())
    np.testing.assert_allclose(jax.jit(cdf_interval_bits)(upper, lower), expected, rtol=3e-7)


def test_gradients_are_finite_where_nothing_is_left():
    with_slopes = jax.jit(jax.value_and_grad(cdf_interval_bits, argnums=(0, 1)))
    for upper, lower in ((-300.0, -301.0), (301.0, 300.0), (5.0, 5.0)):
        value, slopes = with_slopes(np.float32(upper), np.float32(lower))
        assert np.isfinite(value) and np.isfinite(slopes).all()


def test_dtypes_are_float32_under_x64(trained_like):
    _, params = trained_like
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}
    ones = jnp.ones((1, 1, 1), jnp.float32)
    assert cdf_logits([ones], [ones[0]], [], ones[0]).dtype == jnp.float32
