"""Oracles: recorded convex-solver values, an optimizer over 2x2 distributions, Blahut-Arimoto, linear programs."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from theory.closed_form import bernoulli
from theory.numerics import units

VALUES = json.loads((pathlib.Path(__file__).parents[2] / "data" / "theory_values.json").read_text())


def entropy(*p):
    p = np.array(p)
    return -np.sum(np.where(p > 0, p * np.log2(np.where(p > 0, p, 1)), 0.0))


def test_recorded_values_of_the_convex_solver():
    p, d, perception, nats = (
        np.array([row[k] for row in VALUES["bern_rdp_nats"]]) for k in ("p", "D", "P", "R"))
    rate = bernoulli.rate_distortion_perception(d, perception, p)
    np.testing.assert_allclose(units.bits_to_nats(rate), nats, rtol=1e-12, atol=1e-15)
    mirrored = bernoulli.rate_distortion_perception(d, perception, 1 - p)
    np.testing.assert_allclose(mirrored, rate, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rate, nats", [
    (lambda: bernoulli.rate_distortion(0.1, 0.3), 0.2857813287),
    (lambda: bernoulli.rate_distortion(0.1, 0.25), 0.2372521712),
    (lambda: bernoulli.uniform_rate_distortion(0.2, 4), 0.6661694798),
    (lambda: bernoulli.erasure_rate_distortion(0.3), 0.4852030264),
])
def test_recorded_values_of_blahut_arimoto(rate, nats):
    np.testing.assert_allclose(units.bits_to_nats(rate()), nats, atol=6e-11)  # ten digits were recorded


def test_recorded_points_printed_in_bits_and_to_nine_digits():
    bits = bernoulli.rate_distortion(0.1, np.array([0.3, 0.25]))
    np.testing.assert_allclose(bits, [0.4122953056, 0.3422825309], rtol=0, atol=6e-11)
    p, d, perception, nats = np.array([
        (0.25, 0.1, 0.0, 0.253537019), (0.25, 0.1, 0.05, 0.238077789), (0.25, 0.1, 0.1, 0.237252171),
        (0.25, 0.2, 0.0, 0.099576377), (0.25, 0.2, 0.05, 0.083303398), (0.25, 0.3, 0.0, 0.018780410),
        (0.1, 0.05, 0.02, 0.137735240), (0.1, 0.15, 0.02, 0.003083839), (0.4, 0.3, 0.1, 0.063268705)]).T
    rate = bernoulli.rate_distortion_perception(d, perception, p)
    np.testing.assert_allclose(units.bits_to_nats(rate), nats, rtol=0, atol=6e-10)


def blahut_arimoto(p, d, beta):
    """One point of R(D) by alternating minimization: (D, R in bits)."""
    kernel, q = np.exp(-beta * d), np.full(d.shape[1], 1 / d.shape[1])
    for _ in range(2000):
        w = kernel * q
        w /= w.sum(1, keepdims=True)
        q = p @ w
    pair = p[:, None] * w
    logs = np.log2(np.where(w > 0, w, 1) / np.where(q > 0, q, 1))
    return (pair * np.where(pair > 0, d, 0)).sum(), (pair * logs).sum()


@pytest.mark.parametrize("p, d, function", [
    ([0.7, 0.3], 1 - np.eye(2), lambda d: bernoulli.rate_distortion(d, 0.3)),
    (np.full(5, 0.2), 1 - np.eye(5), lambda d: bernoulli.uniform_rate_distortion(d, 5)),
], ids=["biased coin", "five symbols"])
def test_closed_forms_agree_with_blahut_arimoto(p, d, function):
    for beta in (1.2, 1.7, 3.0):
        distortion, rate = blahut_arimoto(np.array(p), d, beta)
        np.testing.assert_allclose(function(distortion), rate, atol=1e-9)


def generic_rate(p, d, perception):
    """min I(X;Y) over P(Y=1|X=0), P(Y=1|X=1) by SLSQP from several starts."""
    def information(v):
        joint = np.array([[(1 - p) * (1 - v[0]), (1 - p) * v[0]], [p * (1 - v[1]), p * v[1]]])
        independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        return np.sum(joint * np.log2(np.maximum(joint, 1e-300) / np.maximum(independent, 1e-300)))

    limits = [
        {"type": "ineq", "fun": lambda v: d - (1 - p) * v[0] - p * (1 - v[1])},
        {"type": "ineq", "fun": lambda v: perception - ((1 - p) * v[0] + p * v[1] - p)},
        {"type": "ineq", "fun": lambda v: perception + ((1 - p) * v[0] + p * v[1] - p)},
    ]
    runs = [optimize.minimize(information, start, method="SLSQP", bounds=[(1e-12, 1 - 1e-12)] * 2,
                              constraints=limits, options={"ftol": 1e-15, "maxiter": 300})
            for start in ([0.02, 0.98], [0.2, 0.6], [0.1, 0.8])]
    feasible = [r.fun for r in runs if all(c["fun"](r.x) > -1e-9 for c in limits)]
    return min(feasible)


def test_rate_distortion_perception_is_the_optimum_over_all_binary_distributions():
    rng = np.random.default_rng(1)
    p, d = rng.uniform(0.05, 0.5, 30), rng.uniform(0.01, 0.45, 30)
    perception = rng.uniform(0, 0.3, 30) * (rng.random(30) < 0.8)
    found = bernoulli.rate_distortion_perception(d, perception, p)
    oracle = [generic_rate(*row) for row in zip(p, d, perception)]
    np.testing.assert_allclose(found, oracle, atol=2e-7)  # SLSQP's own accuracy
    assert (np.asarray(found) > 0.001).sum() > 12  # the comparison is not one of zeros


def test_regions_join_continuously_with_equal_slopes():
    p, perception = 0.3, 0.08
    slope = jax.grad(bernoulli.rate_distortion_perception, argnums=(0, 1, 2))
    first = perception / (1 - 2 * p + 2 * perception)
    second = 2 * p * (1 - p) - (1 - 2 * p) * perception
    for edge in (first, second):
        step = 1e-9
        left, right = (bernoulli.rate_distortion_perception(edge + s, perception, p) for s in (-step, step))
        np.testing.assert_allclose(left, right, atol=1e-7)
        for a, b in zip(slope(edge - step, perception, p), slope(edge + step, perception, p)):
            np.testing.assert_allclose(a, b, atol=2e-6)


def test_gradients_equal_finite_differences_also_on_the_edges():
    grad = jax.grad(bernoulli.rate_distortion_perception, argnums=(0, 1, 2))
    first = 0.08 / (1 - 0.6 + 0.16)
    for point in [(0.1, 0.02, 0.3), (0.05, 0.08, 0.3), (first, 0.08, 0.3), (0.2, 0.1, 0.7), (0.2, 0.5, 0.3)]:
        for i, slope in enumerate(grad(*point)):
            up, down = ([v + s * (i == j) for j, v in enumerate(point)] for s in (1e-6, -1e-6))
            numeric = (bernoulli.rate_distortion_perception(*up) - bernoulli.rate_distortion_perception(*down)) / 2e-6
            np.testing.assert_allclose(slope, numeric, atol=3e-6)


def test_slopes_that_are_infinite_and_slopes_beyond_the_end():
    rate = bernoulli.rate_distortion_perception
    assert jax.grad(rate)(0.0, 0.1, 0.3) == -np.inf
    assert jax.grad(rate)(0.0, 0.0, 0.3) == -np.inf
    np.testing.assert_allclose(rate(0.0, 0.0, 0.3), entropy(0.3, 0.7), rtol=1e-14)
    for point in [(0.42, 0.0, 0.3), (0.9, 0.1, 0.3), (np.inf, np.inf, 0.3), (0.1, 0.0, 0.0), (0.5, 0.0, 0.5)]:
        assert rate(*point) == 0.0
        assert np.isfinite(np.array(jax.grad(rate, argnums=(0, 1, 2))(*point))).all()
    assert jax.grad(bernoulli.rate_distortion)(0.0, 0.3) == -np.inf
    assert jax.grad(bernoulli.binary_entropy)(0.0) == np.inf
    assert jax.grad(bernoulli.binary_entropy)(1.0) == -np.inf


@pytest.mark.parametrize("rate", [
    bernoulli.rate_distortion_perception, bernoulli.one_shot_rate_common_randomness,
    bernoulli.one_shot_rate_private_randomness])
def test_edges_where_the_source_is_certain_and_where_nothing_may_go_wrong(rate):
    slopes = jax.grad(rate, argnums=(0, 1, 2))
    for perception in (0.0, 0.1, np.inf):
        # R(0, P) = h(p), whose slope is infinite at both ends; away from D = 0 a certain source costs nothing.
        for p, slope in ((0.0, np.inf), (1.0, -np.inf)):
            assert rate(0.0, perception, p) == 0.0 and slopes(0.0, perception, p) == (0.0, 0.0, slope)
            assert slopes(0.1, perception, p) == (0.0, 0.0, 0.0)
    # At D = P = 0 each argument can only grow: one-sided differences.
    at, step = rate(0.0, 0.0, 0.3), 1e-8
    by_d, by_p, by_source = slopes(0.0, 0.0, 0.3)
    if rate is bernoulli.rate_distortion_perception:
        assert by_d == -np.inf
    else:
        np.testing.assert_allclose(by_d, (rate(step, 0.0, 0.3) - at) / step, rtol=1e-6)
    np.testing.assert_allclose(by_p, (rate(0.0, step, 0.3) - at) / step, atol=1e-7)
    np.testing.assert_allclose(by_source, np.log2(0.7 / 0.3), rtol=1e-12)
    # A perception that is as good as none.
    np.testing.assert_allclose(slopes(0.1, np.inf, 0.3)[2], slopes(0.1, 9.0, 0.3)[2], rtol=1e-15)


def test_order_convexity_and_limits_on_random_inputs():
    rng = np.random.default_rng(0)
    for p in rng.uniform(0.02, 0.98, 5):
        d, perception = np.sort(rng.uniform(0, 0.7, 60)), np.sort(rng.uniform(0, 0.6, 40))
        table = np.asarray(bernoulli.rate_distortion_perception(d[:, None], perception[None, :], p))
        assert (np.diff(table, axis=0) <= 1e-14).all() and (np.diff(table, axis=1) <= 1e-14).all()
        i, j = rng.integers(0, 60, (2, 400)), rng.integers(0, 40, (2, 400))
        middle = bernoulli.rate_distortion_perception(d[i].mean(0), perception[j].mean(0), p)
        assert (np.asarray(middle) <= table[i, j].mean(0) + 1e-13).all()
        unconstrained = bernoulli.rate_distortion_perception(d, np.inf, p)
        np.testing.assert_array_equal(unconstrained, bernoulli.rate_distortion(d, p))
    np.testing.assert_allclose(
        bernoulli.uniform_rate_distortion(d, 2), bernoulli.rate_distortion(d, 0.5), atol=1e-14)
    assert bernoulli.uniform_rate_distortion(0.0, 1) == 0.0
    np.testing.assert_allclose(bernoulli.uniform_rate_distortion(0.0, 8), 3.0, rtol=1e-15)


def test_recorded_one_shot_rates():
    perception = np.array([0.0, 0.05])
    common = bernoulli.one_shot_rate_common_randomness(0.1, perception, 0.25)
    private = bernoulli.one_shot_rate_private_randomness(0.1, perception, 0.25)
    np.testing.assert_allclose(units.bits_to_nats(common), [0.412379106, 0.374890096], atol=6e-10)
    np.testing.assert_allclose(units.bits_to_nats(private), [0.495411333, 0.459693020], atol=6e-10)


def test_common_randomness_shares_time_between_sending_and_not_sending():
    """Oracle: a linear program. Given the seed the message is nothing (output 0 or 1) or the symbol itself."""
    rng = np.random.default_rng(2)
    for _ in range(25):
        t, d, perception = rng.uniform(0.05, 0.5), rng.uniform(0, 0.4), rng.uniform(0, 0.2)
        # Modes: output 0, output 1, the symbol, its complement.
        ones, errors = np.array([0, 1, t, 1 - t]), np.array([t, 1 - t, 0, 1])
        cost = np.array([0, 0, 1, 1]) * entropy(t, 1 - t)
        best = optimize.linprog(cost, A_ub=[errors, ones, -ones], b_ub=[d, t + perception, perception - t],
                                A_eq=[np.ones(4)], b_eq=[1])
        rate = bernoulli.one_shot_rate_common_randomness(d, perception, t)
        np.testing.assert_allclose(rate, best.fun, atol=1e-9)


@pytest.mark.parametrize("t, d, perception", [(0.25, 0.1, 0.0), (0.25, 0.1, 0.05), (0.4, 0.05, 0.1), (0.3, 0.3, 0.02)])
def test_private_randomness_by_brute_force_over_binary_messages(t, d, perception):
    """Oracle: every encoder on a grid, with its best decoder (a linear program solved at its vertices)."""
    rate = float(bernoulli.one_shot_rate_private_randomness(d, perception, t))
    best = np.inf
    low, high = np.array([0.0, 0.0]), np.array([1.0, 1.0])
    for _ in range(5):  # each round refines the grid around the best point
        a, c = np.meshgrid(np.linspace(low[0], high[0], 81), np.linspace(low[1], high[1], 81))
        message = (1 - t) * a + t * c  # P(K=1) from P(K=1|X=0) = a, P(K=1|X=1) = c
        ok = np.zeros_like(a, bool)
        # Vertices of the decoders (P(Y=1|K=0), P(Y=1|K=1)) under |P(Y=1) - t| <= P.
        candidates = [(i, j) for i in (0.0, 1.0) for j in (0.0, 1.0)]
        for target in (t - perception, t + perception):
            for fixed in (0.0, 1.0):
                one, zero = np.maximum(message, 1e-9), np.maximum(1 - message, 1e-9)
                candidates.append((fixed, (target - (1 - message) * fixed) / one))
                candidates.append(((target - message * fixed) / zero, fixed))
        for u0, u1 in candidates:
            inside = (u0 >= -1e-12) & (u0 <= 1 + 1e-12) & (u1 >= -1e-12) & (u1 <= 1 + 1e-12)
            ones = (1 - message) * u0 + message * u1
            error = (1 - t) * ((1 - a) * u0 + a * u1) + t * ((1 - c) * (1 - u0) + c * (1 - u1))
            ok |= inside & (np.abs(ones - t) <= perception + 1e-12) & (error <= d + 1e-12)
        bits = -sum(np.where(m > 0, m * np.log2(np.where(m > 0, m, 1)), 0) for m in (message, 1 - message))
        bits = np.where(ok, bits, np.inf)
        k = np.unravel_index(bits.argmin(), bits.shape)
        best = min(best, bits[k])
        center, width = np.array([a[k], c[k]]), (high - low) / 20
        low, high = np.clip(center - width, 0, 1), np.clip(center + width, 0, 1)
    assert best >= rate - 1e-9  # no code on the grid does better
    np.testing.assert_allclose(best, rate, atol=2e-5)  # the last grid's step is 1e-7; sqrt-like at 0


def test_one_shot_codes_pay_for_what_they_lack():
    rng = np.random.default_rng(3)
    d, perception, p = rng.uniform(0, 0.5, 500), rng.uniform(0, 0.5, 500), rng.uniform(0, 1, 500)
    information = bernoulli.rate_distortion_perception(d, perception, p)
    common = bernoulli.one_shot_rate_common_randomness(d, perception, p)
    private = bernoulli.one_shot_rate_private_randomness(d, perception, p)
    assert (common >= information - 1e-12).all() and (private >= common - 1e-12).all()
    assert (private > common + 0.01).any() and (common > information + 0.01).any()
    for rate in (bernoulli.one_shot_rate_common_randomness, bernoulli.one_shot_rate_private_randomness):
        np.testing.assert_allclose(rate(0.0, 0.0, 0.3), entropy(0.3, 0.7), rtol=1e-14)
        assert rate(0.9, 0.0, 0.3) == 0.0 and rate(0.1, 0.1, 0.0) == 0.0
        for point in [(0.1, 0.02, 0.3), (0.05, 0.1, 0.3)]:
            for i in range(3):
                up, down = ([v + s * (i == j) for j, v in enumerate(point)] for s in (1e-6, -1e-6))
                numeric = (rate(*up) - rate(*down)) / 2e-6
                np.testing.assert_allclose(jax.grad(rate, argnums=i)(*point), numeric, atol=1e-7)
        assert np.isfinite(np.array(jax.grad(rate, argnums=(0, 1, 2))(0.9, 0.0, 0.3))).all()


@pytest.mark.parametrize("call, name", [
    (lambda: bernoulli.rate_distortion(-0.1), "distortion"),
    (lambda: bernoulli.rate_distortion(0.1, 1.1), "probability"),
    (lambda: bernoulli.rate_distortion_perception(0.1, -0.1), "perception"),
    (lambda: bernoulli.rate_distortion_perception(np.nan, 0.1), "distortion"),
    (lambda: bernoulli.uniform_rate_distortion(0.1, 0), "alphabet_size"),
    (lambda: bernoulli.erasure_rate_distortion(-1.0), "distortion"),
    (lambda: bernoulli.one_shot_rate_common_randomness(0.1, 0.1, -0.5), "probability"),
    (lambda: bernoulli.binary_entropy(2.0), "probability"),
])
def test_arguments_outside_their_domain_are_refused(call, name):
    with pytest.raises(ValueError, match=name):
        call()


def test_inside_a_trace_they_give_nan():
    assert np.isnan(jax.jit(bernoulli.rate_distortion_perception)(-0.1, 0.1, 0.3))
    assert np.isnan(jax.jit(bernoulli.rate_distortion_perception)(0.1, 0.1, 1.3))
    assert np.isnan(jax.jit(bernoulli.one_shot_rate_private_randomness)(0.1, -0.1, 0.3))
    assert np.isnan(jax.jit(bernoulli.binary_entropy)(-0.1))


def test_one_call_for_a_whole_surface():
    d, perception = jnp.linspace(0, 0.5, 30)[:, None], jnp.linspace(0, 0.3, 20)[None, :]
    traced = jax.vmap(jax.vmap(bernoulli.rate_distortion_perception, (None, 0, None)), (0, None, None))
    np.testing.assert_allclose(
        bernoulli.rate_distortion_perception(d, perception, 0.3), traced(d[:, 0], perception[0], 0.3), atol=1e-15)


def test_an_alphabet_has_a_whole_number_of_letters():
    with pytest.raises(ValueError, match="alphabet_size must be whole"):
        bernoulli.uniform_rate_distortion(0.1, 2.5)
