"""The price of many small steps of a Gaussian source: the limit of a diffusion codec with many steps.

A step moves the noisy sample by a shift X ~ N(0, sigma^2) and adds noise of variance s^2; its information is I =
1/2 log2(1 + sigma^2/s^2). In a density that is flat up to an edge a shift costs in proportion to its size, since it
moves mass across the edge; in a Gaussian density, whose logarithm is smooth, in proportion to its square. Steps of I/K
each keep the sum of squares and let the sum of sizes grow like sqrt(K). Proof: docs/derivations/diffusion_steps.md.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, ndtr
from jax.typing import ArrayLike

from theory.channel_simulation.gaussian import check_dimension, low_rate_constant
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits

_REACH = 9.5  # standard deviations: P(|X| > 9.5) = 2e-21
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(128)
_PANELS = 4


def _uniform_nats(half: jax.Array) -> jax.Array:
    """h(X + half U) - ln(2 half) in nats, X ~ N(0, 1), U uniform on [-1, 1]."""
    # E over z = X + half U of -ln w(z), w(z) = P(|X - z| <= half), whose density is w / 2 half: for z >= 0 in terms of
    # half - z, which runs from -reach to the lesser of half and reach, where w = 1.
    top = jnp.minimum(half, _REACH)
    edges = -_REACH + (top + _REACH) * jnp.arange(_PANELS + 1) / _PANELS
    width = (edges[1:] - edges[:-1]) / 2
    t = ((edges[1:] + edges[:-1])[:, None] / 2 + width[:, None] * _NODES[None]).ravel()
    w = jnp.maximum(ndtr(t) - ndtr(t - 2 * half), 1e-300)
    return jnp.sum((width[:, None] * _WEIGHTS[None]).ravel() * -w * jnp.log(w)) / half


@jax.jit
def _uniform_rate(information: jax.Array) -> jax.Array:
    nats = bits_to_nats(information)
    positive = (nats > 0) & (nats < jnp.inf)
    half = jnp.sqrt(3.0 / jnp.expm1(2.0 * jnp.where(positive, nats, 1.0)))
    rate = nats_to_bits(jax.lax.map(_uniform_nats, half.ravel()).reshape(half.shape))
    rate = jnp.where(positive, rate, jnp.where(nats == 0, 0.0, jnp.inf))
    return nan_unless(nats >= 0, rate)


def uniform_noise_rate(information: ArrayLike) -> jax.Array:
    """What a Gaussian source costs with uniform noise in place of Gaussian noise of the same variance.

    I(X; X + aU) = h(X + aU) - log2 2a with U uniform on [-1, 1], a = sqrt(3) s and information = 1/2 log2(1 +
    sigma^2/s^2): the rate of universal quantization with ideal entropy coding. At high rate it is information +
    1/2 log2(2 pi e/12), .2546 bit more.

    Args:
      information: of the Gaussian channel of the same noise variance, bits per sample, >= 0; any shape.

    Returns:
      Bits per sample, same shape; 1e-9 by quadrature up to 12 bits. NaN inside a trace for negative arguments.

    Raises:
      ValueError: if the information is negative (outside of a trace).

    Reference: ziv1985universal, zamir1992universal; as a step of a diffusion codec: yang2025progressive.
    """
    check_domain("information", information, minimum=0.0)
    return _uniform_rate(jnp.asarray(information, jnp.float64))


def uniform_noise_constant() -> jax.Array:
    """The constant of `uniform_noise_rate` ~ c sqrt(information) at low information (asymptotic).

    c = J sqrt(2 ln 2 / 12) with J = int h_b(Phi(t)) dt: at either edge of the noise's density the entropy is half of J
    in units of the shift.

    Returns:
      0.885777, scalar, in square roots of bits.

    Reference: docs/derivations/diffusion_steps.md.
    """
    return low_rate_constant() * np.sqrt(np.pi / 6.0)


def block_constant(dimension: int) -> jax.Array:
    """The constant c_n of F_n(I) ~ c_n sqrt(I), I -> 0 the information of a whole block (asymptotic).

    A layer is a ball of radius r = s chi_{n+2}, and all of its entropy is at its surface: F_n ~ (J / 2) sigma
    E[n / r]. With I = n (sigma / s)^2 / (2 ln 2),
      c_n = J sqrt(n ln 2 / 2) E[1 / chi_{n+2}],   E[1 / chi_k] = Gamma((k - 1) / 2) / (sqrt(2) Gamma(k / 2)),
    which grows from c_1 = 1.2241 to J sqrt(ln 2 / 2) = 1.5342: blocks share the root, and do not escape it.

    Args:
      dimension: n, from 1 to 64.

    Returns:
      c_n, scalar, in square roots of bits.

    Raises:
      ValueError: if the dimension is none of these.

    Reference: docs/derivations/diffusion_steps.md.
    """
    check_dimension(dimension)
    inverse = jnp.exp(gammaln((dimension + 1.0) / 2.0) - gammaln((dimension + 2.0) / 2.0)) / np.sqrt(2.0)
    return low_rate_constant() * np.sqrt(np.pi / 2.0 * dimension) * inverse
