"""Wishes that one set of parameters serves: a rate for the encoder, a realism weight for the decoder.

*Rate.* Latents are multiplied by a gain for each channel before they are quantized, and by another one after. Gains are
learned at a few levels and interpolated geometrically, so that levels are real numbers and rates a continuum.

*Realism.* The decoder's parameters are theta_0 + beta delta with beta in [0, 1]: at 0 the decoder of least squared
error, at 1 one trained for realism, on a straight line between them. The encoder and the bytes are the same.

Reference: Cui et al. (cui2021asymmetric); Wang et al. (wang2019interpolation); Agustsson et al.
(agustsson2023multirealism) for the task.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

RATE_STEPS = 16  # a message says the level in sixteenths


def init_gains(levels: int, latents: int, *, ratio: float = 5.0, mean: float = 10.0) -> dict:
    """Gains that rise from the first level to the last.

    Args:
      levels: at least 2.
      latents: channels M.
      ratio: of the last level's gain to the first's.
      mean: geometric mean of the gains. Untrained latents are around 0.3: without it they would all be rounded to
        zero, and training would be slow to find out what to say.

    Returns:
      "log_gain" and "log_inverse", float32 [levels, M].
    """
    ramp = jnp.linspace(-0.5, 0.5, levels, dtype=jnp.float32) * math.log(ratio) + math.log(mean)
    table = jnp.broadcast_to(ramp[:, None], (levels, latents))
    return {"log_gain": table, "log_inverse": -table}


def gain_at(table: jax.Array, level: jax.Array) -> jax.Array:
    """Gains at levels, geometrically interpolated.

    Args:
      table: logarithms [levels, M].
      level: [batch], in [0, levels - 1]; clipped.

    Returns:
      [batch, 1, 1, M].
    """
    table = jnp.asarray(table, jnp.float32)  # parameters from a file are numpy arrays
    last = table.shape[0] - 1
    level = jnp.clip(jnp.asarray(level, jnp.float32), 0.0, last)
    low = jnp.clip(jnp.floor(level), 0, last - 1).astype(jnp.int32)
    part = (level - low.astype(jnp.float32))[:, None]
    return jnp.exp((1.0 - part) * table[low] + part * table[low + 1])[:, None, None, :]


def interpolate(base: Any, delta: Any, realism: Any) -> Any:
    """theta_0 + beta delta, leaf by leaf.

    Args:
      base: a tree.
      delta: a tree of the same structure.
      realism: beta.

    Returns:
      A tree.
    """
    beta = jnp.asarray(realism, jnp.float32)
    return jax.tree.map(lambda a, b: a + beta * b, base, delta)
