"""Oracles: recorded values (tests/data/theory_values.json), a generic optimizer over Gaussian pairs, Sinkhorn on a
grid, dual certificates by quadrature, and limits in which two formulas must meet."""

import itertools
import json
import pathlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from theory.gaussian import scalar as gaussian
from theory.numerics import units

LN2 = np.log(2.0)
VALUES = json.loads((pathlib.Path(__file__).parents[2] / "data" / "theory_values.json").read_text())


def column(key, *names):
    return [np.array([row[name] for row in VALUES[key]]) for name in names]


def test_recorded_rates_under_w2():
    distortion, perception, nats = column("gauss_w2sq_R_nats", "D", "P", "R")
    rates = gaussian.rate_distortion_perception(distortion, perception)
    np.testing.assert_allclose(units.bits_to_nats(rates), nats, rtol=1e-12, atol=1e-15)


def test_recorded_rates_under_kl():
    distortion, perception, nats = column("gauss_KLqp_R_nats", "D", "P", "R")
    rates = gaussian.rate_distortion_perception(distortion, perception / LN2, divergence="kl")
    np.testing.assert_allclose(units.bits_to_nats(rates), nats, rtol=1e-12, atol=1e-15)


def test_recorded_distortions_under_w2():
    nats, perception, distortion = column("gauss_w2sq_D", "R", "P", "D")
    found = gaussian.distortion_rate_perception(nats / LN2, perception)
    np.testing.assert_allclose(found, distortion, rtol=1e-12)


def test_recorded_distortions_under_limited_common_randomness():
    rate, common, distortion = column("gauss_CR_P0_D", "Rbits", "Cbits", "D")
    np.testing.assert_allclose(gaussian.strong_realism_distortion(rate, common), distortion, rtol=1e-12)
    rate, common, perception, distortion = column("gauss_CR_W2_D", "Rbits", "Cbits", "P", "D")
    np.testing.assert_allclose(gaussian.strong_realism_distortion(rate, common, perception), distortion, rtol=1e-12)


def test_recorded_rates_under_conditional_realism():
    distortion, perception, nats = column("gauss_cond_R_nats", "D", "P", "R")
    rates = gaussian.conditional_rate_distortion_perception(distortion, perception)
    np.testing.assert_allclose(units.bits_to_nats(rates), nats, rtol=1e-12)


def test_recorded_deviations_under_kl():
    perception, deviation = column("sigma_P", "P", "KL_qp")
    perception = np.concatenate([perception, [0.5, 1.0]])
    deviation = np.concatenate([deviation, [0.398239048265, 0.229061339946]])
    found = 1 - gaussian.shrinkage(perception / LN2, jnp.ones_like(perception), "kl")
    np.testing.assert_allclose(found, deviation, rtol=0, atol=6e-13)


def test_recorded_points_that_were_printed_to_nine_digits():
    """Oracles: dual certificates over all couplings (W2 squared), Sinkhorn (P = 0), a minimum over the second moment
    of E[X | message, seed] (limited common randomness), a linear program (conditional)."""
    rate = gaussian.rate_distortion_perception(
        np.array([1.2, 0.763932022, 0.438447187, 0.234435563]), np.array([0.1, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(
        units.bits_to_nats(rate), [0.019513084, 0.240605913, 0.470306821, 0.755485554], rtol=0, atol=1.6e-9)
    found = gaussian.distortion_rate_perception(
        np.array([0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 2.0]), np.array([0.0, 0.01, 0.05, 0.1, 0.0, 0.01, 0.05, 0.0]))
    np.testing.assert_allclose(
        found, [0.585786438, 0.537207794, 0.504800608, 0.5, 0.267949192, 0.251154273, 0.25, 0.063508327],
        rtol=0, atol=6e-10)
    shared, perception = np.array([[0.0], [0.5], [1.0], [2.0]]), np.array([[0.05, 0.01]])
    np.testing.assert_allclose(gaussian.strong_realism_distortion(1.0, shared, perception), [
        [0.326393202, 0.41], [0.268684552, 0.317755176], [0.252160758, 0.278930866], [0.25, 0.256018420]],
        rtol=0, atol=6e-10)
    rate = gaussian.conditional_rate_distortion_perception(0.5, 0.25)
    np.testing.assert_allclose(units.bits_to_nats(rate), 0.381241822, rtol=0, atol=6e-10)
    # Decibels that perfect realism costs at 1/2, 1 and 2 bits: 2/(1 + a).
    bits = np.array([0.5, 1.0, 2.0])
    penalty = gaussian.distortion_rate_perception(bits, 0.0) / gaussian.distortion_rate(bits)
    np.testing.assert_allclose(units.power_to_db(penalty), [0.6877, 0.3011, 0.0695], rtol=0, atol=6e-5)


@pytest.mark.parametrize("distortion", [0.1, 0.5, 0.9])
def test_rate_distortion_has_a_dual_certificate(distortion):
    """Oracle: Csiszar's dual. c(y) = E[exp(-beta (X-y)^2) / Z(X)] must not exceed 1, here by quadrature."""
    beta = 1.0 / (2.0 * distortion)
    x = np.linspace(-14, 14, 4001)
    step = x[1] - x[0]
    p = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    q = np.exp(-x * x / (2 * (1 - distortion))) / np.sqrt(2 * np.pi * (1 - distortion))
    kernel = np.exp(-beta * (x[:, None] - x) ** 2)
    z = kernel @ q * step
    certificate = (p / z) @ kernel * step
    np.testing.assert_allclose(certificate[np.abs(x) < 6], 1.0, atol=1e-9)
    dual = -np.sum(p * np.log(z)) * step - beta * distortion
    np.testing.assert_allclose(units.bits_to_nats(gaussian.rate_distortion(distortion)), dual, rtol=1e-9)


@pytest.mark.parametrize("divergence, deviation", [
    ("w2sq", lambda t, s: (s - t) ** 2),
    ("kl", lambda t, s: (np.log(s / t) + t * t / (2 * s * s) - 0.5) / LN2),
])
@pytest.mark.parametrize("distortion, perception, variance", [(0.5, 0.02, 1.0), (0.9, 0.05, 0.7), (3.0, 0.1, 4.0)])
def test_the_optimum_over_gaussian_pairs(divergence, deviation, distortion, perception, variance):
    """Oracle: SLSQP over the correlation and the reconstruction's deviation, under both constraints."""
    s = np.sqrt(variance)
    found = optimize.minimize(
        lambda v: -0.5 * np.log2(1 - v[0] ** 2), x0=[0.6, 0.9 * s], method="SLSQP", bounds=[(0, 0.9999), (0.1, 2 * s)],
        constraints=[
            {"type": "ineq", "fun": lambda v: distortion - (variance + v[1] ** 2 - 2 * v[0] * s * v[1])},
            {"type": "ineq", "fun": lambda v: perception - deviation(v[1], s)},
        ], options={"ftol": 1e-14, "maxiter": 500})
    rate = gaussian.rate_distortion_perception(distortion, perception, variance, divergence=divergence)
    np.testing.assert_allclose(rate, found.fun, rtol=1e-6)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_perfect_realism_is_a_static_schroedinger_bridge(beta):
    """Oracle: symmetric Sinkhorn between the discretized Gaussian and itself (spectrally accurate trapezoid)."""
    x = np.arange(-9, 9.0001, 0.05)
    p = np.exp(-x * x / 2)
    p /= p.sum()
    cost = (x[:, None] - x) ** 2
    kernel = np.exp(-beta * cost)
    u = np.ones_like(p)
    for _ in range(400):
        u = np.sqrt(u / (kernel @ (p * u)))
    pair = u[:, None] * kernel * u * p[:, None] * p
    distortion = (pair * cost).sum()
    rate = (pair * (np.log2(u[:, None] * u) - beta * cost / LN2)).sum()
    np.testing.assert_allclose(gaussian.rate_distortion_perception(distortion, 0.0), rate, rtol=1e-8)


def test_block_realism_is_the_best_split_between_message_and_decoder():
    """Oracle: minimize over the second moment of E[X | message, seed] that the proof leaves free."""
    for rate, common, perception in [(0.5, 0.5, 0.01), (1.0, 1.0, 0.05), (2.0, 0.25, 0.0)]:
        a2, b = 1 - 4.0**-rate, np.sqrt(1 - 4.0 ** -(rate + common))

        def distortion(sigma, a2=a2, b=b, perception=perception):
            w2 = np.sqrt(sigma**2 + 1 - 2 * sigma * b)
            return 1 - sigma**2 + max(w2 - np.sqrt(perception), 0.0) ** 2

        grid = np.linspace(0, np.sqrt(a2), 20001)
        best = min(distortion(sigma) for sigma in grid)
        np.testing.assert_allclose(gaussian.strong_realism_distortion(rate, common, perception), best, rtol=1e-9)


def test_common_randomness_joins_the_two_bounds():
    rate = np.linspace(0.0, 3.0, 13)[:, None]
    perception = np.array([0.0, 0.01, 0.1, 0.5])[None, :]
    unlimited = gaussian.strong_realism_distortion(rate, np.inf, perception)
    np.testing.assert_allclose(unlimited, gaussian.distortion_rate_perception(rate, perception), rtol=1e-12)
    none = gaussian.strong_realism_distortion(rate, 0.0, perception)
    back = gaussian.conditional_rate_distortion_perception(none, perception)
    np.testing.assert_allclose(back, np.broadcast_to(rate, back.shape), atol=1e-7)  # flat at rate 0: sqrt(eps)


@pytest.mark.parametrize("divergence", gaussian.DIVERGENCES)
def test_distortion_and_rate_are_inverse(divergence):
    rate = np.linspace(0.05, 6.0, 25)[:, None]
    perception = np.array([0.0, 1e-6, 0.01, 0.2, 3.0])[None, :]
    distortion = gaussian.distortion_rate_perception(rate, perception, 2.5, divergence=divergence)
    back = gaussian.rate_distortion_perception(distortion, perception, 2.5, divergence=divergence)
    np.testing.assert_allclose(back, np.broadcast_to(rate, back.shape), rtol=1e-9)


def test_unconstrained_realism_is_plain_rate_distortion():
    distortion = np.linspace(0.01, 2.0, 17)
    plain = gaussian.rate_distortion(distortion, 1.5)
    for divergence in gaussian.DIVERGENCES:
        rate = gaussian.rate_distortion_perception(distortion, np.inf, 1.5, divergence=divergence)
        np.testing.assert_allclose(rate, plain, rtol=1e-14)
    np.testing.assert_allclose(gaussian.conditional_rate_distortion_perception(distortion, np.inf, 1.5), plain,
                               rtol=1e-14)


def test_order_monotonicity_convexity_and_scaling_on_random_inputs():
    rng = np.random.default_rng(0)
    distortion = np.sort(rng.uniform(0.01, 2.5, 200))
    perception = np.sort(rng.uniform(0.0, 1.2, 40))
    d, p = distortion[:, None], perception[None, :]
    both = gaussian.rate_distortion_perception(d, p)
    none = gaussian.conditional_rate_distortion_perception(d, p)
    assert (none >= both - 1e-13).all() and (both >= gaussian.rate_distortion(d) - 1e-13).all()
    for table in (both, none):
        assert (np.diff(table, axis=0) <= 1e-13).all() and (np.diff(table, axis=1) <= 1e-13).all()
    i, j = rng.integers(0, 200, (2, 500)), rng.integers(0, 40, (2, 500))
    middle = gaussian.rate_distortion_perception(distortion[i].mean(0), perception[j].mean(0))
    assert (middle <= both[i, j].mean(0) + 1e-12).all()
    np.testing.assert_allclose(gaussian.rate_distortion_perception(9 * d, 9 * p, 9.0), both, atol=1e-13)


FUNCTIONS = {
    "rate_distortion": (lambda d, p, v: gaussian.rate_distortion(d, v)),
    "w2sq": gaussian.rate_distortion_perception,
    "kl": lambda d, p, v: gaussian.rate_distortion_perception(d, p, v, divergence="kl"),
    "conditional": gaussian.conditional_rate_distortion_perception,
    "distortion_rate": (lambda d, p, v: gaussian.distortion_rate(d, v)),
    "distortion_w2sq": gaussian.distortion_rate_perception,
    "distortion_kl": lambda d, p, v: gaussian.distortion_rate_perception(d, p, v, divergence="kl"),
    "strong": lambda r, c, v: gaussian.strong_realism_distortion(r, c, 0.05, v),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_equal_finite_differences(name):
    f = FUNCTIONS[name]
    points = np.array([(0.3, 0.001, 1.0), (0.5, 0.02, 1.0), (0.8, 0.3, 1.7), (1.3, 0.05, 1.0), (0.05, 0.01, 0.4)])
    gradient = jax.vmap(jax.grad(f, argnums=(0, 1, 2)))(*points.T)
    for k in range(3):
        step = 1e-6 * points[:, k]
        up, down = points.copy(), points.copy()
        up[:, k] += step
        down[:, k] -= step
        numeric = (f(*up.T) - f(*down.T)) / (2 * step)
        np.testing.assert_allclose(gradient[k], numeric, rtol=2e-6, atol=1e-8)


def test_second_derivative_of_the_implicit_root():
    slope = jax.grad(lambda p: gaussian.rate_distortion_perception(0.5, p, divergence="kl"))
    numeric = (slope(0.02 + 1e-6) - slope(0.02 - 1e-6)) / 2e-6
    np.testing.assert_allclose(jax.grad(slope)(0.02), numeric, rtol=1e-6)


@pytest.mark.parametrize("divergence", gaussian.DIVERGENCES)
def test_value_and_gradient_are_continuous_across_regions(divergence):
    """The branches touch with equal slopes, at the distortion where realism stops to matter and where R ends."""
    perception = 0.02
    t = 1.0 - gaussian.shrinkage(jnp.float64(perception), jnp.float64(1.0), divergence)
    value_and_slope = jax.value_and_grad(
        lambda d, p: gaussian.rate_distortion_perception(d, p, divergence=divergence), argnums=(0, 1))
    for edge in (1.0 - t * t, 1.0 + t * t):
        (below, slope_below), (above, slope_above) = (value_and_slope(edge + e, perception) for e in (-1e-9, 1e-9))
        np.testing.assert_allclose(below, above, atol=1e-8)
        np.testing.assert_allclose(slope_below, slope_above, atol=1e-6)


def gradients(f, *arguments):
    return jax.grad(f, argnums=tuple(range(len(arguments))))(*map(float, arguments))


def test_edges_have_the_true_value_and_gradient():
    inf = np.inf
    rdp, conditional = gaussian.rate_distortion_perception, gaussian.conditional_rate_distortion_perception
    drp, strong = gaussian.distortion_rate_perception, gaussian.strong_realism_distortion
    for f in (rdp, conditional, lambda *a: rdp(*a, divergence="kl")):
        for perception in (0.0, 0.1):
            assert f(0.0, perception) == inf and gradients(f, 0.0, perception) == (-inf, 0.0)
        assert f(2.0, 0.0) == 0.0 and f(inf, 0.0) == 0.0
        assert f(3.0, 0.0) == 0.0 and gradients(f, 3.0, 0.0) == (0.0, 0.0)
        assert gradients(f, 0.5, 0.0)[1] == -inf  # perfect realism is infinitely steep
        assert gradients(f, 0.5, 2.0)[1] == 0.0 or f is not rdp
    assert gaussian.rate_distortion(0.0) == inf and gradients(gaussian.rate_distortion, 0.0) == (-inf,)
    assert gradients(gaussian.rate_distortion, 2.0) == (0.0,)
    assert drp(0.0, 0.0) == 2.0 and gradients(drp, 0.0, 0.1)[0] == -inf
    assert drp(0.0, 2.0) == 1.0 and gradients(drp, 1.0, 1.0)[1] == 0.0
    # At rate 0: D = 2 e^{-2R} along R without common randomness (slope -4 ln 2 per bit), constant along C.
    assert strong(0.0, 0.0) == 2.0
    slope = (strong(1e-7, 0.0, 0.1) - strong(0.0, 0.0, 0.1)) / 1e-7
    np.testing.assert_allclose(gradients(strong, 0.0, 0.0, 0.1)[:2], (slope, 0.0), rtol=1e-6)
    assert strong(inf, 1.0, 0.0) == 0.0 and gradients(strong, 1.0, inf, 0.0)[1] == 0.0


@chex.variants(with_jit=True, without_jit=True)
class BroadcastingTest(chex.TestCase):
    def test_ranks_broadcast(self):
        d, p, v = np.full((3, 1), 0.5), np.array([0.0, 0.1]), 2.0
        result = self.variant(gaussian.rate_distortion_perception)(d, p, v)
        chex.assert_shape(result, (3, 2))
        chex.assert_type(result, jnp.float64)
        np.testing.assert_allclose(result[1, 1], gaussian.rate_distortion_perception(0.5, 0.1, 2.0), rtol=1e-15)


BAD = [
    (gaussian.rate_distortion, (-0.1,), "distortion must be >= 0"),
    (gaussian.rate_distortion, (np.nan,), "distortion must be >= 0"),
    (gaussian.rate_distortion, (0.1, 0.0), "variance must be > 0"),
    (gaussian.distortion_rate, (-1.0,), "rate must be >= 0"),
    (gaussian.rate_distortion_perception, (0.1, -0.1), "perception must be >= 0"),
    (gaussian.distortion_rate_perception, (0.1, np.nan), "perception must be >= 0"),
    (gaussian.strong_realism_distortion, (0.1, -2.0), "common_randomness must be >= 0"),
    (gaussian.conditional_rate_distortion_perception, ("a", 0.0), "distortion must be real"),
]


@pytest.mark.parametrize("function, arguments, said", BAD)
def test_bad_arguments_are_named(function, arguments, said):
    with pytest.raises(ValueError, match=said):
        function(*arguments)


def test_unknown_divergence_is_refused():
    with pytest.raises(ValueError, match="divergence must be one of 'w2sq', 'kl', got 'tv'"):
        gaussian.rate_distortion_perception(0.1, 0.1, divergence="tv")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_inside_a_trace_what_is_outside_the_domain_is_nan(name):
    f = jax.jit(FUNCTIONS[name])
    for bad in itertools.chain([(-0.1, 0.1, 1.0), (np.nan, 0.1, 1.0), (0.1, 0.1, -1.0)],
                               [] if "rate" in name else [(0.1, -0.1, 1.0)]):
        assert np.isnan(f(*bad)), bad
