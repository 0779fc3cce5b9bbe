"""Likelihoods of comparisons and their maximum: Thurstone's case V, Bradley and Terry, and Davidson's ties.

With scales s and d = s_i - s_j, the probability that i is named over j is

    Thurstone, case V:   Phi(d / sqrt 2)
    Bradley-Terry:       1 / (1 + exp(-d)),

a tie counting half for each; with Davidson's ties i, j and the tie have probabilities in the ratio exp(d / 2) to
exp(-d / 2) to nu. All of them are concave in scales and log nu. A weak prior, normal with precision tau around the
source (around the mean of the scales where there is none), keeps them finite.

Derivatives are written out, in float64 of NumPy: problems are small and of many shapes, and a server that chooses the
next question cannot wait for a compiler.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import NegativeCycleError, bellman_ford
from scipy.special import expit, log_expit, log_ndtr, ndtr, ndtri

from rdr.evaluation.studies.comparisons import pieces

MODELS = ("thurstone", "bradley_terry", "davidson")
_ITERATIONS = 200
_FARTHEST = 1e3  # units of the model at which an iteration is given up
_STEP = 1e-11  # of the scales, at which the iteration ends; it converges quadratically


class Fit(NamedTuple):
    """The maximum of a likelihood with its prior, in the model's own unit.

    Attributes:
      scale: [.., items], 0 for the source, or of mean 0.
      log_tie: [..] log nu of Davidson's model, else 0.
      covariance: [.., items + 1, items + 1] inverse of the negative Hessian, of scales and log nu; 0 for the source.
      log_likelihood: [..] without the prior, nats.
    """

    scale: np.ndarray
    log_tie: np.ndarray
    covariance: np.ndarray
    log_likelihood: np.ndarray


def log_probabilities(difference: Any, log_tie: Any, model: str) -> np.ndarray:
    """Computes the logarithms of what the counts of a pair are weighted with.

    Args:
      difference: s_i - s_j, in the model's unit, any shape.
      log_tie: log nu, of a shape that goes with it; used by "davidson" alone.
      model: one of `MODELS`.

    Returns:
      [.., 3] for the first, the second and a tie; a tie of the first two models is half of the others' sum, a
      tie counting half for each. Nats.
    """
    difference = np.asarray(difference, np.float64)
    if model == "davidson":
        # By what the others are to each, since a probability of almost 1 has a logarithm that must not cancel.
        half, tie = np.broadcast_arrays(0.5 * difference, log_tie)
        others = ((-2.0 * half, tie - half), (2.0 * half, tie + half), (half - tie, -half - tie))
        return np.stack([-np.logaddexp(0.0, np.logaddexp(*two)) for two in others], -1)
    if model == "thurstone":
        first, second = log_ndtr(difference / np.sqrt(2.0)), log_ndtr(-difference / np.sqrt(2.0))
    else:
        first, second = log_expit(difference), log_expit(-difference)
    return np.stack([first, second, 0.5 * (first + second)], -1)


def derivatives(difference: Any, log_tie: Any, counts: np.ndarray, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Differentiates a pair's log-likelihood twice, by the difference of its scales and by log nu.

    Args:
      difference: s_i - s_j, in the model's unit, any shape.
      log_tie: log nu, of a shape that goes with it.
      counts: [.., 3] how often the first, the second and neither was named.
      model: one of `MODELS`.

    Returns:
      [.., 2] and [.., 3], the latter for two differences, both, and log nu twice; zero by log nu except for "davidson".
    """
    difference = np.asarray(difference, np.float64)
    slope, curvature = np.zeros((*difference.shape, 2)), np.zeros((*difference.shape, 3))
    if model == "davidson":
        p, q, r = np.moveaxis(np.exp(log_probabilities(difference, log_tie, model)), -1, 0)
        a, b, tie = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
        total = a + b + tie  # p + q + r = 1 is used so that nothing cancels where one of them is almost 1
        slope[..., 0] = 0.5 * (a * (2.0 * q + r) - b * (2.0 * p + r) - tie * (p - q))
        slope[..., 1] = tie * (p + q) - (a + b) * r
        curvature[..., 0] = -0.25 * total * (4.0 * p * q + r * (p + q))
        curvature[..., 1] = 0.5 * total * (p - q) * r
        curvature[..., 2] = -total * r * (p + q)
        return slope, curvature
    first, second = counts[..., 0] + 0.5 * counts[..., 2], counts[..., 1] + 0.5 * counts[..., 2]
    if model == "thurstone":
        z = difference / np.sqrt(2.0)
        density = -0.5 * z**2 - 0.5 * np.log(2.0 * np.pi)
        up, down = np.exp(density - log_ndtr(z)), np.exp(density - log_ndtr(-z))
        slope[..., 0] = (first * up - second * down) / np.sqrt(2.0)
        curvature[..., 0] = -0.5 * (first * up * (up + z) + second * down * (down - z))
    else:
        slope[..., 0] = first * expit(-difference) - second * expit(difference)
        curvature[..., 0] = -(first + second) * expit(difference) * expit(-difference)
    return slope, curvature


def probability(difference: Any, model: str, log_tie: Any = 0.0) -> np.ndarray:
    """Computes how often the first is named, ties counting half.

    Args:
      difference: s_i - s_j, in the model's unit.
      model: one of `MODELS`.
      log_tie: log nu of "davidson".

    Returns:
      Probabilities, the shape of `difference`.
    """
    difference = np.asarray(difference, np.float64)
    if model != "davidson":
        return ndtr(difference / np.sqrt(2.0)) if model == "thurstone" else expit(difference)
    p = np.exp(log_probabilities(difference, log_tie, model))
    return p[..., 0] + 0.5 * p[..., 2]


def unit(model: str, log_tie: Any = 0.0) -> np.ndarray:
    """Computes the difference of scales at which one of two is named by 75 %, ties counting half: one JND.

    sqrt(2) Phi^-1(3/4), log 3, and for Davidson, from x^2 - nu x - 3 = 0 with x = exp(d / 2),

        2 log((nu + sqrt(nu^2 + 12)) / 2).

    Args:
      model: one of `MODELS`.
      log_tie: log nu, any shape.

    Returns:
      The unit, the shape of `log_tie`.
    """
    log_tie = np.asarray(log_tie, np.float64)
    if model == "davidson":
        nu = np.exp(log_tie)
        return 2.0 * np.log(0.5 * (nu + np.sqrt(nu**2 + 12.0)))
    return np.full(log_tie.shape, np.sqrt(2.0) * ndtri(0.75) if model == "thurstone" else np.log(3.0))


def fit_counts(
    pairs: np.ndarray, counts: np.ndarray, *, items: int, reference: int | None, model: str = "thurstone",
    precision: float = 0.0,
) -> Fit:
    """Finds the most likely scales, of many sets of counts at once.

    Newton's method with steps that are shortened until the posterior rises.

    Args:
      pairs: [pairs, 2] indices of items.
      counts: [.., pairs, 3] how often the first, the second and neither was named.
      items: how many there are, at least two.
      reference: the item whose scale is 0, or None: their mean is.
      model: one of `MODELS`.
      precision: tau of the prior on every scale and on log nu, 1 over the square of the model's unit; 0 for none.

    Returns:
      Scales and their covariance, for each set.

    Raises:
      ValueError: if an argument is out of range, or there is no finite maximum, which a prior would give.

    Reference:
      thurstone1927law; bradley1952rank; davidson1970extending, whose nu this is; ford1957solution for when there is a
      finite maximum.
    """
    pairs, counts = np.asarray(pairs, np.int64), np.asarray(counts, np.float64)
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, got {model!r}")
    if items < 2 or pairs.ndim != 2 or pairs.shape[1] != 2 or counts.shape[-2:] != (len(pairs), 3) or not len(pairs):
        raise ValueError(f"pairs and counts must be [pairs, 2] and [.., pairs, 3] of at least two items, got "
                         f"{pairs.shape}, {counts.shape} and {items} items")
    if pairs.min() < 0 or pairs.max() >= items or (pairs[:, 0] == pairs[:, 1]).any():
        raise ValueError(f"pairs must hold two different indices below {items}")
    if not (np.isfinite(counts) & (counts >= 0)).all() or not precision >= 0:
        raise ValueError("counts and precision must not be negative")
    sets, shape = counts.reshape(-1, len(pairs), 3), counts.shape[:-2]
    if not precision:
        without = sum(not _has_maximum(pairs, one, items, model) for one in sets)
        if without:
            few = ", or too few or too many are ties" if model == "davidson" else ""
            raise ValueError(f"the likelihood has no finite maximum in {without} of {len(sets)} fits: items were "
                             f"always or never named, or not compared with others{few}; a prior (precision > 0) "
                             "gives one")
    theta, covariance, converged = _newton(pairs, sets, _prior(items, reference, precision, model), model)
    if not converged.all():
        raise ValueError(f"the maximum was not found in {np.sum(~converged)} of {len(sets)} fits: counts may differ "
                         "too much in size")
    contrast = np.eye(items + 1)  # differences to the source, or the mean: what fixes the origin has no part in them
    contrast[:items, :items] -= np.eye(items)[reference] if reference is not None else 1.0 / items
    theta, covariance = theta @ contrast.T, contrast @ covariance @ contrast.T
    if model != "davidson":
        covariance[:, items] = covariance[:, :, items] = 0.0
    likelihood = _likelihood(pairs, sets, theta, model)
    return Fit(theta[:, :items].reshape(*shape, items), theta[:, items].reshape(shape),
               covariance.reshape(*shape, items + 1, items + 1), likelihood.reshape(shape))


def _has_maximum(pairs: np.ndarray, counts: np.ndarray, items: int, model: str) -> bool:
    """Whether a likelihood without a prior has one finite maximum: no direction in which it never falls.

    Far out it is flat to the last bit, so that an iteration would end there as well.
    """
    if pieces(items, pairs, counts, directed=True).max() > 0:
        return False
    if model != "davidson":
        return True
    if not counts[:, 2].any():
        return False  # nu goes to 0
    # Does nu go to infinity, with s_i - s_j >= 2 where i was named over j, and |s_i - s_j| <= 2 where neither was?
    # Such scales exist unless a cycle of these bounds, "s of the end less s of the start is at most", is negative.
    bounds = np.full((items, items), np.inf)
    for start, end, bound, these in ((0, 1, 2.0, counts[:, 2]), (1, 0, 2.0, counts[:, 2]), (0, 1, -2.0, counts[:, 0]),
                                     (1, 0, -2.0, counts[:, 1])):
        np.minimum.at(bounds, (pairs[these > 0, start], pairs[these > 0, end]), bound)
    try:
        bellman_ford(bounds, indices=0)
    except NegativeCycleError:
        return True
    return False


def _prior(items: int, reference: int | None, precision: float, model: str) -> np.ndarray:
    """[items + 1, items + 1] matrix of the quadratic form: the prior, and what fixes the origin.

    The likelihood and the prior do not change when all scales are shifted, so that fixing the origin by a further term
    moves nothing else: at the maximum that term is zero.
    """
    matrix, center, origin = np.zeros((items + 1, items + 1)), np.eye(items), np.zeros((items, items))
    if reference is None:
        center -= 1.0 / items
        origin += 1.0 / items
    else:
        center[:, reference] -= 1.0
        origin[reference, reference] = 1.0
    matrix[:items, :items] = precision * center.T @ center + origin
    matrix[items, items] = precision if model == "davidson" else 1.0
    return matrix


def _likelihood(pairs: np.ndarray, counts: np.ndarray, theta: np.ndarray, model: str) -> np.ndarray:
    difference = theta[:, pairs[:, 0]] - theta[:, pairs[:, 1]]
    # Counts of zero times infinitely unlikely is zero.
    logs = np.maximum(log_probabilities(difference, theta[:, -1:], model), -1e300)
    return np.sum(counts * logs, (1, 2))


def _assembly(pairs: np.ndarray, size: int) -> tuple[Any, Any]:
    """Sparse matrices that add up derivatives of pairs to those of scales and log nu."""
    number, (first, second), tie = np.arange(len(pairs)), pairs.T, np.full(len(pairs), size - 1)

    def add(*parts: tuple[np.ndarray, Any, float], width: int, height: int) -> Any:
        rows, columns, values = zip(*((row, column, np.full(len(pairs), value)) for row, column, value in parts))
        return sparse.csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
                                shape=(height, width))

    slope = add((first, number * 2, 1.0), (second, number * 2, -1.0), (tie, number * 2 + 1, 1.0),
                height=size, width=2 * len(pairs))
    at = number * 3
    curvature = add(
        (first * size + first, at, 1.0), (second * size + second, at, 1.0), (first * size + second, at, -1.0),
        (second * size + first, at, -1.0), (first * size + tie, at + 1, 1.0), (tie * size + first, at + 1, 1.0),
        (second * size + tie, at + 1, -1.0), (tie * size + second, at + 1, -1.0), (tie * size + tie, at + 2, 1.0),
        height=size * size, width=3 * len(pairs))
    return slope, curvature


def _newton(
    pairs: np.ndarray, counts: np.ndarray, prior: np.ndarray, model: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maxima of many likelihoods: scales with log nu, covariance, and whether each was found."""
    size, sets = len(prior), len(counts)
    add_slope, add_curvature = _assembly(pairs, size)
    theta, covariance, converged = np.zeros((sets, size)), np.zeros((sets, size, size)), np.zeros(sets, bool)
    rate, open_ones = np.ones(sets), np.arange(sets)

    def objective(theta, counts):
        return 0.5 * np.einsum("bi,ij,bj->b", theta, prior, theta) - _likelihood(pairs, counts, theta, model)

    value = objective(theta, counts)
    for _ in range(_ITERATIONS):
        if not open_ones.size:
            break
        now, count = theta[open_ones], counts[open_ones]
        first, second = derivatives(now[:, pairs[:, 0]] - now[:, pairs[:, 1]], now[:, -1:], count, model)
        slope = now @ prior - (add_slope @ first.reshape(len(now), -1).T).T
        hessian = prior - (add_curvature @ second.reshape(len(now), -1).T).T.reshape(-1, size, size)
        try:
            inverse = np.linalg.inv(hessian)
        except np.linalg.LinAlgError:
            break
        step = np.einsum("bij,bj->bi", inverse, slope)
        tried = now - rate[open_ones, None] * step
        reached = objective(tried, count)
        better = reached <= value[open_ones] + 1e-13 * np.abs(value[open_ones])
        small = np.abs(step).max(1) < _STEP * (1.0 + np.abs(now).max(1))
        done = better & small & (rate[open_ones] == 1.0)
        theta[open_ones] = np.where(better[:, None], tried, now)
        value[open_ones] = np.where(better, reached, value[open_ones])
        rate[open_ones] = np.where(better, np.minimum(1.0, 2.0 * rate[open_ones]), 0.25 * rate[open_ones])
        covariance[open_ones], converged[open_ones] = inverse, done
        open_ones = open_ones[~done & (np.abs(theta[open_ones]).max(1) < _FARTHEST)]
    return theta, covariance, converged
