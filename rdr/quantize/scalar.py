"""Quantization of single numbers, and what stands for it while a codec is trained."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.randomness import dither_offsets, shared_integers, uniform


def straight_through_round(x: ArrayLike) -> jax.Array:
    """Rounds to the nearest integer (ties to even), with the gradient of the identity.

    Args:
      x: any shape, floating.

    Returns:
      Same shape and dtype.
    """
    x = jnp.asarray(x)
    return x + jax.lax.stop_gradient(jnp.round(x) - x)


def soft_round(x: ArrayLike, temperature: ArrayLike) -> jax.Array:
    """A differentiable rounding: m + tanh((x-m)/T) / (2 tanh(1/(2T))) with m = floor(x) + 1/2.

    T -> 0 is rounding, T -> inf the identity; integers are fixed points.

    Args:
      x: any shape, floating.
      temperature: T > 0; broadcasts with `x`. Below 1e-2 it acts as 1e-2.

    Returns:
      Same shape and dtype as `x`.

    Reference: Agustsson and Theis (agustsson2020universally); T = 1/alpha.
    """
    x = jnp.asarray(x)
    temperature = jnp.maximum(jnp.asarray(temperature, x.dtype), 1e-2)
    middle = jnp.floor(x) + 0.5
    return middle + 0.5 * jnp.tanh((x - middle) / temperature) / jnp.tanh(0.5 / temperature)


def soft_round_inverse(y: ArrayLike, temperature: ArrayLike) -> jax.Array:
    """The inverse of `soft_round`: m + T artanh(2 tanh(1/(2T)) (y-m)) with m = floor(y) + 1/2.

    Args:
      y: any shape, floating.
      temperature: T > 0; broadcasts with `y`. Below 1e-2 it acts as 1e-2.

    Returns:
      Same shape and dtype as `y`; the argument of artanh is kept a rounding error away from +-1, where the
      slope would be infinite.

    Reference: Agustsson and Theis (agustsson2020universally).
    """
    y = jnp.asarray(y)
    temperature = jnp.maximum(jnp.asarray(temperature, y.dtype), 1e-2)
    middle = jnp.floor(y) + 0.5
    limit = 1.0 - jnp.finfo(y.dtype).eps
    slope = jnp.clip(2.0 * jnp.tanh(0.5 / temperature) * (y - middle), -limit, limit)
    return middle + temperature * jnp.arctanh(slope)


def soft_round_conditional_mean(y: ArrayLike, temperature: ArrayLike) -> jax.Array:
    """What a decoder should take for x when it saw y = soft_round(x) + uniform noise on [-1/2, 1/2].

    E[X | Y = y] = soft_round_inverse(y - 1/2) + 1/2 for a density that is flat over a unit interval.

    Args:
      y: any shape, floating.
      temperature: T > 0; broadcasts with `y`.

    Returns:
      Same shape and dtype as `y`; the identity at integers.

    Reference: Agustsson and Theis (agustsson2020universally).
    """
    return soft_round_inverse(jnp.asarray(y) - 0.5, temperature) + 0.5


def uniform_noise(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Independent noise that is uniform on [-1/2, 1/2).

    Args:
      key: of the noise.
      shape: of the result.

    Returns:
      float32 array.
    """
    return uniform(key, shape, -0.5, 0.5)


def low_discrepancy_noise(key: jax.Array, shape: tuple[int, ...], dimension: int = 0) -> jax.Array:
    """Noise that is uniform on [-1/2, 1/2) at each place, and evenly spread along the first axis.

    A Kronecker sequence with a random shift: element i of a column is frac(shift + i alpha) - 1/2. Means over the
    batch of smooth functions of it, and of a sample that rises along the batch, come out with far less variance
    than with independent noise; their expectations are the same. The two values of alpha make a sequence that is
    evenly spread in the plane as well.

    Args:
      key: of the shifts.
      shape: of the result, [batch, ...]; the columns have independent shifts.
      dimension: 0 or 1; noises that meet in one function must differ in it.

    Returns:
      float32 array.

    Reference: Roberts (roberts2018quasirandom): alpha = 1/rho and 1/rho^2 with rho the real root of rho^3 = rho + 1.
    """
    # frac(i alpha) with alpha = integer / 2^32: exact in uint32 arithmetic, which wraps around.
    alpha = jnp.uint32((3242174889, 2447445414)[dimension])
    column = jax.random.bits(key, (math.prod(shape[1:]),), jnp.uint32).reshape(1, *shape[1:])
    index = jnp.arange(shape[0], dtype=jnp.uint32).reshape(-1, *(1,) * (len(shape) - 1))
    return ((column + index * alpha) >> 8).astype(jnp.float32) * 2.0**-24 - 0.5


def universal_quantize(x: ArrayLike, shared_key: jax.Array, *, levels: int = 256) -> tuple[jax.Array, jax.Array]:
    """Rounds with a dither that encoder and decoder share: k = round(x - u), reconstructed as k + u.

    For u uniform on [-1/2, 1/2) the error k + u - x is uniform and independent of x, so that k + u is distributed as
    x plus uniform noise (up to the grid of u).

    Args:
      x: any shape, floating.
      shared_key: from `rdr.randomness.shared_key`.
      levels: number of values of u, a power of two up to 2^16.

    Returns:
      k, int32, and k + u, float32; both of the shape of `x`.

    Raises:
      ValueError: if the key is of another generator or `levels` is no such power.

    Reference: Ziv (ziv1985universal); Agustsson and Theis (agustsson2020universally).
    """
    x = jnp.asarray(x, jnp.float32)
    offset = dither_offsets(levels)[shared_integers(shared_key, x.shape, levels=levels)]
    k = jnp.round(x - offset)
    return k.astype(jnp.int32), k + offset


def kumaraswamy_noise(key: jax.Array, shape: tuple[int, ...], a: ArrayLike) -> jax.Array:
    """Noise on (-1/2, 1/2) that is peaked at 0: V - 1/2 with V of Kumaraswamy's distribution of mode 1/2.

    P(V <= v) = 1 - (1 - v^a)^b with b = (2^a (a - 1) + 1) / a. At a = 1 it is uniform; annealed from a = 2 to 1 it
    leads from gentle to full noise.

    Args:
      key: of the noise.
      shape: of the result.
      a: shape parameter, >= 1; broadcasts.

    Returns:
      float32 array.

    Reference: Kim et al. (kim2024c3).
    """
    a = jnp.asarray(a, jnp.float32)
    b = (jnp.exp2(a) * (a - 1.0) + 1.0) / a
    level = uniform(key, shape, 1e-7, 1.0 - 1e-7)
    return (-jnp.expm1(jnp.log1p(-level) / b)) ** (1.0 / a) - 0.5


def expected_gradient(function: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Evaluates an elementwise function at noisy points with the gradient that it has on average.

    The value is f(x + u); the derivative is d/dx E f(x + U) = f(x + 1/2) - f(x - 1/2) for U uniform on [-1/2, 1/2],
    right even where f is constant between jumps, as rounding is.

    Args:
      function: f, elementwise.

    Returns:
      A function of x and u (of one shape), differentiable once in x.

    Reference: Agustsson and Theis (agustsson2020universally), section 4.
    """

    @jax.custom_jvp
    def noisy(x: jax.Array, u: jax.Array) -> jax.Array:
        return function(x + u)

    @noisy.defjvp
    def _(primals, tangents):
        x, u = primals
        # The next floats up: rounding's ties to even would give 0 or 2 at integers, among them latents that start at 0.
        ends = [jnp.nextafter(x + half, jnp.full_like(x, jnp.inf)) for half in (0.5, -0.5)]
        return noisy(x, u), (function(ends[0]) - function(ends[1])) * tangents[0]

    return noisy
