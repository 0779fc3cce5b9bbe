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


def test_bounds_from_functional_information():
    # Oracle: the formulas by hand; I_F <= I + log2(I + 1) + 1 turns one ring toss bound into the other (2.4427 < 2.45).
    assert float(cs.ring_toss_upper_bound(1.5)) == pytest.approx(1.5 + 1.4426950408889634, rel=1e-14)
    assert float(cs.greedy_rejection_upper_bound(1.5)) == pytest.approx(1.5 + np.log2(np.e + 1), rel=1e-14)
    new = np.asarray(cs.entropy_upper_bound(INFORMATION, bound="ring_toss_2026"))
    worst = INFORMATION + np.log2(INFORMATION + 1) + 1
    np.testing.assert_allclose(new - np.asarray(cs.ring_toss_upper_bound(worst)), 2.45 - 1 - np.log2(np.e), atol=1e-9)
    for bound in (cs.ring_toss_upper_bound, cs.greedy_rejection_upper_bound):
        with pytest.raises(ValueError, match="functional_information must be >= 0"):
            bound(-1.0)
        assert np.isnan(jax.jit(bound)(-1.0))


def test_the_table_of_schemes_is_ordered_for_gaussian_pairs():
    information = np.array([0.25, 1.0, 8.0])
    functional = np.asarray(cs.gaussian_functional_information(information))
    for scheme in cs.SCHEMES:
        if scheme.bits is None:
            continue
        bits = np.asarray(scheme.bits(information, functional))
        assert bits.shape == information.shape
        if scheme.kind == "lower":
            assert np.all(bits <= functional)
        else:
            assert np.all(bits >= functional)
    assert {s.kind for s in cs.SCHEMES} == {"lower", "exact", "upper"}
    assert not all(s.exact for s in cs.SCHEMES)


def test_greedy_rejection_sampling_obeys_its_bound_and_no_scheme_beats_the_functional_information():
    # Second route: the index of greedy rejection sampling, computed exactly for a binary symmetric channel with
    # P_Y = (1/2, 1/2): alpha_k(y) = min(Q(y) - taken(y), left * P(y)) of Harsha et al.
    q, p = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    taken, chances = np.zeros(2), []
    for _ in range(200):
        accepted = np.minimum(q - taken, (1 - taken.sum()) * p)
        chances.append(accepted.sum())
        taken = taken + accepted
    chances = np.array(chances)[np.array(chances) > 0]
    entropy = -np.sum(chances * np.log2(chances))  # H(K): an upper bound on H(K | seed)
    joint = np.array([[0.45, 0.05], [0.05, 0.45]])
    functional = float(cs.functional_information(joint))
    assert functional == pytest.approx(0.8, abs=1e-12)
    assert functional <= entropy <= float(cs.greedy_rejection_upper_bound(functional))


def test_derivatives_and_refusals():
    gradient = jax.grad(cs.entropy_upper_bound)(0.0)
    assert float(gradient) == pytest.approx(1 + 1 / (3.4 * np.log(2)), rel=1e-14)
    assert np.isnan(jax.jit(cs.entropy_upper_bound)(-1.0))
    with pytest.raises(ValueError, match="information must be >= 0"):
        cs.entropy_upper_bound(-1.0)
    with pytest.raises(ValueError, match="bound must be one of"):
        cs.entropy_upper_bound(1.0, bound="best")
