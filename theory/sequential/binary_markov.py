"""The binary symmetric Markov source under Hamming distortion: causal rate in closed form, the other in a bracket."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.closed_form.bernoulli import binary_entropy
from theory.discrete import rate_distortion
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, nan_unless

_MAX_BLOCK = 8


class MarkovRate(NamedTuple):
    """Bounds on a rate-distortion function, bits per symbol.

    Attributes:
      lower: no code has a smaller rate; scalar.
      upper: a code of blocks has this rate; scalar.
    """

    lower: jax.Array
    upper: jax.Array


def causal_rate(distortion: ArrayLike, flip: ArrayLike) -> jax.Array:
    """Nonanticipative rate-distortion function of a binary symmetric Markov source (exact).

    R(D) = h(q (1 - D) + (1 - q) D) - h(D) for D <= 1/2, and 0 above. Attained by describing X_t + Y_{t-1}; the converse
    is Mrs. Gerber's lemma. The price of causality at small D is h(q (1 - D) + (1 - q) D) - h(q).

    Args:
      distortion: D >= 0, mean Hamming distortion; any shape.
      flip: q in [0, 1], P(X_t differs from X_{t-1}); broadcast.

    Returns:
      Bits per symbol; the broadcast shape. NaN inside a trace for arguments outside of the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: [wyner1973theorem] Wyner and Ziv 1973, for the lemma; docs/derivations/sequential_coding.md.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("flip", flip, minimum=0.0, maximum=1.0)
    d, q = broadcast(distortion, flip)
    coded = d < 0.5
    inside = jnp.where(coded, d, 0.5)
    # q and 1 - q are one problem; at the smaller one the difference is 0, not less, where the source is known.
    folded = jnp.minimum(q, 1.0 - q)
    value = binary_entropy(folded + inside - 2.0 * folded * inside) - binary_entropy(inside)
    return nan_unless((d >= 0) & (q >= 0) & (q <= 1), jnp.where(coded, value, 0.0))


def critical_distortion(flip: ArrayLike) -> jax.Array:
    """The distortion up to which the rate of the source is h(q) - h(D), the Shannon lower bound (exact).

    D_c = 1/2 (1 - sqrt(1 - (m/(1 - m))^2)) with m = min(q, 1 - q).

    Args:
      flip: q in [0, 1]; any shape.

    Returns:
      D_c in [0, 1/2]; same shape. NaN inside a trace for q outside of [0, 1].

    Raises:
      ValueError: if q is outside of [0, 1] (outside of a trace).

    Reference: [gray1970information] Gray, Information rates of autoregressive processes, 1970.
    """
    check_domain("flip", flip, minimum=0.0, maximum=1.0)
    q = jnp.asarray(flip, jnp.float64)
    ratio = jnp.minimum(q, 1.0 - q) / jnp.maximum(q, 1.0 - q)
    value = 0.5 * ratio**2 / (1.0 + jnp.sqrt(jnp.maximum((1.0 - ratio) * (1.0 + ratio), 0.0)))
    return nan_unless((q >= 0) & (q <= 1), value)


def rate_bracket(distortion: float, flip: float, *, block: int = 4) -> MarkovRate:
    """Bounds on the rate-distortion function of a binary symmetric Markov source from blocks of n letters (certified).

    R_n(D)/n, of the solver for finite alphabets, is an upper bound; R_n(D)/n - (1 - h(q))/n a lower bound, because a
    block tells the next one I(X_1; X_0) = 1 - h(q) bits; and h(q) - h(D) another, exact up to `critical_distortion`.

    Args:
      distortion: D in [0, 1], mean Hamming distortion; a number.
      flip: q in (0, 1); a number.
      block: n, from 1 to 8.

    Returns:
      A `MarkovRate`; its upper bound is the exact h(q) - h(D) up to `critical_distortion`.

    Raises:
      ValueError: if an argument is outside of its domain.

    Reference: [wyner1971bounds, gray1970information] Wyner and Ziv, Bounds on the rate-distortion function for
      stationary sources with memory, 1971; Gray 1970.
    """
    check_domain("distortion", distortion, minimum=0.0, maximum=1.0)
    check_domain("flip", flip, minimum=0.0, maximum=1.0, open_minimum=True)
    check_domain("1 - flip", 1.0 - flip, minimum=0.0, open_minimum=True)
    if not 1 <= block <= _MAX_BLOCK:
        raise ValueError(f"block must be from 1 to {_MAX_BLOCK}, got {block}")
    letters = (np.arange(2**block)[:, None] >> np.arange(block)) & 1
    flips = np.sum(letters[:, 1:] != letters[:, :-1], -1)
    pmf = 0.5 * flip**flips * (1.0 - flip) ** (block - 1 - flips)
    matrix = np.sum(letters[:, None] != letters[None], -1).astype(float)
    solved = rate_distortion(pmf / pmf.sum(), matrix, distortion=block * distortion)
    entropy, half = binary_entropy(flip), min(distortion, 0.5)
    shannon = jnp.maximum(entropy - binary_entropy(half), 0.0)
    lower = jnp.maximum((solved.rate_lower - (1.0 - entropy)) / block, shannon)
    known = distortion <= float(critical_distortion(flip))
    upper = jnp.where(known, shannon, solved.rate / block)
    return MarkovRate(jnp.minimum(lower, upper), upper)
