"""Oracles: both expectations summed in numpy over all numbers of erased and of wrong letters, the expansion in n."""

import jax
import numpy as np
import pytest
import scipy.stats

from theory.finite_blocklength import dispersion, erased_coin

BLOCKS = np.array([1, 10, 40, 300, 2000])
OUTWARDS = 2.0**-14  # bits per letter: how far ln h is rounded


def bounds(delta, distortion, epsilon):
    found = erased_coin.erased_coin_bounds(
        delta, distortion, blocklength=BLOCKS, excess_probability=epsilon)
    return [dict(zip(BLOCKS.tolist(), np.asarray(rates).tolist())) for rates in found]


def excess(n, delta, distortion, words, kind):
    erased, wrong = np.mgrid[:n + 1, :n + 1]
    mass = scipy.stats.binom.pmf(erased, n, delta) * scipy.stats.binom.pmf(wrong, erased, 0.5)
    radius = np.floor(n * distortion + 1e-12) - wrong
    hit = np.where(radius >= 0, scipy.stats.binom.cdf(radius, n - erased, 0.5), 0.0)
    with np.errstate(divide="ignore"):
        missed = np.maximum(1 - words * hit, 0) if kind == "converse" else np.exp(words * np.log1p(-hit))
    return np.sum(mass * missed)


@pytest.mark.parametrize(("delta", "distortion", "epsilon"), [(0.1, 0.2, 0.1), (0.3, 0.25, 0.2)])
def test_both_bounds_are_their_formulas(delta, distortion, epsilon):
    converse, achievability = bounds(delta, distortion, epsilon)
    for n in (10, 40, 300):
        assert converse[n] <= achievability[n]
        # Below the number of words that is needed too much is missed; with as many as are enough it is not.
        slack = n * OUTWARDS + 1e-6
        words = {kind: 2 ** (n * rates[n]) for kind, rates in (("converse", converse), ("enough", achievability))}
        word = 1.0 if n == 10 else 0.0  # words are whole
        assert excess(n, delta, distortion, (words["converse"] - word) * (1 - 1e-6), "converse") > epsilon
        assert excess(n, delta, distortion, words["converse"] * 2**slack, "converse") <= epsilon
        assert excess(n, delta, distortion, words["enough"], "enough") <= epsilon
        assert excess(n, delta, distortion, (words["enough"] - word) * 2**-slack, "enough") > epsilon


def test_the_normal_approximation_is_off_by_a_few_bits_a_block():
    for delta, distortion, epsilon in ((0.1, 0.1, 0.1), (0.3, 0.25, 0.01)):
        rate = dispersion.erased_coin_rate_distortion(distortion, delta)
        spread = dispersion.erased_coin_dispersion(distortion, delta)
        converse, achievability = bounds(delta, distortion, epsilon)
        for n in (300, 2000):
            normal = float(dispersion.normal_approximation(rate, spread, n, epsilon))
            assert converse[n] <= achievability[n] <= converse[n] + 2 / n + 2 * OUTWARDS
            assert abs(normal - achievability[n]) < 12 / n
            # With the variance of the tilted information alone it would be off by far more at n = 2000.
            seen, erased = (dispersion.erased_coin_tilted_information(e, distortion, delta) for e in (False, True))
            part = delta * (1 - delta) * (seen - erased) ** 2
            without = float(dispersion.normal_approximation(rate, part, n, epsilon))
            assert n == 300 or without < achievability[n] - 12 / n


def test_an_excess_of_nearly_one_is_summed_from_what_is_served():
    served = 1e-14
    converse, achievability = bounds(0.1, 0.2, 1 - served)
    for n in (300, 2000):
        few, many = 2 ** (n * (converse[n] - OUTWARDS)), 2 ** (n * achievability[n])
        assert 1 <= few < many and converse[n] <= achievability[n] < 1
        erased, wrong = np.mgrid[:n + 1, :n + 1]
        mass = scipy.stats.binom.pmf(erased, n, 0.1) * scipy.stats.binom.pmf(wrong, erased, 0.5)
        hit = np.where(wrong <= n * 0.2, scipy.stats.binom.cdf(np.floor(n * 0.2 + 1e-9) - wrong, n - erased, 0.5), 0.0)
        # 1 - served is rounded to 1e-16, 1 % of what is served, and the bounds leave 2e-16 to either side.
        assert np.sum(mass * np.minimum(few * hit, 1.0)) < 1.04 * served
        assert -np.sum(mass * np.expm1(many * np.log1p(-np.minimum(hit, 0.9)))) > 0.96 * served


def test_edges():
    converse, achievability = bounds(0.0, 0.1, 0.1)  # a fair coin
    assert abs(converse[10] - np.log2(0.9 * 2**10 / 11) / 10) < 2 * OUTWARDS + 0.02
    assert all(rate == 0 for rates in bounds(1.0, 0.9, 0.1) for n, rate in rates.items() if n > 1)
    assert bounds(0.1, 0.2, 0.1)[1][1] == 1  # both words of one letter are all that there are
    converse, achievability = bounds(0.4, 0.1, 0.1)  # below delta / 2: impossible for long blocks
    assert converse[300] == np.inf and achievability[300] == np.inf
    with pytest.raises(ValueError, match="erasure_probability"):
        erased_coin.erased_coin_bounds(1.5, 0.1, blocklength=4, excess_probability=0.1)
    with pytest.raises(ValueError, match="erasure_probability must be a scalar"):
        erased_coin.erased_coin_bounds([0.1, 0.2], 0.1, blocklength=4, excess_probability=0.1)
    with pytest.raises(ValueError, match="step functions"):
        jax.make_jaxpr(jax.grad(  # refused while it is traced: nothing is compiled
            lambda d: erased_coin.erased_coin_bounds(d, 0.1, blocklength=4, excess_probability=0.1)[0]))(0.3)
