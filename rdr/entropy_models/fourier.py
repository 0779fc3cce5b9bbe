"""Density by its Fourier series on a circle that a smooth map wraps around the line."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from rdr.entropy_models.location_scale import log_logistic_interval
from rdr.randomness import normal
from rdr.units import nats_to_bits


def coefficients(real: jax.Array, imaginary: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Fourier coefficients of a non-negative function: the autocorrelation of any complex sequence.

    With a_0, .., a_N the sequence, |sum_n a_n e^{i pi n t}|^2 = c_0 + 2 Re sum_{n >= 1} c_n e^{i pi n t},
    c_n = sum_m a_{m+n} conj(a_m). Divided by 2 c_0 it is a density on (-1, 1).

    Args:
      real: real parts of a, [channels, N + 1].
      imaginary: imaginary parts, the same shape.

    Returns:
      Real and imaginary parts of c_n / c_0 for n = 1 .. N, each [channels, N].

    Reference: De la Fuente, Singh and Ballé (delafuente2024fourier).
    """
    count = real.shape[-1]
    parts = []
    for n in range(count):
        a, b = real[:, n:], imaginary[:, n:]
        c, d = real[:, : count - n], imaginary[:, : count - n]
        parts.append((jnp.sum(a * c + b * d, -1), jnp.sum(b * c - a * d, -1)))
    power = parts[0][0]
    return (jnp.stack([p[0] for p in parts[1:]], -1) / power[:, None],
            jnp.stack([p[1] for p in parts[1:]], -1) / power[:, None])


def _sinc(x: jax.Array) -> jax.Array:
    """sin(pi x) / (pi x); jax's own has a derivative of 0/0 where x^2 underflows."""
    small = jnp.abs(x) < 1e-2
    y = jnp.square(jnp.pi * jnp.where(small, x, 0.0))
    apart = jnp.pi * jnp.where(small, 1.0, x)
    return jnp.where(small, 1.0 - y / 6.0 * (1.0 - y / 20.0), jnp.sin(apart) / apart)


def fourier_interval_bits(real: jax.Array, imaginary: jax.Array, offset: jax.Array, log_scale: jax.Array,
                          guard: jax.Array, upper: jax.Array, width: float = 1.0) -> jax.Array:
    """Information in the interval (upper - width, upper) under the wrapped density, mixed with a logistic distribution.

    The line is mapped to (-1, 1) by t = tanh(x'), x' = (x - offset) / scale. With a = (t_u - t_l) / 2 and b = pi (t_u +
    t_l) / 2 the series gives an interval the probability a r, r = 1 + 2 sum_n Re(c_n e^{i n b}) sinc(n a), and here

        P = a ((1 - g) r + g),   a = s(2 x'_u) s(-2 x'_l) (1 - e^{-2w'}),  s the sigmoid and w' the interval's x'-width,

    products in which nothing cancels. The guard g > 0 mixes in the logistic density that the map makes of a constant
    series. It keeps bits finite and gradients alive far out, where t no longer moves and r may round to 0 or below; the
    published model, a difference of cumulatives, saturates there.

    Args:
      real: of the sequence, [channels, N + 1].
      imaginary: the same shape.
      offset: [channels].
      log_scale: [channels].
      guard: g in (0, 1), [channels].
      upper: right ends, [..., channels].
      width: > 0.

    Returns:
      Bits, [..., channels].
    """
    c, d = coefficients(real, imaginary)
    offset, scale, guard = (jnp.broadcast_to(part, upper.shape) for part in (offset, jnp.exp(log_scale), guard))
    u = (upper - offset) / scale
    w = width / scale
    low = u - w
    # log of s(2u) - s(2l) = s(2u) s(-2l) (1 - e^{-2w}), which is also (tanh u - tanh l) / 2.
    log_span = log_logistic_interval(2.0 * u, 2.0 * low, 2.0 * w)
    span = jnp.exp(log_span)  # (t_u - t_l) / 2
    center = jnp.pi * (jnp.tanh(u) + jnp.tanh(low)) / 2.0
    shape = (*u.shape, c.shape[-1])
    order = jnp.broadcast_to(jnp.arange(1, c.shape[-1] + 1, dtype=u.dtype), shape)
    c, d = jnp.broadcast_to(c, shape), jnp.broadcast_to(d, shape)
    wave = c * jnp.cos(order * center[..., None]) - d * jnp.sin(order * center[..., None])
    ratio = 1.0 + 2.0 * jnp.sum(wave * _sinc(order * span[..., None]), axis=-1)
    inside = (1.0 - guard) * jnp.maximum(ratio, 0.0) + guard
    return -nats_to_bits(log_span + jnp.log(inside))


class FourierDensity(nn.Module):
    """Independent learned densities by Fourier series, one for each channel.

    Attributes:
      channels: how many densities.
      terms: N, the number of frequencies.
      init_scale: of the map to the circle at the beginning, about the standard deviation of the distribution.
      guard: weight of the guard of the tails.
    """

    channels: int
    terms: int = 12
    init_scale: float = 4.0
    guard: float = 2.0**-10

    @nn.compact
    def __call__(self, upper: jax.Array, width: float = 1.0) -> jax.Array:
        """Information in unit intervals, or others.

        Args:
          upper: right ends, [..., channels], float32.
          width: of the intervals.

        Returns:
          Bits [..., channels].
        """
        def start(key, shape, dtype):
            first = (jnp.arange(shape[-1]) == 0).astype(dtype)[None]  # a constant: the logistic distribution
            return first + 0.01 * normal(key, shape, dtype)

        shape = (self.channels, self.terms + 1)
        real = self.param("real", start, shape, jnp.float32)
        imaginary = self.param("imaginary", lambda *given: 0.01 * normal(*given), shape, jnp.float32)
        offset = self.param("offset", nn.initializers.zeros, (self.channels,), jnp.float32)
        log_scale = self.param("log_scale", nn.initializers.constant(float(np.log(self.init_scale))),
                               (self.channels,), jnp.float32)
        guard = jnp.full((self.channels,), self.guard, jnp.float32)
        return fourier_interval_bits(real, imaginary, offset, log_scale, guard, upper, width)
