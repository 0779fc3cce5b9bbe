"""Two classical results with side information at the decoder: Slepian-Wolf and Wyner-Ziv."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.closed_form.bernoulli import binary_entropy
from theory.gaussian import rate_distortion
from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.elementwise import broadcast


def binary_slepian_wolf_rate(crossover: ArrayLike) -> jax.Array:
    """Rate at which a fair coin X can be sent, without error, to a decoder that knows a noisy copy of it.

    R = H(X|Y) = h(q) for Y = X + Bernoulli(q) modulo 2, although the encoder does not know Y (exact).

    Args:
      crossover: q in [0, 1]; any shape.

    Returns:
      Rate in bits per symbol; same shape. NaN inside a trace for q outside of [0, 1].

    Raises:
      ValueError: if q is outside of [0, 1] (outside of a trace).

    Reference: [slepian1973noiseless] Slepian and Wolf, Noiseless coding of correlated information sources, IEEE T-IT
      1973.
    """
    check_domain("crossover", crossover, minimum=0.0, maximum=1.0)
    return binary_entropy(crossover)


def gaussian_wyner_ziv_rate(
    distortion: ArrayLike, variance: ArrayLike = 1.0, correlation: ArrayLike = 0.0
) -> jax.Array:
    """Rate-distortion function of a Gaussian source with jointly Gaussian side information at the decoder.

    R(D) = [1/2 log2(s^2 (1 - rho^2) / D)]_+, as if the encoder knew the side information too (exact).

    Args:
      distortion: D >= 0, mean squared error; any shape.
      variance: s^2 > 0 of the source; broadcast.
      correlation: rho in (-1, 1) of source and side information; broadcast.

    Returns:
      Rate in bits per sample; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0, the variance is not positive, or |rho| >= 1 (outside of a trace).

    Reference: [wyner1976rate, ziv1985universal] Wyner and Ziv, The rate-distortion function for source coding with
      side information at the decoder, IEEE T-IT 1976.
    """
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    if is_concrete(correlation):
        given = np.asarray(correlation, np.float64)
        if not np.all(np.abs(given) < 1.0):
            wrong = given[~(np.abs(given) < 1.0)].flat[0]
            raise ValueError(f"correlation must lie strictly between -1 and 1, got {wrong:g}")
    variance, correlation = broadcast(variance, correlation)
    rate = rate_distortion(distortion, variance * (1.0 - correlation) * (1.0 + correlation))
    return jnp.where(jnp.abs(correlation) < 1.0, rate, jnp.nan)
