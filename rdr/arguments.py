"""What losses and feature maps ask of their arguments: floating-point arrays of one shape, in at least float32.

Losses accept bfloat16, float16, float32 and float64, compute in float32 or in float64, and return that type:
the result is the same with 64-bit types switched on or off.
"""

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


def image_batch(images: ArrayLike, *, name: str = "images", channels: int | None = None) -> jax.Array:
    """Checks one batch of images.

    Args:
      images: [batch, height, width, channels].
      name: the argument's name, for messages.
      channels: the number of channels it must have, if only one will do.

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
    return images


def image_pair(
    images: ArrayLike, reference: ArrayLike, *, channels: int | None = None
) -> tuple[jax.Array, jax.Array]:
    """Checks two batches of images that are compared one by one.

    Args:
      images: [batch, height, width, channels].
      reference: the same shape.
      channels: the number of channels they must have, if only one will do.

    Returns:
      Both as float32, or both as float64 if one of them is.

    Raises:
      ValueError: if they are not batches of non-empty floating-point images of one shape.
    """
    images, reference = working_arrays(images=images, reference=reference)
    image_batch(images, channels=channels)
    if images.shape != reference.shape:
        raise ValueError(f"reference must have the shape of images, {images.shape}, got {reference.shape}")
    return images, reference


def sample_pair(samples: ArrayLike, reference: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Checks two sets of vectors whose laws are compared.

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
    return tuple(value.reshape(value.shape[0], -1) for value in (samples, reference))
