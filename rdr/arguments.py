"""Argument validation of losses and feature maps: floating-point arrays of one shape, in at least float32.

Losses accept bfloat16, float16, float32 and float64, compute in float32 or in float64, and return that type:
the result is the same with 64-bit types switched on or off.

Where values are concrete, outside of a trace, images of values from 0 to 255 and arrays with channels first are
refused, which takes a look at all values. The environment variable RDR_CHECKS=0 switches that off.
"""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Iterable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def working_arrays(**arrays: ArrayLike) -> list[jax.Array]:
    """Brings arrays to one floating-point type of at least 32 bits.

    Args:
      **arrays: arrays by the name under which the caller knows them.

    Returns:
      The arrays, in order, as float32, or as float64 if one of them is float64.

    Raises:
      ValueError: if an array does not hold real floating-point numbers.
    """
    values = {name: jnp.asarray(array) for name, array in arrays.items()}
    for name, value in values.items():
        if not jnp.issubdtype(value.dtype, jnp.floating):
            raise ValueError(
                f"{name} must hold floating-point numbers (images: in [0, 1]), got {value.dtype}"
            )
    dtype = jnp.promote_types(jnp.float32, jnp.result_type(*(value.dtype for value in values.values())))
    return [value.astype(dtype) for value in values.values()]


# Values of images in [0, 1] may overshoot by as much as their range: those of a codec that does not clip.
_LOWEST, _HIGHEST = -1.0, 2.0
_MIN_SIDE = 32  # an array with 1 or 3 rows, and more columns and channels than this, has its channels first


def checks_values() -> bool:
    """Tells whether values are looked at, which costs a pass over them.

    Returns:
      Whether RDR_CHECKS is not 0.
    """
    return os.environ.get("RDR_CHECKS", "1") != "0"


def check_unit_range(images: jax.Array, *, name: str) -> None:
    """Refuses concrete images whose values cannot be meant to lie in [0, 1].

    Args:
      images: any shape; traced ones pass.
      name: the argument's name, for messages.

    Raises:
      ValueError: if a value is below -1 or above 2.
    """
    if isinstance(images, jax.core.Tracer) or not checks_values() or images.size == 0:
        return
    low, high = float(jnp.min(images)), float(jnp.max(images))
    if low < _LOWEST or high > _HIGHEST:
        raise ValueError(f"{name} must lie in [0, 1], got values from {low:g} to {high:g}: divide by the largest "
                         "possible value, 255 say (RDR_CHECKS=0 switches this check off)")


def check_channels_last(images: jax.Array, *, name: str) -> None:
    """Refuses arrays whose shape is that of images with channels first.

    Args:
      images: [batch, height, width, channels].
      name: the argument's name, for messages.

    Raises:
      ValueError: if there are 1 or 3 rows, and at least 32 columns and channels.
    """
    if checks_values() and images.ndim == 4 and images.shape[1] in (1, 3) and min(images.shape[2:]) >= _MIN_SIDE:
        raise ValueError(f"{name} must have channels last, [batch, height, width, channels], and {images.shape} looks "
                         "as if they were first (RDR_CHECKS=0 switches this check off)")


def image_batch(
    images: ArrayLike, *, name: str = "images", channels: int | None = None, unit_range: bool = False
) -> jax.Array:
    """Checks one batch of images.

    Args:
      images: [batch, height, width, channels].
      name: the argument's name, for messages.
      channels: the number of channels it must have, if only one will do.
      unit_range: whether concrete values are checked, see `check_unit_range`.

    Returns:
      The batch as float32 or float64.

    Raises:
      ValueError: if it is not a batch of non-empty floating-point images.
    """
    (images,) = working_arrays(**{name: images})
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(
            f"{name} must have shape [batch, height, width, channels], none of the last three 0, "
            f"got {images.shape}"
        )
    if channels is not None and images.shape[-1] != channels:
        raise ValueError(f"{name} must have {channels} channels, got shape {images.shape}")
    if channels is None:
        check_channels_last(images, name=name)
    if unit_range:
        check_unit_range(images, name=name)
    return images


def image_pair(
    images: ArrayLike, reference: ArrayLike, *, channels: int | None = None, unit_range: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Checks two batches of images that are compared one by one.

    Args:
      images: [batch, height, width, channels].
      reference: the same shape.
      channels: the number of channels they must have, if only one will do.
      unit_range: whether concrete values are checked, see `check_unit_range`.

    Returns:
      Both as float32, or both as float64 if one of them is.

    Raises:
      ValueError: if they are not batches of non-empty floating-point images of one shape.
    """
    images, reference = working_arrays(images=images, reference=reference)
    image_batch(images, channels=channels, unit_range=unit_range)
    if images.shape != reference.shape:
        raise ValueError(f"reference must have the shape of images, {images.shape}, got {reference.shape}")
    if unit_range:
        check_unit_range(reference, name="reference")
    return images, reference


def sample_pair(samples: ArrayLike, reference: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Checks two sets of vectors whose distributions are compared.

    Args:
      samples: [samples, dimension], or [samples] for numbers.
      reference: [other samples, dimension], or [other samples].

    Returns:
      Both as [samples, dimension], float32, or float64 if one of them is.

    Raises:
      ValueError: if they are not non-empty sets of floating-point vectors of one dimension.
    """
    samples, reference = working_arrays(samples=samples, reference=reference)
    for name, value in (("samples", samples), ("reference", reference)):
        if value.ndim not in (1, 2) or 0 in value.shape:
            raise ValueError(f"{name} must have shape [samples, dimension], no 0, got {value.shape}")
    if samples.shape[1:] != reference.shape[1:]:
        raise ValueError(f"reference must have vectors of shape {samples.shape[1:]}, got {reference.shape}")
    return samples.reshape(samples.shape[0], -1), reference.reshape(reference.shape[0], -1)


def total(arrays: Iterable[jax.Array]) -> jax.Array:
    """Adds arrays up one after the other, beginning with the first.

    Args:
      arrays: at least one, of shapes that broadcast.

    Returns:
      The sum.
    """
    return functools.reduce(operator.add, arrays)
