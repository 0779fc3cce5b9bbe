"""Power divergences: definitions, quadrature, named members, a recorded cone solver, the binary closed form."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from theory.closed_form import bernoulli
from theory.discrete import alpha_divergence, power_from_renyi, rate_distortion_perception, renyi_from_power
from theory.discrete.perception import divergences, power_divergence, rdp
from theory.discrete.perception.problem import Options, Problem

P = np.array([0.1, 0.35, 0.25, 0.3])
Q = np.array([0.4, 0.05, 0.3, 0.25])
LN2 = np.log(2.0)
LINE = np.arange(4.0)
SQUARED = (LINE[:, None] - LINE) ** 2
ORDERS = (-2.0, -0.3, 0.2, 0.5, 0.999, 1.001, 1.7, 2.0, 4.0)
MEMBERS = ((1.0, "kl", 1.0), (0.0, "reverse_kl", 1.0), (0.5, "hellinger2", 4.0), (-1.0, "chi2", 0.5))
RECORDED = np.load(pathlib.Path(__file__).parent / "data" / "power_divergences.npz")


def definition(p, q, order):
    """In nats, for 0 < p, q and orders other than 0 and 1."""
    return ((q**order * p ** (1 - order)).sum() - 1) / (order * (order - 1))


def by_letter(divergence, p, q, a):
    """All fields of a divergence, elementwise."""
    fields = {name: getattr(divergence, name)(p, q) for name in ("terms", "slope", "curvature")}
    fields |= {name: getattr(divergence, name)(p, a) for name in ("conjugate_terms", "maximizer", "maximizer_change")}
    return fields | {"largest_slope": divergence.largest_slope, "forbids": divergence.forbids_new_letters}


# One program each for all orders, since most of the time of these tests goes into compiling.
@jax.jit
def family(order, p, q, a):
    return by_letter(power_divergence.separable(order), p, q, a)


@jax.jit
def named(p, q, a):
    return {name: by_letter(divergences.SEPARABLE[name], p, q, a / factor) for _, name, factor in MEMBERS}


@jax.jit
def over_pmfs(order, p, q, critic):
    """The value and its gradients by q and order; the conjugate and the pmf that attains it, less p."""
    def value(q, order):
        return divergences.separable_value(power_divergence.separable(order), p, q)

    found = power_divergence.separable(order)
    return (*jax.value_and_grad(value, argnums=(0, 1))(q, order), divergences.separable_conjugate(found, p, critic),
            divergences.separable_maximizer(found, p, critic))


def test_members_are_the_named_divergences():
    a, near = np.array([-3.0, -0.4, 1e-9, 0.4]), np.array([0.1, 0.35 + 1e-9, 0.27, 0.28])
    for q in (Q, near):
        truth = named(P, q, a)
        for order, name, factor in MEMBERS:
            found, other = family(order, P, q, a), truth[name]
            for field in ("terms", "slope", "curvature", "conjugate_terms"):
                np.testing.assert_allclose(found[field], factor * other[field], rtol=2e-13, atol=1e-15)
            for field in ("maximizer", "maximizer_change"):
                np.testing.assert_allclose(found[field], other[field], rtol=2e-13)
            assert found["largest_slope"] == factor * other["largest_slope"]
            assert bool(found["forbids"]) == bool(other["forbids"])


def test_terms_are_the_integral_of_their_curvature():
    # f(r) is the integral of (r - s) s^(order - 2) from 1 to r; with s = e^t nothing cancels in it.
    x = np.array([-8.0, -1.2, -0.99, -0.3, -1e-7, 1e-12, 0.4, 3.0])
    for order in (*ORDERS, 0.0, 1.0, 1e-9, 1 - 1e-12):
        truth = [quad(lambda t, x=x, order=order: -np.exp(x) * np.expm1(t - x) * np.exp((order - 1) * t), 0, x,
                      epsabs=0, epsrel=2e-14, limit=200)[0] for x in x]
        found = np.concatenate([family(order, np.ones(4), np.exp(part), np.zeros(4))["terms"]
                                for part in (x[:4], x[4:])])
        # A ratio known to 1e-16 is known to 1e-16 / |x| as a difference to 1.
        assert (np.abs(found / truth - 1) <= 1e-12 + 4e-16 / np.abs(x)).all()


def test_values_derivatives_and_conjugates():
    rng = np.random.default_rng(0)
    for order in (*ORDERS, 0.0, 1.0):
        ends = [definition(P, Q, order + e) for e in (1e-5, -1e-5)]
        fields = family(order, P, Q, P)
        np.testing.assert_allclose(fields["curvature"], P ** (1 - order) * Q ** (order - 2), rtol=1e-12)
        for scale in (1e-3, 1.0, 30.0):
            critic = scale * np.array([0.3, -0.5, 0.8, 0.1])
            value, (slope, by_order), conjugate, change = over_pmfs(order, P, Q, critic)
            np.testing.assert_allclose(fields["slope"], slope, rtol=1e-11)
            np.testing.assert_allclose([value, by_order], [np.mean(ends), (ends[0] - ends[1]) / 2e-5], rtol=1e-4)
            best = P + np.asarray(change)
            assert (best >= -1e-15).all() and abs(best.sum() - 1) < 1e-12
            reached = best @ critic - float(over_pmfs(order, P, np.maximum(best, 0.0), critic)[0])
            np.testing.assert_allclose(reached, conjugate, rtol=1e-9, atol=1e-15)
            if order not in (0.0, 1.0):
                np.testing.assert_allclose(value, definition(P, Q, order), rtol=1e-11)
                assert all(q @ critic - definition(P, q, order) <= conjugate + 1e-12
                           for q in rng.dirichlet(np.ones(4), 100))


@pytest.mark.parametrize("order", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_letters_of_probability_zero(order):
    other, critic = np.array([0.0, 0.5, 0.2, 0.3]), np.zeros(4)
    unused, new = over_pmfs(order, P, other, critic)[0], over_pmfs(order, other, P, critic)[0]
    assert np.isinf(unused) == (order <= 0) and np.isinf(new) == (order >= 1)
    if order == 0.5:
        np.testing.assert_allclose([unused, new], [4 - 4 * np.sqrt(P * other).sum()] * 2, rtol=1e-13)


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.stress)])
def test_five_hundred_instances_of_a_cone_solver(every):
    orders = RECORDED["order"]
    assert len(orders) == 500 and set(orders[::every]) == {-1.0, -0.5, 0.25, 0.5, 0.75, 1.5, 2.0, 3.0}
    for k in range(0, 500, every):
        order = orders[k]
        perception = RECORDED["perception_nats"][k] / LN2
        answer = rate_distortion_perception(
            RECORDED["pmf"][k], RECORDED["matrix"][k], distortion=RECORDED["distortion"][k], perception=perception,
            divergence=alpha_divergence(order))
        bits = RECORDED["rate_nats"][k] / LN2
        assert bool(answer.converged) and 0 <= answer.gap <= 1e-8
        # The cone solver's own gap and infeasibility are some 1e-8.
        assert answer.rate_lower - 5e-8 <= bits <= answer.rate + 5e-8
        p, channel = RECORDED["pmf"][k], np.asarray(answer.channel)
        live, q = p > 0, p @ channel
        assert order < 1 or q[~live].sum() == 0
        assert definition(p[live], q[live], order) <= perception * LN2 * (1 + 1e-9) + 1e-14
        assert (p[:, None] * channel * RECORDED["matrix"][k]).sum() <= RECORDED["distortion"][k] * (1 + 1e-13)


@pytest.mark.parametrize("order", [-1.5, 0.0, 0.5, 1.0, 3.0])
def test_the_binary_source_is_that_of_total_variation_at_the_least_output(order):
    p, distortion, perception = 0.3, 0.12, 0.01
    near = order if order not in (0.0, 1.0) else order + 1e-7

    def excess(q):
        return definition(np.array([1 - p, p]), np.array([1 - q, q]), near) / LN2 - perception

    least = brentq(excess, 1e-6, p, xtol=1e-15)
    truth = bernoulli.rate_distortion_perception(distortion, p - least, p)
    answer = rate_distortion_perception(
        [1 - p, p], 1 - np.eye(2), distortion=distortion, perception=perception, divergence=f"alpha={order}")
    slack = 1e-9 if near == order else 1e-7  # the order that the root is at
    assert answer.rate_lower - slack <= truth <= answer.rate + slack


def test_the_derivative_by_the_order_is_that_of_the_divergence_times_its_multiplier():
    @jax.jit
    def by_order(order, here):
        problem = Problem(jnp.asarray(P), jnp.asarray(SQUARED), 0.4, 0.02, (order,), 1e-10)
        options = Options("alpha", False, False, False, 500)
        return rdp._order_and_slope(problem, options, jnp.asarray(P), here)[0][1]

    def answer(order):
        return rate_distortion_perception(P, SQUARED, distortion=0.4, perception=0.02, tolerance=1e-10,
                                          divergence=alpha_divergence(order))

    for order in (-1.0, 1.0):
        here = answer(order)
        slope = by_order(jnp.asarray(order), here)
        ends = [answer(order + e).rate for e in (1e-3, -1e-3)]
        # Second differences of rates known to 1e-11 are known to 1e-8.
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-3, atol=3e-8, rtol=1e-4)


@pytest.mark.stress
def test_traced_orders_share_a_program_and_have_a_gradient():
    def rate(order):
        return rate_distortion_perception(P, SQUARED, distortion=0.4, perception=0.02,
                                          divergence=alpha_divergence(order)).rate

    orders = jnp.linspace(-1.0, 2.0, 7)
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(rate)))(orders)
    np.testing.assert_allclose(values, [rate(order) for order in orders], atol=1e-8)
    np.testing.assert_allclose(np.gradient(values, orders)[1:-1], slopes[1:-1], rtol=1e-2)


def test_renyi_divergences():
    def renyi(order):  # by its definition, bits
        return np.log2((Q**order * P ** (1 - order)).sum()) / (order - 1)

    orders = np.array([0.2, 0.5, 0.999, 1.5, 2.0, 7.0])
    truth = np.array([renyi(order) for order in orders])
    power = power_from_renyi(truth, orders)
    np.testing.assert_allclose(power, [definition(P, Q, order) / LN2 for order in orders], rtol=1e-9)
    np.testing.assert_allclose(renyi_from_power(power, orders), truth, rtol=1e-12)
    # As van Erven and Harremoës note: order 1/2 is -2 ln(1 - Hel^2 / 2), order 2 is ln(1 + chi^2).
    hellinger = ((np.sqrt(P) - np.sqrt(Q)) ** 2).sum()
    chi2, most = ((P - Q) ** 2 / P).sum(), 4 / LN2
    found = renyi_from_power(
        [2 * hellinger / LN2, chi2 / 2 / LN2, most * (1 + 1e-12), np.inf, 0.0, 0.7], [0.5, 2.0, 0.5, 2.0, 1.0, 1.0])
    np.testing.assert_allclose(found, [-2 * np.log2(1 - hellinger / 2), np.log2(1 + chi2), np.inf, np.inf, 0.0, 0.7],
                               rtol=1e-13)
    found = power_from_renyi([0.0, 0.7, np.inf, np.inf, np.inf, 0.0], [1.0, 1.0, 1.0, 0.5, 2.0, 0.5])
    np.testing.assert_allclose(found, [0.0, 0.7, np.inf, most, np.inf, 0.0])
    slope = jax.jit(jax.grad(power_from_renyi, argnums=(0, 1)))(0.3, 1.0)
    ends = [power_from_renyi(0.3, 1 + e) for e in (1e-5, -1e-5)]
    np.testing.assert_allclose(slope, [1.0, (ends[0] - ends[1]) / 2e-5], rtol=1e-6)
    assert np.isnan(jax.jit(power_from_renyi)(0.3, -1.0))


def test_names_and_what_is_refused():
    assert float(power_divergence.parse("alpha=-0.5").order) == -0.5 and power_divergence.parse("kl") is None
    for call, said in [
        (lambda: power_divergence.parse("alpha=two"), "finite number"),
        (lambda: power_divergence.parse("alpha=nan"), "finite number"),
        (lambda: alpha_divergence(np.inf), "alpha must be"),
        (lambda: alpha_divergence([1.0, 2.0]), "one number"),
        (lambda: power_from_renyi(-1.0, 0.5), "perception must be"),
        (lambda: renyi_from_power(1.0, 0.0), "alpha must be"),
        (lambda: rate_distortion_perception(P, SQUARED, distortion=0.4, perception=0.1, divergence="alpha"),
         "divergence must be one of"),
        (lambda: rate_distortion_perception(P, SQUARED, distortion=0.4, perception=0.1, points=LINE,
                                            divergence="alpha=2"), "points and transport_cost"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
