"""Look-up of the bounds known for a source, a distortion, a perception measure and shared randomness."""

from __future__ import annotations

import functools
import itertools

import jax.numpy as jnp
import numpy as np

from theory.bounds.bound import SHARED, Bound, in_order, only_at_zero, plain, shared_bits
from theory.bounds.gaussian_cases import gaussian_bounds, gaussian_vector_bounds
from theory.bounds.sources import Source
from theory.closed_form import bernoulli, laplace, manifolds, shannon_lower_bound, uniform
from theory.gaussian import vector as gaussian_vector
from theory.numerics.checks import check_choice, check_domain
from theory.quantization import laplace as laplace_quantizer
from theory.quantization import uniform as uniform_quantizer

# Distortions of `bounds_of`: names of d(x, y).
DISTORTIONS = ("squared_error", "absolute_error", "hamming")
# Perceptions of `bounds_of`: names of the divergence that P bounds; "none" for R(D).
PERCEPTIONS = ("none", "w2sq", "kl", "reverse_kl", "hellinger2", "tv", "conditional_w2sq")


def _half_line(source):
    """Nodes on [0, inf) and probabilities of |X - EX|, by Gauss's rule on pieces."""
    deviation = float(np.sqrt(source.covariance[0, 0]))
    if source.name == "uniform":
        ends = np.linspace(0.0, np.sqrt(3.0), 5)
    else:  # a Laplacian's tail beyond 34 deviations has probability e^-48
        ends = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 9.0, 17.0, 34.0])
    places, weights = np.polynomial.legendre.leggauss(24)
    halves = np.diff(ends)[:, None] / 2
    nodes = deviation * (ends[:-1, None] + halves * (1.0 + places)).ravel()
    masses = (halves * weights).ravel() * np.exp(source.log_density(source.mean + nodes[:, None]))
    return nodes, masses / masses.sum()


def _at_perception(source, perception):
    """Shannon's lower bound with the second moment that W2 squared or KL leaves, for scalar densities."""
    variance = float(source.covariance[0, 0])

    def rate(d, p):
        if perception == "w2sq":
            check_domain("perception", p, minimum=0.0)
            moment = jnp.maximum(np.sqrt(variance) - jnp.sqrt(jnp.asarray(p, jnp.float64)), 0.0) ** 2
        else:
            moment = shannon_lower_bound.least_second_moment(p, *_half_line(source))
        return shannon_lower_bound.perception_squared_error(d, moment, source.entropy, variance)

    return Bound("Shannon lower bound at the second moment that perception leaves", "lower", rate, "",
                 "theory.closed_form.shannon_lower_bound.perception_squared_error")


def _bounded_density(module, scalar, parameter, name):
    """Laplace and uniform: exact under absolute error, bounds under squared error."""
    def bounds(source, distortion, perception, shared):
        value = parameter(source)
        if distortion == "absolute_error" and perception == "none":
            yield Bound("rate-distortion function", "exact", plain(module.absolute_error_rate_distortion, value), "",
                        f"theory.closed_form.{name}.absolute_error_rate_distortion")
        if distortion != "squared_error" or perception not in ("none", "w2sq", "kl"):
            return
        yield Bound("Shannon lower bound", "lower", plain(module.squared_error_lower_bound, value), "",
                    f"theory.closed_form.{name}.squared_error_lower_bound")
        if perception == "none":
            yield Bound("optimal entropy-coded scalar quantizer", "upper",
                        plain(scalar.entropy_coded_rate_distortion, value), "ideal entropy coding",
                        f"theory.quantization.{name}.entropy_coded_rate_distortion")
            return
        yield Bound("Shannon lower bound at perfect realism", "lower",
                    only_at_zero(lambda d: module.perfect_realism_lower_bound(d, value)), "perception 0 only",
                    f"theory.closed_form.{name}.perfect_realism_lower_bound")
        yield _at_perception(source, perception)
        # With nothing shared perfect realism of blocks costs exactly R(D / 2): bounds on that.
        if shared == "nothing":
            yield Bound("half the distortion: Shannon lower bound", "lower",
                        only_at_zero(lambda d: module.squared_error_lower_bound(jnp.asarray(d) / 2, value)),
                        "perception 0 of whole blocks only", "docs/derivations/perfect_realism_lower_bound.md")
        yield Bound("optimal entropy-coded scalar quantizer with posterior sampling", "upper",
                    plain(lambda d: scalar.entropy_coded_rate_distortion(jnp.asarray(d) / 2, value)),
                    "ideal entropy coding; the decoder draws from the source's distribution given the cell",
                    f"theory.quantization.{name}.entropy_coded_rate_distortion")

    return bounds


def _bernoulli(source, distortion, perception, shared):
    p = source.parameters["probability"]
    if distortion != "hamming":
        return
    if perception == "none":
        yield Bound("rate-distortion function", "exact", plain(bernoulli.rate_distortion, p), "",
                    "theory.closed_form.bernoulli.rate_distortion")
    elif perception == "tv" and shared == "unlimited":
        yield Bound("rate-distortion-perception function", "exact",
                    lambda d, q: bernoulli.rate_distortion_perception(d, q, p),
                    "exact with nothing shared, too, if realism is asked of single samples only",
                    "theory.closed_form.bernoulli.rate_distortion_perception")
    if perception == "tv" and shared in ("unlimited", "nothing"):
        side = "common" if shared == "unlimited" else "private"
        one_shot = getattr(bernoulli, f"one_shot_rate_{side}_randomness")
        yield Bound(f"one symbol at a time, {side} randomness", "upper", lambda d, q: one_shot(d, q, p),
                    "entropy of the message; exact among codes of single symbols",
                    f"theory.closed_form.bernoulli.one_shot_rate_{side}_randomness")


def _curve(source, distortion, perception, shared):
    if distortion != "squared_error" or perception != "none":
        return
    points = source.parameters.get("points")

    def hull(d):
        d = jnp.asarray(d, jnp.float64)
        if points is None:
            return manifolds.hull_rate_distortion(d, source.name)
        # On a grid of n midpoints N equal cells err by at most 7N/(12 n^2) more than in the continuum. A cell of
        # length w = 1/N errs by the integral of p(1 - p), p running from 0 to 1 along it (times 1 - w for the
        # ramp); the midpoint rule is off by at most 1/(12 n^2 w) inside of it and 1/(4 n^2 w) at either end.
        # Vertices used at half the distortion or more have N <= 1/(3D) + 2.
        slack = 7.0 / 12.0 * (1.0 / (3.0 * jnp.where(d > 0, d, 1.0)) + 2.0) / points**2
        resolved = (slack < d / 2) & (d > 0)
        rate = manifolds.hull_rate_distortion(jnp.where(resolved, d - slack, 1.0), source.name)
        return jnp.where(resolved, rate, jnp.nan)

    yield Bound("hull of deterministic quantizers", "upper", plain(hull),
                "ideal entropy coding and time sharing; the continuum's is exact among deterministic one-shot "
                "quantizers, here with an allowance for the source's grid",
                "theory.closed_form.manifolds.hull_rate_distortion")
    @functools.cache
    def eigenvalues():
        return np.maximum(np.linalg.eigvalsh(source.covariance), 0.0)

    yield Bound("reverse water-filling of the linear transform", "upper",
                plain(lambda d: gaussian_vector.rate_distortion(d, eigenvalues())),
                "R(D) of the Gaussian vector of the same covariance", "theory.gaussian.vector.rate_distortion")


def _banana(source, distortion, perception, shared):
    if distortion != "squared_error" or perception not in ("none", "w2sq", "kl"):
        return
    yield Bound("Shannon lower bound", "lower",
                plain(lambda d: shannon_lower_bound.squared_error(d, source.entropy, dimension=2)), "",
                "theory.closed_form.shannon_lower_bound.squared_error")


_BOUNDS_BY_SOURCE = {
    "gaussian": gaussian_bounds,
    "gaussian_vector": gaussian_vector_bounds,
    "laplace": _bounded_density(laplace, laplace_quantizer, lambda s: s.parameters["scale"], "laplace"),
    "uniform": _bounded_density(
        uniform, uniform_quantizer, lambda s: s.parameters["high"] - s.parameters["low"], "uniform"),
    "bernoulli": _bernoulli,
    "banana": _banana,
    "circle": _curve,
    "sawbridge": _curve,
    "ramp": _curve,
}


def bounds_of(
    source: Source,
    *,
    distortion: str = "squared_error",
    perception: str = "none",
    shared: str | float = "unlimited",
) -> tuple[Bound, ...]:
    """Looks up what is known of the least rate.

    Args:
      source: one of `theory.bounds.sources`.
      distortion: "squared_error" (summed over components), "absolute_error" or "hamming".
      perception: "none", "w2sq" (W2 squared), "kl" (KL(reconstruction || source), bits), "reverse_kl" (bits),
        "hellinger2" (squared), "tv", or "conditional_w2sq" (given the message).
      shared: what randomness encoder and decoder have in common: "nothing", "unlimited", or a number of bits per
        sample (per vector); of no consequence without a perception measure.

    Returns:
      The bounds, exact ones first.

    Raises:
      ValueError: if a word is unknown, or nothing is known of this combination.
    """
    if not isinstance(source, Source) or source.name not in _BOUNDS_BY_SOURCE:
        name = source.name if isinstance(source, Source) else source
        raise ValueError(f"source must be made by one of theory.bounds.sources."
                         f"{{{', '.join(_BOUNDS_BY_SOURCE)}}}, got {name!r}")
    check_choice("distortion", distortion, DISTORTIONS)
    check_choice("perception", perception, PERCEPTIONS)
    bits = shared_bits(shared)
    shared = "unlimited" if bits == np.inf else "nothing" if bits == 0 else bits
    bounds = _known(source, distortion, perception, shared)
    if not bounds:
        raise ValueError(f"no bound is known for source {source.name!r} with distortion {distortion!r}, perception "
                         f"{perception!r} and shared {shared!r}; known are (distortion, perception, shared): "
                         + ", ".join(str(combination) for combination in _combinations(source)))
    return in_order(bounds)


def _known(source, distortion, perception, shared):
    return tuple(_BOUNDS_BY_SOURCE[source.name](source, distortion, perception, shared))


def _combinations(source):
    """The combinations of words for which something is known of a source."""
    words = itertools.product(DISTORTIONS, PERCEPTIONS, SHARED)
    return [combination for combination in words if _known(source, *combination)]
