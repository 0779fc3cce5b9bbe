"""Quantization to a learned codebook with the code lengths in view: entropy-coded vector quantization."""

import jax
import jax.numpy as jnp

from rdr.distances import squared_distances
from rdr.units import nats_to_bits

_EXACT_DIMENSIONS = 8  # in which differences are squared; products are faster in more


def code_lengths(logits: jax.Array) -> jax.Array:
    """Ideal code lengths of probabilities given by logits.

    Args:
      logits: [K].

    Returns:
      Bits [K].
    """
    return -nats_to_bits(jax.nn.log_softmax(logits))


def nearest_codeword(x: jax.Array, codewords: jax.Array, bits: jax.Array, weight: jax.Array) -> jax.Array:
    """The index of least weight * squared distance + bits: what an encoder should choose.

    Args:
      x: [..., d].
      codewords: [K, d].
      bits: code lengths [K].
      weight: bits per unit of squared distance.

    Returns:
      int32 [...]; ties go to the first.

    Reference: Chou, Lookabaugh and Gray (chou1989entropy).
    """
    distances = squared_distances(x, codewords, exact=x.shape[-1] <= _EXACT_DIMENSIONS)
    return jnp.argmin(weight * distances + jnp.broadcast_to(bits, distances.shape), -1).astype(jnp.int32)


def soft_assignment(costs: jax.Array, temperature: jax.Array) -> jax.Array:
    """The assignment of least E cost - T H: probabilities proportional to 2^(-cost / T).

    At T = 1 and costs weight * distance + bits it is the test channel of Blahut and Arimoto at the output pmf of the
    code lengths; as T -> 0 the hard assignment.

    Args:
      costs: [..., K], bits.
      temperature: T > 0.

    Returns:
      [..., K].

    Reference: Rose (rose1998annealing).
    """
    return jax.nn.softmax(-costs / nats_to_bits(temperature), -1)


def annealed_cost(x: jax.Array, codewords: jax.Array, logits: jax.Array, weight: jax.Array,
                  temperature: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Expected squared distance and bits under annealed assignments, with the gradient of the annealed objective.

    The objective E [weight d + bits] - T H is least over assignments at those of `soft_assignment`, so that its
    gradient is that of the expected cost with assignments held fixed, which is what these two have.

    Args:
      x: [..., d].
      codewords: [K, d].
      logits: [K], of the probabilities.
      weight: bits per unit of squared distance.
      temperature: T > 0, or None for hard assignments.

    Returns:
      Squared distances and bits, each [...].

    Reference: Rose (rose1998annealing).
    """
    distances = squared_distances(x, codewords, exact=x.shape[-1] <= _EXACT_DIMENSIONS)
    bits = jnp.broadcast_to(code_lengths(logits), distances.shape)
    costs = jax.lax.stop_gradient(weight * distances + bits)
    if temperature is None:
        q = jax.nn.one_hot(jnp.argmin(costs, -1), costs.shape[-1], dtype=costs.dtype)
    else:
        q = soft_assignment(costs, temperature)
    return jnp.sum(q * distances, -1), jnp.sum(q * bits, -1)
