"""R(D, P) at finite blocks and in one shot: what simulating the optimal channel costs with shared randomness.

A code of n letters whose encoder and decoder share unlimited randomness S, sending a message K of a prefix code that
may depend on S, satisfies E length >= H(K | S) >= n R(D, P). To the other side, the channel of R(D, P), used on n
letters independently, can be simulated exactly: with I = n R(D, P),

    H(K | S) <= I + log2(I + a) + c,    E length <= H(K | S) + 1,

for the constants of `theory.channel_simulation`. Distortion and perception are then met exactly at every n, perfect
realism P = 0 included: the n reconstructed letters are independent, each of the channel's output distribution.

The lower side is for perception measured letter by letter, averaged over a block (or of the block's distribution, if
the divergence of blocks is at least the sum of those of letters, as KL(reconstruction || source) and W2^2 are). Without
shared randomness more is needed, see `theory.gaussian.common_randomness`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory import gaussian
from theory.channel_simulation import entropy_upper_bound, gaussian_functional_information
from theory.discrete import RateDistortionPerception
from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.elementwise import broadcast, nan_unless

_BOUNDS = ("ring_toss_2026", "li_2025")  # the best known for little and for much information


class RealismRates(NamedTuple):
    """What blocks cost with unlimited shared randomness, bits per letter; fields have the broadcast shape.

    Attributes:
      lower: no code has less, of either of the following.
      entropy: some code has at most this H(K | S) / n: for many blocks whose messages are coded together.
      length: some prefix code has at most this mean length / n, block by block.
    """

    lower: jax.Array
    entropy: jax.Array
    length: jax.Array


def simulation_rates(
    information: ArrayLike, *, blocklength: ArrayLike, information_lower: ArrayLike | None = None
) -> RealismRates:
    """Rates at which a memoryless channel with this information is simulated on blocks, of R(D, P) if it is optimal.

    Args:
      information: I(X; Y) >= 0 of a letter, bits; any shape.
      blocklength: n >= 1, whole; broadcast.
      information_lower: what is proved to be needed, bits per letter, at most `information`; broadcast; when None,
        `information`.

    Returns:
      `RealismRates`. At I = 0 all are 0: outputs are drawn from the shared randomness. NaN inside a trace for arguments
      outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [li2018strong, li2025discrete, alajaji2026rejection] the least of the bounds of
      `theory.channel_simulation.entropy_upper_bound`, for n letters at once.
    """
    check_domain("information", information, minimum=0.0)
    check_domain("blocklength", blocklength, minimum=1.0, finite=True)
    if is_concrete(blocklength) and np.any(np.asarray(blocklength) % 1 != 0):
        raise ValueError(f"blocklength must be whole, got {blocklength}")
    needed = information if information_lower is None else information_lower
    check_domain("information_lower", needed, minimum=0.0)
    information, n, needed = broadcast(information, blocklength, needed)
    valid = (information >= 0) & (n >= 1) & (needed >= 0)
    total = jnp.where(valid, information * n, 0.0)
    least = jnp.minimum(*(entropy_upper_bound(total, bound=bound) for bound in _BOUNDS))
    sent = information > 0
    return RealismRates(
        lower=nan_unless(valid, jnp.minimum(needed, information)),
        entropy=nan_unless(valid, jnp.where(sent, least / n, 0.0)),
        length=nan_unless(valid, jnp.where(sent, (least + 1.0) / n, 0.0)),
    )


def gaussian_realism_rates(
    distortion: ArrayLike,
    perception: ArrayLike,
    variance: ArrayLike = 1.0,
    *,
    blocklength: ArrayLike,
    divergence: str = "w2sq",
) -> RealismRates:
    """Rates of blocks of a Gaussian source at a distortion and a perception, with unlimited shared randomness.

    R(D, P) below, simulation above. Letter by letter it takes the functional information, which the layered dither has
    exactly: the least for single letters (n = 1), and more than blocks need from some n on.

    Args:
      distortion: D > 0, mean squared error; any shape.
      perception: P >= 0, W2^2 or bits; broadcast.
      variance: of the source, > 0; broadcast.
      blocklength: n >= 1, whole; broadcast.
      divergence: "w2sq" or "kl" (KL(reconstruction || source)).

    Returns:
      `RealismRates`, bits per letter. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [li2018strong] and `theory.gaussian.rate_distortion_perception`; docs/derivations/finite_blocklength.md.
    """
    rate = gaussian.rate_distortion_perception(distortion, perception, variance, divergence=divergence)
    rates = simulation_rates(rate, blocklength=blocklength)
    rate, n = broadcast(rate, blocklength)
    finite = jnp.isfinite(rate)
    by_letter = gaussian_functional_information(jnp.where(finite, rate, 1.0))
    entropy = jnp.where(finite, jnp.minimum(rates.entropy, by_letter), rates.entropy)
    return rates._replace(entropy=entropy, length=jnp.minimum(rates.length, entropy + 1.0 / n))


def discrete_realism_rates(solution: RateDistortionPerception, *, blocklength: ArrayLike) -> RealismRates:
    """Rates of blocks of a finite source at the distortion and perception of a certified solution.

    Below what the solution's dual point proves, above the simulation of its channel, which meets both constraints.

    Args:
      solution: of `theory.discrete.rate_distortion_perception`, or of a surface; fields of shape [...].
      blocklength: n >= 1, whole; broadcast with [...].

    Returns:
      `RealismRates`, bits per letter; NaN where the solution has no channel.

    Raises:
      ValueError: if the blocklength lies outside its domain.

    Reference: [li2018strong]; docs/derivations/finite_blocklength.md.
    """
    certified = jnp.isfinite(solution.rate)
    rate, lower = (jnp.where(certified, value, 0.0) for value in (solution.rate, solution.rate_lower))
    rates = simulation_rates(jnp.maximum(rate, 0.0), blocklength=blocklength, information_lower=lower)
    return RealismRates(*(jnp.where(certified, value, jnp.nan) for value in rates))
