import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from rdr.entropy_models.location_scale import FAMILIES, interval_bits, mixture_bits, soft_rounded_upper
from rdr.quantize.scalar import soft_round

# One program in place of one for each operation.
jit_bits = jax.jit(interval_bits, static_argnames="family")
DISTRIBUTIONS = {"gaussian": stats.norm, "laplace": stats.laplace, "logistic": stats.logistic}


def exact_bits(family, upper, width, location, scale):
    """Oracle: scipy's survival functions in float64, on the side of the smaller tail."""
    distribution = DISTRIBUTIONS[family]
    u, l = (np.float64(upper) - location) / scale, (np.float64(upper) - width - location) / scale
    flip = u + l > 0
    u, l = np.where(flip, -l, u), np.where(flip, -u, l)
    top, bottom = distribution.logcdf(u), distribution.logcdf(l)
    return -(top + np.log1p(-np.exp(bottom - top))) / np.log(2.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_bits_are_those_of_float64_far_into_the_tails(family):
    """Scales 0.3 to 256, ends out to 30 scales. The oracle itself loses digits where bins are narrow: 1e-11 or so."""
    scale = np.array([0.3, 1.0, 7.0, 256.0], np.float32)[:, None]
    upper = (scale * np.linspace(-30, 30, 121, dtype=np.float32)).round(2).astype(np.float32) + np.float32(0.5)
    upper = np.minimum(np.maximum(upper, -3e3), 3e3)
    bits = np.asarray(jit_bits(jnp.asarray(upper), 0.25, jnp.asarray(scale), family=family))
    expected = exact_bits(family, upper, 1.0, 0.25, np.float64(scale))
    assert bits.dtype == np.float32 and np.isfinite(bits).all() and bits.max() > 30
    np.testing.assert_allclose(bits, expected, rtol=3e-6)  # standardizing in float32 costs 3 roundings, squared 6


@pytest.mark.parametrize("family", FAMILIES)
def test_bins_add_up_to_one(family):
    k = np.arange(-4000, 4001, dtype=np.float32)
    scale = np.array([0.11, 1.0, 40.0], np.float32)[:, None]
    bits = np.asarray(jit_bits(k + np.float32(0.5), 0.3, scale, family=family), np.float64)
    np.testing.assert_allclose(np.exp2(-bits).sum(-1), 1.0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_those_of_differences_on_every_branch(family):
    """Oracle: central differences in float64 of the float64 oracle."""
    upper = np.array([-40.0, -3.0, 0.1, 0.5, 0.9, 2.0, 35.0])

    def total(u, m, s):
        return interval_bits(u, m, s, family=family).sum()

    slopes = jax.jit(jax.vmap(jax.grad(total, argnums=(0, 1, 2))))
    for scale in (0.4, 3.0, 50.0):
        found = slopes(jnp.asarray(upper), jnp.full(7, 0.2), jnp.full(7, scale))
        h = 1e-5 * scale
        expected = [
            (exact_bits(family, upper + h, 1.0, 0.2, scale) - exact_bits(family, upper - h, 1.0, 0.2, scale)) / (2 * h),
            (exact_bits(family, upper, 1.0, 0.2 + h, scale) - exact_bits(family, upper, 1.0, 0.2 - h, scale)) / (2 * h),
            (exact_bits(family, upper, 1.0, 0.2, scale + h) - exact_bits(family, upper, 1.0, 0.2, scale - h)) / (2 * h)]
        for got, want in zip(found, expected):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-5 / scale)


def test_a_mixture_is_the_sum_of_its_parts():
    """Oracle: probabilities added in float64; and far out, where the widest component alone counts."""
    logits, location, scale = np.array([0.0, 1.0, -1.0]), np.array([-2.0, 0.0, 3.0]), np.array([0.5, 1.0, 4.0])
    upper = np.array([-60.0, -1.5, 0.5, 90.0])
    bits = jax.jit(lambda u: mixture_bits(u, logits, location, scale, family="logistic", width=2.0))(upper)
    parts = np.exp2(-exact_bits("logistic", upper[:, None], 2.0, location, scale))
    np.testing.assert_allclose(bits, -np.log2((parts * special.softmax(logits)).sum(-1)), rtol=1e-9)


def test_soft_rounded_bits_are_the_density_of_soft_rounding_with_noise():
    """Oracle: soft_round(X) + U for a Laplace X by Monte Carlo; tolerance five standard errors of the histogram."""
    rng = np.random.default_rng(0)
    n, t = 400_000, 0.3
    c = np.asarray(soft_round(rng.laplace(0.1, 0.8, n), t)) + rng.uniform(-0.5, 0.5, n)
    edges = np.linspace(-3, 3, 25)
    found = np.histogram(c, edges)[0] / n
    nodes = edges[:-1, None] + (edges[1] - edges[0]) * (np.arange(40) + 0.5) / 40
    density = np.exp2(-np.asarray(jax.jit(
        lambda x: interval_bits(soft_rounded_upper(x, t), 0.1, 0.8, family="laplace"))(nodes)))
    expected = density.mean(-1) * (edges[1] - edges[0])
    assert (np.abs(found - expected) < 5 * np.sqrt(expected / n) + 1e-4).all()


def test_soft_rounded_bits_tend_to_those_of_rounding():
    k = np.arange(-3.0, 4.0)
    np.testing.assert_allclose(soft_rounded_upper(k, 0.05), k + 0.5, atol=1e-6)


def test_a_function_can_be_the_family():
    """Oracle: the Cauchy distribution's cumulative in float64."""
    def cauchy(upper, width):
        return jnp.log((jnp.arctan(upper) - jnp.arctan(upper - width)) / jnp.pi)

    bits = interval_bits(jnp.float32(1.5), 0.25, 0.8, family=cauchy)
    np.testing.assert_allclose(bits, -np.log2(np.diff(stats.cauchy(0.25, 0.8).cdf([0.5, 1.5]))[0]), rtol=1e-5)


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match=r"family must be one of .* got 'cauchy'"):
        interval_bits(0.5, 0.0, 1.0, family="cauchy")


def test_dtype_is_the_same_with_and_without_x64():
    with jax.enable_x64(False):
        off = interval_bits(jnp.float32(0.7), 0.0, 1.3)
    assert off.dtype == np.float32 == interval_bits(jnp.float32(0.7), 0.0, 1.3).dtype
    np.testing.assert_array_equal(off, interval_bits(jnp.float32(0.7), 0.0, 1.3))
