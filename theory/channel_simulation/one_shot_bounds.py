"""One-shot bounds on what it costs to simulate a noisy channel with shared randomness, and a table of schemes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import nan_unless
from theory.numerics.units import nats_to_bits

# name -> (addend inside of the logarithm, addend): H <= I + log2(I + a) + c bits.
_BOUNDS = {"li_el_gamal_2018": (1.0, 4.0), "li_2025": (3.4, 1.0), "ring_toss_2026": (1.0, 2.45)}


def entropy_lower_bound(information: ArrayLike) -> jax.Array:
    """No scheme uses less entropy than the mutual information: H(K | seed) >= I(X; Y).

    Args:
      information: I(X; Y) >= 0, bits.

    Returns:
      Lower bound, bits, same shape. Inside a trace a negative information gives NaN.

    Raises:
      ValueError: if `information` is negative.

    Reference:
      Data processing; Li and El Gamal 2018 [li2018strong].
    """
    check_domain("information", information, minimum=0.0)
    information = jnp.asarray(information, jnp.float64)
    return nan_unless(information >= 0, information)


def entropy_upper_bound(information: ArrayLike, *, bound: str = "li_2025") -> jax.Array:
    """One use of a channel can be simulated with unlimited shared randomness at H(K | seed) <= I + log2(I + a) + c.

    Args:
      information: I(X; Y) >= 0, bits.
      bound: "li_2025" (a = 3.4, c = 1), "li_el_gamal_2018" (a = 1, c = 4; the strong functional representation lemma)
        or "ring_toss_2026" (a = 1, c = 2.45).

    Returns:
      Upper bound on the least entropy, bits, same shape. Inside a trace a negative information gives NaN.

    Raises:
      ValueError: if `information` is negative or the bound is unknown.

    Reference:
      Li and El Gamal 2018 [li2018strong]; Li 2025 [li2025discrete]; Alajaji, Flamich, Hill and Linder 2026
      [alajaji2026rejection].
    """
    check_domain("information", information, minimum=0.0)
    check_choice("bound", bound, _BOUNDS)
    addend, constant = _BOUNDS[bound]
    information = jnp.asarray(information, jnp.float64)
    valid = information >= 0
    logarithm = nats_to_bits(jnp.log(jnp.where(valid, information, 0.0) + addend))
    return nan_unless(valid, information + logarithm + constant)


def prefix_code_upper_bound(information: ArrayLike, *, bound: str = "li_2025") -> jax.Array:
    """Expected length of a prefix code for one channel simulation: at most a bit above `entropy_upper_bound`.

    Args:
      information: I(X; Y) >= 0, bits.
      bound: as for `entropy_upper_bound`.

    Returns:
      Upper bound, bits, same shape. Inside a trace a negative information gives NaN.

    Raises:
      ValueError: if `information` is negative or the bound is unknown.

    Reference:
      Huffman coding of K given the seed, with the bounds of `entropy_upper_bound`; Li and El Gamal 2018
      [li2018strong].
    """
    return entropy_upper_bound(information, bound=bound) + 1.0


def ring_toss_upper_bound(functional_information: ArrayLike) -> jax.Array:
    """Rejection sampling with the ring toss code needs at most I_F + log2 e: the lower bound is tight within that.

    For singular channels, where I_F = I(X; Y), this is I + 1.4427.

    Args:
      functional_information: I_F >= 0, bits.

    Returns:
      Upper bound on the least entropy of a message, bits, same shape. Inside a trace a negative value gives NaN.

    Raises:
      ValueError: if it is negative.

    Reference:
      Alajaji, Flamich, Hill and Linder 2026 [alajaji2026rejection].
    """
    return _above_functional_information(functional_information, 1.0)


def greedy_rejection_upper_bound(functional_information: ArrayLike) -> jax.Array:
    """The index of greedy rejection sampling has entropy at most D_CS + log2(e + 1), averaged over the channel.

    Args:
      functional_information: E D_CS >= 0 in the direction from input to output (E_X D_CS(P_{Y|X} || P_Y)); for jointly
        Gaussian pairs both directions are equal; bits.

    Returns:
      Upper bound on the entropy of the index, bits, same shape. Inside a trace a negative value gives NaN.

    Raises:
      ValueError: if it is negative.

    Reference:
      Goc and Flamich 2024 [goc2024causal].
    """
    return _above_functional_information(functional_information, jnp.log1p(jnp.e))


def _above_functional_information(functional_information, nats):
    check_domain("functional_information", functional_information, minimum=0.0)
    value = jnp.asarray(functional_information, jnp.float64)
    return nan_unless(value >= 0, value + nats_to_bits(nats))


class Scheme(NamedTuple):
    """A way to simulate a channel, or a bound on all of them.

    Attributes:
      name: in words.
      exact: whether the output has the channel's distribution exactly.
      kind: "lower" (no exact scheme has less), "upper" (at most that much) or "exact" (that much).
      bits: (I, I_F) -> entropy of a message, bits per use; None where it depends on more than these.
      conditions: when it holds.
      operations: the mean number of candidates or steps that the encoder examines.
      reference: key in references.bib.
    """

    name: str
    exact: bool
    kind: str
    bits: Callable[[ArrayLike, ArrayLike], jax.Array] | None
    conditions: str
    operations: str
    reference: str


def _of_information(bound):
    return lambda information, _: entropy_upper_bound(information, bound=bound)


_RATIO = "sup dP_{Y|x} / dP_Y: infinite on average for Gaussian pairs"
# Schemes that send one sample of a channel, and bounds on all of them: what each costs, and when.
SCHEMES = (
    Scheme("mutual information", True, "lower", lambda i, f: entropy_lower_bound(i), "", "", "li2018strong"),
    Scheme("functional information", True, "lower", lambda i, f: jnp.asarray(f, jnp.float64), "one use at a time", "",
           "flamich2025"),
    Scheme("layered dither", True, "exact", lambda i, f: jnp.asarray(f, jnp.float64),
           "scalar additive noise, symmetric unimodal density; decoded samples many, coded together", "1",
           "wilson2000"),
    Scheme("rejection-sampled lattice", True, "upper", lambda i, f: ring_toss_upper_bound(f),
           "blocks, spherically symmetric unimodal noise, high rate", "1 / packing density of the lattice",
           "ling2024"),
    Scheme("ring toss", True, "upper", lambda i, f: ring_toss_upper_bound(f), "bounded density ratio", _RATIO,
           "alajaji2026rejection"),
    Scheme("greedy rejection sampling", True, "upper", lambda i, f: greedy_rejection_upper_bound(f),
           "I_F from input to output", _RATIO, "goc2024causal"),
    Scheme("Poisson functional representation", True, "upper", _of_information("li_el_gamal_2018"), "",
           _RATIO, "li2018strong"),
    Scheme("best known of I alone", True, "upper", _of_information("ring_toss_2026"), "", _RATIO,
           "alajaji2026rejection"),
    Scheme("greedy Poisson rejection sampling", True, "upper", None, "I + log2(I + 1) + O(1)",
           "the same; O(I) for unimodal ratios on the line", "flamich2023gprs"),
    Scheme("ordered random coding", False, "upper", None,
           "that of the Poisson functional representation; total variation error falls with the number of candidates",
           "number of candidates, about 2^(I + t)", "theis2022algorithms"),
    Scheme("minimal random coding", False, "upper", None, "log2 of the number of candidates",
           "number of candidates, about 2^(I + t)", "havasi2019minimal"),
)
