"""Curves and surfaces: the same numbers as point by point, one compilation, and D(R) as the inverse of R(D)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete import (
    distortion_rate,
    rate_distortion,
    rate_distortion_curve,
    rate_distortion_perception_surface,
)

PMF = np.array([0.1, 0.15, 0.3, 0.25, 0.2])
SQUARED = (np.arange(5.0)[:, None] - np.arange(5.0)) ** 2

_COMPILATIONS = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, *_, **__: _COMPILATIONS.append(name) if name.endswith("backend_compile_duration") else None)


def compilations(call):
    """How many programs the backend compiled during a call, beside the trivial ones of a warm one."""
    before = len(_COMPILATIONS)
    jax.block_until_ready(call())
    return len(_COMPILATIONS) - before


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_curve_is_its_points(at_once):
    distortions = np.array([0.0, 0.1, 0.6, 3.0])
    curve = rate_distortion_curve(PMF, SQUARED, distortions=distortions, at_once=at_once)
    assert curve.channel.shape == (4, 5, 5) and bool(curve.converged.all())
    assert (curve.distortion <= distortions).all()
    for i, distortion in enumerate(distortions):
        point = rate_distortion(PMF, SQUARED, distortion=distortion)
        assert abs(point.rate - curve.rate[i]) <= 2e-9
        assert curve.rate_lower[i] - 1e-13 <= point.rate
    assert np.all(np.diff(curve.rate) < 0)


def test_a_curve_by_slopes_is_on_the_curve_by_distortions():
    by_slope = rate_distortion_curve(PMF, SQUARED, slopes=[0.0, 0.5, 2.0, np.inf])
    assert bool(by_slope.converged.all())
    for rate, distortion in zip(by_slope.rate, by_slope.distortion):
        assert abs(rate_distortion(PMF, SQUARED, distortion=float(distortion) + 1e-15).rate - rate) < 2e-9


def test_a_surface_is_its_points_with_perfect_realism_and_without_constraint_and_compiles_once():
    distortions, perceptions = np.array([0.5, 0.8]), np.array([0.0, 0.05, np.inf])

    def surface_of(scale):
        return rate_distortion_perception_surface(
            PMF, scale * SQUARED, distortions=scale * distortions, perceptions=perceptions, divergence="tv")

    surface = surface_of(1.0)
    assert compilations(lambda: surface_of(1.5)) == 0
    assert surface.rate.shape == (2, 3) and surface.channel.shape == (2, 3, 5, 5)
    assert bool(surface.converged.all()) and (np.asarray(surface.distortion) <= distortions[:, None]).all()
    assert (np.asarray(surface.perception) <= perceptions).all()
    assert (np.asarray(surface.gap) <= 1e-8).all()
    # Oracle: a cone solver's optima of this source (nats), as in perception/test_rdp.py; without a constraint it is the
    # rate-distortion function.
    rates = np.asarray(surface.rate)
    np.testing.assert_allclose(rates[:, 0] * np.log(2), [0.56514689, 0.37254537], atol=2e-8)
    np.testing.assert_allclose(rates[1, 1] * np.log(2), 0.34936437, atol=2e-8)
    for i, distortion in enumerate(distortions):
        assert abs(rate_distortion(PMF, SQUARED, distortion=distortion).rate - rates[i, 2]) < 2e-8
    # Less realism, less rate; the point that is left lies between its neighbors.
    assert (np.diff(rates, axis=0) < -1e-3).all() and (np.diff(rates, axis=1) < -1e-3).all()


def test_curves_compile_once_for_all_values():
    def curve(scale):
        return rate_distortion_curve(PMF, scale * SQUARED, distortions=scale * np.linspace(0.1, 1.0, 6)).rate

    assert compilations(lambda: curve(1.0)) > 0  # which says that compilations are counted
    assert compilations(lambda: curve(1.5)) == 0


def test_gradients_pass_through_a_curve():
    gradient = jax.grad(lambda grid: rate_distortion_curve(PMF, SQUARED, distortions=grid).rate.sum())
    grid = jnp.array([0.1, 0.6])
    np.testing.assert_allclose(
        gradient(grid), -rate_distortion_curve(PMF, SQUARED, distortions=grid).slope, rtol=1e-12)


@pytest.mark.parametrize("rate", [1e-3, 0.3, 1.2, 2.1])
def test_distortion_rate_is_the_inverse(rate):
    answer = distortion_rate(PMF, SQUARED, rate=rate)
    assert bool(answer.converged) and answer.certified and answer.rate <= rate
    assert answer.gap == answer.distortion - answer.distortion_lower
    assert 0.0 <= answer.slope * answer.gap <= 1e-9 + 1e-13
    joint = PMF[:, None] * np.asarray(answer.channel)
    np.testing.assert_allclose((joint * SQUARED).sum(), answer.distortion, rtol=1e-12)
    back = rate_distortion(PMF, SQUARED, distortion=answer.distortion)
    assert abs(back.rate - rate) < 2e-9
    # Nothing below the bound is reachable at this rate.
    assert rate_distortion(PMF, SQUARED, distortion=answer.distortion_lower * (1 - 1e-6)).rate_lower > rate


def test_a_solution_at_a_rate_has_the_dispersion_of_that_at_its_distortion():
    pmf = np.array([0.3, 0.7])
    at_rate = distortion_rate(pmf, 1 - np.eye(2), rate=0.4)
    # Oracle: p (1 - p) log2((1 - p) / p)^2 of a Bernoulli source, whatever the distortion; tilted information by hand.
    assert float(at_rate.dispersion) == pytest.approx(0.21 * np.log2(7 / 3) ** 2, abs=1e-6)
    d = float(at_rate.distortion)
    by_hand = -np.log2(pmf) + d * np.log2(d) + (1 - d) * np.log2(1 - d)
    np.testing.assert_allclose(at_rate.tilted_information, by_hand, atol=1e-6)
    nothing = distortion_rate(pmf, 1 - np.eye(2), rate=0.0)
    assert float(nothing.dispersion) == 0.0 and np.all(np.asarray(nothing.tilted_information) == 0.0)


def test_distortion_rate_at_the_ends():
    entropy = -(PMF * np.log2(PMF)).sum()
    finest, coarsest = distortion_rate(PMF, SQUARED, rate=entropy + 0.1), distortion_rate(PMF, SQUARED, rate=0.0)
    assert finest.distortion == finest.distortion_lower == 0.0
    np.testing.assert_allclose([coarsest.distortion, coarsest.distortion_lower], (PMF @ SQUARED).min(), rtol=1e-14)


def test_gradient_of_the_distortion():
    rng = np.random.default_rng(0)
    along, around = rng.standard_normal(5), rng.standard_normal((5, 5))
    along -= along.mean()

    def distortion(pmf, matrix, rate):
        return distortion_rate(pmf, matrix + 1.0, rate=rate, tolerance=1e-11).distortion

    by_pmf, by_matrix, by_rate = jax.grad(distortion, argnums=(0, 1, 2))(PMF, SQUARED, 0.7)
    step = 1e-4

    def difference(*moves):
        up, down = (distortion(*(a + sign * step * m for a, m in zip((PMF, SQUARED, 0.7), moves))) for sign in (1, -1))
        return (up - down) / (2 * step)

    np.testing.assert_allclose(by_pmf @ along, difference(along, 0.0, 0.0), rtol=1e-5)
    np.testing.assert_allclose((by_matrix * around).sum(), difference(0.0, around, 0.0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(by_rate, difference(0.0, 0.0, 1.0), rtol=1e-5)


@pytest.mark.parametrize("call, said", [
    (lambda: rate_distortion_curve(PMF, SQUARED), "slopes and distortions"),
    (lambda: rate_distortion_curve(PMF, SQUARED, distortions=0.3), "distortions must have shape"),
    (lambda: rate_distortion_curve(PMF, SQUARED + 1.0, distortions=[0.3]), "smallest mean"),
    (lambda: rate_distortion_perception_surface(PMF, SQUARED, distortions=[0.3], perceptions=[-1.0], divergence="tv"),
     "perceptions must be >= 0"),
    (lambda: distortion_rate(PMF, SQUARED, rate=-0.1), "rate must be >= 0"),
])
def test_bad_input_is_refused_in_words(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_rate_zero_is_zero():
    """Fault 8: the rate reported at rate 0 was 3.5e-11."""
    answer = distortion_rate(PMF, SQUARED, rate=0.0)
    assert float(answer.rate) == 0.0 and bool(answer.converged)
    np.testing.assert_allclose(answer.distortion, (PMF @ SQUARED).min(), rtol=1e-14)
    assert float(answer.distortion_lower) <= float(answer.distortion)
