"""Causal prior over the coordinates of a block: each given one whole number computed from those before it.

Coordinate i sees c_i = sum_{j<i} W_ij k_j, rounded to quarters, W_ij multiples of 2^-8, and its prior is a mixture of
logistic ones whose weights, locations and scales are a network's outputs at c_i. Coding computes 4 c_i in integer
arithmetic and takes the table that was stored for it, so that no float decides. Quarters, because training is free to
make W small: at |W| < 1 whole numbers would take neighboring k_j for one.
"""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream.tables import Tables, make_tables
from rdr.entropy_models.location_scale import mixture_bits

_FRACTION = 8  # fractional bits of the weights
_CONTEXT_FRACTION = 2  # fractional bits of the contexts
_EXACT = jax.lax.Precision.HIGHEST
_MIN_SCALE = 0.02  # in steps: narrower distributions are as good as certain


class Cells(NamedTuple):
    """What whole numbers a coordinate can be: step * z, or step * z + (the parity of the coordinate before).

    Attributes:
      step: 1 or 2.
      follows: whether the parity of the coordinate before is added.
    """

    step: int
    follows: bool


def plain_cells(dimension: int) -> tuple[Cells, ...]:
    """Makes cells of all integers in every coordinate.

    Args:
      dimension: how many coordinates.

    Returns:
      Cells of each.
    """
    return (Cells(1, False),) * dimension


A2_CELLS = (Cells(1, False), Cells(2, True))
"""Whole numbers of the hexagonal lattice: both even or both odd."""


def integer_weights(weights: jax.Array) -> np.ndarray:
    """Rounds the weights of contexts to integers.

    Args:
      weights: W, [n, n].

    Returns:
      W in units of 2^-8, strictly lower triangular, int64 [n, n].
    """
    return np.tril(np.round(np.asarray(weights, np.float64) * 2**_FRACTION).astype(np.int64), -1)


def integer_contexts(values: np.ndarray, weights: np.ndarray, i: int, reach: int) -> np.ndarray:
    """The context of coordinate i, in integer arithmetic.

    Args:
      values: int64 [blocks, at least i], whole numbers below 2^31 in size.
      weights: from `integer_weights`.
      i: coordinate.
      reach: contexts are limited to -reach .. reach.

    Returns:
      int64 [blocks], in quarters: -4 reach .. 4 reach.
    """
    if i == 0:
        return np.zeros(len(values), np.int64)
    total = np.zeros(len(values), np.int64)
    for j in range(i):
        total = total + weights[i, j] * values[:, j].astype(np.int64)
    shift = _FRACTION - _CONTEXT_FRACTION
    limit = reach << _CONTEXT_FRACTION
    return np.clip((total + 2 ** (shift - 1)) >> shift, -limit, limit)


class CausalBlock(nn.Module):
    """A causal prior over a block.

    Attributes:
      dimension: n.
      components: of the mixtures.
      hidden: width of the network's hidden layer.
      init_scale: scale of the distributions at the beginning, in units of the source.
    """

    dimension: int
    components: int = 3
    hidden: int = 16
    init_scale: float = 2.0

    def setup(self) -> None:
        """Declares the parameters."""
        n, k, h = self.dimension, self.components, self.hidden
        normal = nn.initializers.normal
        previous = lambda key, shape, dtype: jnp.eye(n, k=-1, dtype=dtype)  # noqa: E731
        self.weights = self.param("weights", previous, (n, n), jnp.float32)
        self.first = self.param("first", normal(1.0), (n, h), jnp.float32)
        self.first_bias = self.param("first_bias", normal(1.0), (n, h), jnp.float32)
        self.second = self.param("second", nn.initializers.zeros, (n, h, 3, k), jnp.float32)

        def start(key, shape, dtype):
            spread = jnp.linspace(-1.0, 1.0, k, dtype=dtype) if k > 1 else jnp.zeros((1,), dtype)
            rows = jnp.stack([jnp.zeros_like(spread), self.init_scale * spread,
                              jnp.full_like(spread, float(np.log(self.init_scale / 2.0)))])
            return jnp.broadcast_to(rows, shape)

        self.second_bias = self.param("second_bias", start, (n, 3, k), jnp.float32)

    def mixtures(self, context: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Logits, locations and logarithms of scales of each coordinate's mixture.

        Args:
          context: [..., n] in units of the source.

        Returns:
          Three arrays [..., n, components], in units of the source.
        """
        shape = (*context.shape, self.hidden)
        first, bias = (jnp.broadcast_to(part, shape) for part in (self.first, self.first_bias))
        h = jnp.tanh(0.3 * context[..., None] * first + bias)
        out = jnp.einsum("...nh,nhpk->...npk", h, self.second, precision=_EXACT)
        out = out + jnp.broadcast_to(self.second_bias, out.shape)
        return out[..., 0, :], out[..., 1, :], out[..., 2, :]

    def __call__(self, upper: jax.Array, values: jax.Array, step: jax.Array, widths: jax.Array) -> jax.Array:
        """Information in each coordinate, given those before it; contexts are not rounded to quarters here.

        Args:
          upper: right ends of the intervals, [..., n], in quantization steps.
          values: what the contexts are made of, [..., n], in steps: whole numbers when coding.
          step: size of a quantization step along each coordinate, [n], in units of the source.
          widths: of the intervals, [n], in steps.

        Returns:
          Bits [..., n].
        """
        weights = self.weights + jax.lax.stop_gradient(
            jnp.round(self.weights * 2.0**_FRACTION) * 2.0**-_FRACTION - self.weights)
        total = jnp.matmul(values, jnp.tril(weights, -1).T, precision=_EXACT)
        return self.bits_at(upper, total, step, widths)

    def bits_at(self, upper: jax.Array, context: jax.Array, step: jax.Array, widths: jax.Array) -> jax.Array:
        """The same, given the contexts.

        Args:
          upper: as above.
          context: [..., n], in steps; axes of length 1 broadcast.
          step: as above.
          widths: as above.

        Returns:
          Bits [..., n].
        """
        logits, location, log_scale = self.mixtures(context * jnp.broadcast_to(step, context.shape))
        step, widths = jnp.broadcast_to(step, upper.shape), jnp.broadcast_to(widths, upper.shape)
        scale = jnp.exp(log_scale) + _MIN_SCALE * step[..., None]
        return mixture_bits(upper * step, logits, location, scale, width=widths * step)


def block_tables(prior: CausalBlock, params: dict, step: np.ndarray, cells: tuple[Cells, ...], *, reach: int,
                 span: int) -> list[Tables]:
    """Tables of every coordinate for every context.

    Args:
      prior: the prior.
      params: its parameters.
      step: [n], as in `CausalBlock.__call__`.
      cells: what each coordinate can be.
      reach: contexts run over -reach .. reach.
      span: integers z with |z| <= span are tabulated; others are escapes.

    Returns:
      For each coordinate `Tables`, with c the context in quarters number (c + 4 reach) * 2 + q where the cells follow a
      parity q, else c + 4 reach.
    """
    steps = jnp.asarray(step, jnp.float32)
    parities = (0, 1) if any(cell.follows for cell in cells) else (0,)
    by_parity = [np.asarray(_pmfs(params, steps, jnp.float32(q), prior, cells, reach, span), np.float64)
                 for q in parities]
    tables = []
    for i, cell in enumerate(cells):
        if i == 0:  # no context: one distribution
            middle = reach << _CONTEXT_FRACTION
            tables.append(make_tables(by_parity[0][middle : middle + 1, :, 0], -span))
        elif cell.follows:
            both = np.stack([part[:, :, i] for part in by_parity], 1)
            tables.append(make_tables(both.reshape(-1, both.shape[-1]), -span))
        else:
            tables.append(make_tables(by_parity[0][:, :, i], -span))
    return tables


@functools.partial(jax.jit, static_argnums=(3, 4, 5, 6))
def _pmfs(params: dict, step: jax.Array, parity: jax.Array, prior: CausalBlock, cells: tuple[Cells, ...], reach: int,
          span: int) -> jax.Array:
    """Probabilities [contexts, z, n] of every coordinate's cells at each context."""
    limit = reach << _CONTEXT_FRACTION
    context = jnp.arange(-limit, limit + 1, dtype=jnp.float32) * 2.0**-_CONTEXT_FRACTION
    z = jnp.arange(-span, span + 1, dtype=jnp.float32)
    widths, follows = (jnp.asarray(part, jnp.float32) for part in zip(*cells))
    upper = widths[None, None] * (z[None, :, None] + 0.5) + parity * follows[None, None]
    grid = jnp.broadcast_to(context[:, None, None], (context.size, 1, prior.dimension))
    bits = prior.apply({"params": params}, jnp.broadcast_to(upper, (context.size, z.size, prior.dimension)), grid, step,
                       widths, method=CausalBlock.bits_at)
    return jnp.exp2(-bits)


def table_index(context: np.ndarray, before: np.ndarray, i: int, cell: Cells, reach: int) -> np.ndarray:
    """Which of `block_tables` codes coordinate i.

    Args:
      context: from `integer_contexts`.
      before: the whole numbers of coordinate i - 1; not looked at for i = 0.
      i: coordinate.
      cell: its cells.
      reach: as the tables were made with.

    Returns:
      int64 indices, the shape of `context`.
    """
    if i == 0:
        return np.zeros(len(context), np.int64)
    index = context + (reach << _CONTEXT_FRACTION)
    return index * 2 + (before & 1) if cell.follows else index
