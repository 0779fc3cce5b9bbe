import jax.numpy as jnp
import numpy as np

from rdr import units


def test_a_fair_coin_has_one_bit_in_its_own_dtype():
    bits = units.nats_to_bits(jnp.float32(-np.log(0.5)))
    np.testing.assert_allclose(bits, 1.0, rtol=1e-7)
    assert bits.dtype == jnp.float32


def test_a_slope_in_bits_is_smaller_in_nats_by_log_2():
    nats = units.bits_to_nats(jnp.float32(3.0))
    np.testing.assert_allclose(nats, np.log(8.0), rtol=1e-7)
    assert nats.dtype == jnp.float32
