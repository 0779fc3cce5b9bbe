"""Fidelity one component at a time: squared, absolute and smooth absolute error."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import working_arrays
from rdr.gradients import absolute


def squared_error(images: ArrayLike, reference: ArrayLike) -> jax.Array:
    """Computes the mean squared error of each element of a batch.

    The mean of (x - y)^2 over all components. The gradient at equality is 0.

    Args:
      images: [batch, ...].
      reference: the same shape.

    Returns:
      [batch], squared units of the arguments per component; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes differ, or there is no batch axis.
    """
    return jnp.mean(jnp.square(_difference(images, reference)), axis=1)


def absolute_error(images: ArrayLike, reference: ArrayLike) -> jax.Array:
    """Computes the mean absolute error of each element of a batch.

    The mean of |x - y| over all components. Where components are equal, the gradient returned is 0, one of
    the subgradients.

    Args:
      images: [batch, ...].
      reference: the same shape.

    Returns:
      [batch], units of the arguments per component; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes differ, or there is no batch axis.
    """
    return jnp.mean(absolute(_difference(images, reference)), axis=1)


def charbonnier(images: ArrayLike, reference: ArrayLike, *, scale: float = 1e-3) -> jax.Array:
    """Computes a smooth absolute error of each element of a batch.

    The mean of sqrt((x - y)^2 + s^2) - s over all components: absolute error beyond s, quadratic within.

    Args:
      images: [batch, ...].
      reference: the same shape.
      scale: s > 0, in units of the arguments.

    Returns:
      [batch], units of the arguments per component; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes differ, there is no batch axis, or the scale is not positive.

    Reference: charbonnier1994two, equation 5; less s here, so that equal images have distance 0.
    """
    if not scale > 0:
        raise ValueError(f"scale must be positive, got {scale}")
    return jnp.mean(jnp.sqrt(jnp.square(_difference(images, reference)) + scale**2) - scale, axis=1)


def _difference(images: ArrayLike, reference: ArrayLike) -> jax.Array:
    images, reference = working_arrays(images=images, reference=reference)
    if images.ndim < 2 or 0 in images.shape[1:]:
        raise ValueError(f"images must have shape [batch, ...] with components, got {images.shape}")
    if images.shape != reference.shape:
        raise ValueError(f"reference must have the shape of images, {images.shape}, got {reference.shape}")
    size = 1
    for length in images.shape[1:]:
        size *= length
    return (images - reference).reshape(images.shape[0], size)
