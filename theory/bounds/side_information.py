"""The look-up of what side information is worth: at the decoder, at both ends, and under strong realism."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from theory.bounds.bound import Bound, in_order, only_at_zero, plain, shared_bits
from theory.bounds.lookup import DISTORTIONS
from theory.bounds.sources import Source
from theory.closed_form import bernoulli
from theory.closed_form import side_information as closed_form
from theory.gaussian import common_randomness
from theory.gaussian import side_information as strong_realism
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import decreasing_root

REALISM = ("none", "marginal", "joint")
KNOWN = (
    *(("gaussian", "squared_error", "correlation", realism) for realism in REALISM),
    ("bernoulli", "hamming", "crossover", "none"), ("bernoulli", "hamming", "erasure", "none"),
)
_PLACE = "theory.gaussian.side_information."


@jax.jit
def _rate_of_code(d, bits, correlation, variance):
    """The inverse of the upper bound on the distortion of a decoder that alone knows Z and shares C bits."""
    coded = d > 0
    inside = jnp.where(coded, d, variance)
    least = strong_realism.marginal_realism_rate(inside, correlation, variance)
    most = common_randomness.strong_realism_rate(inside, 0.0, 0.0, variance)  # ignores both

    def reached(rate):
        return strong_realism.marginal_realism_distortion(
            rate, bits, correlation, variance, known_to="decoder").upper

    rate = jnp.maximum(decreasing_root(reached, inside, least, jnp.maximum(most, least)), least)
    return jnp.where(coded, rate, jnp.where(d == 0, jnp.inf, jnp.nan))


def _gaussian(variance, correlation, known_to, realism, bits) -> Iterator[Bound]:
    if realism == "none":
        yield Bound("rate-distortion function with side information", "exact",
                    plain(closed_form.gaussian_wyner_ziv_rate, variance, correlation),
                    "the same at the decoder and at both ends",
                    "theory.closed_form.side_information.gaussian_wyner_ziv_rate")
        return
    shared = "unlimited common randomness" if bits == jnp.inf else f"{bits:g} bits per sample shared"
    where = f"perception 0 of whole blocks only; {shared}"
    if realism == "joint":
        rest = variance * (1.0 - correlation) * (1.0 + correlation)
        yield Bound("rate under joint realism", "exact",
                    only_at_zero(lambda d: common_randomness.strong_realism_rate(d, bits, 0.0, rest)),
                    f"{where}; outputs together with the side information; the same at the decoder and at both ends",
                    f"{_PLACE}joint_realism_distortion")
        return

    def enough(d):
        return strong_realism.marginal_realism_rate(d, correlation, variance)

    if known_to == "both" or bits == jnp.inf:
        yield Bound("rate under marginal realism", "exact", only_at_zero(enough), where,
                    f"{_PLACE}marginal_realism_rate")
    elif correlation == 0:
        yield Bound("rate under marginal realism, side information that says nothing", "exact",
                    only_at_zero(lambda d: common_randomness.strong_realism_rate(d, bits, 0.0, variance)), where,
                    "theory.gaussian.common_randomness.strong_realism_rate")
    else:
        def code(d):
            check_domain("distortion", d, minimum=0.0)
            return _rate_of_code(jnp.asarray(d, jnp.float64), bits, correlation, variance)

        yield Bound("rate under marginal realism with enough common randomness", "lower", only_at_zero(enough), where,
                    f"{_PLACE}marginal_realism_rate")
        yield Bound("Gaussian code of a decoder that alone knows the side information", "upper",
                    only_at_zero(code),
                    f"{where}; equal to the lower bound from `sufficient_common_randomness` on",
                    f"{_PLACE}marginal_realism_distortion")


def _bernoulli(probability, name, value, known_to) -> Bound:
    if name == "erasure":
        return Bound("rate-distortion function beside an erased copy", "exact",
                     plain(closed_form.erased_side_information_rate, value, probability),
                     "the same at the decoder and at both ends",
                     "theory.closed_form.side_information.erased_side_information_rate")
    if known_to == "both":
        return Bound("conditional rate-distortion function", "exact", plain(bernoulli.rate_distortion, value),
                     "a fair coin", "theory.closed_form.bernoulli.rate_distortion")
    return Bound("Wyner-Ziv function", "exact", plain(closed_form.binary_wyner_ziv_rate, value), "a fair coin",
                 "theory.closed_form.side_information.binary_wyner_ziv_rate")


def side_information_bounds_of(
    source: Source,
    *,
    correlation: float | None = None,
    crossover: float | None = None,
    erasure: float | None = None,
    known_to: str = "decoder",
    distortion: str = "squared_error",
    realism: str = "none",
    shared: str | float = "unlimited",
) -> tuple[Bound, ...]:
    """Looks up the least rate where the decoder, or both ends, know something correlated with the source.

    Args:
      source: one of `theory.bounds.sources`: "gaussian", or "bernoulli" with Hamming distortion.
      correlation: of a Gaussian source and side information that is jointly Gaussian with it, in (-1, 1).
      crossover: probability in [0, 1] that the side information shows the other symbol; for a fair coin.
      erasure: probability in [0, 1] that the side information shows nothing, else the symbol. One of these is given.
      known_to: "decoder" or "both".
      distortion: "squared_error" or "hamming".
      realism: "none"; "marginal": blocks of the output look like the source's; "joint": also to one who sees the side
        information. Both are realism at perception 0, known for Gaussian sources.
      shared: common randomness beside: "nothing", "unlimited", or bits per sample; of no consequence without realism.

    Returns:
      The bounds, exact ones first.

    Raises:
      ValueError: if a word is unknown, nothing is known of this combination, or an argument lies outside its domain.

    Reference: docs/derivations/side_information.md.
    """
    if not isinstance(source, Source):
        raise ValueError(f"source must be made by one of theory.bounds.sources, got {source!r}")
    check_choice("known_to", known_to, strong_realism.KNOWN_TO)
    check_choice("distortion", distortion, DISTORTIONS)
    check_choice("realism", realism, REALISM)
    bits = shared_bits(shared)
    given = {name: value for name, value in (
        ("correlation", correlation), ("crossover", crossover), ("erasure", erasure)) if value is not None}
    if len(given) != 1:
        raise ValueError(f"one of correlation, crossover and erasure must say what the side information is, got "
                         f"{', '.join(given) or 'none'}")
    (name, value), = given.items()
    fair = name != "crossover" or source.parameters.get("probability") == 0.5
    if (source.name, distortion, name, realism) not in KNOWN or not fair:
        raise ValueError(f"nothing is known of source {source.name!r} with distortion {distortion!r}, side information "
                         f"by its {name} and realism {realism!r}; known are (source, distortion, side information, "
                         f"realism): {', '.join(str(known) for known in KNOWN)}; a crossover for a fair coin")
    if name == "correlation":
        check_domain("|correlation|", abs(value), maximum=1.0)
        check_domain("1 - |correlation|", 1.0 - abs(value), minimum=0.0, open_minimum=True)
        return in_order(_gaussian(source.parameters["variance"], float(value), known_to, realism, bits))
    check_domain(name, value, minimum=0.0, maximum=1.0)
    return (_bernoulli(source.parameters["probability"], name, float(value), known_to),)
