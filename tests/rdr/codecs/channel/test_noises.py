import numpy as np
import pytest
from scipy import stats

from rdr.codecs.channel import noises
from rdr.randomness import shared_key, shared_words

NOISES = {  # noise, distribution of its layers by another parametrization, distribution of the noise
    "gaussian": (noises.gaussian_noise(), stats.chi(3), stats.norm()),
    "laplace": (noises.laplace_noise(), stats.gamma(2), stats.laplace()),
    "student": (noises.student_t_noise(2.5), None, stats.t(2.5)),
    "cauchy": (noises.student_t_noise(1.0), None, stats.cauchy()),
}


@pytest.mark.parametrize("name", NOISES)
def test_layers_have_the_distribution_that_makes_the_noise(name):
    # Oracle: P(A < a) = 2 F(a) - 1 - 2 a f(a) for any symmetric unimodal density; for two noises a known distribution.
    noise, layers, density = NOISES[name]
    below = np.array([1e-9, 1e-4, 0.1, 0.4999, 0.5001, 0.9, 1 - 1e-6])
    a = noise.quantile(below, 1 - below)
    survival = 2 * density.sf(a) + 2 * a * density.pdf(a)
    np.testing.assert_allclose(survival[2:], 1 - below[2:], rtol=1e-9)
    np.testing.assert_allclose(1 - survival[:2], below[:2], rtol=1e-5, atol=1e-14)
    if layers is not None:
        np.testing.assert_allclose(a, layers.ppf(below), rtol=1e-9)
    tail = noise.quantile(np.float64(1.0), np.float64(2.0**-33))
    assert 2 * density.sf(tail) + 2 * tail * density.pdf(tail) == pytest.approx(2.0**-33, rel=1e-6)


@pytest.mark.parametrize("name", NOISES)
def test_the_table_of_layers_is_as_good_as_the_words(name):
    noise = NOISES[name][0]
    sampler = noises.layer_sampler(noise)
    words = np.asarray(shared_words(shared_key(3), (20_000,)))
    words = np.r_[words, np.uint32([0, 1, 2**20 - 1, 2**20, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1])]
    v = (words.astype(np.float64) + 0.5) / 2**32
    exact = noise.quantile(v, ((2**32 - 1 - words.astype(np.float64)) + 0.5) / 2**32)
    np.testing.assert_allclose(noises.half_widths(sampler, words), exact, rtol=2.0**-33)
    assert sampler.direct.mean() < 0.05  # the function itself is slow


def test_a_mixture_of_uniforms_is_the_noise():
    words = np.asarray(shared_words(shared_key(5), (2, 50_000)))
    for noise, _, density in NOISES.values():
        a = noises.half_widths(noises.layer_sampler(noise), words[0])
        error = a * ((words[1] + 0.5) * 2.0**-31 - 1)
        assert stats.kstest(error, density.cdf).pvalue > 1e-3


def test_sources():
    x = np.linspace(-3, 4, 9)
    np.testing.assert_allclose(noises.gaussian_source(0.5, 2.0)(x), stats.norm(0.5, 2.0).cdf(x), rtol=1e-14)
    mixture = noises.mixture_source([1.0, 3.0], [-1.0, 1.0], [0.5, 1.0])(x)
    np.testing.assert_allclose(mixture, 0.25 * stats.norm(-1, 0.5).cdf(x) + 0.75 * stats.norm(1, 1).cdf(x), rtol=1e-13)


def test_refusals():
    for degrees in (0.0, 0.4, np.inf, np.nan):
        with pytest.raises(ValueError, match="degrees must be finite"):
            noises.student_t_noise(degrees)
    with pytest.raises(ValueError, match="must have a positive, increasing quantile"):
        noises.layer_sampler(noises.Noise("falling", lambda below, above: above))
    for weights, means, scales in (([1.0], [0.0], [0.0]), ([-1.0, 2.0], [0, 0], [1, 1]), ([0.0], [0], [1]),
                                   ([1.0], [np.nan], [1])):
        with pytest.raises(ValueError, match="weights must be finite"):
            noises.mixture_source(weights, means, scales)
    with pytest.raises(ValueError, match="of one length"):
        noises.mixture_source([1.0], [0.0, 1.0], [1.0])
