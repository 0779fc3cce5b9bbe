"""Bounds on the least rate, as look-ups return them: their kinds, how they are made and joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.numerics.checks import check_choice, check_domain

# What a bound may be quoted as; an asymptotic one bounds nothing where it is evaluated.
KINDS = ("exact", "lower", "upper", "asymptotic")
# How much randomness encoder and decoder share beside the message.
SHARED = ("nothing", "unlimited")


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


def plain(function: Callable[..., jax.Array], *parameters: ArrayLike) -> Callable[..., jax.Array]:
    """Makes a rate that does not depend on perception, and broadcasts with it.

    Args:
      function: (distortion, *parameters) -> bits.
      *parameters: of the source.

    Returns:
      (distortion, perception) -> bits.
    """
    def rate(distortion, perception=0.0):
        value = function(distortion, *parameters)
        return jnp.broadcast_to(value, jnp.broadcast_shapes(jnp.shape(value), jnp.shape(perception)))

    return rate


def only_at_zero(function: Callable[[ArrayLike], jax.Array]) -> Callable[..., jax.Array]:
    """Makes a rate that is known at perfect realism only: NaN elsewhere.

    Args:
      function: distortion -> bits.

    Returns:
      (distortion, perception) -> bits.
    """
    def rate(distortion, perception=0.0):
        value = function(distortion)
        shape = jnp.broadcast_shapes(jnp.shape(value), jnp.shape(perception))
        return jnp.where(jnp.broadcast_to(perception, shape) == 0, jnp.broadcast_to(value, shape), jnp.nan)

    return rate


def in_order(bounds: Iterable[Bound]) -> tuple[Bound, ...]:
    """Sorts bounds by what they prove.

    Args:
      bounds: in any order.

    Returns:
      The bounds in the order of `KINDS`: exact ones first.
    """
    return tuple(sorted(bounds, key=lambda bound: KINDS.index(bound.kind)))


def shared_bits(shared: str | float) -> float:
    """Reads how much randomness encoder and decoder share.

    Args:
      shared: "nothing", "unlimited", or bits per sample.

    Returns:
      Bits per sample, inf for "unlimited".

    Raises:
      ValueError: if it is another word, or negative.
    """
    if isinstance(shared, str):
        check_choice("shared", shared, SHARED)
        return 0.0 if shared == "nothing" else float("inf")
    check_domain("shared", shared, minimum=0.0)
    return float(shared)


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
        Bound(f"{name}, {kind}", kind, plain(lambda d, side=side: bracket(d)[side]), conditions, reference)
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
