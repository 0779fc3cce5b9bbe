import jax
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
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: np.float32(leaf + 0.3 * rng.standard_normal(leaf.shape)),
                          jax.device_get(jax.jit(model.init)(jax.random.key(0), np.zeros((1, 2), np.float32))))
    if name == "deep":
        return jax.jit(lambda upper: cdf_interval_bits(model.apply(params, upper), model.apply(params, upper - 1.0)))
    return jax.jit(lambda upper: model.apply(params, upper))


@pytest.mark.parametrize("name", ["mixture", pytest.param("fourier", marks=pytest.mark.stress), "deep"])
def test_any_density_becomes_tables_that_code_any_integer(name):
    """The tables' code lengths are the density's; symbols from its middle to the ends of int32 round trip."""
    bits = bits_of(name)
    tables = density_tables(bits, 2, reach=300)
    check_tables(tables)
    k = np.arange(-9, 10)[:, None].repeat(2, 1)
    expected = np.asarray(bits(np.float32(k + 0.5)), np.float64)
    ids = np.broadcast_to(np.arange(2), k.shape)
    np.testing.assert_allclose(table_bits(k, tables, ids), expected, atol=5e-3)
    symbols = np.concatenate([k, [[2**31 - 1, -(2**31)], [400, -301]]])
    ids = np.broadcast_to(np.arange(2), symbols.shape).reshape(-1)
    coded = encode_symbols(symbols, tables, ids)
    np.testing.assert_array_equal(decode_symbols(*coded, ids.size, tables, ids), symbols.reshape(-1))


def test_a_mixture_starts_spread_out_and_sums_to_one():
    model = MixtureDensity(channels=2, components=1, init_scale=3.0)
    upper = np.arange(-400.0, 401.0, dtype=np.float32)[:, None].repeat(2, 1)
    bits, params = jax.jit(model.init_with_output)(jax.random.key(0), upper)
    np.testing.assert_allclose(np.exp2(-np.float64(bits)).sum(0), 1.0, atol=1e-5)
    np.testing.assert_allclose(params["params"]["location"], 0.0)
