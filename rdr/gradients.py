"""Functions with gradients of their own: a lower bound, a root, an absolute value, and what is computed twice."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


@jax.custom_vjp
def lower_bound(x: jax.Array, bound: jax.Array) -> jax.Array:
    """Takes max(x, bound), with a gradient that lets x come back.

    It vanishes only where x is below its bound and descent would push it further below.

    Args:
      x: any shape.
      bound: broadcasts with `x`; receives no gradient.

    Returns:
      The shape of `x`.

    Reference: Ballé et al. (balle2018variational): the bounds of their published code.
    """
    return jnp.maximum(x, bound)


def _lower_bound_forward(x, bound):
    return jnp.maximum(x, bound), (x >= bound, bound)


def _lower_bound_backward(residuals, cotangent):
    inside, bound = residuals
    return jnp.where(inside | (cotangent < 0), cotangent, 0.0), jnp.zeros_like(bound)


lower_bound.defvjp(_lower_bound_forward, _lower_bound_backward)


def safe_sqrt(x: jax.Array) -> jax.Array:
    """Takes a square root whose gradient is 0, not infinite, at 0.

    Args:
      x: any shape; negative values, which rounding may produce, count as 0.

    Returns:
      sqrt(max(x, 0)), the shape of `x`.
    """
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def absolute(x: jax.Array) -> jax.Array:
    """Takes an absolute value whose gradient is 0 at 0 (that of `jnp.abs` is 1 there).

    Args:
      x: any shape, real.

    Returns:
      |x|, the shape of `x`.
    """
    return x * jnp.sign(x)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def recomputed(function: Callable[..., jax.Array], *arguments: Any) -> jax.Array:
    """Calls a function whose derivative computes it again instead of keeping what it took.

    As `jax.checkpoint`, for reverse mode (and forward over reverse), where the compiler would find that both are the
    same and keep everything: the second time depends on the cotangent, and so comes after it.

    Args:
      function: of arrays, to an array.
      *arguments: of it, pytrees of floating-point arrays.

    Returns:
      What the function returns.
    """
    return function(*arguments)


def _recomputed_forward(function, *arguments):
    return function(*arguments), arguments


def _recomputed_backward(function, arguments, cotangent):
    nothing = 0.0 * jnp.sum(cotangent)  # which is NaN for infinite ones, so that it is no constant
    later = jax.tree.map(lambda x: x + nothing.astype(x.dtype), arguments)
    return jax.vjp(function, *later)[1](cotangent)


recomputed.defvjp(_recomputed_forward, _recomputed_backward)
