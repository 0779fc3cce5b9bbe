"""Remote sources on finite alphabets: the encoder sees a noisy observation X of the source S that matters."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.discrete.classical import RateDistortion, rate_distortion
from theory.discrete.common import tilting
from theory.discrete.curves import distortion_rate
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.power_divergence import PowerDivergence
from theory.discrete.side_information import asking
from theory.discrete.side_information.solver import SideInformationRate
from theory.numerics.checks import check_pmf, is_concrete
from theory.numerics.elementwise import one_program
from theory.numerics.units import nats_to_bits


def reduced_distortion(joint_pmf: ArrayLike, distortion_matrix: ArrayLike) -> jax.Array:
    """Computes what a reproduction costs on average, given what the encoder sees.

    d'(x, y) = E[d(S, y) | X = x]. For S - X - Y, E[d(S, Y)] = E[d'(X, Y)]: a remote source is X with d'.

    Args:
      joint_pmf: p(s, x) of source and observation, [l, n].
      distortion_matrix: d(s, y) >= 0, [l, m]; +inf forbids a pair.

    Returns:
      d', [n, m]; 0 for observations that do not occur.

    Raises:
      ValueError: if an argument has the wrong shape or values.

    Reference: [dobrushin1962information, wolf1970transmission] Dobrushin and Tsybakov 1962; Wolf and Ziv 1970.
    """
    joint, matrix = asking.check_joint("joint_pmf", joint_pmf, distortion_matrix)
    return _reduced(joint, matrix)


@one_program
def _reduced(joint: jax.Array, matrix: jax.Array) -> jax.Array:
    total = joint.sum(0)
    posterior = joint / jnp.where(total > 0, total, 1.0)[None]
    occurs = (posterior > 0)[:, :, None]
    terms = jnp.where(occurs, matrix[:, None], 0.0) * posterior[:, :, None]
    return jnp.sum(jnp.where(occurs, terms, 0.0), 0)


def remote_rate_distortion(
    joint_pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortion: ArrayLike | None = None,
    slope: ArrayLike | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 100,
) -> RateDistortion:
    """Rate-distortion function of a remote source, from both sides.

    R(D) = min I(X; Y) over W(y|x) with E[d(S, Y)] <= D: that of X with the reduced distortion. Differentiable once
    at a given distortion. Its `dispersion` is that of the distortion to the source, which varies with the noise:
    V = Var[j(X)] + s^2 E Var[d(S, Y) | X, Y], more than that of X with the reduced distortion.

    Args:
      joint_pmf: p(s, x) of source and observation, [l, n]; zeros are allowed.
      distortion_matrix: d(s, y) >= 0, [l, m]; +inf forbids a pair.
      distortion: largest allowed mean distortion to the source; scalar. Give this or `slope`.
      slope: bits per unit of distortion; scalar.
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps.

    Returns:
      A `RateDistortion` whose channel is W(y|x), [n, m].

    Raises:
      ValueError: as `theory.discrete.rate_distortion`; the smallest reachable distortion is E[min_y d'(X, y)].

    Reference: [dobrushin1962information, wolf1970transmission, berger1971rate] section 3.5 of the last;
      [kostina2016nonasymptotic] for the dispersion.
    """
    reduced = reduced_distortion(joint_pmf, distortion_matrix)
    observed = jnp.asarray(joint_pmf, jnp.float64).sum(0)
    result = rate_distortion(
        observed, reduced, distortion=distortion, slope=slope, tolerance=tolerance, max_iterations=max_iterations)
    total = _dispersion(jnp.asarray(joint_pmf, jnp.float64), distortion_matrix, reduced, result.channel, result.slope)
    return result._replace(noise_dispersion=jnp.maximum(total - result.dispersion, 0.0))


def _dispersion(joint, distortion_matrix, reduced, channel, slope) -> jax.Array:
    """Var[log2(W(Y|X) / q(Y)) + s d(S, Y)], bits squared: the distortion varies with what noise has hidden."""
    joint, matrix = joint / joint.sum(), jnp.asarray(distortion_matrix, jnp.float64)
    weight = joint[:, :, None] * channel[None]
    q = joint.sum(0) @ channel
    safe = joint.sum(0)[:, None] * channel > 0
    ratio = jnp.log(jnp.where(safe, channel, 1.0) / jnp.where(safe, q[None], 1.0))
    spread = tilting.noisy_dispersion(weight, nats_to_bits(ratio)[None], matrix[:, None], reduced[None], slope)
    return lax.stop_gradient(spread)


def remote_rate_distortion_perception(
    joint_pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortion: ArrayLike,
    perception: ArrayLike,
    divergence: str | Divergence | PowerDivergence,
    realism_pmf: ArrayLike | None = None,
    points: ArrayLike | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 200,
) -> SideInformationRate:
    """Rate-distortion-perception function of a remote source, from both sides.

    min I(X; Y) over W(y|x) with E[d(S, Y)] <= D and delta(p_S, p_Y) <= P, unlimited common randomness: a reproduction
    shall look like the source, not like its noisy observation, unless another distribution is given. The observation
    may have another alphabet. At P = 0 the least distortion is that of a transport from X to the distribution of S at
    cost d'.

    Args:
      joint_pmf: p(s, x) of source and observation, [l, n]; zeros are allowed.
      distortion_matrix: d(s, y) >= 0, [l, m]; +inf forbids a pair; m = l unless `realism_pmf` is given.
      distortion: largest allowed mean distortion to the source; scalar.
      perception: largest allowed divergence P; scalar, 0 and inf only outside of a trace.
      divergence: as in `theory.discrete.rate_distortion_perception`; "kl" is KL(p_Y || p_S).
      realism_pmf: the distribution that the output is compared with, [m]; that of S when None.
      points: positions of the reproductions for "w1" and "w2sq", [m]; default 0, 1, ...
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps.

    Returns:
      A `SideInformationRate` whose channel is W(y|x), [n, m]. Inside a trace, arguments that would be refused give NaN.

    Raises:
      ValueError: if an argument has the wrong shape or values, or it is proved that no channel meets both constraints.

    Reference: [dobrushin1962information, blau2019rethinking] the reduction of the first, the constraint of the second.
    """
    joint, matrix = asking.check_joint("joint_pmf", joint_pmf, distortion_matrix, square=realism_pmf is None)
    m = matrix.shape[1]
    if realism_pmf is not None:
        check_pmf("realism_pmf", realism_pmf)
    target = joint.sum(1) if realism_pmf is None else jnp.asarray(realism_pmf, jnp.float64)
    if target.shape != (m,):
        raise ValueError(f"realism_pmf must have shape [{m}], got {target.shape}")
    positions = asking.check_points(divergence, points, m)
    n = joint.shape[1]
    reduced = reduced_distortion(joint, matrix)
    result = asking.ask(
        joint.sum(0)[:, None], reduced, distortion, tolerance=tolerance,
        max_iterations=max_iterations, outputs=jnp.broadcast_to(jnp.eye(m)[None], (n, m, m)), target=target,
        perception=perception, divergence=divergence, points=positions)  # fmt: skip
    total = _dispersion(joint, matrix, reduced, result.channel, result.slope)
    return result._replace(dispersion=jnp.where(jnp.isnan(result.dispersion), jnp.nan, total))


class DenoisingGain(NamedTuple):
    """What a codec of the observation loses that takes it for the source.

    Attributes:
      rate: of the codec, bits; scalar.
      distortion_as_is: E[d(S, Y)] of its output Y; scalar.
      distortion_denoised_after: the same when the decoder replaces each Y by the best reproduction given it; scalar.
      distortion_best: of the best codec at this rate, at most; scalar.
      distortion_best_lower: the same, at least; scalar.
    """

    rate: jax.Array
    distortion_as_is: jax.Array
    distortion_denoised_after: jax.Array
    distortion_best: jax.Array
    distortion_best_lower: jax.Array


def denoising_gain(
    joint_pmf: ArrayLike, distortion_matrix: ArrayLike, *, observed_distortion: ArrayLike, tolerance: float = 1e-9
) -> DenoisingGain:
    """Compares a codec made for the observation with the best one for the source behind it, at equal rate.

    The first is the optimal channel of X at E[d(X, Y)] <= `observed_distortion`; the last is D(R) of the remote source.

    Args:
      joint_pmf: p(s, x), [n, n]: the observation has the source's letters.
      distortion_matrix: d(s, y) >= 0, [n, m].
      observed_distortion: E[d(X, Y)] that the first codec is made for; scalar.
      tolerance: certified gap of both solvers, bits.

    Returns:
      A `DenoisingGain`.

    Raises:
      ValueError: if an argument has the wrong shape or values, or no channel reaches the distortion.

    Reference: [wolf1970transmission] Wolf and Ziv 1970.
    """
    joint, matrix = asking.check_joint("joint_pmf", joint_pmf, distortion_matrix)
    if joint.shape[0] != joint.shape[1]:
        raise ValueError(f"joint_pmf must have shape [n, n], got {joint.shape}")
    reduced, observed = reduced_distortion(joint, matrix), joint.sum(0)
    if is_concrete(joint):
        hopeless = (np.asarray(observed) > 0) & np.isinf(np.asarray(reduced)).all(-1)
        if hopeless.any():
            raise ValueError(f"joint_pmf: no reproduction has finite distortion given observation {hopeless.argmax()}")
    made = rate_distortion(observed, matrix, distortion=observed_distortion, tolerance=tolerance)
    plain = observed[:, None] * made.channel
    as_is = jnp.sum(jnp.where(plain > 0, plain * jnp.where(plain > 0, reduced, 0.0), 0.0))
    # The best reproduction z given y, for each y.
    finite = jnp.where(jnp.isinf(reduced), 0.0, reduced)
    barred = (plain > 0).T.astype(jnp.float64) @ jnp.isinf(reduced) > 0
    after = jnp.where(barred, jnp.inf, plain.T @ finite).min(1).sum()
    best = distortion_rate(observed, reduced, rate=made.rate, tolerance=tolerance)
    return DenoisingGain(made.rate, as_is, after, best.distortion, best.distortion_lower)
