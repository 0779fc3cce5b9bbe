"""Side information at the decoder alone: the Wyner-Ziv functions of finite alphabets, certified over strategies."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.discrete.common import tilting
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.power_divergence import PowerDivergence
from theory.discrete.side_information import asking, strategies
from theory.discrete.side_information.conditional import REALISM
from theory.discrete.side_information.problem import source_of
from theory.discrete.side_information.solver import SideInformationRate
from theory.numerics.checks import check_choice
from theory.numerics.units import nats_to_bits

MOST_STRATEGIES = 4096


def wyner_ziv_rate_distortion(
    joint_pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortion: ArrayLike,
    tolerance: float = 1e-9,
    max_iterations: int = 200,
) -> SideInformationRate:
    """Rate-distortion function of a source whose decoder knows side information, from both sides.

    R(D) = min I(X; U) - I(Y; U) over U - X - Y and decoders g(U, Y) with E[d(X, g)] <= D. With U = T a strategy, a map
    from side information to reproductions, the decoder is gone and the problem convex: the minimum of I(X; T | Y) over
    W(t|x), with the cost c(x, t) = sum_y p(y|x) d(x, t(y)). All m^k strategies take part. `rate` is differentiable
    once.

    Args:
      joint_pmf: p(x, y), [n, k]; zeros are allowed.
      distortion_matrix: d(x, z) >= 0, [n, m]; +inf forbids a pair.
      distortion: largest allowed mean distortion D; scalar.
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps.

    Returns:
      A `SideInformationRate` whose channel W(t|x) has one column for each row of
      `theory.discrete.side_information.strategies.all_strategies(k, m)`. Inside a trace, arguments that would be
      refused give NaN.

    Raises:
      ValueError: if an argument has the wrong shape or values, there are more than 4,096 strategies (see
        `wyner_ziv_bracket`), or no channel reaches the distortion.

    Reference: [wyner1976rate] Wyner and Ziv, IEEE T-IT 22(1), 1976; the dual is in
      `docs/derivations/side_information.md`.
    """
    joint, matrix = asking.check_joint("joint_pmf", joint_pmf, distortion_matrix)
    maps = _all(joint, matrix)
    cost = strategies.strategy_costs(source_of(joint).given_letter, matrix, maps)
    result = asking.ask(joint, cost, distortion, tolerance=tolerance, max_iterations=max_iterations)
    return _with_dispersion(result, joint, matrix, cost, maps)


def wyner_ziv_rate_distortion_perception(
    joint_pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortion: ArrayLike,
    perception: ArrayLike,
    divergence: str | Divergence | PowerDivergence,
    realism: str = "marginal",
    points: ArrayLike | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 200,
) -> SideInformationRate:
    """Rate-distortion-perception function with side information at the decoder alone, from both sides.

    The minimum of I(X; T | Y) over W(t|x) with E[d(X, T(Y))] <= D and delta(p_X, p_{T(Y)}) <= P, or, for joint realism,
    delta(p_XY, p_{T(Y) Y}) <= P: unlimited common randomness, of which strategies are the decoder's part.

    Args:
      joint_pmf: p(x, y), [n, k]; zeros are allowed.
      distortion_matrix: d(x, z) >= 0, [n, n]; +inf forbids a pair.
      distortion: largest allowed mean distortion D; scalar.
      perception: largest allowed divergence P; scalar, 0 and inf only outside of a trace.
      divergence: as in `theory.discrete.rate_distortion_perception`; "kl" is KL(output || source).
      realism: "marginal" or "joint", as in `conditional_rate_distortion_perception`.
      points: positions of the letters for "w1" and "w2sq", [n]; default 0, 1, ...
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps.

    Returns:
      A `SideInformationRate` whose channel W(t|x) is as in `wyner_ziv_rate_distortion`.

    Raises:
      ValueError: if an argument has the wrong shape or values, there are more than 4,096 strategies, or it is proved
        that no channel meets both constraints.

    Reference: [hamdi2025side, wyner1976rate] Hamdi, Wagner, Gunduz 2025 (arXiv 2507.14825; we read its abstract); the
      converse and the dual are in `docs/derivations/side_information.md`.
    """
    check_choice("realism", realism, REALISM)
    joint, matrix = asking.check_joint("joint_pmf", joint_pmf, distortion_matrix, square=True)
    positions = asking.check_points(divergence, points, joint.shape[0])
    maps, given = _all(joint, matrix), source_of(joint).given_letter
    together, cost = realism == "joint", strategies.strategy_costs(given, matrix, maps)
    result = asking.ask(
        joint, cost, distortion, tolerance=tolerance,
        max_iterations=max_iterations,
        outputs=strategies.strategy_outputs(given, maps, joint.shape[0], joint=together),
        target=joint.T.reshape(-1) if together else joint.sum(1), perception=perception, divergence=divergence,
        points=positions, classes=joint.shape[1] if together else 1)  # fmt: skip
    return _with_dispersion(result, joint, matrix, cost, maps)


def _with_dispersion(result: SideInformationRate, joint, matrix, cost, maps) -> SideInformationRate:
    """The result with the spread of what random binning pays: over letters, side information and strategies."""
    source = source_of(joint)
    weight = source.joint[:, :, None] * result.channel[:, None]
    by_side = result.channel.T @ source.given_side
    safe = weight > 0
    ratio = jnp.where(safe, result.channel[:, None], 1.0) / jnp.where(safe, by_side.T[None], 1.0)
    chosen = matrix[:, maps].swapaxes(1, 2)  # d(x, t(y)), [n, k, l]
    logs = nats_to_bits(jnp.log(ratio))
    spread = tilting.noisy_dispersion(weight, logs, chosen, cost[:, None], result.slope)
    slope = jnp.where(jnp.isfinite(result.slope), result.slope, 0.0)
    used = result.channel[:, None] > 0
    # The mean costs of strategies move with the pmf, too: what a pair costs is the mean given it.
    tilted = jnp.sum(result.channel[:, None] * (logs + slope * jnp.where(used, chosen, 0.0)), -1)
    tilted = tilted + result.rate - jnp.sum(source.joint * tilted)
    bound = jnp.isnan(result.dispersion)
    return result._replace(
        dispersion=lax.stop_gradient(jnp.where(bound, jnp.nan, spread)),
        tilted_information=lax.stop_gradient(jnp.where(bound, jnp.nan, tilted)))


def _all(joint: jax.Array, matrix: jax.Array):
    k, m = joint.shape[1], matrix.shape[1]
    if m**k > MOST_STRATEGIES:
        raise ValueError(
            f"joint_pmf and distortion_matrix: {m} reproductions and {k} letters of side information have {m}^{k} "
            f"strategies, more than {MOST_STRATEGIES:,}; wyner_ziv_bracket bounds the rate from both sides")
    return strategies.all_strategies(k, m)
