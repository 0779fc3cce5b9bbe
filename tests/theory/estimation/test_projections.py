"""Bounds by projections: the theorem on Gaussian vectors, from samples, and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from theory.estimation import csiszar_dual, known_sources, projections
from theory.gaussian import scalar, vector

VARIANCES = np.array([1.0, 0.25, 0.01])
SLOPES = np.array([1.0, 4.0])


@pytest.fixture(scope="module")
def lines():
    rotation = stats.ortho_group.rvs(3, random_state=0)
    x = known_sources.gaussian_samples(jax.random.key(0), 10_000, VARIANCES) @ rotation
    return projections.projection_lines(x[:2000], x[2000:], [rotation[:1], rotation[1:2]], slopes=SLOPES, atoms=32,
                                        iterations=60)


def test_distortion_rate_functions_of_projections_add_up_to_a_lower_bound():
    slopes = np.array([0.5, 1.0, 3.0, 8.0, 20.0])
    distortions = 0.5 / np.log(2) / slopes  # of a Gaussian at each slope
    rates = np.linspace(0.0, 3.0, 7)
    kept = np.array([[scalar.rate_distortion(min(d, v), v) + s * min(d, v) for s, d in zip(slopes, distortions)]
                     for v in VARIANCES])
    bound = np.asarray(projections.density_bound(np.tile(slopes, (3, 1)), kept, rate=rates))
    exact = np.asarray(sum(scalar.distortion_rate(rates, v) for v in VARIANCES))
    whole = np.asarray(vector.distortion_rate(rates, VARIANCES))
    # Lines are below each projection's function, whose sum is below the vector's, with equality at rate 0.
    assert (bound <= exact + 1e-12).all() and (exact <= whole + 1e-12).all()
    assert (bound > 0.7 * exact)[:5].all()


def test_from_samples(lines):
    rates = np.array([0.0, 0.5, 1.0])
    found = projections.projection_bound(lines, rate=rates)
    truth = np.asarray(sum(scalar.distortion_rate(rates, v) for v in VARIANCES[:2]))
    assert (np.asarray(found.distortion) < truth + 2 * np.asarray(found.distortion_se)).all()
    assert (np.asarray(found.distortion) > 0.7 * truth).all()
    assert (np.asarray(found.distortion) < np.asarray(vector.distortion_rate(rates, VARIANCES))).all()
    assert found.kind == "lower" and (np.asarray(found.rate_se) == 0).all() and found.assumptions == ""


def test_independent_projections_share_the_rate(lines):
    distortion = np.array([0.3, 0.8])
    found = projections.independent_bound(lines, distortion=distortion)
    truth = np.asarray(vector.rate_distortion(distortion, VARIANCES[:2]))
    assert (np.asarray(found.rate) < truth + 2 * np.asarray(found.rate_se)).all()
    assert (np.asarray(found.rate) > truth - 0.4).all() and "independent" in found.assumptions


def test_standard_errors_are_those_of_the_sum(lines):
    found = projections.projection_bound(lines, rate=0.0)
    best = [int(jnp.argmax(one.expected / one.slope)) for one in lines]
    total = sum(one.influence[:, k] / one.slope[k] for one, k in zip(lines, best))
    np.testing.assert_allclose([found.distortion, found.distortion_se], [total.mean(), stats.sem(total)], rtol=1e-10)


def test_principal_projections():
    x = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 3.0, 2.0]
    found = projections.principal_projections(x, size=1)
    assert np.abs(np.concatenate(found))[[0, 1, 2], [1, 2, 0]] == pytest.approx(1.0, abs=0.05)
    assert [each.shape for each in projections.principal_projections(x, size=2)] == [(2, 3)]
    assert len(projections.principal_projections(x[:, :1] * np.ones((1, 3)), size=1)) == 1
    with pytest.raises(ValueError, match="count must be between 1 and 1"):
        projections.principal_projections(x, size=2, count=2)


@pytest.mark.parametrize("given, message", [
    ([], "at least one"), ([np.ones((1, 3))], "orthonormal rows"),
    ([np.eye(3)[:1], np.eye(3)[:1]], "all of them together"),
    ([np.eye(2)], r"shape \[k, 3\]")])
def test_refuses_what_is_no_orthogonal_projection(given, message):
    with pytest.raises(ValueError, match=message):
        projections.check_projections(given, 3)


def test_refuses_lines_of_different_samples(lines):
    other = lines[0]._replace(influence=lines[0].influence[:10])
    with pytest.raises(ValueError, match="one set of held-out samples"):
        projections.projection_bound([lines[0], other], rate=1.0)
    with pytest.raises(ValueError, match="same slopes"):
        projections.independent_bound([lines[0], lines[1]._replace(slope=lines[1].slope + 1)], distortion=1.0)
    with pytest.raises(ValueError, match="at least one projection"):
        projections.projection_bound([], rate=1.0)
    with pytest.raises(ValueError, match="slopes and intercepts must have one shape"):
        projections.density_bound([[1.0]], [[1.0, 2.0]], rate=1.0)


def test_lines_are_chosen_by_training_samples_alone():
    noise = np.random.default_rng(0).normal(size=(50, 1))
    influence = jnp.asarray(noise - noise.mean() + np.array([1.0, 3.0]))  # held-out samples like the second line

    def made(*expected):
        return csiszar_dual.DualLines(jnp.array([1.0, 2.0]), influence.mean(0), influence, jnp.array(expected),
                                      jnp.array([1.0, 0.5]))

    found = projections.projection_bound([made(2.0, 1.0)], rate=[0.5, 1.5])
    np.testing.assert_allclose(found.distortion, [0.5, -0.5])  # (1 - R) / 1, where the second has (3 - R) / 2
    assert projections.projection_bound([made(0.4, 0.4)], rate=0.5).distortion == 0  # nothing is hoped for
    together = projections.independent_bound([made(2.0, 1.0), made(-0.1, -0.1)], distortion=0.1)
    np.testing.assert_allclose(together.rate, 1.0 - 0.1)
