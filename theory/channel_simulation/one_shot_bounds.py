"""What it costs to simulate a noisy channel with shared randomness: one-shot bounds around I(X; Y)."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import nan_unless
from theory.numerics.units import nats_to_bits

# name -> (addend inside of the logarithm, addend): H <= I + log2(I + a) + c bits.
_BOUNDS = {"li_el_gamal_2018": (1.0, 4.0), "li_2025": (3.4, 1.0)}


def entropy_lower_bound(information: ArrayLike) -> jax.Array:
    """No scheme uses less entropy than the mutual information: H(K | seed) >= I(X; Y).

    Args:
      information: I(X; Y) >= 0, bits.

    Returns:
      Lower bound, bits, same shape. Inside a trace a negative information gives NaN.

    Raises:
      ValueError: if `information` is negative.

    Reference:
      Data processing.
    """
    check_domain("information", information, minimum=0.0)
    information = jnp.asarray(information, jnp.float64)
    return nan_unless(information >= 0, information)


def entropy_upper_bound(information: ArrayLike, *, bound: str = "li_2025") -> jax.Array:
    """One use of a channel can be simulated with unlimited shared randomness at H(K | seed) <= I + log2(I + a) + c.

    Args:
      information: I(X; Y) >= 0, bits.
      bound: "li_2025" (a = 3.4, c = 1) or "li_el_gamal_2018" (a = 1, c = 4; the strong functional
        representation lemma).

    Returns:
      Upper bound on the least entropy, bits, same shape. Inside a trace a negative information gives NaN.

    Raises:
      ValueError: if `information` is negative or the bound is unknown.

    Reference:
      Li and El Gamal, IEEE T-IT 64(11), 2018 (arXiv 1701.02827); Li 2025 (arXiv 2501.13736).
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
      Huffman coding of K given the seed, with the bounds of `entropy_upper_bound`.
    """
    return entropy_upper_bound(information, bound=bound) + 1.0
