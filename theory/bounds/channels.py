"""The look-up of bounds on channel simulation: what it costs to let a decoder draw exactly one sample of a channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
from jax.typing import ArrayLike

from theory.channel_simulation import SCHEMES, gaussian_functional_information
from theory.channel_simulation.gaussian import check_dimension
from theory.numerics.checks import check_choice

# Channels of `simulation_bounds_of`.
CHANNELS = ("gaussian", "singular", "any")


class SimulationBound(NamedTuple):
    """A bound on the entropy of a message that simulates one use of a channel, given what is shared.

    Attributes:
      name: of the scheme, or of the bound.
      kind: "exact" (that scheme has that much), "lower" (no exact scheme has less) or "upper" (it has no more).
      bits: mutual information, bits per use -> bits per use, elementwise.
      conditions: when it holds.
      reference: key in references.bib.
    """

    name: str
    kind: str
    bits: Callable[[ArrayLike], jax.Array]
    conditions: str
    reference: str


# Schemes whose bits follow from the mutual information alone.
_OF_INFORMATION = ("mutual information", "Poisson functional representation", "best known of I alone")
# Schemes that need more than one number in a block, and one that needs a single one.
_BLOCKS, _SCALAR = ("rejection-sampled lattice",), ("layered dither",)


def simulation_bounds_of(channel: str, *, dimension: int = 1) -> tuple[SimulationBound, ...]:
    """Looks up what is known of the price of exact simulation, one use at a time, with unlimited shared randomness.

    Args:
      channel: "gaussian" (a Gaussian vector with Gaussian noise, both white), "singular" (P_{X|Y} / P_X takes one value
        beside 0, such as uniform noise or erasures) or "any".
      dimension: numbers in one use, for "gaussian".

    Returns:
      The bounds, exact ones first.

    Raises:
      ValueError: if the channel is unknown, or the dimension out of range.
    """
    check_choice("channel", channel, CHANNELS)
    if channel == "gaussian":
        check_dimension(dimension)

    def functional(information, name):
        if channel == "gaussian" and name not in _OF_INFORMATION:  # seconds for blocks
            return gaussian_functional_information(information, dimension)
        return information  # of a singular channel; without use for any

    bounds = []
    for scheme in SCHEMES:
        unknown = channel == "any" and scheme.name not in _OF_INFORMATION
        shape = channel != "gaussian" or (scheme.name in _SCALAR if dimension > 1 else scheme.name in _BLOCKS)
        if scheme.bits is None or unknown or (shape and scheme.name in _SCALAR + _BLOCKS):
            continue
        bounds.append(SimulationBound(scheme.name, scheme.kind,
                                      lambda i, bits=scheme.bits, name=scheme.name: bits(i, functional(i, name)),
                                      scheme.conditions, scheme.reference))
    return tuple(sorted(bounds, key=lambda bound: ("exact", "lower", "upper").index(bound.kind)))
