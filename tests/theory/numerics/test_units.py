import numpy as np
import pytest

from theory.numerics import units


def test_one_bit_is_a_fair_coin():
    np.testing.assert_allclose(units.nats_to_bits(-2 * 0.5 * np.log(0.5)), 1.0, rtol=1e-15)


@pytest.mark.parametrize("there, back", [
    (units.nats_to_bits, units.bits_to_nats),
    (units.power_to_db, units.db_to_power),
])
def test_conversions_are_inverse(there, back):
    values = np.array([[1e-12, 0.3], [1.0, 1e9]])
    np.testing.assert_allclose(back(there(values)), values, rtol=1e-13)


def test_halving_a_variance_costs_three_decibels():
    np.testing.assert_allclose(units.power_to_db(0.5), -3.010299956639812, rtol=1e-14)
    assert units.power_to_db(0.0) == -np.inf
