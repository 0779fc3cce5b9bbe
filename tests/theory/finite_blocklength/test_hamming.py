"""Oracles: all codes of tiny blocks, whole numbers and scipy's distributions for small ones, the expansion in n."""

import itertools
import math

import jax
import numpy as np
import pytest
import scipy.stats

from theory.closed_form import bernoulli
from theory.finite_blocklength import dispersion, hamming

BLOCKS = np.array([1, 2, 3, 4, 8, 50, 200, 1000, 5000])


def bounds(p, distortion, epsilon):
    found = hamming.bernoulli_bounds(p, distortion, blocklength=BLOCKS, excess_probability=epsilon)
    return [dict(zip(BLOCKS.tolist(), np.asarray(rates).tolist())) for rates in found]


def best_code(n, radius, weights, epsilon):
    """The least number of words of length n that are within the radius of words of probability 1 - epsilon."""
    letters = len(weights)
    words = np.array(list(itertools.product(range(letters), repeat=n)))
    probability = np.prod(np.asarray(weights)[words], axis=1)
    near = (words[:, None] != words).sum(-1) <= radius
    for size in range(1, len(words) + 1):
        for code in itertools.combinations(range(len(words)), size):
            if probability[near[list(code)].any(0)].sum() >= 1 - epsilon - 1e-12:
                return size
    raise AssertionError


@pytest.mark.parametrize(("p", "distortion", "epsilon"), [
    (0.3, 0.25, 0.1), (0.5, 0.25, 0.03), (0.11, 0.0, 0.05), (0.8, 0.34, 0.02), (0.4, 0.5, 0.01), (0.2, 0.25, 0.6),
])  # fmt: skip
def test_the_best_of_all_codes_lies_between(p, distortion, epsilon):
    converse, achievability = bounds(p, distortion, epsilon)
    for n in (1, 2, 3, 4):
        size = best_code(n, math.floor(n * distortion + 1e-12), [1 - p, p], epsilon)
        assert 2 ** (n * converse[n]) <= size + 1e-6 and size <= 2 ** (n * achievability[n]) + 1e-6, n


def test_the_best_code_of_three_letters_lies_between():
    found = hamming.uniform_bounds(3, 0.34, blocklength=[1, 2, 3], excess_probability=0.2)
    for n, low, high in zip((1, 2, 3), *found):
        size = best_code(n, math.floor(n * 0.34), np.ones(3) / 3, 0.2)
        assert 3**-9 < 2 ** (n * low) <= size + 1e-6 and size <= 2 ** (n * high) + 1e-6


def least_size(source, hits, epsilon):
    """ln M of the least code of random words that hit with these probabilities, by bisection."""
    low, high = 0.0, 600.0
    miss = np.log1p(-np.minimum(hits, 1 - 1e-16))
    for _ in range(60):
        middle = (low + high) / 2
        enough = np.sum(source * np.exp(np.exp(middle) * miss)) <= epsilon
        low, high = (low, middle) if enough else (middle, high)
    return high


@pytest.mark.parametrize(("p", "distortion", "epsilon"), [(0.11, 0.05, 0.01), (0.4, 0.11, 0.1)])
def test_both_bounds_are_their_formulas(p, distortion, epsilon):
    converse, achievability = bounds(p, distortion, epsilon)
    for n in (50, 200):
        radius = math.floor(n * distortion + 1e-12)
        ball = sum(math.comb(n, j) for j in range(radius + 1))
        # The most likely words of probability 1 - epsilon
        r = int(scipy.stats.binom.isf(epsilon, n, p))
        part = 1 - (epsilon - scipy.stats.binom.sf(r, n, p)) / scipy.stats.binom.pmf(r, n, p)
        words = sum(math.comb(n, j) for j in range(r)) + part * math.comb(n, r)
        np.testing.assert_allclose(converse[n], np.log2(words / ball) / n, rtol=1e-8)

        k = np.arange(n + 1)
        source = np.where(k > radius, scipy.stats.binom.pmf(k, n, p), 0.0)
        center = n * p + hamming._PLACES * (r - n * p)
        weights = np.clip(np.round((center - n * distortion) / (1 - 2 * distortion)), 0, n)
        overlap = np.maximum(-((radius - k[:, None] - weights) // 2), 0)
        hits = scipy.stats.hypergeom.sf(overlap - 1, n, k[:, None], weights)

        sizes = [least_size(source, hits @ (s / s.sum()), epsilon) for s in hamming._SETS]
        np.testing.assert_allclose(achievability[n], np.log2(np.exp(min(sizes)) + 1) / n, rtol=1e-6)


@pytest.mark.parametrize(("p", "distortion", "epsilon"), [
    (0.11, 0.05, 0.01), (0.4, 0.11, 0.01), (0.3, 0.1, 0.1), (0.5, 0.11, 0.01), (0.2, 0.19, 1e-6),
])  # fmt: skip
def test_the_normal_approximation_is_off_by_a_few_bits_a_block(p, distortion, epsilon):
    converse, achievability = bounds(p, distortion, epsilon)
    rate = bernoulli.rate_distortion(distortion, p)
    for n in (200, 1000, 5000):
        normal = float(dispersion.normal_approximation(
            rate, dispersion.bernoulli_dispersion(p, distortion), n, epsilon))
        assert converse[n] <= achievability[n] <= converse[n] + (0.5 * np.log2(n) + 8) / n
        # What it leaves out grows with Q^-1(eps)^2: 5 at 0.01, 23 at 1e-6.
        assert converse[n] - 8 / n <= normal <= achievability[n] + (6 + scipy.stats.norm.isf(epsilon) ** 2) / n


def test_an_excess_of_nearly_one_is_summed_from_what_is_served():
    for p, served in ((0.11, 1e-13), (0.4, 1e-14)):
        converse, achievability = bounds(p, 0.0, 1 - served)
        for n in (1000, 5000):
            rarest = int(scipy.stats.binom.ppf(1 - (1 - served), n, p))
            part = (1 - (1 - served) - scipy.stats.binom.cdf(rarest - 1, n, p)) / scipy.stats.binom.pmf(rarest, n, p)
            words = sum(math.comb(n, k) for k in range(rarest)) + math.floor(part * 1e6) * math.comb(n, rarest) // 10**6
            # 1 - served is rounded to 1e-16, and the bounds leave 2e-16 to either side; the words are the rarest ones.
            assert math.log2(words) - 0.15 < n * converse[n] <= n * achievability[n] < math.log2(words) + 0.15


def test_an_excess_below_what_windows_leave_out_is_not_claimed():
    _, achievability = bounds(1e-17, 0.0, 1e-18)
    assert achievability[1] == 1 and achievability[2] == 1  # one word misses the letter 1, of probability 1e-17


def test_symmetry_edges_and_the_fair_coin():
    for one, other in zip(bounds(0.3, 0.1, 0.05), bounds(0.7, 0.1, 0.05)):
        np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=1e-12)
    assert all(rate == 0 for rates in bounds(0.0, 0.0, 0.01) for rate in rates.values())
    assert all(rate == 0 for rates in bounds(0.3, 1.0, 0.01) for rate in rates.values())
    fair = bounds(0.5, 0.11, 0.01)
    for of_coin, of_letters in zip(fair, hamming.uniform_bounds(2, 0.11, blocklength=BLOCKS, excess_probability=0.01)):
        np.testing.assert_allclose(list(of_coin.values()), of_letters, rtol=1e-12)
    # With nothing allowed to be wrong, both are the entropy of a list.
    np.testing.assert_allclose(*(list(rates.values()) for rates in bounds(0.3, 0.0, 0.05)), atol=1e-8)


def test_uniform_letters_follow_their_expansion():
    """R + log2(n) / 2n + O(1/n): there is no dispersion."""
    n = np.array([500, 5000, 50_000])
    found = hamming.uniform_bounds(4, 0.25, blocklength=n, excess_probability=0.01)
    rate = float(bernoulli.uniform_rate_distortion(0.25, 4))
    for bound in found:
        assert np.all(np.abs((bound - rate) * n - np.log2(n) / 2) < 4)
    assert np.all(found.converse < found.achievability)


def test_arguments_outside_their_domain_are_refused():
    for call, said in [
        (lambda: hamming.bernoulli_bounds(1.5, 0.1, blocklength=4, excess_probability=0.1), "probability"),
        (lambda: hamming.bernoulli_bounds([0.1, 0.2], 0.1, blocklength=4, excess_probability=0.1), "must be a scalar"),
        (lambda: hamming.uniform_bounds(2.5, 0.1, blocklength=4, excess_probability=0.1), "alphabet_size"),
        (lambda: jax.grad(lambda p: hamming.bernoulli_bounds(
            p, 0.1, blocklength=BLOCKS, excess_probability=0.1)[0][-1])(0.3), "step functions"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
    traced = jax.jit(lambda m: hamming.uniform_bounds(m, 0.1, blocklength=4, excess_probability=0.1))(1.0)
    assert np.isnan(traced.converse) and np.isnan(traced.achievability)


@pytest.mark.stress
def test_five_hundred_random_sources_have_brackets():
    """Converse below achievability, nothing but numbers, and half of the brackets within 6 bits a block."""
    rng = np.random.default_rng(0)
    p = rng.uniform(size=500)
    distortion = rng.uniform(0, 1.08, 500) * np.minimum(p, 1 - p)
    epsilon = 10 ** rng.uniform(-8, -0.02, 500)
    n = np.array([1, 3, 12, 37, 200, 900])

    def bracket(case):
        return hamming.bernoulli_bounds(case[0], case[1], blocklength=n, excess_probability=case[2])

    converse, achievability = map(np.asarray, jax.lax.map(bracket, (p, distortion, epsilon)))
    assert np.all(np.isfinite(achievability)) and np.all(converse <= achievability) and np.all(achievability <= 1)
    assert np.all(np.median((achievability - converse) * n, axis=0) < 6)
