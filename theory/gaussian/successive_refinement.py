"""Progressive descriptions of Gaussian sources under realism: lossless for one component, at a price for several.

docs/derivations/successive_refinement.md has the proofs.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.gaussian import vector_perception
from theory.gaussian.scalar import rate_distortion_perception
from theory.numerics.checks import check_domain
from theory.numerics.units import bits_to_nats


class StagedCode(NamedTuple):
    """A progressive description of a scalar Gaussian source, each stage at its own distortion and realism.

    Attributes:
      rates: bits that each stage adds, [..., K]; their running sums are R(D_k, P_k).
      correlations: of the source and the representation that a stage has, [..., K].
    """

    rates: jax.Array
    correlations: jax.Array


class RefinementPrice(NamedTuple):
    """What two stages of a Gaussian vector cost.

    Attributes:
      first_rate: bits of the first stage, its R(D_1, P_1); [...].
      total_lower: R(D_2, P_2), bits of both stages at least; [...].
      total_upper: bits of both stages of the code that gives each component the larger of its two rates; [...].
      component_rates: bits of each component that the two optimal codes send, [..., 2, n].
    """

    first_rate: jax.Array
    total_lower: jax.Array
    total_upper: jax.Array
    component_rates: jax.Array


def staged_code(distortions: ArrayLike, perceptions: ArrayLike, variance: ArrayLike = 1.0) -> StagedCode:
    """Describes a scalar Gaussian source in stages, each as good as a code for it alone (exact).

    R(D, P) is reached with X - Z - Y, Z jointly Gaussian with X at correlation a = sqrt(1 - 2^{-2R}), and Y made of Z
    (perception only scales). Representations with growing a form a chain X - Z_K - .. - Z_1, so that stage k needs
    I(X; Z_k) - I(X; Z_{k-1}) = R(D_k, P_k) - R(D_{k-1}, P_{k-1}): with unlimited common randomness, progressive
    description costs nothing, whatever the demands on realism, as long as the rates do not fall.

    Args:
      distortions: D_k > 0, mean squared errors; [..., K].
      perceptions: P_k >= 0, W2 squared; [..., K], broadcast.
      variance: s^2 > 0; a number.

    Returns:
      A `StagedCode`. A stage whose demands an earlier stage has met adds 0.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: [equitz1991successive, zhang2021universal] for P = inf and for one representation with many decoders;
      the rest is docs/derivations/successive_refinement.md.
    """
    check_domain("distortions", distortions, minimum=0.0, open_minimum=True)
    d, p = jnp.broadcast_arrays(jnp.asarray(distortions, jnp.float64), jnp.asarray(perceptions, jnp.float64))
    if d.ndim == 0:
        raise ValueError(f"distortions must have shape [..., K], got {d.shape}")
    needed = jax.lax.associative_scan(jnp.maximum, rate_distortion_perception(d, p, variance), axis=-1)
    rates = jnp.concatenate([needed[..., :1], needed[..., 1:] - needed[..., :-1]], -1)
    return StagedCode(rates, jnp.sqrt(-jnp.expm1(-2.0 * bits_to_nats(needed))))


def refinement_price(
    distortions: ArrayLike,
    perceptions: ArrayLike,
    eigenvalues: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> RefinementPrice:
    """Bounds the rate of two stages of a Gaussian vector, the first one optimal (W2 squared, squared error).

    A chain of representations exists for each component if its rate does not fall, so that the two stages take no more
    than sum_i max(r_i, r'_i) with the component rates of the two optimal codes. That is R(D_2, P_2), no price, for
    P = inf at both stages, for P = 0 at both, and wherever each component's rate grows. From a first stage without
    realism to a second one with it, strong components can have been sent more finely than the second stage wants.

    Args:
      distortions: D_1 and D_2 > 0, squared errors summed over components; [2].
      perceptions: P_1 and P_2 >= 0, W2 squared summed over components; [2].
      eigenvalues: lam_i >= 0; [n].
      weights: multiplicity of each component; [n], default 1.

    Returns:
      A `RefinementPrice`.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: docs/derivations/successive_refinement.md.
    """
    found = vector_perception.rate_distortion_perception(
        jnp.asarray(distortions, jnp.float64), jnp.asarray(perceptions, jnp.float64), eigenvalues, divergence="w2sq",
        weights=weights)
    rates = found.component_rates
    w = jnp.ones(rates.shape[-1]) if weights is None else jnp.asarray(weights, jnp.float64)
    both = jnp.sum(w * jnp.max(rates, -2), -1)
    return RefinementPrice(found.rate_upper[..., 0], found.rate[..., 1], jnp.maximum(both, found.rate[..., 1]), rates)
