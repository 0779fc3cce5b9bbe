"""Scales of a source's conditions in just noticeable differences, with intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from rdr.evaluation.studies.answers import Item
from rdr.evaluation.studies.comparisons import Comparisons, pieces
from rdr.evaluation.studies.pairwise_models import Fit, derivatives, fit_counts, unit

INTERVALS = ("auto", "observers", "bootstrap", "hessian")
PRECISION = 0.01  # of the weak prior: a standard deviation of ten of the model's units
MIN_OBSERVERS = 5  # from which on differences between them tell how certain scales are


class Scales(NamedTuple):
    """Scales of one fit, in JND: at a difference of one, 75 % name one of the two.

    Attributes:
      study: its name.
      source: its name.
      condition: the codec, or "" for all in one fit.
      items: what was compared.
      reference: index of the source, whose scale is 0, or None: the mean is 0.
      scale: [items].
      lower: [items] end of the interval of 95 %.
      upper: [items] its other end.
      observer_error: [items] standard error from the differences between observers, NaN for less than two.
      bootstrap_error: [items] standard error over resampled observers, NaN for less than two.
      hessian_error: [items] standard error if all answers were independent.
      covariance: [items, items] of the scales, by the Hessian.
      samples: [resamples, items] scales of resampled observers; [0, items] for less than two observers.
      jnd: the unit in the model's own.
      log_tie: log nu of Davidson's ties, else 0.
      model: of `rdr.evaluation.studies.pairwise_models.MODELS`.
      observers: how many answered.
      answers: how many.
      groups: [items] numbers of the groups that comparisons connect; between groups the prior alone decides.
      components: [items] numbers of the groups in which each was named over each, if by way of others; between these
        the prior alone keeps scales finite.
    """

    study: str
    source: str
    condition: str
    items: tuple[Item, ...]
    reference: int | None
    scale: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    observer_error: np.ndarray
    bootstrap_error: np.ndarray
    hessian_error: np.ndarray
    covariance: np.ndarray
    samples: np.ndarray
    jnd: float
    log_tie: float
    model: str
    observers: int
    answers: int
    groups: np.ndarray
    components: np.ndarray


def resample_observers(observers: int, *, resamples: int, seed: int) -> np.ndarray:
    """Draws observers with replacement.

    Args:
      observers: how many there are.
      resamples: how often all of them are drawn.
      seed: of the draws.

    Returns:
      [resamples, observers] how often each was drawn.
    """
    return np.random.default_rng(seed).multinomial(observers, np.full(observers, 1.0 / observers), resamples)


def fit_scales(
    comparisons: Comparisons, weights: np.ndarray, *, model: str = "thurstone", precision: float = PRECISION,
    intervals: str = "auto",
) -> Scales:
    """Fits the scales of a source.

    Intervals are scale -+ t SE with Student's t of one degree of freedom less than there are observers. With g_o the
    gradient of the log-likelihood of observer o's answers, H the negative Hessian and n observers, the covariance is

        n / (n - 1) H^-1 (sum_o g_o g_o') H^-1,

    what redrawing observers comes to without its noise. By the Hessian alone intervals are scale -+ 1.96 SE, right if
    observers do not differ.

    Where all observers named the same of two, they do not differ, nor in any resample, which would look like
    certainty. How far such components lie apart therefore varies by the Hessian in addition.

    Args:
      comparisons: what was answered.
      weights: [resamples, observers] of `resample_observers`; the same for all sources, if results of several are put
        together.
      model: "thurstone" (case V), "bradley_terry" or "davidson".
      precision: of the prior, see `rdr.evaluation.studies.pairwise_models.fit_counts`.
      intervals: "observers", "bootstrap" (the same of redrawn observers), "hessian", or "auto": the first from five
        observers on, else the last.

    Returns:
      The scales.

    Raises:
      ValueError: if an option is out of range, or there is no finite maximum without a prior.

    Reference:
      perezortiz2017practical, for comparisons scaled in JND and resampled observers; liang1986longitudinal for the
      covariance.
    """
    if intervals not in INTERVALS:
        raise ValueError(f"intervals must be one of {', '.join(INTERVALS)}, got {intervals!r}")
    items, total = len(comparisons.items), comparisons.counts.sum(0)
    options = {"items": items, "reference": comparisons.reference, "model": model, "precision": precision}
    fit = fit_counts(comparisons.pairs, total, **options)
    scale, jnd = _to_jnd(fit, model)
    covariance = _covariance(fit, model, jnd)
    hessian_error = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    taking_part = int((comparisons.counts.sum((1, 2)) > 0).sum())
    groups, components = (pieces(items, comparisons.pairs, total, directed=directed) for directed in (False, True))
    shifts = _shifts(components, comparisons.reference)
    samples, bootstrap_error = np.zeros((0, items)), np.full(items, np.nan)
    # Resamples of a study in which nobody of this source occurs say nothing about it: others take their place.
    occurs = weights[:, comparisons.counts.any((1, 2))].any(1)
    if taking_part > 1 and len(weights) > 1 and occurs.any():
        weights = weights[np.where(occurs, np.arange(len(weights)), np.resize(np.flatnonzero(occurs), len(weights)))]
        drawn = np.tensordot(weights.astype(np.float64), comparisons.counts, 1)
        # Without a prior some samples have no maximum; these have one by the prior that others have by default.
        drawn_fit = fit_counts(comparisons.pairs, drawn, **{**options, "precision": precision or PRECISION})
        samples, _ = _to_jnd(drawn_fit, model)
        samples = samples + _apart(comparisons, shifts, covariance, len(samples))
        bootstrap_error = samples.std(0, ddof=1)
    observer_error = _observer_error(comparisons, fit, model, jnd, taking_part)
    observer_error = np.sqrt(observer_error**2 + np.diagonal(shifts @ covariance @ shifts.T))
    if intervals == "auto":
        intervals = "observers" if taking_part >= MIN_OBSERVERS else "hessian"
    if (taking_part < 2 and intervals != "hessian") or (intervals == "bootstrap" and not len(samples)):
        raise ValueError(f"intervals over observers need two of them, and two resamples of a bootstrap, "
                         f"{comparisons.source} has {taking_part} and {len(weights)}: ask for intervals by the Hessian")
    if intervals == "hessian":
        half = float(stats.norm.ppf(0.975)) * hessian_error
    else:
        error = observer_error if intervals == "observers" else bootstrap_error
        half = float(stats.t.ppf(0.975, taking_part - 1)) * error
    return Scales(
        comparisons.study, comparisons.source, comparisons.condition, comparisons.items, comparisons.reference, scale,
        scale - half, scale + half, observer_error, bootstrap_error, hessian_error, covariance, samples, float(jnd),
        float(fit.log_tie), model, taking_part, round(float(total.sum())), groups, components)


def _shifts(components: np.ndarray, reference: int | None) -> np.ndarray:
    """[items, items] from scales to how far their component lies from that of the source, or from the mean of all."""
    member = (components[:, None] == np.arange(components.max() + 1)).astype(np.float64)
    mean = member @ (member.T / member.sum(0)[:, None])
    return mean - (mean[reference] if reference is not None else mean.mean(0))


def _apart(comparisons: Comparisons, shifts: np.ndarray, covariance: np.ndarray, draws: int) -> np.ndarray:
    """[draws, items] normal shifts of whole components."""
    # Each fit draws for itself: what is uncertain here is not shared by sources.
    name = "\n".join((comparisons.study, comparisons.source, comparisons.condition))
    rng = np.random.default_rng(list(name.encode()))
    return rng.multivariate_normal(np.zeros(len(shifts)), covariance, draws, method="svd") @ shifts.T


def _to_jnd(fit: Fit, model: str) -> tuple[np.ndarray, np.ndarray]:
    jnd = unit(model, fit.log_tie)
    return fit.scale / jnd[..., None], jnd


def _covariance(fit: Fit, model: str, jnd: np.ndarray) -> np.ndarray:
    """Of scales in JND; that Davidson's unit was estimated, too, is carried along to first order."""
    jacobian = _jacobian(fit, model, jnd)
    return jacobian @ fit.covariance @ jacobian.T


def _jacobian(fit: Fit, model: str, jnd: np.ndarray) -> np.ndarray:
    """[items, items + 1] of scales in JND by scales in the model's unit and log nu."""
    items = fit.scale.shape[-1]
    jacobian = np.concatenate([np.eye(items) / jnd, np.zeros((items, 1))], 1)
    if model == "davidson":
        nu = np.exp(fit.log_tie)
        jacobian[:, -1] = -fit.scale / jnd**2 * 2.0 * nu / np.sqrt(nu**2 + 12.0)
    return jacobian


def _observer_error(comparisons: Comparisons, fit: Fit, model: str, jnd: np.ndarray, observers: int) -> np.ndarray:
    items, (first, second) = len(comparisons.items), comparisons.pairs.T
    if observers < 2:
        return np.full(items, np.nan)
    difference = np.broadcast_to(fit.scale[first] - fit.scale[second], comparisons.counts.shape[:2])
    slope, _ = derivatives(difference, fit.log_tie, comparisons.counts, model)
    gradient = np.zeros((len(comparisons.counts), items + 1))
    np.add.at(gradient.T, first, slope[..., 0].T)
    np.add.at(gradient.T, second, -slope[..., 0].T)
    gradient[:, items] = slope[..., 1].sum(1)
    spread = gradient @ fit.covariance @ _jacobian(fit, model, jnd).T
    return np.sqrt(observers / (observers - 1) * np.sum(spread**2, 0))


def differences(scales: Scales) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes which conditions differ significantly from which.

    Args:
      scales: of a source.

    Returns:
      [items, items] differences of scales, row less column; their standard errors, over resampled observers if there
      are as many as a bootstrap needs, else by the Hessian; and whether 0 is outside of the interval of 95 %.
    """
    difference = scales.scale[:, None] - scales.scale[None, :]
    if scales.observers >= MIN_OBSERVERS and len(scales.samples):
        covariance = np.cov(scales.samples.T)
        quantile = stats.t.ppf(0.975, scales.observers - 1)
    else:
        covariance, quantile = scales.covariance, stats.norm.ppf(0.975)
    variance = np.diagonal(covariance)
    error = np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2.0 * covariance, 0.0))
    return difference, error, np.abs(difference) > quantile * error


def warnings_of(scales: Sequence[Scales]) -> list[str]:
    """Says what a reader of scales must know.

    Args:
      scales: of all fits.

    Returns:
      Sentences.
    """
    notes = []
    for one in scales:
        name = " ".join(filter(None, (one.study, "source", one.source, one.condition)))
        if one.groups.max() > 0:
            notes.append(f"{name}: the comparisons fall into {one.groups.max() + 1} groups without one between them; "
                         "how these lie to each other is decided by the prior alone")
        if (apart := one.components.max() + 1) > one.groups.max() + 1:
            notes.append(f"{name}: everybody named the same between {apart} groups of conditions; how far these lie "
                         "apart is decided by the prior, too, and their intervals are by the Hessian")
        if one.reference is None and one.condition:
            notes.append(f"{name}: the source was compared with nothing; the mean of the scales is 0 instead")
        if one.observers < MIN_OBSERVERS:
            notes.append(f"{name}: with {one.observers} observers intervals take all answers as independent")
    return notes
