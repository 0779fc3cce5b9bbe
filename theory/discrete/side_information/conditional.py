"""Side information at both ends: conditional rate-distortion(-perception) functions of finite alphabets."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.power_divergence import PowerDivergence
from theory.discrete.side_information import asking
from theory.discrete.side_information.solver import SideInformationRate
from theory.numerics.checks import check_choice

REALISM = ("joint", "marginal")


def conditional_rate_distortion(
    joint_pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortion: ArrayLike,
    tolerance: float = 1e-9,
    max_iterations: int = 200,
) -> SideInformationRate:
    """Rate-distortion function of a source whose encoder and decoder both know side information, from both sides.

    R_{X|Y}(D) = min I(X; Z | Y) over channels W(z|x, y) with E[d(X, Z)] <= D: the best split of D over the letters of
    Y among the functions of X given Y = y, which all work at one slope. `rate` is differentiable once.

    Args:
      joint_pmf: p(x, y), [n, k]; zeros are allowed.
      distortion_matrix: d(x, z) >= 0, [n, m]; +inf forbids a pair.
      distortion: largest allowed mean distortion D; scalar.
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps.

    Returns:
      A `SideInformationRate`; its channel is W(z|x, y), [n, k, m], its multiplier [n, k]. Inside a trace, arguments
      that would be refused give NaN.

    Raises:
      ValueError: if an argument has the wrong shape or values, or no channel reaches the distortion.

    Reference: [gray1973conditional] R. M. Gray, "A new class of lower bounds to information rates of stationary sources
      via conditional rate-distortion functions", IEEE T-IT 19(4), 1973.
    """
    joint, matrix = asking.check_joint("joint_pmf", joint_pmf, distortion_matrix)
    result = asking.ask(*_pairs(joint, matrix), distortion, tolerance=tolerance, max_iterations=max_iterations)
    return _unpair(result, *joint.shape)


def conditional_rate_distortion_perception(
    joint_pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortion: ArrayLike,
    perception: ArrayLike,
    divergence: str | Divergence | PowerDivergence,
    realism: str = "joint",
    points: ArrayLike | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 200,
) -> SideInformationRate:
    """Conditional rate-distortion-perception function with side information at both ends, from both sides.

    min I(X; Z | Y) over W(z|x, y) with E[d(X, Z)] <= D and, with unlimited common randomness, one of

        realism "joint":     delta(p_XY, p_ZY) <= P: an observer who sees the side information, too;
        realism "marginal":  delta(p_X, p_Z) <= P: one who does not.

    Both are convex. The joint one is that of a divergence between pairs, which for "kl", "w1" and "w2sq" is the mean
    over Y of divergences given Y; at P = 0 the output is right given each letter of Y. It is the stricter one for
    f-divergences and transport (processing).

    Args:
      joint_pmf: p(x, y), [n, k]; zeros are allowed.
      distortion_matrix: d(x, z) >= 0, [n, n]; +inf forbids a pair.
      distortion: largest allowed mean distortion D; scalar.
      perception: largest allowed divergence P; scalar, 0 and inf only outside of a trace.
      divergence: as in `theory.discrete.rate_distortion_perception`; "kl" is KL(output || source).
      realism: "joint" or "marginal".
      points: positions of the letters for "w1" and "w2sq", [n]; default 0, 1, ...
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps.

    Returns:
      A `SideInformationRate`; its channel is W(z|x, y), [n, k, n], its multiplier [n, k]; its critic is h(z), or
      h(y, z) for joint realism, flat. Inside a trace, arguments that would be refused give NaN.

    Raises:
      ValueError: if an argument has the wrong shape or values, or it is proved that no channel meets both constraints.

    Reference: [blau2019rethinking, hamdi2025side] the marginal and the joint notion are named in the second; the
      reduction is in `docs/derivations/side_information.md`.
    """
    check_choice("realism", realism, REALISM)
    joint, matrix = asking.check_joint("joint_pmf", joint_pmf, distortion_matrix, square=True)
    n, k = joint.shape
    positions = asking.check_points(divergence, points, n)
    pairs, cost = _pairs(joint, matrix)
    if realism == "joint":
        outputs = jnp.einsum("yc,zd->yzcd", jnp.eye(k), jnp.eye(n)).reshape(1, k, n, k * n)
        outputs, target = jnp.broadcast_to(outputs, (n, k, n, k * n)).reshape(n * k, n, k * n), joint.T.reshape(-1)
    else:
        outputs, target = jnp.broadcast_to(jnp.eye(n)[None], (n * k, n, n)), joint.sum(1)
    result = asking.ask(
        pairs, cost, distortion, tolerance=tolerance, max_iterations=max_iterations, outputs=outputs, target=target,
        perception=perception, divergence=divergence, points=positions, classes=k if realism == "joint" else 1)
    return _unpair(result, n, k)


def _pairs(joint: jax.Array, matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The source of pairs (x, y) with side information y, and its costs."""
    n, k = joint.shape
    pairs = (joint[:, :, None] * jnp.eye(k)[None]).reshape(n * k, k)
    return pairs, jnp.repeat(matrix, k, axis=0)


def _unpair(result: SideInformationRate, n: int, k: int) -> SideInformationRate:
    channel, witness = (x.reshape(*x.shape[:-2], n, k, x.shape[-1]) for x in (result.channel, result.witness))
    return result._replace(
        channel=channel, witness=witness, multiplier=result.multiplier.reshape(*result.multiplier.shape[:-1], n, k),
        tilted_information=jnp.einsum("...xyy->...xy", result.tilted_information.reshape(
            *result.tilted_information.shape[:-2], n, k, k)))
