import jax
import numpy as np
import pytest

from theory import channel_simulation as cs

INFORMATION = np.array([0.0, 0.5, 1.0, 10.0, 1e6])


def test_bounds_are_ordered_and_the_newer_one_is_tighter():
    lower = np.asarray(cs.entropy_lower_bound(INFORMATION))
    new, old = (np.asarray(cs.entropy_upper_bound(INFORMATION, bound=b)) for b in ("li_2025", "li_el_gamal_2018"))
    assert np.all(lower < new) and np.all(new < old)
    # Oracle: the formulas by hand at I = 1 and I = 0.
    assert new[2] == pytest.approx(1 + np.log2(4.4) + 1, rel=1e-14)
    assert old[0] == 4.0
    np.testing.assert_allclose(cs.prefix_code_upper_bound(INFORMATION), new + 1, rtol=1e-15)


def test_a_poisson_functional_representation_of_an_erasure_channel_obeys_both_bounds():
    # Second route: simulate the scheme of Li and El Gamal on Y = X with probability 1 - e, else erased, X uniform
    # on 16 values: the index of the first point with least T_i / (dP_{Y|x} / dP_Y). Its empirical entropy
    # (an underestimate by about the number of cells over 2 n ln 2) must lie between I and the bound.
    rng = np.random.default_rng(0)
    m, erasure, n, points = 16, 0.3, 20_000, 256
    p_y = np.r_[np.full(m, (1 - erasure) / m), erasure]
    times = np.cumsum(rng.exponential(size=(n, points)), 1)
    candidates = rng.choice(m + 1, size=(n, points), p=p_y)
    x = rng.integers(m, size=n)
    ratio = np.where(candidates == m, 1.0, np.where(candidates == x[:, None], float(m), 0.0))
    index = np.argmin(times / np.maximum(ratio, 1e-300), 1)
    output = candidates[np.arange(n), index]
    assert np.mean(output == m) == pytest.approx(erasure, abs=5 * np.sqrt(erasure * (1 - erasure) / n))
    frequency = np.bincount(index) / n
    frequency = frequency[frequency > 0]
    entropy = -np.sum(frequency * np.log2(frequency))
    information = (1 - erasure) * np.log2(m)
    assert float(cs.entropy_lower_bound(information)) < entropy + 0.02
    assert entropy < float(cs.entropy_upper_bound(information, bound="li_el_gamal_2018"))


def test_derivatives_and_refusals():
    gradient = jax.grad(cs.entropy_upper_bound)(0.0)
    assert float(gradient) == pytest.approx(1 + 1 / (3.4 * np.log(2)), rel=1e-14)
    assert np.isnan(jax.jit(cs.entropy_upper_bound)(-1.0))
    with pytest.raises(ValueError, match="information must be >= 0"):
        cs.entropy_upper_bound(-1.0)
    with pytest.raises(ValueError, match="bound must be one of"):
        cs.entropy_upper_bound(1.0, bound="best")
