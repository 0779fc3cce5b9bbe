"""Sliced Wasserstein distance of small neighborhoods, level by level of a Laplacian pyramid."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpy.typing import ArrayLike as HostArrayLike

from rdr.arguments import image_batch
from rdr.features.laplacian_pyramid import laplacian_pyramid
from rdr.losses.sliced_wasserstein import random_directions
from rdr.metrics.folds import jackknife_error, make_folds
from rdr.metrics.moments import feature_pair


def pyramid_neighborhoods(
    images: ArrayLike, *, key: jax.Array, num_levels: int = 4, size: int = 7, count: int = 64
) -> tuple[jax.Array, ...]:
    """Cuts neighborhoods out of the levels of the Laplacian pyramid at random places.

    Args:
      images: [batch, height, width, channels]; each level at least `size` each way.
      key: a `jax.random.key`; the places depend on it and on the images' size only, so a reference and a candidate
        are cut at the same places.
      num_levels: number of levels, the low-pass residual included.
      size: side of a neighborhood, pixels of its level.
      count: neighborhoods per image and level.

    Returns:
      For each level, finest first, [batch, count, size * size * channels].

    Raises:
      ValueError: if the images are too small for the levels.
    """
    images = image_batch(images)
    result = []
    for level, maps in enumerate(laplacian_pyramid(images, num_levels=num_levels)):
        height, width = maps.shape[1:3]
        if min(height, width) < size:
            raise ValueError(
                f"images must be larger for {num_levels} levels: level {level} of {images.shape} measures "
                f"{height} x {width}, less than {size}"
            )
        row_key, column_key = jax.random.split(jax.random.fold_in(key, level))
        tops = jax.random.randint(row_key, (count,), 0, height - size + 1, jnp.int32)
        lefts = jax.random.randint(column_key, (count,), 0, width - size + 1, jnp.int32)

        def cut(top, left, maps=maps):
            zero = jnp.int32(0)
            return jax.lax.dynamic_slice(maps, (zero, top, left, zero), (maps.shape[0], size, size, maps.shape[3]))

        pieces = jax.vmap(cut, out_axes=1)(tops, lefts)
        result.append(pieces.reshape(images.shape[0], count, -1))
    return tuple(result)


def sliced_distance(
    samples: HostArrayLike,
    reference: HostArrayLike,
    *,
    key: jax.Array,
    seed: int,
    num_projections: int = 128,
    groups: HostArrayLike | None = None,
    num_folds: int = 16,
) -> tuple[float, float]:
    """Computes the squared sliced 2-Wasserstein distance of two equally large sets, with a jackknife error.

    As `rdr.losses.sliced_wasserstein.sliced_w2_squared`, in float64 on the host. It is the distance of the empirical
    sets: above that of the distributions by about what two independent halves of the reference differ by.

    Args:
      samples: [samples, dimension].
      reference: the same shape.
      key: a `jax.random.key` of the directions.
      seed: of the division into folds.
      num_projections: number of directions.
      groups: [samples] labels of samples of one image, of both sets; they stay together.
      num_folds: folds of the jackknife.

    Returns:
      The distance, squared units of the samples, and its standard error over samples (not over directions).

    Raises:
      ValueError: if the shapes differ, or options are out of range.

    Reference:
      Karras, Aila, Laine, Lehtinen (karras2018progressive), Progressive growing of GANs, ICLR 2018, arXiv 1710.10196,
      appendix A, which compares neighborhoods after normalizing each channel; here they are compared as they are.
    """
    samples, reference = feature_pair(samples, reference)
    if samples.shape != reference.shape:
        raise ValueError(f"reference must have the shape of samples, {samples.shape}, got {reference.shape}")
    if num_projections < 1:
        raise ValueError(f"num_projections must be at least 1, got {num_projections}")
    directions = np.asarray(random_directions(key, samples.shape[1], num_projections), np.float64)
    folds = make_folds(len(samples), num_folds, seed=seed, groups=groups)
    projected, target = samples @ directions, reference @ directions
    # Sorted once; leaving a fold out keeps the order.
    order, target_order = projected.argsort(axis=0), target.argsort(axis=0)
    sorted_values = np.take_along_axis(projected, order, axis=0).T
    sorted_target = np.take_along_axis(target, target_order, axis=0).T
    value = float(np.mean((sorted_values - sorted_target) ** 2))
    left_out = []
    for fold in range(num_folds):
        keep, target_keep = ((folds != fold)[o].T for o in (order, target_order))
        retained = (sorted_values[keep].reshape(num_projections, -1),
                    sorted_target[target_keep].reshape(num_projections, -1))
        left_out.append(np.mean((retained[0] - retained[1]) ** 2))
    return value, jackknife_error(left_out)
