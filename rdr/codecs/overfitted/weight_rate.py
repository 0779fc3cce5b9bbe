"""The rate of the weights as a term of the loss: small images keep the pretrained weights, large ones leave them."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

# Binary logarithms of the steps that weights usually end up with, for each kind of weight.
_TYPICAL_EXPONENTS = {"entropy": 5, "pixel": 6, "refine": 6, "upsampling": 5}
_BITS_PER_OCTAVE = 2.0 * float(np.e)  # a Laplace distribution of mean absolute value m >> 1 has log2(2 e m) bits


def soft_weight_bits(weights: Mapping[str, jax.Array], start: Mapping[str, ArrayLike]) -> jax.Array:
    """Estimates the bits of weights, differentiably.

    A tensor of n weights whose differences to the pretrained ones have the mean absolute value m, in steps of 2^-e,
    takes about n log2(1 + 2 e m) bits: nothing without a difference, and the entropy of a Laplace distribution of this
    width where steps are small beside it.

    Args:
      weights: float32 by name.
      start: the pretrained weights by name.

    Returns:
      Bits, float32 scalar.
    """
    total = jnp.float32(0.0)
    for name, w in weights.items():
        step = np.float32(2.0 ** -_TYPICAL_EXPONENTS[name.split("_")[0]])
        mean = jnp.mean(jnp.abs(w - jnp.asarray(start[name]))) / step
        total += w.size * jnp.log2(1.0 + np.float32(_BITS_PER_OCTAVE) * mean)
    return total
