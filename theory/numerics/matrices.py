"""Matrices that covariances are made of: checks, square roots with derivatives, broadcasting."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain, is_concrete

_SYMMETRY = 1e-9  # relative
_RANK = 1e-12  # relative: smaller eigenvalues are 0


def check_covariance(name: str, value: ArrayLike, *, definite: bool) -> None:
    """Refuses what is no covariance; does nothing inside a trace.

    Args:
      name: the argument's name, for the message.
      value: [..., n, n].
      definite: whether all eigenvalues must be positive.

    Raises:
      ValueError: if it is not square, finite, symmetric and positive.
    """
    check_domain(name, value, finite=True)
    if not is_concrete(value):
        return
    matrix = np.asarray(value, np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or not matrix.size:
        raise ValueError(f"{name} must have shape [..., n, n], got {matrix.shape}")
    size = np.abs(matrix).max()
    if np.abs(matrix - np.swapaxes(matrix, -1, -2)).max() > _SYMMETRY * size:
        raise ValueError(f"{name} must be symmetric")
    least = np.linalg.eigvalsh(matrix)[..., 0].min()
    if least < -_SYMMETRY * size or (definite and least <= _RANK * size):
        kind = "definite" if definite else "semidefinite"
        raise ValueError(f"{name} must be positive {kind}, got an eigenvalue {least:g}")


@jax.custom_jvp
def root(matrix: jax.Array) -> jax.Array:
    """Takes the positive semidefinite square root of a symmetric matrix.

    Its derivative solves R dR + dR R = dA among the eigenvectors, so that it is right for repeated eigenvalues, too.

    Args:
      matrix: A, positive semidefinite up to rounding, [..., n, n].

    Returns:
      R, [..., n, n].
    """
    roots, vectors = _decompose(matrix)
    return (vectors * roots[..., None, :]) @ transpose(vectors)


def _decompose(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Roots of the eigenvalues, 0 where these are rounding (whose roots would be 1e-8), and eigenvectors."""
    values, vectors = jnp.linalg.eigh(matrix)
    rounding = 4.0 * matrix.shape[-1] * np.finfo(np.float64).eps * values[..., -1:]
    return jnp.sqrt(jnp.where(values > rounding, values, 0.0)), vectors


@root.defjvp
def _root_derivative(primals, tangents):
    (matrix,), (change,) = primals, tangents
    roots, vectors = _decompose(matrix)
    turned = transpose(vectors)
    inner = turned @ change @ vectors / (roots[..., :, None] + roots[..., None, :])
    return (vectors * roots[..., None, :]) @ turned, vectors @ inner @ turned


def trace(matrix: jax.Array) -> jax.Array:
    """Traces of matrices.

    Args:
      matrix: [..., n, n].

    Returns:
      [...].
    """
    return jnp.trace(matrix, axis1=-2, axis2=-1)


def transpose(matrix: jax.Array) -> jax.Array:
    """Swaps the last two axes.

    Args:
      matrix: [..., m, n].

    Returns:
      [..., n, m].
    """
    return jnp.swapaxes(matrix, -1, -2)


def symmetric(matrix: jax.Array) -> jax.Array:
    """Mean of a matrix and its transpose.

    Args:
      matrix: [..., n, n].

    Returns:
      [..., n, n].
    """
    return 0.5 * (matrix + transpose(matrix))


def aligned(*matrices: ArrayLike) -> list[jax.Array]:
    """Gives matrices the same leading axes.

    Args:
      *matrices: [..., m, n] each.

    Returns:
      The matrices in float64.
    """
    arrays = [jnp.asarray(matrix, jnp.float64) for matrix in matrices]
    batch = np.broadcast_shapes(*(array.shape[:-2] for array in arrays))
    return [jnp.broadcast_to(array, (*batch, *array.shape[-2:])) for array in arrays]
