import jax
import numpy as np
import pytest
from scipy import integrate, stats

from theory.bounds import sources

ALL = [sources.gaussian(0.3, 2.0), sources.laplace(1.3), sources.uniform(-1.0, 3.0), sources.bernoulli(0.2),
       sources.banana(), sources.circle(), sources.sawbridge(16), sources.ramp(16)]
COUNT = 40_000


@pytest.mark.parametrize("source", ALL, ids=lambda s: s.name)
def test_samples_have_the_moments_within_five_standard_errors(source):
    x = np.asarray(source.sample(jax.random.key(0), (COUNT,)))
    assert x.shape == (COUNT, source.dimension) and x.dtype == np.float64
    error = np.maximum(x.std(0), 1e-12) / np.sqrt(COUNT)
    assert np.all(np.abs(x.mean(0) - source.mean) <= 5 * error)
    centered = x - source.mean
    products = centered[:, :, None] * centered[:, None, :]
    error = np.maximum(products.std(0), 1e-12) / np.sqrt(COUNT)
    assert np.all(np.abs(products.mean(0) - source.covariance) <= 5 * error)
    np.testing.assert_array_equal(source.sample(jax.random.key(0), (COUNT,)), x)  # the key decides
    assert source.sample(jax.random.key(1), ()).shape == (source.dimension,)


@pytest.mark.parametrize("source", [s for s in ALL if s.log_density], ids=lambda s: s.name)
def test_the_entropy_is_the_mean_of_minus_log_density_within_five_standard_errors(source):
    x = source.sample(jax.random.key(2), (COUNT,))
    bits = -np.asarray(source.log_density(x)) / np.log(2)
    assert bits.mean() == pytest.approx(source.entropy, abs=5 * bits.std() / np.sqrt(COUNT) + 1e-12)


def test_scalar_densities_are_the_distributions():
    # Oracle: scipy.stats.
    x = np.array([-2.0, -1.0, 0.0, 0.4, 3.5])
    for source, distribution in ((ALL[0], stats.norm(0.3, 2**0.5)), (ALL[1], stats.laplace(scale=1.3)),
                        (ALL[2], stats.uniform(-1.0, 4.0))):
        np.testing.assert_allclose(source.log_density(x[:, None]), distribution.logpdf(x), rtol=1e-13)
        assert source.entropy * np.log(2) == pytest.approx(float(distribution.entropy()), rel=1e-12)
    np.testing.assert_allclose(np.exp(ALL[3].log_density(np.array([[0.0], [1.0], [0.5]]))), [0.8, 0.2, 0.0], rtol=1e-15)
    assert sources.bernoulli(0.0).entropy == 0.0 and sources.bernoulli(1.0).log_density(np.zeros(1)) == -np.inf


def test_the_banana_density_integrates_to_one():
    # Second route: midpoint rule on a box that holds all but 1e-12 of the mass along the arms.
    x, step = np.linspace(-60, 60, 961, retstep=True)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), -1)
    # Step 0.125 against a width of 0.5: the rule is spectrally accurate.
    assert np.exp(ALL[4].log_density(grid)).sum() * step**2 == pytest.approx(1.0, abs=1e-9)


def test_processes_have_the_norm_of_their_paths():
    # Oracle: trace 1/6 - 1/(6 n^2) ... of the midpoint rule for t (1 - t), and 1/12 exactly for the ramp.
    for points in (1, 16, 200):
        midpoint = np.mean([(t := (i + 0.5) / points) * (1 - t) for i in range(points)])
        assert np.trace(sources.sawbridge(points).covariance) == pytest.approx(midpoint, rel=1e-12)
        assert np.trace(sources.ramp(points).covariance) == pytest.approx(1 / 12, rel=1e-12)
    exact = integrate.quad(lambda t: t * (1 - t), 0, 1)[0]
    assert np.trace(sources.sawbridge(200).covariance) == pytest.approx(exact, abs=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="variance must be > 0"):
        sources.gaussian(0.0, 0.0)
    with pytest.raises(ValueError, match="scale must be > 0"):
        sources.laplace(-1.0)
    with pytest.raises(ValueError, match="high - low must be > 0"):
        sources.uniform(1.0, 0.0)
    with pytest.raises(ValueError, match="probability must be"):
        sources.bernoulli(1.5)
    with pytest.raises(ValueError, match="points must be >= 1"):
        sources.sawbridge(0)
