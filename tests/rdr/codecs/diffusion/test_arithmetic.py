import numpy as np

from rdr.codecs.diffusion import arithmetic


def test_exp_is_within_two_units_of_the_last_place():
    x = np.concatenate([-np.geomspace(1e-9, 699, 20_001), [0.0, -0.34657, -1e-300, 1.0, 20.0]])
    exact = np.exp(x.astype(np.longdouble))
    assert np.abs(arithmetic.exp(x) / exact - 1).max() < 2.0**-51
    np.testing.assert_array_equal(arithmetic.exp(np.array([0.0, -701.0, -np.inf])), [1.0, 0.0, 0.0])


def test_exp_is_bit_for_bit_what_was_recorded():
    # From this code: other processors and versions of NumPy must give the same bits.
    recorded = {-0.1: "0x1.cf46d99d52b3ap-1", -3.7: "0x1.9511fc6871044p-6",
                -123.456: "0x1.da9fb9e4ee720p-179", -698.9: "0x1.9fffb846d89b8p-1009"}
    for x, value in recorded.items():
        assert float(arithmetic.exp(np.array([x]))[0]).hex() == value


def test_sums_go_from_first_to_last():
    x = np.random.default_rng(0).standard_normal((5, 9)) * 10.0 ** np.arange(-4, 5)
    matrix = np.random.default_rng(1).standard_normal((9, 3))
    for row, value, product in zip(x, arithmetic.total(x), arithmetic.transform(x, matrix)):
        plain = 0.0
        for number in row.tolist():
            plain += number
        assert plain == value
        np.testing.assert_allclose(product, row @ matrix, rtol=1e-12)
        first = sum((number * m for number, m in zip(row.tolist()[1:], matrix[1:, 0].tolist())),
                    row.tolist()[0] * matrix[0, 0].item())
        assert first == product[0]
