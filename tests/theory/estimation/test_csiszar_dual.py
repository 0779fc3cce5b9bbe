"""Lower bounds in expectation by the dual: below known truths, close to them, coverage of their own expectation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory import continuous
from theory.estimation import csiszar_dual, dual, known_sources
from theory.estimation.csiszar_dual import dual_lines, evaluate_dual, fit_dual
from theory.estimation.intervals import coverage, mean
from theory.gaussian import scalar
from theory.numerics.units import bits_to_nats, nats_to_bits


def line_samples(seed, number):
    return known_sources.gaussian_samples(jax.random.key(seed), number, [1.0])


def test_a_gaussian_on_the_line_is_bounded_from_below_and_closely():
    x = line_samples(0, 20_000)
    point = dual(x[:4000], x[4000:], slopes=[1.0, 3.0], atoms=32, iterations=60)
    truth = np.asarray(scalar.rate_distortion(point.distortion, 1.0))
    assert (np.asarray(point.rate) < truth + 2 * np.asarray(point.rate_se)).all()
    assert (np.asarray(point.rate) > truth - 0.08).all()  # most of it the maximum of many means
    assert point.kind == "lower" and point.held_out == 16_000 and (np.asarray(point.distortion_se) == 0).all()
    # What is measured is the held-out part.
    lines = dual_lines(fit_dual(x[:4000], slopes=[1.0, 3.0], atoms=32, iterations=60), x[4000:])
    np.testing.assert_allclose(point.rate, lines.intercept - lines.slope * point.distortion, rtol=1e-9)
    # At distortions, each on its best line; every line holds at every distortion.
    given = dual(x[:4000], x[4000:], slopes=[1.0, 3.0], distortion=[0.24, 0.7], atoms=32, iterations=60)
    assert (np.asarray(given.rate) < np.asarray(scalar.rate_distortion([0.24, 0.7], 1.0))).all()
    assert np.asarray(given.rate)[0] > 0.9


def test_the_value_is_the_dual_of_the_empirical_distribution_with_a_searched_supremum():
    x = line_samples(1, 200)
    function = fit_dual(x[:100], slopes=[2.0, 3.0], atoms=32, iterations=60)
    lines = dual_lines(function, x[100:], tolerance=1e-4)
    nu = np.asarray(evaluate_dual(x[100:], function))[:, 0]
    y = np.linspace(-4, 4, 8001)
    c = np.exp(nu[:, None] - float(bits_to_nats(2.0)) * (np.asarray(x[100:]) - y) ** 2).mean(0)
    assert float(lines.intercept[0]) == pytest.approx(float(nats_to_bits(nu.mean() + 1 - c.max())), abs=2e-4)
    np.testing.assert_allclose(lines.influence.mean(0), lines.intercept, rtol=1e-12)
    # The floor keeps nu bounded, far from all atoms too.
    far = np.asarray(evaluate_dual(jnp.full((2, 1), 1e3), function))
    np.testing.assert_allclose(far, np.tile(function.shift - np.log(function.floor), (2, 1)), rtol=1e-12)


def own_coverage(repetitions, number, slope, dimension):
    """Share of intervals that hold the estimate's expectation, and the expectation less the truth."""
    variances = np.ones(dimension)
    function = fit_dual(known_sources.gaussian_samples(jax.random.key(2), 2000, variances), slopes=[slope], atoms=32,
                        iterations=60)
    found = [mean(dual_lines(function, known_sources.gaussian_samples(key, number, variances)).influence[:, 0])
             for key in jax.random.split(jax.random.key(3), repetitions)]
    value, se = (np.array([float(one[k]) for one in found]) for k in range(2))
    z, expected = 1.959964, value.mean()
    distortion = float(function.distortion[0]) / dimension
    truth = dimension * (float(scalar.rate_distortion(distortion, 1.0)) + slope * distortion)
    return coverage(value - z * se, value + z * se, expected), expected - truth, value.std() / se.mean()


@pytest.mark.stress
def test_intervals_cover_their_expectation_which_is_below_the_truth():
    share, gap, spread = own_coverage(200, 1000, 3.0, 1)
    assert 0.91 <= share.share <= 0.99 and -0.2 < gap < 0.0, (share, gap, spread)


@pytest.mark.stress
def test_intervals_cover_in_the_plane():
    share, gap, spread = own_coverage(200, 1000, 2.0, 2)
    print(f"coverage {share}, expectation less truth {gap}, spread of values over mean standard error {spread}")
    assert 0.91 <= share.share <= 0.99 and gap < 0.0


@pytest.mark.stress
def test_the_noisy_circle_is_bounded_within_one_and_a_half_percent():
    x = known_sources.noisy_sphere_samples(jax.random.key(4), 120_000, 2)
    slope = float(nats_to_bits(5.0))
    # Training samples' errors weigh as much as held-out ones': a maximum over noise either way.
    point = dual(x[:50_000], x[50_000:], slopes=[slope], atoms=48, iterations=40)
    value, truth = float(point.rate[0] + slope * point.distortion[0]), float(known_sources.noisy_sphere_value(2))
    print(f"noisy circle: {value} of {truth} bits, se {float(point.rate_se[0])}")
    assert 0.985 * truth < value < truth


@pytest.mark.stress
def test_the_noisy_sphere_is_bounded_in_five_dimensions_and_refused_in_ten():
    """In five there is room for the first boxes alone, whose bound may be e^.25 too large: .25 nats of 5.18."""
    slope = float(nats_to_bits(5.0))
    x = known_sources.noisy_sphere_samples(jax.random.key(4), 12_000, 5)
    point = dual(x[:6000], x[6000:], slopes=[slope], atoms=256, iterations=40)
    value, truth = float(point.rate[0] + slope * point.distortion[0]), float(known_sources.noisy_sphere_value(5))
    print(f"noisy sphere in 5 dimensions: {value} of {truth} bits, se {float(point.rate_se[0])}")
    assert 0.75 * truth < value < truth
    y = known_sources.noisy_sphere_samples(jax.random.key(4), 400, 10)
    with pytest.raises(ValueError, match="must have few dimensions"):
        dual(y[:200], y[200:], slopes=[slope], atoms=32, iterations=10)


@pytest.mark.stress
def test_the_banana_is_bounded_below_its_certified_rate():
    x = known_sources.banana_samples(jax.random.key(5), 40_000)
    slopes = [0.5, 2.0]
    point = dual(x[:10_000], x[10_000:], slopes=slopes, atoms=128, iterations=80)
    curve = continuous.rate_distortion_curve(continuous.banana(), slopes, quality="coarse")
    truth = np.asarray(curve.rate_lower) + np.asarray(slopes) * np.asarray(curve.distortion - point.distortion)
    print(f"banana: {point.rate} bits of {truth}")
    assert (np.asarray(point.rate) < truth + 2 * np.asarray(point.rate_se)).all()
    assert (np.asarray(point.rate) > truth - 0.15).all()


@pytest.mark.parametrize("call, message", [
    (lambda x: dual(x, x, slopes=[0.0]), "slopes must be > 0"),
    (lambda x: dual(x[:4], x, slopes=[1.0]), "training must"),
    (lambda x: dual(x, x[:1], slopes=[1.0]), "held_out must"), (lambda x: dual(x * np.nan, x, slopes=[1.0]), "finite"),
    (lambda x: dual(x, x, slopes=[1.0], atoms=np.zeros((2, 3))), "atoms must have shape"),
    (lambda x: dual(x, x, slopes=[1.0], atoms=0), "atoms must be >= 1")])
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0).normal(size=(20, 1)))


def test_samples_that_are_all_the_same_need_no_rate():
    x = np.full((100, 1), 2.0)
    point = dual(x, x, slopes=[1.0, 3.0], atoms=32, iterations=60)
    assert (np.abs(np.asarray(point.rate)) < 1e-6).all() and (np.asarray(point.distortion) < 1e-12).all()


def test_the_line_of_a_distortion_is_chosen_by_training_samples_alone(monkeypatch):
    influence = jnp.asarray(np.random.default_rng(0).normal(size=(50, 1)) + np.array([1.0, 3.0]))
    made = csiszar_dual.DualLines(jnp.array([1.0, 2.0]), influence.mean(0), influence, jnp.array([2.0, 1.0]),
                                  jnp.array([1.0, 0.5]))
    monkeypatch.setattr(csiszar_dual, "fit_dual", lambda *_, **__: None)
    monkeypatch.setattr(csiszar_dual, "dual_lines", lambda *_, **__: made)
    found = csiszar_dual.dual(np.eye(8), np.eye(8), slopes=[1.0, 2.0], distortion=[0.1])
    np.testing.assert_allclose(found.rate, made.intercept[:1] - 0.1)
