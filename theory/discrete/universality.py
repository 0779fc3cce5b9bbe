"""One encoder for many distortions and perceptions: what its universality costs, between certified bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.discrete.common import channels
from theory.discrete.fixed_encoder import BestDecoder, best_decoder
from theory.discrete.perception import rdp
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.power_divergence import PowerDivergence
from theory.numerics.checks import check_domain
from theory.numerics.units import nats_to_bits


class UniversalRate(NamedTuple):
    """A bracket of the least rate of one encoder for several pairs (D, P), and the encoder that attains the upper end.

    Attributes:
      rate: I(X; Z) of `encoder`, bits; scalar; inf if no encoder was found.
      rate_lower: the largest certified lower bound on R(D_i, P_i), which no encoder is below, bits; scalar.
      rates: certified upper values of R(D_i, P_i), each by an encoder of its own, bits, [k].
      encoder: W(z|x), [n, n].
      decoders: Q_i(y|z) with E[d] <= D_i and divergence <= P_i, [k, n, n].
      distortions: E[d] of each, [k].
    """

    rate: jax.Array
    rate_lower: jax.Array
    rates: jax.Array
    encoder: jax.Array
    decoders: jax.Array
    distortions: jax.Array

    @property
    def penalty(self) -> jax.Array:
        """`rate - rate_lower`, bits: what universality costs at most."""
        return self.rate - self.rate_lower


def universal_rate(
    pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortions: Sequence[float],
    perceptions: Sequence[float],
    divergence: str | Divergence | PowerDivergence,
    points: ArrayLike | None = None,
    steps: int = 24,
) -> UniversalRate:
    """Brackets the least rate of an encoder from which a decoder for each of several pairs (D_i, P_i) can work.

    min I(X; Z) such that for each i some decoder of Z has E[d] <= D_i and delta(p_X, p_Y) <= P_i (docs/derivations/
    universality.md). It is at least max_i R(D_i, P_i), and the difference is the rate penalty of universality. The
    upper end is an encoder that was found, with its decoders: the cheapest from which all pairs are reached among the
    channels X -> Y that are optimal for (D, P_i) or for R(D), over D. Nothing says that the best is among them.

    Args:
      pmf: probabilities of the source, [n].
      distortion_matrix: d(x, y) >= 0, finite, [n, n].
      distortions: D_i, [k].
      perceptions: P_i, [k]; 0 and inf are allowed.
      divergence: as in `rate_distortion_perception`.
      points: positions of the letters for "w1" and "w2sq", [n].
      steps: halvings of the distortion's bracket for each kind of channel.

    Returns:
      A `UniversalRate`, not traced.

    Raises:
      ValueError: if an argument has the wrong shape or values, or some pair is met by no channel.

    Reference: [zhang2021universal] G. Zhang, J. Qian, J. Chen, A. Khisti, NeurIPS 2021, arXiv:2106.10311, who define
      the penalty and show that it is 0 for Gaussian sources under squared error and W2 squared.
    """
    pmf, distortion_matrix = rdp.check_square_source(pmf, distortion_matrix)
    check_domain("distortion_matrix", distortion_matrix, finite=True)
    check_domain("distortions", distortions, minimum=0.0)
    check_domain("perceptions", perceptions, minimum=0.0)
    wanted, levels = np.asarray(distortions, np.float64), np.asarray(perceptions, np.float64)
    if wanted.ndim != 1 or wanted.shape != levels.shape or wanted.size == 0:
        raise ValueError(f"distortions and perceptions must have one shape [k], got {wanted.shape} and {levels.shape}")

    def optimal(distortion, perception):
        return rdp.rate_distortion_perception(
            pmf, distortion_matrix, distortion=float(distortion), perception=float(perception), divergence=divergence,
            points=points)

    def decoded(encoder) -> list[BestDecoder]:
        return [best_decoder(pmf, encoder, distortion_matrix, perception=float(level), divergence=divergence,
                             points=points) for level in levels]

    alone = [optimal(d, level) for d, level in zip(wanted, levels)]
    least = float(jnp.sum(pmf * distortion_matrix.min(1)) / pmf.sum())
    lossless, found = jnp.eye(pmf.shape[0]), None
    answers = decoded(lossless)
    # What a solver ends at may exceed a limit by rounding only; then the encoder is not counted.
    if all(float(a.distortion) <= d for a, d in zip(answers, wanted)):
        found = float(_rate(pmf, lossless)), lossless, answers
    for level in sorted({*levels.tolist(), np.inf}):
        found = _cheapest(pmf, wanted, lambda d, level=level: optimal(d, level), decoded, least, steps, found)
    rates = jnp.stack([a.rate for a in alone])
    lower = jnp.max(jnp.stack([a.rate_lower for a in alone]))
    if found is None:
        n = pmf.shape[0]
        empty = jnp.full((wanted.size, n, n), jnp.nan)
        return UniversalRate(jnp.asarray(jnp.inf), lower, rates, jnp.full((n, n), jnp.nan), empty, empty[:, 0, 0])
    rate, encoder, answers = found
    return UniversalRate(
        jnp.maximum(rate, lower), lower, rates, encoder, jnp.stack([a.decoder for a in answers]),
        jnp.stack([a.distortion for a in answers]))


def _rate(pmf: jax.Array, encoder: jax.Array) -> jax.Array:
    return nats_to_bits(channels.mutual_information(pmf / pmf.sum(), encoder))


def _cheapest(pmf, wanted, optimal, decoded, least: float, steps: int, found):
    """The better of `found` and the coarsest channel of one kind from which all pairs are reached, by bisection."""
    low, high = 0.0, 1.0
    for step in range(steps):
        share = high if step == 0 else 0.5 * (low + high)
        try:
            channel = optimal(least + share * (float(wanted.max()) - least))
        except ValueError:
            return found  # no channel of this perception has so small a distortion
        answers = decoded(channel.channel)
        if all(float(a.distortion) <= d for a, d in zip(answers, wanted)):
            rate = float(_rate(pmf, channel.channel))
            if found is None or rate < found[0]:
                found = rate, channel.channel, answers
            low = share
            if step == 0:
                return found
        else:
            high = share
    return found
