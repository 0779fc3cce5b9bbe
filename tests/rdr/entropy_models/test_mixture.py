import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.bitstream.coder import decode_symbols, encode_symbols
from rdr.bitstream.tables import check_tables, table_bits
from rdr.entropy_models.deep_factorized import DeepFactorized, cdf_interval_bits
from rdr.entropy_models.fourier import FourierDensity
from rdr.entropy_models.mixture import MixtureDensity, density_tables

MODELS = {
    "mixture": MixtureDensity(channels=2, family="laplace"),
    "fourier": FourierDensity(channels=2, terms=5),
    "deep": DeepFactorized(channels=2, init_scale=4.0),
}


def bits_of(name):
    model = MODELS[name]
    params = model.init(jax.random.key(0), jnp.zeros((1, 2), jnp.float32))
    leaves = jax.tree.leaves(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    params = jax.tree.unflatten(jax.tree.structure(params), [
        leaf + 0.3 * jax.random.normal(key, leaf.shape, leaf.dtype) for leaf, key in zip(leaves, keys)])
    if name == "deep":
        return lambda upper: cdf_interval_bits(model.apply(params, upper), model.apply(params, upper - 1.0))
    return lambda upper: model.apply(params, upper)


@pytest.mark.parametrize("name", ["mixture", pytest.param("fourier", marks=pytest.mark.stress), "deep"])
def test_any_density_becomes_tables_that_code_any_integer(name):
    """The tables' code lengths are the density's; symbols from its middle to the ends of int32 round trip."""
    bits = bits_of(name)
    tables = density_tables(bits, 2, reach=300)
    check_tables(tables)
    k = np.arange(-9, 10)[:, None].repeat(2, 1)
    expected = np.asarray(bits(jnp.float32(k) + 0.5), np.float64)
    ids = np.broadcast_to(np.arange(2), k.shape)
    np.testing.assert_allclose(table_bits(k, tables, ids), expected, atol=5e-3)
    symbols = np.concatenate([k, [[2**31 - 1, -(2**31)], [400, -301]]])
    ids = np.broadcast_to(np.arange(2), symbols.shape).reshape(-1)
    coded = encode_symbols(symbols, tables, ids)
    np.testing.assert_array_equal(decode_symbols(*coded, ids.size, tables, ids), symbols.reshape(-1))


def test_a_mixture_starts_spread_out_and_sums_to_one():
    model = MixtureDensity(channels=2, components=1, init_scale=3.0)
    upper = jnp.arange(-400.0, 401.0, dtype=jnp.float32)[:, None].repeat(2, 1)
    params = model.init(jax.random.key(0), upper)
    np.testing.assert_allclose(np.exp2(-np.float64(model.apply(params, upper))).sum(0), 1.0, atol=1e-5)
    np.testing.assert_allclose(params["params"]["location"], 0.0)
