"""Eigendistortions: the small changes of an image that a loss sees most and least."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import working_arrays

Loss = Callable[[jax.Array, jax.Array], jax.Array]


class Eigendistortions(NamedTuple):
    """Extreme eigenvectors of a loss's Hessian at an image.

    Attributes:
      largest: [height, width, channels], of Euclidean length 1: the change that the loss sees most.
      smallest: the same shape: a change that the loss sees least.
      largest_value: scalar: the curvature along `largest`; a step of length t costs about t^2 / 2 times it.
      smallest_value: scalar: the curvature along `smallest`.
      largest_residual: scalar, |H v - value v|: some eigenvalue is that near to `largest_value`.
      smallest_residual: the same for the smallest. Many eigenvalues crowd at the lower end: `smallest_value` is an
        upper bound on the least of them, and only as near to it as this residual is small.
      steps: how many Hessian-vector products were used.
    """

    largest: jax.Array
    smallest: jax.Array
    largest_value: jax.Array
    smallest_value: jax.Array
    largest_residual: jax.Array
    smallest_residual: jax.Array
    steps: int


def hessian_product(loss: Loss, image: jax.Array, vector: jax.Array) -> jax.Array:
    """Multiplies the Hessian of a loss at its reference with a vector.

    Args:
      loss: from two batches of one image to [1], least where they are equal, and twice differentiable there
        (not a root of a sum of squares).
      image: [height, width, channels], both the reference and the point of expansion.
      vector: the same shape.

    Returns:
      d/dt grad_x loss(x + t vector, image) at x = image, t = 0; the same shape.
    """
    gradient = jax.grad(lambda x: jnp.sum(loss(x[None], image[None])))
    return jax.jvp(gradient, (image,), (vector,))[1]


def eigendistortions(loss: Loss, image: ArrayLike, *, key: jax.Array, num_steps: int = 40) -> Eigendistortions:
    """Finds the changes of an image that a loss sees most and least.

    Extreme eigenvectors of the Hessian H of loss(., image) at the image, by Lanczos iteration with full
    reorthogonalization: of the span of v, H v, ..., H^{k-1} v it takes the vectors of greatest and least
    Rayleigh quotient, hence in k products never less than k steps of power iteration (on H and on a multiple
    of the identity minus H) would reach.

    Args:
      loss: from two batches of one image to [1]; see `hessian_product`.
      image: [height, width, channels].
      key: a `jax.random.key` for the starting vector.
      num_steps: k, at least 1; fewer are used where the span stops growing (once, for the squared error).

    Returns:
      Both distortions with their curvatures. The signs are such that the entry of greatest magnitude is positive.

    Raises:
      ValueError: if `image` is no floating-point image, or `num_steps` is below 1.

    Reference:
      Berardino, Ballé, Laparra, Simoncelli (berardino2017eigen), Eigen-distortions of hierarchical representations,
      NeurIPS 2017, arXiv 1710.02266. There the matrix is the Fisher information of a representation f under Gaussian
      noise, J^T J; for the loss |f(x) - f(y)|^2 the Hessian is 2 J^T J.
    """
    (image,) = working_arrays(image=image)
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(f"image must have shape [height, width, channels], got {image.shape}")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    size = int(np.prod(image.shape))
    num_steps = min(num_steps, size)

    @jax.jit
    def product(image, v):
        return hessian_product(loss, image, v.reshape(image.shape)).reshape(size)

    @jax.jit
    def orthogonalize(w, basis):
        # Twice is enough (Parlett and Kahan): what rounding leaves of the first pass is removed by the second.
        for _ in range(2):
            w -= jnp.matmul(basis.T, jnp.matmul(basis, w, precision="highest"), precision="highest")
        return w, jnp.linalg.norm(w)

    v = jax.random.normal(key, (size,), image.dtype)
    v /= jnp.linalg.norm(v)
    basis, images = jnp.zeros((num_steps, size), image.dtype), jnp.zeros((num_steps, size), image.dtype)
    count, scale = 0, 0.0
    while count < num_steps:
        w = product(image, v)
        basis, images = basis.at[count].set(v), images.at[count].set(w)
        count += 1
        scale = max(scale, float(jnp.linalg.norm(w)))
        v, length = orthogonalize(w, basis)
        if float(length) <= 100.0 * float(jnp.finfo(image.dtype).eps) * scale:
            break
        v /= length
    basis, images = basis[:count], images[:count]
    projected = np.asarray(jnp.matmul(basis, images.T, precision="highest"), np.float64)
    values, vectors = np.linalg.eigh(0.5 * (projected + projected.T))
    result = []
    for k in (count - 1, 0):
        weights = jnp.asarray(vectors[:, k], image.dtype)
        vector = jnp.matmul(weights, basis, precision="highest")
        residual = jnp.linalg.norm(jnp.matmul(weights, images, precision="highest") - values[k] * vector)
        vector *= jnp.sign(vector[jnp.argmax(jnp.abs(vector))]) / jnp.linalg.norm(vector)
        result.append((vector.reshape(image.shape), jnp.asarray(values[k], image.dtype), residual))
    (largest, top, top_residual), (smallest, bottom, bottom_residual) = result
    return Eigendistortions(largest, smallest, top, bottom, top_residual, bottom_residual, count)
