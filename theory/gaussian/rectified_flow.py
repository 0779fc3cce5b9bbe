"""Rectified flows between Gaussian vectors, exactly: where they end, and what they cost more than optimal transport.

Z_t = (1 - t) Z_0 + t X goes from Z_0 of covariance S to X ~ N(0, C), and dz/dt = E[X - Z_0 | Z_t = z] is linear in z.
Of special interest is Z_0 = X* + noise, X* an estimate of X (`theory.gaussian.restoration`): posterior-mean rectified
flow, PMRF. Everything is float64; covariances are [..., n, n].
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.matrices import aligned, check_covariance, root, symmetric, trace, transpose


def flow_matrix(start: ArrayLike, end: ArrayLike) -> jax.Array:
    """Where the rectified flow from N(0, S) to N(0, C) ends: F z, with F = (C S^-1)^1/2.

    The same for the coupling of an estimate (E[X - X*|X*] = 0, as in PMRF) and for independent ends:

      F = S^1/2 (S^-1/2 C S^-1/2)^1/2 S^-1/2,

    the principal root of C S^-1, with F S F' = C. It is the transport map exactly where S and C commute.

    Args:
      start: S, positive definite; [..., n, n].
      end: C, positive definite; broadcast.

    Returns:
      F; [..., n, n].

    Raises:
      ValueError: if an argument is no such covariance (outside of a trace).

    Reference: derived in `docs/derivations/restoration.md`; [liu2023flow, ohayon2025posterior] for the flows.
    """
    check_covariance("start", start, definite=True)
    check_covariance("end", end, definite=True)
    s, c = aligned(start, end)
    half = root(s)
    inverse = jnp.linalg.inv(half)
    return half @ root(symmetric(inverse @ c @ inverse)) @ inverse


def flow_excess(start: ArrayLike, end: ArrayLike) -> jax.Array:
    """What the rectified flow from N(0, S) to N(0, C) costs more than optimal transport.

    E|F Z - Z|^2 - W2^2 = 2 tr (S^1/2 C S^1/2)^1/2 - 2 tr (S # C), S # C = F S the geometric mean of both: at least 0,
    and 0 exactly where they commute. It is the excess of PMRF's squared error over D* + W2^2 in the limit of small
    noise.

    Args:
      start: S, positive definite; [..., n, n].
      end: C, positive definite; broadcast.

    Returns:
      Squared error; [...].

    Raises:
      ValueError: if an argument is no such covariance (outside of a trace).

    Reference: derived in `docs/derivations/restoration.md`.
    """
    s, c = aligned(start, end)
    flow = flow_matrix(start, end)
    half = root(s)
    return jnp.maximum(2.0 * (trace(root(symmetric(half @ c @ half))) - trace(flow @ s)), 0.0)


def flow_velocity(time: ArrayLike, estimate_covariance: ArrayLike, covariance: ArrayLike, *, noise: float = 0.0
                  ) -> jax.Array:
    """Velocity E[X - Z_0 | Z_t = z] = V z of the flow from Z_0 = X* + noise N(0, I) to X.

    V = (t (C - S) - (1 - t) noise^2 I) C_t^-1, where C_t = S + (1 - t)^2 noise^2 I + t^2 (C - S) is the covariance of
    Z_t = (1 - t) Z_0 + t X.

    Args:
      time: t in [0, 1]; any shape.
      estimate_covariance: S; [..., n, n].
      covariance: C, positive definite; broadcast.
      noise: deviation with which the flow starts; positive where S is singular and t = 0.

    Returns:
      V; [..., n, n].

    Raises:
      ValueError: if an argument is outside its domain (outside of a trace).

    Reference: [ohayon2025posterior] Ohayon, Michaeli, Elad 2025, whose sigma_s is `noise`.
    """
    check_domain("time", time, minimum=0.0, maximum=1.0)
    check_domain("noise", noise, minimum=0.0, finite=True)
    check_covariance("estimate_covariance", estimate_covariance, definite=False)
    check_covariance("covariance", covariance, definite=True)
    t, s, c = aligned(jnp.asarray(time, jnp.float64)[..., None, None], estimate_covariance, covariance)
    return _velocity(t, s, c, noise)


def _velocity(t: jax.Array, s: jax.Array, c: jax.Array, noise: float) -> jax.Array:
    identity = jnp.broadcast_to(noise**2 * jnp.eye(c.shape[-1], dtype=jnp.float64), c.shape)
    now = s + (1.0 - t) ** 2 * identity + t**2 * (c - s)
    return transpose(jnp.linalg.solve(now, transpose(t * (c - s) - (1.0 - t) * identity)))


def flow_steps(estimate_covariance: ArrayLike, covariance: ArrayLike, *, noise: float, steps: int, order: int = 1
               ) -> jax.Array:
    """Where a number of steps along the flow from X* + noise N(0, I) to X leads: the matrix of their product.

    Args:
      estimate_covariance: S, [n, n].
      covariance: C, positive definite, [n, n].
      noise: deviation with which the flow starts.
      steps: how many, of equal length.
      order: 1 (Euler), or 4 (Runge-Kutta).

    Returns:
      The matrix that takes Z_0 to the output, [n, n].

    Raises:
      ValueError: if an argument is outside its domain.
    """
    check_domain("steps", steps, minimum=1)
    if order not in (1, 4):
        raise ValueError(f"order must be 1 or 4, got {order}")
    check_domain("noise", noise, minimum=0.0, finite=True)
    check_covariance("estimate_covariance", estimate_covariance, definite=not noise)
    check_covariance("covariance", covariance, definite=True)
    s, c = aligned(estimate_covariance, covariance)
    width = 1.0 / steps

    def step(z: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        t = number * width
        first = _velocity(t, s, c, noise) @ z
        if order == 1:
            return z + width * first, None
        middle = _velocity(t + width / 2, s, c, noise)
        second = middle @ (z + width / 2 * first)
        third = middle @ (z + width / 2 * second)
        fourth = _velocity(t + width, s, c, noise) @ (z + width * third)
        return z + width / 6 * (first + 2.0 * second + 2.0 * third + fourth), None

    return jax.lax.scan(step, jnp.eye(len(c), dtype=jnp.float64), jnp.arange(steps, dtype=jnp.float64))[0]
