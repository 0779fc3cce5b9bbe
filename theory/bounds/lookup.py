"""Look-up of the bounds known for a source, a distortion, a perception measure and shared randomness."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory import gaussian
from theory import quantization as entropy_coded
from theory.bounds.sources import Source
from theory.channel_simulation import gaussian_functional_information
from theory.closed_form import bernoulli, laplace, manifolds, shannon_lower_bound, uniform
from theory.gaussian import absolute_error, common_randomness, upper_bounds
from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_perception as gaussian_vector_perception
from theory.numerics.checks import check_choice, check_domain
from theory.quantization import laplace as laplace_quantizer
from theory.quantization import tabulated_density
from theory.quantization import uniform as uniform_quantizer

DISTORTIONS = ("squared_error", "absolute_error", "hamming")
PERCEPTIONS = ("none", "w2sq", "kl", "reverse_kl", "hellinger2", "tv", "conditional_w2sq")
SHARED = ("nothing", "unlimited")
KINDS = ("exact", "lower", "upper", "asymptotic")


class Bound(NamedTuple):
    """A bound on the least rate.

    Attributes:
      name: what it is, in words.
      kind: "exact", "lower" (no code needs less), "upper" (some code, or limit of codes, needs no more) or "asymptotic"
        (a limit that is no bound where it is evaluated; `interval` leaves it out).
      rate: (distortion, perception) -> bits per sample of the source, elementwise. NaN where it says nothing.
      conditions: when it holds.
      reference: the function that computes it.
    """

    name: str
    kind: str
    rate: Callable[[ArrayLike, ArrayLike], jax.Array]
    conditions: str
    reference: str


class Interval(NamedTuple):
    """What the bounds say together; fields have the broadcast shape of the arguments.

    Attributes:
      lower: the largest lower bound, bits per sample (0 if there is none).
      upper: the least upper bound, bits per sample (inf if there is none).
    """

    lower: jax.Array
    upper: jax.Array


def _plain(function, *parameters):
    """A rate that does not depend on perception, and broadcasts with it."""
    def rate(distortion, perception=0.0):
        value = function(distortion, *parameters)
        return jnp.broadcast_to(value, jnp.broadcast_shapes(jnp.shape(value), jnp.shape(perception)))

    return rate


def _only_at_zero(function):
    """A rate that is known at perfect realism only: NaN elsewhere."""
    def rate(distortion, perception=0.0):
        value = function(distortion)
        shape = jnp.broadcast_shapes(jnp.shape(value), jnp.shape(perception))
        return jnp.where(jnp.broadcast_to(perception, shape) == 0, jnp.broadcast_to(value, shape), jnp.nan)

    return rate


def _gaussian(source, distortion, perception, shared):
    variance = source.parameters["variance"]
    if distortion == "absolute_error":
        if perception == "none":
            yield Bound("rate-distortion function", "exact", _plain(absolute_error.gaussian_rate_distortion, variance),
                        "", "theory.gaussian.absolute_error.gaussian_rate_distortion")
        return
    if distortion != "squared_error":
        return
    if perception == "none":
        yield Bound("rate-distortion function", "exact", _plain(gaussian.rate_distortion, variance), "",
                    "theory.gaussian.rate_distortion")

        def scalar(d):
            resolved = jnp.asarray(d) >= 1e-3 * variance
            density = tabulated_density.gaussian_density(0.0, variance)
            rate = entropy_coded.entropy_coded_rate_distortion(density, jnp.where(resolved, d, variance)).upper
            return jnp.where(resolved, rate, jnp.nan)

        yield Bound("optimal entropy-coded scalar quantizer", "upper", _plain(scalar),
                    "ideal entropy coding; distortion from 1e-3 of the variance on",
                    "theory.quantization.entropy_coded_rate_distortion")
    elif perception in ("w2sq", "kl") and shared == "unlimited":
        yield Bound(
            "rate-distortion-perception function", "exact",
            lambda d, p: gaussian.rate_distortion_perception(d, p, variance, divergence=perception),
            "exact with nothing shared, too, if realism is asked of single samples only",
            "theory.gaussian.rate_distortion_perception")
        yield Bound("exactly Gaussian noise by a layered dither", "upper", _only_at_zero(
            lambda d: gaussian_functional_information(gaussian.rate_distortion_perception(d, 0.0, variance))),
            "one at a time, perception 0 only", "theory.channel_simulation.gaussian_functional_information")
    elif perception == "w2sq" and shared != "unlimited":
        bits = _bits(shared)
        yield Bound(
            "rate under realism of whole blocks", "exact",
            lambda d, p: common_randomness.strong_realism_rate(d, bits, p, variance),
            f"{bits:g} bits per sample shared; perception is W2^2 per sample between the distributions of long blocks",
            "theory.gaussian.common_randomness.strong_realism_rate")
    elif perception == "kl" and shared != "unlimited":
        bits = _bits(shared)
        yield Bound(
            "rate-distortion-perception function with unlimited common randomness", "lower",
            lambda d, p: gaussian.rate_distortion_perception(d, p, variance, divergence="kl"),
            "", "theory.gaussian.rate_distortion_perception")
        for kind in ("lower", "upper"):
            yield Bound(
                f"{kind} bound for outputs that are i.i.d.", kind,
                lambda d, p, kind=kind: common_randomness.iid_output_rate_bound(d, p, bits, variance, kind),
                f"{bits:g} bits per sample shared; the output is i.i.d., of a divergence of at most P",
                "theory.gaussian.common_randomness.iid_output_distortion")
    elif perception in _RESTRICTED and shared == "unlimited":
        yield Bound("rate-distortion function", "lower", _plain(gaussian.rate_distortion, variance), "",
                    "theory.gaussian.rate_distortion")
        yield Bound(
            "jointly Gaussian reconstructions", "upper",
            lambda d, p: upper_bounds.gaussian_rate_upper_bound(
                d, p, variance, divergence=_RESTRICTED[perception]),
            "not tight", "theory.gaussian.upper_bounds.gaussian_rate_upper_bound")
    elif perception == "conditional_w2sq" and shared == "nothing":
        yield Bound(
            "rate under conditional perception", "exact",
            lambda d, p: gaussian.conditional_rate_distortion_perception(d, p, variance),
            "perception is W2^2 given the message, averaged",
            "theory.gaussian.conditional_rate_distortion_perception")


def _gaussian_vector(source, distortion, perception, shared):
    if distortion != "squared_error":
        return
    eigenvalues = source.parameters["eigenvalues"]
    if perception == "none":
        yield Bound("reverse water-filling", "exact", _plain(gaussian_vector.rate_distortion, eigenvalues), "",
                    "theory.gaussian.vector.rate_distortion")
    elif perception in ("w2sq", "kl") and shared == "unlimited":
        yield Bound(
            "rate-distortion-perception function", "exact",
            lambda d, p: gaussian_vector_perception.rate_distortion_perception(
                d, p, eigenvalues, divergence=perception).rate,
            "convex solve", "theory.gaussian.vector_perception.rate_distortion_perception")
    elif perception == "w2sq" and shared == "nothing":
        yield Bound(
            "half the distortion", "exact",
            _only_at_zero(lambda d: gaussian_vector.rate_distortion(jnp.asarray(d) / 2, eigenvalues)),
            "perception 0 of whole blocks only", "docs/derivations/perfect_realism_lower_bound.md")
    elif perception == "conditional_w2sq" and shared == "nothing":
        yield Bound(
            "rate under conditional perception", "exact",
            lambda d, p: gaussian_vector.conditional_rate_distortion_perception(d, p, eigenvalues),
            "perception is W2^2 given the message, averaged",
            "theory.gaussian.vector.conditional_rate_distortion_perception")


def _bits(shared):
    return 0.0 if shared == "nothing" else float(shared)


def _bounded_density(module, scalar, parameter, name):
    """Laplace and uniform: exact under absolute error, bounds under squared error."""
    def bounds(source, distortion, perception, shared):
        value = parameter(source)
        if distortion == "absolute_error" and perception == "none":
            yield Bound("rate-distortion function", "exact", _plain(module.absolute_error_rate_distortion, value), "",
                        f"theory.closed_form.{name}.absolute_error_rate_distortion")
        if distortion != "squared_error" or perception not in ("none", "w2sq", "kl"):
            return
        yield Bound("Shannon lower bound", "lower", _plain(module.squared_error_lower_bound, value), "",
                    f"theory.closed_form.{name}.squared_error_lower_bound")
        if perception == "none":
            yield Bound("optimal entropy-coded scalar quantizer", "upper",
                        _plain(scalar.entropy_coded_rate_distortion, value), "ideal entropy coding",
                        f"theory.quantization.{name}.entropy_coded_rate_distortion")
            return
        yield Bound("Shannon lower bound at perfect realism", "lower",
                    _only_at_zero(lambda d: module.perfect_realism_lower_bound(d, value)), "perception 0 only",
                    f"theory.closed_form.{name}.perfect_realism_lower_bound")
        # With nothing shared perfect realism of blocks costs exactly R(D / 2): bounds on that.
        if shared == "nothing":
            yield Bound("half the distortion: Shannon lower bound", "lower",
                        _only_at_zero(lambda d: module.squared_error_lower_bound(jnp.asarray(d) / 2, value)),
                        "perception 0 of whole blocks only", "docs/derivations/perfect_realism_lower_bound.md")
        yield Bound("optimal entropy-coded scalar quantizer with posterior sampling", "upper",
                    _plain(lambda d: scalar.entropy_coded_rate_distortion(jnp.asarray(d) / 2, value)),
                    "ideal entropy coding; the decoder draws from the source's distribution given the cell",
                    f"theory.quantization.{name}.entropy_coded_rate_distortion")

    return bounds


def _bernoulli(source, distortion, perception, shared):
    p = source.parameters["probability"]
    if distortion != "hamming":
        return
    if perception == "none":
        yield Bound("rate-distortion function", "exact", _plain(bernoulli.rate_distortion, p), "",
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

    yield Bound("hull of deterministic quantizers", "upper", _plain(hull),
                "ideal entropy coding and time sharing; the continuum's is exact among deterministic one-shot "
                "quantizers, here with an allowance for the source's grid",
                "theory.closed_form.manifolds.hull_rate_distortion")
    @functools.cache
    def eigenvalues():
        return np.maximum(np.linalg.eigvalsh(source.covariance), 0.0)

    yield Bound("reverse water-filling of the linear transform", "upper",
                _plain(lambda d: gaussian_vector.rate_distortion(d, eigenvalues())),
                "R(D) of the Gaussian vector of the same covariance", "theory.gaussian.vector.rate_distortion")


def _banana(source, distortion, perception, shared):
    if distortion != "squared_error" or perception not in ("none", "w2sq", "kl"):
        return
    yield Bound("Shannon lower bound", "lower",
                _plain(lambda d: shannon_lower_bound.squared_error(d, source.entropy, dimension=2)), "",
                "theory.closed_form.shannon_lower_bound.squared_error")


# Names of perception measures, and of the same in `theory.gaussian.upper_bounds`.
_RESTRICTED = {"reverse_kl": "kl_source_reconstruction", "hellinger2": "squared_hellinger"}
_BOUNDS_BY_SOURCE = {
    "gaussian": _gaussian,
    "gaussian_vector": _gaussian_vector,
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
        sample; of no consequence without a perception measure.

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
    if isinstance(shared, str):
        check_choice("shared", shared, SHARED)
    else:
        check_domain("shared", shared, minimum=0.0)
        shared = "unlimited" if shared == np.inf else "nothing" if shared == 0 else float(shared)
    bounds = _known(source, distortion, perception, shared)
    if not bounds:
        raise ValueError(f"no bound is known for source {source.name!r} with distortion {distortion!r}, perception "
                         f"{perception!r} and shared {shared!r}; known are (distortion, perception, shared): "
                         + ", ".join(str(combination) for combination in _combinations(source)))
    return tuple(sorted(bounds, key=lambda bound: KINDS.index(bound.kind)))


def _known(source, distortion, perception, shared):
    return tuple(_BOUNDS_BY_SOURCE[source.name](source, distortion, perception, shared))


def _combinations(source):
    """The combinations of words for which something is known of a source."""
    words = itertools.product(DISTORTIONS, PERCEPTIONS, SHARED)
    return [combination for combination in words if _known(source, *combination)]


def certified(
    bracket: Callable[[ArrayLike], tuple[jax.Array, jax.Array]], *, name: str, reference: str, conditions: str = ""
) -> tuple[Bound, Bound]:
    """Makes bounds of a numerical solver's bracket, to be joined with those that are looked up.

    For instance, with `curve = continuous.rate_distortion_curve(continuous.laplace(), slopes=...)`,
    `bounds_of(laplace()) + certified(lambda d: continuous.rate_at(curve, d), name=..., reference=...)`.

    Args:
      bracket: distortion -> (lower, upper) bounds on the least rate, bits per sample, each of its shape.
      name: what it is, in words.
      reference: the function that computes it.
      conditions: when it holds.

    Returns:
      A lower and an upper bound.
    """
    lower, upper = (
        Bound(f"{name}, {kind}", kind, _plain(lambda d, side=side: bracket(d)[side]), conditions, reference)
        for side, kind in enumerate(("lower", "upper"))
    )
    return lower, upper


def interval(bounds: tuple[Bound, ...], distortion: ArrayLike, perception: ArrayLike = 0.0) -> Interval:
    """Joins bounds into the interval that they leave for the least rate.

    Args:
      bounds: from `bounds_of`.
      distortion: any shape.
      perception: broadcasts with `distortion`.

    Returns:
      The interval; both ends are equal where a bound is exact.

    Raises:
      ValueError: from the bounds, if an argument lies outside of their domain.
    """
    lower = jnp.zeros(jnp.broadcast_shapes(jnp.shape(distortion), jnp.shape(perception)))
    upper = jnp.full_like(lower, jnp.inf)
    for bound in bounds:
        rate = bound.rate(distortion, perception)
        if bound.kind in ("exact", "lower"):
            lower = jnp.fmax(lower, rate)
        if bound.kind in ("exact", "upper"):
            upper = jnp.fmin(upper, rate)
    return Interval(lower, upper)
