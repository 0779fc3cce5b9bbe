"""Bounds on parameters through which gradients still find the way back."""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def lower_bound(x: jax.Array, bound: float) -> jax.Array:
    """The larger of x and a bound, with a gradient that can lead back above the bound.

    Below the bound the derivative is 1 for gradients that would make x larger (descent subtracts them, so they are
    negative), and 0 for others; `jnp.maximum` would let nothing out again.

    Args:
      x: any shape, floating.
      bound: the least value.

    Returns:
      Same shape and dtype.

    Reference: Ballé, "Efficient nonlinear transforms for lossy image compression", PCS 2018, section 2.
    """
    return jnp.maximum(x, jnp.asarray(bound, x.dtype))


def _forward(x, bound):
    return lower_bound(x, bound), (x, bound)


def _backward(saved, gradient):
    x, bound = saved
    return jnp.where((x >= bound) | (gradient < 0), gradient, jnp.zeros_like(gradient)), None


lower_bound.defvjp(_forward, _backward)
