import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from theory.quantization import tabulated_density as sd

DISTRIBUTIONS = {
    "gaussian": (lambda: sd.gaussian_density(0.7, 4.0), stats.norm(0.7, 2.0)),
    "laplace": (lambda: sd.laplace_density(1.3), stats.laplace(scale=1.3)),
    "uniform": (lambda: sd.uniform_density(-1.0, 3.0), stats.uniform(-1.0, 4.0)),
}
T = np.array([-20.0, -3.1, -0.9, 0.0, 0.123, 0.7, 2.9, 6.5, 30.0])


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_density_tails_and_moments_are_those_of_the_distribution(name):
    # Oracle: scipy.stats.
    make, distribution = DISTRIBUTIONS[name]
    density = make()
    assert float(density.mean) == pytest.approx(distribution.mean(), abs=1e-13)
    assert float(density.variance) == pytest.approx(distribution.var(), rel=1e-12)
    assert float(sd.differential_entropy(density)) == pytest.approx(distribution.entropy() / np.log(2), abs=1e-12)
    np.testing.assert_allclose(sd.pdf(density, T), distribution.pdf(T), rtol=1e-11, atol=1e-16)
    below, above = sd.tail_moments(density, T)
    # 1e-17 of mass is cut; relative accuracy holds far out.
    np.testing.assert_allclose(below[:, 0], distribution.cdf(T), rtol=1e-11, atol=2e-17)
    np.testing.assert_allclose(above[:, 0], distribution.sf(T), rtol=1e-11, atol=2e-17)


def test_interval_moments_of_a_gaussian_are_the_closed_forms_also_in_the_tail():
    # Oracle: phi and Phi (survival functions in the tail).
    low, high = np.array([-np.inf, -1.0, 0.5, 6.0, 7.0]), np.array([-1.0, 0.5, 6.0, 7.0, np.inf])
    moments = np.asarray(sd.interval_moments(sd.gaussian_density(), low, high))
    mass = np.where(low > 0, stats.norm.sf(low) - stats.norm.sf(high), stats.norm.cdf(high) - stats.norm.cdf(low))
    first = stats.norm.pdf(low) - stats.norm.pdf(high)
    edge = np.where(np.isfinite(low), low, 0) * stats.norm.pdf(low) - np.where(
        np.isfinite(high), high, 0) * stats.norm.pdf(high)
    # Second moments cancel by low^2 ~ 50 in the oracle; beyond the cut at 9 lies 1e-19, its second moment 1e-17.
    np.testing.assert_allclose(moments, np.stack([mass, first, mass + edge], 1), rtol=1e-11, atol=1e-17)


def test_pdf_and_cdf_give_the_same_table():
    edges = np.linspace(-9, 9, 513)
    by_pdf = sd.tabulate_density(lambda x: jnp.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), edges)
    by_cdf = sd.tabulate_density_from_cdf(jax.scipy.special.ndtr, edges)
    np.testing.assert_allclose(by_cdf.below, by_pdf.below, rtol=0, atol=1e-14)
    assert float(by_pdf.variance) == pytest.approx(1.0, rel=1e-13)


def test_a_mixture_has_the_moments_of_its_parts():
    weights, means, variances = np.array([0.2, 0.8]), np.array([-3.0, 1.0]), np.array([0.5, 2.0])
    density = sd.gaussian_mixture_density(weights, means, variances)
    mean = weights @ means
    assert float(density.mean) == pytest.approx(mean, abs=1e-13)
    assert float(density.variance) == pytest.approx(weights @ (variances + means**2) - mean**2, rel=1e-12)
    fourth = sd.expectation(density, lambda x: x**4)
    assert float(fourth) == pytest.approx(
        weights @ (means**4 + 6 * means**2 * variances + 3 * variances**2), rel=1e-11)


def test_the_table_is_differentiable_by_its_parameters():
    # Oracle: d/dv of P(X < t) and of the entropy (1/2) log2(2 pi e v).
    def mass(v):
        return sd.tail_moments(sd.gaussian_density(0.0, v), 0.8)[0][0]

    v = 1.7
    expected = -0.8 / (2 * v**1.5) * stats.norm.pdf(0.8 / np.sqrt(v))
    assert float(jax.jit(jax.grad(mass))(v)) == pytest.approx(expected, rel=1e-9)
    gradient = jax.jit(jax.grad(lambda v: sd.differential_entropy(sd.gaussian_density(0.0, v))))(v)
    assert float(gradient) == pytest.approx(0.5 / v / np.log(2), rel=1e-9)


@pytest.mark.parametrize("call, said", [
    (lambda: sd.tabulate_density(jnp.ones_like, [0.0, 2.0]), "the integral of pdf over edges must be"),
    (lambda: sd.tabulate_density(jnp.ones_like, [0.0]), r"edges must have shape \[panels \+ 1\]"),
    (lambda: sd.tabulate_density(jnp.ones_like, [0.0, 1.0, 0.5]), "the differences of edges must be > 0"),
    (lambda: sd.tabulate_density(lambda x: x - 0.5, [0.0, 1.0]), "pdf must be >= 0"),
    (lambda: sd.gaussian_density(0.0, 0.0), "variances must be > 0"),
    (lambda: sd.gaussian_mixture_density([0.5, 0.6], [0, 0], [1, 1]), "weights must sum to 1"),
    (lambda: sd.laplace_density(1.0, panels=3), "panels must be even"),
    (lambda: sd.laplace_density(-1.0), "scale must be > 0"),
    (lambda: sd.uniform_density(1.0, 1.0), "high - low must be > 0"),
])
def test_refusals(call, said):
    with pytest.raises(ValueError, match=said):
        call()
