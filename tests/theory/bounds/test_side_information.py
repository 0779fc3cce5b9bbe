"""Oracles: formulas by hand, distortions of the rates that are looked up, and the order of what is known to whom."""

import numpy as np
import pytest

from theory.bounds import interval, side_information_bounds_of, sources
from theory.closed_form import side_information as closed_form
from theory.gaussian import side_information as strong

COIN, GAUSSIAN = sources.bernoulli(), sources.gaussian(1.0, 2.0)


def entropy(x):
    return -x * np.log2(x) - (1 - x) * np.log2(1 - x)


def at(d, source=GAUSSIAN, p=0.0, **options):
    return interval(side_information_bounds_of(source, **options), d, p)


def test_without_realism():
    d = np.array([0.1, 1.0, 1.5])
    for known_to in ("decoder", "both"):
        np.testing.assert_allclose(at(d, correlation=-0.6, known_to=known_to, p=0.3).lower,
                                   np.maximum(0.5 * np.log2(2.0 * 0.64 / d), 0), rtol=1e-14)
    d = np.array([0.01, 0.1, 0.2, 0.3])
    coin = {"source": COIN, "distortion": "hamming", "crossover": 0.2}
    ends = at(d, **coin)
    np.testing.assert_array_equal(ends.lower, closed_form.binary_wyner_ziv_rate(d, 0.2))
    both = at(d, **coin, known_to="both").lower
    np.testing.assert_allclose(both, np.maximum(entropy(0.2) - entropy(np.minimum(d, 0.2)), 0), rtol=1e-13, atol=1e-15)
    assert np.all(both <= ends.upper) and np.all(both[:2] < ends.lower[:2] - 1e-3)
    erased = at(d, source=sources.bernoulli(0.3), distortion="hamming", erasure=0.5)
    np.testing.assert_allclose(
        erased.upper, 0.5 * np.maximum(entropy(0.3) - entropy(np.minimum(2 * d, 0.3)), 0), rtol=1e-12, atol=1e-14)


def test_joint_realism_is_paid_for_whoever_knows():
    rate, v = np.array([0.2, 1.0, 3.0]), 2.0 * 0.64
    for shared, bits in (("nothing", 0.0), (0.7, 0.7), ("unlimited", np.inf)):
        d = 2 * v * (1 - np.sqrt((1 - 4.0**-rate) * (1 - 4.0 ** -(rate + bits))))
        for known_to in ("decoder", "both"):
            ends = at(d, correlation=0.6, known_to=known_to, realism="joint", shared=shared)
            np.testing.assert_allclose(ends.lower, rate, rtol=1e-10)
            np.testing.assert_array_equal(ends.lower, ends.upper)


def test_marginal_realism():
    d = np.array([0.0, 0.05, 0.4, 0.79, 0.81, 5.0])  # 2 s^2 (1 - |r|) is .8
    options = {"correlation": -0.8, "realism": "marginal"}
    free = at(d, **options)
    np.testing.assert_array_equal(free.lower, strong.marginal_realism_rate(d, -0.8, 2.0))
    np.testing.assert_array_equal(free.upper, free.lower)
    np.testing.assert_array_equal(at(d, **options, known_to="both", shared="nothing").upper, free.lower)
    upper = [at(d, **options, shared=shared).upper for shared in ("nothing", 0.3, 8.0)]
    for shared, rate in zip((0.0, 0.3, 8.0), upper):
        assert np.all(at(d, **options, shared=shared).lower == free.lower) and np.all(rate >= free.lower)
        reached = strong.marginal_realism_distortion(rate[1:4], shared, -0.8, 2.0, known_to="decoder").upper
        np.testing.assert_allclose(reached, d[1:4], rtol=1e-12)
        assert np.isinf(rate[0])
        np.testing.assert_allclose(rate[4:], 0.0, atol=1e-15)
    assert np.all(upper[0][1:3] > upper[1][1:3] + 1e-3) and np.all(upper[1][1:3] > free.lower[1:3] + 1e-3)
    np.testing.assert_allclose(upper[2][1:], free.lower[1:], rtol=1e-12, atol=1e-15)
    # Nothing said, nothing shared: R(D / 2). A little said: a little less.
    nothing = at(0.4, correlation=0.0, realism="marginal", shared="nothing")
    np.testing.assert_allclose(nothing, [0.5 * np.log2(2.0 / 0.2)] * 2, rtol=1e-12)
    little = at(0.4, correlation=1e-4, realism="marginal", shared="nothing")
    assert nothing.upper * (1 - 1e-3) < little.upper <= nothing.upper * (1 + 1e-12)
    assert np.isnan(side_information_bounds_of(GAUSSIAN, **options)[0].rate(0.4, 0.1))


def test_what_is_not_known_is_said():
    hamming = {"distortion": "hamming"}
    for source, options, said in [
        (sources.laplace(), {"correlation": 0.5}, r"'laplace' .*known are .*'erasure', 'none'"),
        (sources.bernoulli(0.3), {"crossover": 0.1, **hamming}, "a crossover for a fair coin"),
        (COIN, {"erasure": 0.1, "realism": "joint", **hamming}, "realism 'joint'; known are"),
        (COIN, {"crossover": 1.1, **hamming}, "crossover must be >= 0 and <= 1 .*got 1.1"),
        (GAUSSIAN, {"correlation": 1.0}, r"1 - \|correlation\| must be > 0"),
        (GAUSSIAN, {"correlation": 0.5, "crossover": 0.1}, "one of .* got correlation, crossover"),
        (GAUSSIAN, {}, "one of correlation, crossover and erasure must .*got none"),
        (GAUSSIAN, {"correlation": 0.5, "known_to": "encoder"}, "known_to must be one of"),
        (GAUSSIAN, {"correlation": 0.5, "realism": "strong"}, "realism must be one of"),
        (GAUSSIAN, {"correlation": 0.5, "realism": "joint", "shared": -1}, "shared must be >= 0"),
        ("gaussian", {"correlation": 0.5}, "source must be made by"),
    ]:
        with pytest.raises(ValueError, match=said):
            side_information_bounds_of(source, **options)
