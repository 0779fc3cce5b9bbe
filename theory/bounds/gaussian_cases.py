"""Gaussian sources, scalar and vector, in the look-up."""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp

from theory import gaussian
from theory import quantization as entropy_coded
from theory.bounds.bound import Bound, only_at_zero, plain, shared_bits
from theory.bounds.sources import Source
from theory.channel_simulation import gaussian_functional_information
from theory.gaussian import (
    absolute_error,
    common_randomness,
    lower_bounds,
    upper_bounds,
    vector,
    vector_block_realism,
    vector_common_randomness,
    vector_perception,
)
from theory.numerics.checks import check_domain
from theory.quantization import tabulated_density

# Names of perception measures, and of the same in `theory.gaussian.upper_bounds` and `lower_bounds`.
_RESTRICTED = {"reverse_kl": "kl_source_reconstruction", "hellinger2": "squared_hellinger", "tv": "total_variation"}


def _restricted(variance, perception):
    """Divergences of which a Gaussian reconstruction is not the best: bounds on both sides."""
    divergence = _RESTRICTED[perception]
    yield Bound("rate-distortion function", "lower", plain(gaussian.rate_distortion, variance), "",
                "theory.gaussian.rate_distortion")
    yield Bound("least second moment that the divergence leaves", "lower",
                lambda d, p: lower_bounds.gaussian_rate_lower_bound(d, p, variance, divergence=divergence), "",
                "theory.gaussian.lower_bounds.gaussian_rate_lower_bound")
    where = "theory.gaussian.upper_bounds.gaussian_rate_upper_bound"
    if perception != "tv":
        yield Bound("jointly Gaussian reconstructions", "upper",
                    lambda d, p: upper_bounds.gaussian_rate_upper_bound(d, p, variance, divergence=divergence),
                    "not tight", where)
        return

    def by_hellinger(d, p):
        check_domain("perception", p, minimum=0.0)
        p = jnp.minimum(jnp.asarray(p, jnp.float64), 1.0)
        enough = p**2 / (1.0 + jnp.sqrt((1.0 - p) * (1.0 + p)))  # H^2 with H^2 (2 - H^2) = P^2
        return upper_bounds.gaussian_rate_upper_bound(d, enough, variance, divergence="squared_hellinger")

    yield Bound("jointly Gaussian reconstructions, as TV^2 <= H^2 (2 - H^2)", "upper", by_hellinger, "not tight", where)


def gaussian_bounds(source: Source, distortion: str, perception: str, shared: str | float) -> Iterator[Bound]:
    """Yields what is known of a scalar Gaussian source.

    Args:
      source: of `theory.bounds.sources.gaussian`.
      distortion: as in `theory.bounds.bounds_of`, checked.
      perception: the same.
      shared: "nothing", "unlimited" or a positive, finite number of bits.

    Returns:
      The bounds, in no order; none where nothing is known.
    """
    variance = source.parameters["variance"]
    if distortion == "absolute_error":
        if perception == "none":
            yield Bound("rate-distortion function", "exact", plain(absolute_error.gaussian_rate_distortion, variance),
                        "", "theory.gaussian.absolute_error.gaussian_rate_distortion")
        return
    if distortion != "squared_error":
        return
    if perception == "none":
        yield Bound("rate-distortion function", "exact", plain(gaussian.rate_distortion, variance), "",
                    "theory.gaussian.rate_distortion")

        def scalar(d):
            resolved = jnp.asarray(d) >= 1e-3 * variance
            density = tabulated_density.gaussian_density(0.0, variance)
            rate = entropy_coded.entropy_coded_rate_distortion(density, jnp.where(resolved, d, variance)).upper
            return jnp.where(resolved, rate, jnp.nan)

        yield Bound("optimal entropy-coded scalar quantizer", "upper", plain(scalar),
                    "ideal entropy coding; distortion from 1e-3 of the variance on",
                    "theory.quantization.entropy_coded_rate_distortion")
    elif perception in ("w2sq", "kl") and shared == "unlimited":
        yield Bound(
            "rate-distortion-perception function", "exact",
            lambda d, p: gaussian.rate_distortion_perception(d, p, variance, divergence=perception),
            "exact with nothing shared, too, if realism is asked of single samples only",
            "theory.gaussian.rate_distortion_perception")
        yield Bound("exactly Gaussian noise by a layered dither", "upper", only_at_zero(
            lambda d: gaussian_functional_information(gaussian.rate_distortion_perception(d, 0.0, variance))),
            "one at a time, perception 0 only", "theory.channel_simulation.gaussian_functional_information")
    elif perception == "w2sq" and shared != "unlimited":
        bits = shared_bits(shared)
        yield Bound(
            "rate under realism of whole blocks", "exact",
            lambda d, p: common_randomness.strong_realism_rate(d, bits, p, variance),
            f"{bits:g} bits per sample shared; perception is W2^2 per sample between the distributions of long blocks",
            "theory.gaussian.common_randomness.strong_realism_rate")
    elif perception == "kl" and shared != "unlimited":
        bits = shared_bits(shared)
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
        yield from _restricted(variance, perception)
    elif perception == "conditional_w2sq" and shared == "nothing":
        yield Bound(
            "rate under conditional perception", "exact",
            lambda d, p: gaussian.conditional_rate_distortion_perception(d, p, variance),
            "perception is W2^2 given the message, averaged",
            "theory.gaussian.conditional_rate_distortion_perception")


def _vector_blocks(eigenvalues, bits):
    """W2 squared of blocks with a finite amount of common randomness."""
    where = f"{bits:g} bits per vector shared"
    if bits == 0:
        name, reference = "half the distortion", "docs/derivations/perfect_realism_lower_bound.md"

        def perfect(d):
            return vector.rate_distortion(jnp.asarray(d) / 2, eigenvalues)
    else:
        name = "water-filling with two levels"
        reference = "theory.gaussian.vector_common_randomness.strong_realism_rate"

        def perfect(d):
            return vector_common_randomness.strong_realism_rate(d, bits, eigenvalues)

    yield Bound(name, "exact", only_at_zero(perfect), f"perception 0 of whole blocks only; {where}", reference)
    for side, kind in enumerate(("lower", "upper")):
        def rate(d, p, side=side):
            # At 0 the solver's ends are off by its rounding.
            bracket = vector_block_realism.block_realism_rate(d, bits, p, eigenvalues)[side]
            return jnp.where(jnp.asarray(p) == 0, perfect(d), bracket)

        yield Bound(f"rate under realism of whole blocks, {kind}", kind, rate,
                    f"{where}; perception is W2^2 per vector between the distributions of long blocks",
                    "theory.gaussian.vector_block_realism.block_realism_rate")


def gaussian_vector_bounds(source: Source, distortion: str, perception: str, shared: str | float) -> Iterator[Bound]:
    """Yields what is known of a Gaussian vector.

    Args:
      source: of `theory.bounds.sources.gaussian_vector`.
      distortion: as in `theory.bounds.bounds_of`, checked.
      perception: the same.
      shared: "nothing", "unlimited" or a positive, finite number of bits per vector.

    Returns:
      The bounds, in no order; none where nothing is known.
    """
    if distortion != "squared_error":
        return
    eigenvalues = source.parameters["eigenvalues"]
    if perception == "none":
        yield Bound("reverse water-filling", "exact", plain(vector.rate_distortion, eigenvalues), "",
                    "theory.gaussian.vector.rate_distortion")
    elif perception in ("w2sq", "kl") and shared == "unlimited":
        yield Bound(
            "rate-distortion-perception function", "exact",
            lambda d, p: vector_perception.rate_distortion_perception(
                d, p, eigenvalues, divergence=perception).rate,
            "convex solve", "theory.gaussian.vector_perception.rate_distortion_perception")
    elif perception == "w2sq" and shared != "unlimited":
        yield from _vector_blocks(eigenvalues, shared_bits(shared))
    elif perception == "conditional_w2sq" and shared == "nothing":
        yield Bound(
            "rate under conditional perception", "exact",
            lambda d, p: vector.conditional_rate_distortion_perception(d, p, eigenvalues),
            "perception is W2^2 given the message, averaged",
            "theory.gaussian.vector.conditional_rate_distortion_perception")
