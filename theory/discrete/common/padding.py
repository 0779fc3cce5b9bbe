"""Alphabets padded to a few sizes, so that few programs are compiled.

A padded input letter has probability zero; a padded output letter is at infinite distortion from every letter that
occurs, so that no channel uses it. Solvers leave both out of their equations.
"""

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from theory.numerics.checks import all_concrete

_SIZES = (4, 8, 16, 32, 64)
_STEP = 32
_Tree = TypeVar("_Tree", bound=NamedTuple)


def padded_size(size: int) -> int:
    """The size that an alphabet is padded to.

    Args:
      size: number of letters.

    Returns:
      The next of 4, 8, 16, 32, 64, 96, 128, ...
    """
    for fixed in _SIZES:
        if size <= fixed:
            return fixed
    return -(-size // _STEP) * _STEP


def pad_source(pmf: jax.Array, distortion_matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Pads a source and a distortion.

    Args:
      pmf: the source, [n].
      distortion_matrix: d(x, y), [n, m].

    Returns:
      Both, of sizes [N] and [N, M]; letters that were added are the last ones. A row that was added has distortion 0
      to the letters that were there.
    """
    n, m = distortion_matrix.shape
    rows, columns = padded_size(n) - n, padded_size(m) - m
    # What is known NumPy pads, without programs for each size.
    pad = np.pad if all_concrete(pmf, distortion_matrix) else jnp.pad
    matrix = pad(pad(distortion_matrix, ((0, rows), (0, 0))), ((0, 0), (0, columns)), constant_values=np.inf)
    return jnp.asarray(pad(pmf, (0, rows))), jnp.asarray(matrix)


def unpad(result: _Tree, inputs: tuple[str, ...], outputs: tuple[str, ...], n: int, m: int) -> _Tree:
    """Takes the letters that were added out of a result.

    Args:
      result: a NamedTuple with a field `channel`, [..., N, M].
      inputs: its fields of shape [..., N].
      outputs: its fields of shape [..., M].
      n: input letters that there were.
      m: output letters that there were.

    Returns:
      The result with fields of shapes [..., n, m], [..., n] and [..., m].
    """
    ends = {"channel": (n, m)} | dict.fromkeys(inputs, (n,)) | dict.fromkeys(outputs, (m,))
    return result._replace(**{name: _first(getattr(result, name), shape) for name, shape in ends.items()})


def _first(array: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The first letters along the last axes."""
    where = (..., *map(slice, shape))
    return jnp.asarray(np.asarray(array)[where]) if all_concrete(array) else array[where]
