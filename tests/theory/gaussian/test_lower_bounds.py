"""Oracles: quadrature of the extremal densities, arbitrary other ones, feasible channels on bins, the exact ends."""

import jax
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfcx
from scipy.stats import norm

from theory import gaussian
from theory.gaussian import lower_bounds as lower
from theory.gaussian import upper_bounds as upper

KL, HELLINGER, TV = lower.DIVERGENCES
LN2 = np.log(2.0)
# A grid on which the Gaussian and what is made of it are integrated; bins of the channels.
Y = np.linspace(-12, 12, 24_001)
P = norm.pdf(Y) / norm.pdf(Y).sum()
EDGES = np.r_[-np.inf, np.linspace(-4.2, 4.2, 63), np.inf]


def measured(q, p=P):
    """The three divergences, KL in bits, of two pmfs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        kl = np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0).sum() / LN2
    return {KL: kl, HELLINGER: 1 - np.sqrt(p * q).sum(), TV: 0.5 * np.abs(p - q).sum()}


def extremal(divergence, width):
    """The law that is said to be optimal, on the grid, of the width b or a."""
    if divergence == TV:
        inside = np.abs(Y) < width
        q = np.where(inside, P, 0.0)
        q[len(Y) // 2] += 1 - q.sum()
        return q
    q = P / (Y**2 + width**2) ** (1 if divergence == KL else 2)
    return q / q.sum()


@pytest.mark.parametrize("divergence", lower.DIVERGENCES)
def test_the_moment_is_that_of_the_extremal_law(divergence):
    for width in (0.1, 0.6, 1.5, 2.9, 3.1, 6.0):
        q = extremal(divergence, width)
        found = lower.least_second_moment(measured(q)[divergence], divergence=divergence)
        # The cut falls between points of the grid; sums over smooth functions are exact.
        np.testing.assert_allclose(found, (Y**2 * q).sum(), atol=3e-5 if divergence == TV else 1e-12)


def test_no_other_law_has_less():
    rng = np.random.default_rng(0)
    laws = [P * np.exp(rng.normal(0, 1, 4) @ [np.cos(k * Y + k) for k in range(4)] - rng.exponential() * np.abs(Y)
                       ** rng.uniform(0.2, 2.0)) for _ in range(60)]
    laws += [extremal(name, width) for name in lower.DIVERGENCES for width in (0.5, 2.0)]
    laws = [q / q.sum() for q in laws]
    moments = np.array([(Y**2 * q).sum() for q in laws])
    assert (moments < 1).sum() > 30
    for divergence in lower.DIVERGENCES:
        least = lower.least_second_moment([measured(q)[divergence] for q in laws], divergence=divergence)
        assert (np.asarray(least) <= moments + 1e-6).all()  # sums over min(y^2, a^2) are off by the grid squared


def test_closed_forms_by_quadrature():
    def mills(b):
        return np.sqrt(np.pi / 2) * erfcx(b / np.sqrt(2))

    for b in (0.3, 2.0, 2.99, 3.01, 5.0):
        parts = ((0, 0.5), (0.5, 3), (3, 40))
        log = sum(quad(lambda y, b=b: 2 * norm.pdf(y) * np.log(y**2 + b**2), *part, epsabs=1e-15)[0] for part in parts)
        # P at which this b is the best, and the bound there.
        p = log - np.log(b / mills(b))
        np.testing.assert_allclose(
            lower.least_second_moment(p / LN2, divergence=KL), b / mills(b) - b**2, rtol=1e-11)
        m = mills(b)
        p = 1 - np.sqrt(2 * b * m**2 / (m + b - b**2 * m))
        np.testing.assert_allclose(
            lower.least_second_moment(p, 3.0, divergence=HELLINGER), 3 * ((1 - p) ** 2 * b / m - b**2), rtol=1e-11)


def channel_on_bins(q, slope):
    """Rate, distortion and divergences of a channel from Gaussian bins to bins of about the pmf q, by scaling."""
    p = np.where(EDGES[:-1] > 0, norm.sf(EDGES[:-1]) - norm.sf(EDGES[1:]), norm.cdf(EDGES[1:]) - norm.cdf(EDGES[:-1]))
    ends = np.where(np.isinf(EDGES), 0.0, EDGES) * norm.pdf(EDGES)
    mean, second = -np.diff(norm.pdf(EDGES)) / p, 1 - np.diff(ends) / p
    spread = second - mean**2
    distance = (mean[:, None] - mean) ** 2
    kernel, u = np.exp(-slope * distance), np.ones(len(p))
    for _ in range(400):
        v = q / (u @ kernel)
        u = p / (kernel @ v)
    joint = u[:, None] * kernel * v
    output = joint.sum(0)
    rate = (joint * np.log2(np.where(joint > 0, joint, 1) / (p[:, None] * output))).sum()
    return rate, (joint * (distance + spread[:, None] + spread)).sum(), measured(output, p)


@pytest.mark.parametrize("divergence", lower.DIVERGENCES)
def test_feasible_channels_lie_above_and_near(divergence):
    which = np.clip(np.searchsorted(EDGES, Y) - 1, 0, len(EDGES) - 2)
    for width in (1.0, 1.8):
        q = np.bincount(which, extremal(divergence, width), minlength=len(EDGES) - 1)
        for slope in (0.2, 0.6, 1.5):
            rate, distortion, found = channel_on_bins(np.maximum(q, 1e-300), slope)
            bound = lower.gaussian_rate_lower_bound(distortion, found[divergence], divergence=divergence)
            plain = gaussian.rate_distortion(distortion)
            assert plain <= bound <= rate
            # At low rates the extremal law is nearly optimal; drawing within bins of .13 costs some 1 % of the rate.
            assert slope > 1 or (plain < bound and rate < 1.05 * bound + 0.002)


# Certified rates of theory.discrete on 48 bins (see the derivation), bits.
@pytest.mark.parametrize("divergence, distortion, perception, rate", [
    (KL, 0.5, 0.05 / LN2, 0.518076165), (KL, 1.0, 0.1 / LN2, 0.106453748), (KL, 1.3, 0.1 / LN2, 0.020235410),
    (HELLINGER, 0.8, 0.01, 0.240774507), (HELLINGER, 1.0, 0.3, 0.011355660), (HELLINGER, 0.5, 0.01, 0.520600576),
    (TV, 0.5, 0.02, 0.561387320), (TV, 1.0, 0.1, 0.110113815), (TV, 1.5, 0.05, 0.012591601),
])
def test_recorded_rates_lie_above_and_near(divergence, distortion, perception, rate):
    bound = lower.gaussian_rate_lower_bound(distortion, perception, divergence=divergence)
    assert gaussian.rate_distortion(distortion) + 0.01 < bound <= rate < 1.025 * bound + 0.001


def test_it_is_below_the_upper_bound_which_it_meets_at_small_perceptions():
    d, p = np.array([0.3, 0.7, 1.0, 1.6])[:, None], np.array([0.0, 1e-10, 1e-4, 0.03, 0.4, 2.0, np.inf])
    for divergence in upper.DIVERGENCES:
        below = lower.gaussian_rate_lower_bound(d, p, 1.0, divergence=divergence)
        above = upper.gaussian_rate_upper_bound(d, p, 1.0, divergence=divergence)
        assert (below <= above * (1 + 1e-12) + 1e-15).all()
        np.testing.assert_allclose(below[:, :2], above[:, :2], rtol=1e-8)
    # A code with heavier tails (see `upper_bounds`) reaches 0.0730 nats.
    value = LN2 * lower.gaussian_rate_lower_bound(1.0, 0.1 / LN2, divergence=KL)
    assert 0.0729 < value < 0.0730


def test_exact_ends_scale_and_order():
    d, p = np.array([0.0, 0.4, 1.0, 3.0])[:, None] * 2, np.array([0.0, 1e-30, 0.01, 0.2, 0.9, 1.0, np.inf])
    for divergence in lower.DIVERGENCES:
        table = np.asarray(lower.gaussian_rate_lower_bound(d, p, 2.0, divergence=divergence))
        np.testing.assert_allclose(table[:, 0], gaussian.rate_distortion_perception(d[:, 0], 0.0, 2.0), rtol=1e-12)
        np.testing.assert_allclose(table[:, -1], gaussian.rate_distortion(d[:, 0], 2.0), rtol=1e-12)
        assert np.isinf(table[0]).all() and (np.diff(table[1:], axis=1) <= 1e-14).all() and (table[3] == 0).all()
        np.testing.assert_allclose(
            table, lower.gaussian_rate_lower_bound(d / 2, p, 1.0, divergence=divergence), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("divergence", lower.DIVERGENCES)
def test_gradients(divergence):
    def rate(d, p, v):
        return lower.gaussian_rate_lower_bound(d, p, v, divergence=divergence)

    gradient = jax.jit(jax.grad(rate, argnums=(0, 1, 2)))
    for point in [(0.7, 0.05, 1.0), (0.9, 0.2, 1.5)]:
        for i in range(3):
            up, down = ([v + s * (i == j) for j, v in enumerate(point)] for s in (1e-5, -1e-5))
            np.testing.assert_allclose(gradient(*point)[i], (rate(*up) - rate(*down)) / 2e-5, rtol=1e-6, atol=1e-8)
    assert gradient(0.7, 0.0, 1.0)[1] == -np.inf
    assert (np.array(gradient(2.5, 0.0, 1.0)) == 0).all() and (np.array(gradient(0.7, np.inf, 1.0))[1] == 0)
    if divergence != TV:  # v falls like a power of P at 0, so that its slope times sqrt(P) is known
        moment = jax.jit(jax.grad(lambda p: lower.least_second_moment(p, divergence=divergence)))
        limit = -np.sqrt(LN2) if divergence == KL else -2.0
        np.testing.assert_allclose([moment(p) * np.sqrt(p) for p in (1e-30, 1e-13, 1e-10)], limit, rtol=1e-4)


def test_arguments_outside_their_domain_are_refused_or_nan():
    for call, said in [
        (lambda: lower.gaussian_rate_lower_bound(-1.0, 0.1, divergence=KL), "distortion"),
        (lambda: lower.gaussian_rate_lower_bound(1.0, -0.1, divergence=TV), "perception"),
        (lambda: lower.least_second_moment(0.1, 0.0, divergence=TV), "variance"),
        (lambda: lower.least_second_moment(0.1, divergence="kl"), "divergence must be one of"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
    nan = jax.jit(lambda d: lower.gaussian_rate_lower_bound(d, 0.1, divergence=HELLINGER))(-1.0)
    assert np.isnan(nan)
