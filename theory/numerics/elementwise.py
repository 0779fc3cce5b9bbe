"""Elementwise numerics: broadcasting, the edge of a domain, the inverse of a monotone function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import all_concrete


def broadcast(*values: ArrayLike) -> list[jax.Array]:
    """Gives arguments one shape, in float64.

    Args:
      *values: numbers or arrays whose shapes broadcast.

    Returns:
      Arrays of the common shape.
    """
    if all_concrete(*values):  # without a program for each shape
        known = [np.asarray(value, np.float64) for value in values]
        shape = jnp.broadcast_shapes(*(array.shape for array in known))
        return [jnp.asarray(np.broadcast_to(array, shape)) for array in known]
    arrays = [jnp.asarray(value, jnp.float64) for value in values]
    shape = jnp.broadcast_shapes(*(array.shape for array in arrays))
    return [jnp.broadcast_to(array, shape) for array in arrays]


def one_program(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of arrays for where nothing is traced, in place of a program for each of its operations.

    Args:
      function: of arrays and trees of them alone.

    Returns:
      The same function; inside of a trace it becomes part of what is traced, as before.
    """
    compiled = jax.jit(function)

    @functools.wraps(function)
    def call(*values):
        return compiled(*values) if all_concrete(*values) else function(*values)

    return call


def squared_distances(x: jax.Array | np.ndarray, y: jax.Array | np.ndarray) -> jax.Array:
    """Computes |x_i - y_j|^2 between two sets of points.

    Args:
      x: points, [n, d].
      y: points, [m, d].

    Returns:
      Squared distances, [n, m].
    """
    return jnp.asarray(sum((x[:, None, k] - y[None, :, k]) ** 2 for k in range(x.shape[1])))


def nan_unless(valid: jax.Array, value: jax.Array) -> jax.Array:
    """Puts NaN where an argument lies outside of its domain.

    Args:
      valid: booleans, any shape.
      value: same shape.

    Returns:
      `value` where `valid`, else NaN.
    """
    return jnp.where(valid, value, jnp.nan)


def infinite_at_zero(value: jax.Array) -> jax.Array:
    """What a rate is to be increased by where its distortion is 0: inf there, with slope -inf; else 0.

    Args:
      value: a distortion, >= 0; any shape.

    Returns:
      inf where `value` is 0, else 0; same shape.
    """
    zero = value == 0
    return jnp.where(zero, -jnp.log(jnp.where(zero, value, 1.0)), 0.0)


def decreasing_root(
    function: Callable[[jax.Array], jax.Array], target: jax.Array, low: ArrayLike, high: ArrayLike, *, steps: int = 60
) -> jax.Array:
    """Solves f(x) = target for a decreasing f by bisection and one Newton step, which carries the derivative.

    Args:
      function: elementwise and decreasing; it may depend on further arrays, by which the root is differentiable.
      target: any shape.
      low: a point where f is at least the target.
      high: a point where f is at most the target; the root is `low` or `high` where there is none between.
      steps: bisections; 60 exhaust float64 for bounds within a few orders of magnitude of each other.

    Returns:
      The root, of the shape of `target`.
    """
    low, high = (jnp.broadcast_to(jnp.asarray(end, jnp.float64), target.shape) for end in (low, high))

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        above = jax.lax.stop_gradient(function(middle) > target)
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    ends = jax.lax.fori_loop(0, steps, halve, (jax.lax.stop_gradient(low), jax.lax.stop_gradient(high)))
    root = jax.lax.stop_gradient((ends[0] + ends[1]) / 2)
    _, slope = jax.jvp(function, (root,), (jnp.ones_like(root),))
    slope = jax.lax.stop_gradient(slope)
    usable = jnp.isfinite(slope) & (slope < 0)
    # The step changes the value by rounding only; its derivative is that of the implicit function.
    step = (function(root) - target) / jnp.where(usable, slope, -1.0)
    width = jax.lax.stop_gradient(ends[1] - ends[0])
    value = jax.lax.stop_gradient(step)
    correction = jnp.where(jnp.abs(value) <= width, value, 0.0)
    return root - correction - jnp.where(usable, step - value, 0.0)
