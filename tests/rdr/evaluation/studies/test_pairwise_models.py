"""Likelihoods of comparisons: closed forms, automatic derivatives, and another optimizer."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy import special, stats
from scipy import optimize
from scipy.special import ndtri

from rdr.evaluation.studies import pairwise_models as models


def random_counts(items, seed, *, ties=True):
    rng = np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(items), 2)))
    counts = rng.integers(1, 20, (len(pairs), 3)).astype(float)
    return pairs, counts if ties else counts * [1, 1, 0]


@pytest.mark.parametrize("reference", [0, 1, None])
def test_two_items_have_closed_forms(reference):
    """log(n1 / n2) for Bradley-Terry, sqrt 2 times the quantile of the share for Thurstone."""
    for first, second, ties in ((7.0, 3.0, 0.0), (999.0, 1.0, 0.0), (2.0, 5.0, 4.0)):
        n1, n2 = first + ties / 2, second + ties / 2
        expected = {"bradley_terry": np.log(n1 / n2), "thurstone": np.sqrt(2.0) * ndtri(n1 / (n1 + n2))}
        for model, value in expected.items():
            fit = models.fit_counts([[0, 1]], [[first, second, ties]], items=2, reference=reference, model=model)
            assert abs(fit.scale[0] - fit.scale[1] - value) < 1e-9
            assert (fit.scale.mean() if reference is None else fit.scale[reference]) == pytest.approx(0, abs=1e-12)


def test_davidson_on_two_items_gives_all_three_shares():
    fit = models.fit_counts([[0, 1]], [[7, 3, 4]], items=2, reference=1, model="davidson")
    assert fit.scale[0] == pytest.approx(np.log(7 / 3), abs=1e-9)
    assert np.exp(fit.log_tie) == pytest.approx(4 / np.sqrt(21), abs=1e-9)
    shares = np.exp(models.log_probabilities(fit.scale[0], fit.log_tie, "davidson"))
    np.testing.assert_allclose(shares, np.array([7, 3, 4]) / 14, rtol=1e-9)
    assert fit.log_likelihood == pytest.approx(np.sum([7, 3, 4] * np.log(shares)), rel=1e-12)


def _differentiable(theta, count, model):
    """The log-likelihood of a pair in JAX, written another way."""
    d, tie = theta
    if model == "davidson":
        weights = jnp.array([jnp.exp(d / 2), jnp.exp(-d / 2), jnp.exp(tie)])
        return jnp.sum(count * jnp.log(weights / weights.sum()))
    p = stats.norm.cdf(d / np.sqrt(2)) if model == "thurstone" else special.expit(d)
    return (count[0] + count[2] / 2) * jnp.log(p) + (count[1] + count[2] / 2) * jnp.log(1 - p)


@pytest.mark.parametrize("model", models.MODELS)
def test_derivatives_are_the_automatic_ones(model):
    counts, points = np.array([3.0, 2.0, 5.0]), np.array([[0.0, 0.0], [1.3, -0.7], [-2.1, 0.4]])
    slope, curvature = models.derivatives(points[:, 0], points[:, 1], counts, model)

    @jax.jit
    @jax.vmap
    def automatic(theta):
        gradient = jax.grad(lambda x: _differentiable(x, counts, model))
        return gradient(theta), jax.jacfwd(gradient)(theta)

    with jax.enable_x64(True):
        gradient, hessian = automatic(jnp.asarray(points, jnp.float64))
    np.testing.assert_allclose(slope, gradient, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(curvature, np.asarray(hessian)[:, [0, 0, 1], [0, 1, 1]], rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("model", models.MODELS)
@pytest.mark.parametrize(("reference", "precision"), [(2, 0.0), (None, 0.0), (2, 0.3), (None, 0.3)])
def test_scales_are_those_of_another_optimizer(model, reference, precision):
    pairs, counts = random_counts(5, 1)
    fit = models.fit_counts(pairs, counts, items=5, reference=reference, model=model, precision=precision)

    def objective(theta):
        scale = theta[:5] - (theta[:5].mean() if reference is None else theta[reference])
        logs = models.log_probabilities(scale[pairs[:, 0]] - scale[pairs[:, 1]], theta[5], model)
        return -np.sum(counts * logs) + 0.5 * precision * (scale @ scale + theta[5] ** 2 * (model == "davidson"))

    best = optimize.minimize(objective, np.zeros(6), method="BFGS", options={"gtol": 1e-9}).x
    expected = best[:5] - (best[:5].mean() if reference is None else best[reference])
    np.testing.assert_allclose(fit.scale, expected, atol=1e-6)
    if model == "davidson":
        assert fit.log_tie == pytest.approx(best[5], abs=1e-6)


@pytest.mark.parametrize("model", models.MODELS)
def test_covariances_are_the_inverse_of_finite_differences(model):
    """Of the free parameters: all scales but the source's, and log nu."""
    pairs, counts = random_counts(4, 2)
    fit = models.fit_counts(pairs, counts, items=4, reference=0, model=model, precision=0.2)
    free = [1, 2, 3, 4] if model == "davidson" else [1, 2, 3]

    def objective(theta):
        logs = models.log_probabilities(theta[pairs[:, 0]] - theta[pairs[:, 1]], theta[4], model)
        return -np.sum(counts * logs) + 0.1 * np.sum(theta**2)

    point, step = np.append(fit.scale, fit.log_tie), 1e-3
    hessian = np.zeros((len(free), len(free)))
    for a, i in enumerate(free):
        for b, j in enumerate(free):
            e, f = step * np.eye(5)[i], step * np.eye(5)[j]
            hessian[a, b] = (objective(point + e + f) - objective(point + e - f) - objective(point - e + f)
                             + objective(point - e - f)) / (4 * step**2)
    np.testing.assert_allclose(fit.covariance[np.ix_(free, free)], np.linalg.inv(hessian), rtol=1e-4)
    assert not fit.covariance[0].any() and not fit.covariance[:, 0].any()


def test_differences_have_one_covariance_wherever_the_origin_is():
    pairs, counts = random_counts(4, 3)
    first, second = (models.fit_counts(pairs, counts, items=4, reference=r) for r in (0, None))
    contrast = np.array([0, 1, 0, -1.0, 0])
    assert contrast @ first.covariance @ contrast == pytest.approx(contrast @ second.covariance @ contrast, rel=1e-9)


def test_many_sets_at_once_are_each_by_itself():
    pairs, _ = random_counts(4, 0)
    counts = np.random.default_rng(4).integers(1, 9, (3, 2, len(pairs), 3))
    together = models.fit_counts(pairs, counts, items=4, reference=0, model="davidson", precision=0.01)
    alone = models.fit_counts(pairs, counts[2, 1], items=4, reference=0, model="davidson", precision=0.01)
    assert together.scale.shape == (3, 2, 4) and together.covariance.shape == (3, 2, 5, 5)
    np.testing.assert_allclose(together.scale[2, 1], alone.scale, atol=1e-9)
    np.testing.assert_allclose(together.covariance[2, 1], alone.covariance, atol=1e-9)


@pytest.mark.parametrize("model", models.MODELS)
def test_one_unit_is_three_of_four(model):
    for log_tie in (-3.0, 0.0, 1.2):
        assert models.probability(models.unit(model, log_tie), model, log_tie) == pytest.approx(0.75, abs=1e-12)
        assert models.probability(-models.unit(model, log_tie), model, log_tie) == pytest.approx(0.25, abs=1e-12)


@pytest.mark.parametrize("model", models.MODELS)
def test_what_was_always_named_needs_a_prior(model):
    counts = [[50.0, 0, 1], [40.0, 0, 0]] if model == "davidson" else [[50.0, 0, 0], [40.0, 0, 0]]
    arguments = {"items": 3, "reference": 0, "model": model}
    with pytest.raises(ValueError, match="no finite maximum"):
        models.fit_counts([[1, 0], [2, 1]], counts, **arguments)
    fit = models.fit_counts([[1, 0], [2, 1]], counts, **arguments, precision=0.01)
    assert 2 < fit.scale[1] < fit.scale[2] < 40


@pytest.mark.parametrize("model", models.MODELS)
def test_a_group_that_was_always_named_over_another_needs_a_prior(model):
    """The likelihood is flat there to the last bit, where an iteration ends as if at a maximum."""
    rng, pairs = np.random.default_rng(0), np.array(list(itertools.combinations(range(5), 2)))
    for cut in (1, 2, 3, 4):
        for _ in range(4):
            counts = rng.integers(1, 5, (len(pairs), 3)).astype(float)
            counts[(pairs[:, 0] < cut) & (pairs[:, 1] >= cut), 1:] = 0
            with pytest.raises(ValueError, match="no finite maximum in 1 of 1 fits"):
                models.fit_counts(pairs, counts, items=5, reference=0, model=model)


def _rises_forever(pairs, counts, items):
    """Whether Davidson's likelihood has a direction in which no answer becomes less likely; by linear programs."""
    first, second = np.eye(items + 1)[pairs.T]
    difference, tie = first - second, np.eye(items + 1)[[items]]
    a, b, t = (counts[:, [i]] > 0 for i in range(3))
    bounds = np.concatenate([a * -difference, a * (tie - difference / 2), b * difference, b * (tie + difference / 2),
                             t * (difference / 2 - tie), t * (-difference / 2 - tie)])
    box = [(0, 0)] + [(-1, 1)] * items
    return any(optimize.linprog(sign * row, bounds, np.zeros(len(bounds)), bounds=box).fun < -1e-9
               for row in np.eye(items + 1)[1:] for sign in (1, -1))


def test_davidson_has_a_maximum_where_nothing_rises_forever():
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        pairs = np.array(list(itertools.combinations(range(rng.integers(2, 5)), 2)))
        counts = rng.integers(1, 4, (len(pairs), 3)) * (rng.random((len(pairs), 3)) < 0.5)
        try:
            models.fit_counts(pairs, counts, items=pairs.max() + 1, reference=0, model="davidson")
            found.append(True)
        except ValueError:
            found.append(False)
        assert found[-1] != _rises_forever(pairs, counts, pairs.max() + 1), (pairs, counts)
    assert 10 < sum(found) < 50


@pytest.mark.parametrize("model", models.MODELS)
@pytest.mark.parametrize("number", [1e3, 1e6])
def test_many_answers_that_agree_have_a_maximum_with_a_prior(number, model):
    fit = models.fit_counts([[0, 1], [1, 2]], [[number, 0, 0], [0, number, 0]], items=3, reference=0, model=model,
                            precision=0.01)
    difference = fit.scale[[0, 2]] - fit.scale[1]
    slope, _ = models.derivatives(difference, fit.log_tie, np.array([number, 0, 0]), model)
    np.testing.assert_allclose(slope[:, 0], 0.01 * np.array([-fit.scale[1:].sum(), fit.scale[2]]), rtol=1e-8)


def test_what_makes_no_sense_is_refused():
    for changes, message in (({"model": "elo"}, "model must be"), ({"items": 1}, "at least two"),
                             ({"precision": -1.0}, "not be negative"), ({"counts": [[1, -1, 0]]}, "not be negative"),
                             ({"pairs": [[0, 0]]}, "two different"), ({"pairs": [[0, 2]]}, "below 2"),
                             ({"counts": [[1, 1]]}, "must be .pairs, 2.")):
        arguments = {"pairs": [[0, 1]], "counts": [[1, 1, 0]], "items": 2, "reference": 0, **changes}
        with pytest.raises(ValueError, match=message):
            models.fit_counts(**arguments)
