"""Oracle: R(D, P) of a Gaussian under W2 squared in closed form, on the line and for independent components."""

import jax
import numpy as np
import pytest

from theory.estimation import known_sources, realism_bounds
from theory.estimation.csiszar_dual import DualLines
from theory.estimation.projections import projection_bound
from theory.gaussian import scalar

RATES, PERCEPTIONS = np.array([0.5, 1.5]), np.array([0.0, 0.05, 0.3, 2.0])


def least_distortion(rate, perception, variance=1.0):
    """v + u - 2 (u v (1 - 2^-2R))^1/2 at the standard deviation u^1/2 that is allowed and nearest to the best."""
    scale, plain = np.sqrt(variance), np.sqrt(variance * (1 - 4.0**-rate))
    u = np.maximum(plain, scale - np.sqrt(perception))
    return variance + u**2 - 2 * u * plain


def touching_lines(x, rates, variance):
    """Lines that touch the Gaussian's R(D) at rates, without errors."""
    distortion = variance * 4.0 ** -np.asarray(rates)
    slope = 0.5 / np.log(2) / distortion
    intercept = np.asarray(rates) + slope * distortion
    return DualLines(slope, intercept, np.tile(intercept, (len(x), 1)), intercept, distortion)


def normalized(count, variances):
    """Samples with exactly these second moments, uncorrelated."""
    x = np.random.default_rng(0).normal(size=(count, len(variances)))
    x -= x.mean(0)
    u, _, v = np.linalg.svd(x, full_matrices=False)
    return u @ v * np.sqrt(count * np.asarray(variances))


def test_exact_lines_of_a_gaussian_give_its_rate_distortion_perception_function():
    x = normalized(500, [1.0])
    found = realism_bounds.realism_bound([touching_lines(x, RATES, 1.0)], x, x, [np.eye(1)], rate=RATES[:, None],
                                         perception=PERCEPTIONS)
    truth = least_distortion(RATES[:, None], PERCEPTIONS)
    np.testing.assert_allclose(found.distortion, truth, rtol=2e-3)
    assert (np.asarray(found.distortion) <= truth * (1 + 1e-9)).all() and found.kind == "lower"
    for r, d, p in zip(*(np.ravel(v) for v in (found.rate, truth, found.perception)), strict=True):
        assert float(scalar.rate_distortion_perception(d, p, 1.0)) == pytest.approx(r, abs=1e-6)


def test_perception_is_shared_by_projections_and_nothing_is_claimed_where_lines_say_nothing():
    variances = [1.0, 0.3]
    x = normalized(400, variances)
    lines = [touching_lines(x, RATES, v) for v in variances]
    axes = [np.eye(2)[:1], np.eye(2)[1:]]
    found = np.asarray(realism_bounds.realism_bound(lines, x, x, axes, rate=1.5, perception=PERCEPTIONS).distortion)
    # Any split of P between the components has at least this distortion, and the best one has just this.
    splits = np.linspace(0, 1, 2001)
    best = [min(sum(least_distortion(1.5, part * p, v) for part, v in zip((s, 1 - s), variances)) for s in splits)
            for p in PERCEPTIONS]
    np.testing.assert_allclose(found, best, rtol=2e-3)
    plain = projection_bound(lines, rate=1.5)
    assert found[-1] == pytest.approx(float(plain.distortion), rel=1e-9)  # realism that does not bind
    beyond = realism_bounds.realism_bound(lines, x, x, axes, rate=9.0, perception=0.0)
    assert float(beyond.distortion) == 0.0


def test_from_samples_it_stays_below_the_truth_and_is_close():
    from theory.estimation.projections import projection_lines

    x = known_sources.gaussian_samples(jax.random.key(1), 6000, np.ones(1)) + 3.0
    axes = [np.eye(1)]
    lines = projection_lines(x[:2000], x[2000:], axes, slopes=[2.885], atoms=24, iterations=40)
    found = realism_bounds.realism_bound(lines, x[:2000], x[2000:], axes, rate=1.0,
                                         perception=[0.0, 0.002, 1.0])
    truth = least_distortion(1.0, np.array([0.0, 0.002, 1.0]))
    assert (np.asarray(found.distortion) < truth + 2 * np.asarray(found.distortion_se)).all()
    assert (np.asarray(found.distortion) > 0.85 * truth).all() and (np.asarray(found.distortion_se) > 0).all()
    assert (np.diff(np.asarray(found.distortion)) < 0).all()


def test_choices_depend_on_training_samples_alone():
    x, held_out = normalized(200, [1.0]), np.random.default_rng(1).normal(size=(60, 1))
    held_out[30:] *= 2.0
    noise = np.random.default_rng(2).normal(size=(60, 2))

    def bound(rows):
        lines = touching_lines(rows, RATES, 1.0)
        lines = lines._replace(influence=lines.influence + noise[np.isin(held_out, rows)[:, 0]])
        return float(realism_bounds.realism_bound([lines], x, rows, [np.eye(1)], rate=0.5, perception=0.05).distortion)

    # A mean of what held-out samples say: else they would choose what they are to test.
    halves = [bound(held_out[:30]), bound(held_out[30:])]
    assert bound(held_out) == pytest.approx(np.mean(halves), rel=1e-12) and abs(halves[0] - halves[1]) > 0.01


@pytest.mark.parametrize("change, message", [
    ({"rate": -1.0}, "rate must be >= 0"), ({"perception": -1.0}, "perception must be >= 0"),
    ({"projections": [np.eye(2)]}, "projections must have shape"), ({"held_out": np.ones((3, 1))}, "held-out samples")])
def test_refuses(change, message):
    x = normalized(20, [1.0])
    given = {"projections": [np.eye(1)], "rate": 1.0, "perception": 0.0, "held_out": x} | change
    with pytest.raises(ValueError, match=message):
        realism_bounds.realism_bound([touching_lines(x, RATES, 1.0)], x, given.pop("held_out"),
                                     given.pop("projections"), **given)
