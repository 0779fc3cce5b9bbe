"""Common parts of the public functions of this folder: checks, the choice of a regime, the refusal."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.discrete.classical import solver as classical
from theory.discrete.perception import divergences, power_divergence
from theory.discrete.perception.divergences import TRANSPORT, Divergence
from theory.discrete.perception.power_divergence import PowerDivergence
from theory.discrete.side_information import mending, solver
from theory.discrete.side_information.problem import Options, Problem
from theory.discrete.side_information.solver import SideInformationRate
from theory.numerics.checks import check_choice, check_domain, check_pmf, is_concrete


def check_joint(
    name: str, joint_pmf: ArrayLike, distortion_matrix: ArrayLike, *, square: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Refuses what is no joint pmf, or no distortion measure on its first variable.

    Args:
      name: of the joint pmf, for the message.
      joint_pmf: shape [n, k].
      distortion_matrix: shape [n, m].
      square: whether m must be n.

    Returns:
      Both as float64 arrays.

    Raises:
      ValueError: naming the argument, what it got and what it needs.
    """
    joint, matrix = jnp.asarray(joint_pmf, jnp.float64), jnp.asarray(distortion_matrix, jnp.float64)
    if joint.ndim != 2:
        raise ValueError(f"{name} must have shape [n, k], got {joint.shape}; use jax.vmap for several")
    if is_concrete(joint_pmf):
        check_pmf(name, np.asarray(joint_pmf).reshape(-1))
    classical.check_source(joint.sum(1) / joint.sum(), matrix)
    if square and matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"distortion_matrix must have shape [{joint.shape[0]}, {joint.shape[0]}], got {matrix.shape}")
    return joint, matrix


def regime_of(perception: ArrayLike) -> str:
    """Says which solver a perception needs.

    Args:
      perception: P; scalar.

    Returns:
      "perfect" at 0, "free" at inf, else, or inside a trace, "constrained".

    Raises:
      ValueError: if it is negative, NaN, or not a scalar.
    """
    check_domain("perception", perception, minimum=0.0)
    if np.ndim(perception) != 0:
        raise ValueError(f"perception must be a scalar, got shape {np.shape(perception)}; use jax.vmap for several")
    if not is_concrete(perception):
        return "constrained"
    return "perfect" if perception == 0 else "free" if np.isinf(perception) else "constrained"


def check_points(
    divergence: str | Divergence | PowerDivergence, points: ArrayLike | None, letters: int
) -> jax.Array:
    """Checks a divergence and the positions that transport needs.

    Args:
      divergence: a name, a power divergence or a `Divergence`.
      points: positions, [letters], or None for 0, 1, ...
      letters: how many reproductions there are.

    Returns:
      The positions; the order of a power divergence, [1]; empty for divergences that need neither.

    Raises:
      ValueError: if the divergence is unknown, or the positions do not fit it.
    """
    power = _power(divergence)
    if power is not None:
        if points is not None:
            raise ValueError("points belong to 'w1' and 'w2sq', got a power divergence")
        return jnp.asarray(power.order, jnp.float64).reshape(1)
    if not isinstance(divergence, Divergence | PowerDivergence):
        check_choice("divergence", divergence, divergences.NAMES)
    if divergence not in TRANSPORT:
        if points is not None:
            raise ValueError(f"points belong to 'w1' and 'w2sq', got divergence {divergence!r}")
        return jnp.zeros(0)
    positions = jnp.arange(float(letters)) if points is None else jnp.asarray(points, jnp.float64)
    check_domain("points", positions, finite=True)
    if positions.shape != (letters,):
        raise ValueError(f"points must have shape [{letters}], got {positions.shape}")
    return positions


def _power(divergence: str | Divergence | PowerDivergence) -> PowerDivergence | None:
    return power_divergence.parse(divergence) if isinstance(divergence, str) else (
        divergence if isinstance(divergence, PowerDivergence) else None)


def ask(
    joint: jax.Array, cost: jax.Array, distortion: ArrayLike, *, tolerance: float, max_iterations: int,
    outputs: jax.Array | None = None, target: jax.Array | None = None, perception: ArrayLike = jnp.inf,
    divergence: str | Divergence | PowerDivergence = "tv", points: jax.Array | None = None, classes: int = 1,
) -> SideInformationRate:
    """Solves one problem; refuses what provably has no solution.

    Args:
      joint: p(x, y), [n, k].
      cost: c(x, t), [n, m].
      distortion: largest mean cost; scalar.
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps.
      outputs: distribution of the output letter given x and t, [n, m, j]; None without realism.
      target: what the output is compared with, [j].
      perception: largest divergence; scalar.
      divergence: a name, a power divergence or a `Divergence`.
      points: of `check_points`.
      classes: groups of output letters between which transport moves nothing.

    Returns:
      The solver's result.

    Raises:
      ValueError: if an argument has wrong values, or it is proved that no channel meets the constraints.
    """
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    classical.check_distortion(joint.sum(1), cost, distortion)
    if np.ndim(distortion) != 0:
        raise ValueError(f"distortion must be a scalar, got shape {np.shape(distortion)}; use jax.vmap for several")
    regime = regime_of(perception)
    if regime == "free" or outputs is None or target is None or points is None:
        regime, divergence, classes = "free", "tv", 1
        outputs, target, points = jnp.zeros((*cost.shape, 0)), jnp.zeros(0), jnp.zeros(0)
    if _power(divergence) is not None:
        divergence = power_divergence.NAME
    assert not isinstance(divergence, PowerDivergence)
    most = jnp.asarray(distortion, jnp.float64)
    budget = jnp.asarray(1.0 if regime == "free" else perception, jnp.float64)
    target = target / jnp.maximum(target.sum(), 1e-300)
    problem = Problem(joint, cost, outputs, target, most, budget, points, jnp.asarray(tolerance, jnp.float64))
    options = Options(divergence, regime, classes, max_iterations)
    with solver.programs:
        result = solver.compiled(problem, options=options)
        if all(map(is_concrete, jax.tree.leaves((problem, result.rate)))) and not result.converged:
            result = mending.mend(problem, options, result)
    if is_concrete(result.rate_lower) and np.isposinf(result.rate_lower):
        raise ValueError(f"distortion and perception: no channel has E[d] <= {float(most):g} and divergence "
                         f"<= {float(budget):g}")
    return result
