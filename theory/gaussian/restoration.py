"""Restoration of Gaussian vectors: estimates, samples, transport and rectified flows between covariances, exactly.

X ~ N(0, C) is seen through Y = A X + N(0, B). The estimate X* = E[X|Y] has covariance S, its error X - X* is
independent of it and has covariance C - S. Distortions are squared errors summed over components, perceptions W2
squared between N(0, C) and the distribution of what is put out. Everything is float64; covariances are [..., n, n].
Means are left out: an output whose mean is not that of X pays for it in both. Flows are in
`theory.gaussian.rectified_flow`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast
from theory.numerics.matrices import aligned, check_covariance, root, symmetric, trace, transpose

_RANK = 1e-12  # relative: smaller eigenvalues of covariances are 0


class Estimate(NamedTuple):
    """The least squared error.

    Attributes:
      gain: X* = gain Y, [..., n, m].
      covariance: S of X*, [..., n, n].
      error_covariance: C - S of X - X*, [..., n, n].
      mse: tr(C - S), D*; [...].
    """

    gain: jax.Array
    covariance: jax.Array
    error_covariance: jax.Array
    mse: jax.Array


class Transport(NamedTuple):
    """An optimal transport plan between N(0, S) and N(0, C): z -> matrix z + noise.

    Attributes:
      matrix: [..., n, n].
      noise_covariance: of what is added, [..., n, n]; 0 where S has full rank.
      w2sq: what it costs, W2 squared; [...].
    """

    matrix: jax.Array
    noise_covariance: jax.Array
    w2sq: jax.Array


class Point(NamedTuple):
    """A point of the plane of distortion and perception.

    Attributes:
      distortion: squared error to X; [...].
      perception: W2 squared to N(0, C); [...].
    """

    distortion: jax.Array
    perception: jax.Array


def estimate(covariance: ArrayLike, operator: ArrayLike, noise_covariance: ArrayLike) -> Estimate:
    """The conditional mean of X ~ N(0, C) given Y = A X + N(0, B).

    gain = C A' (A C A' + B)^-1, S = gain A C, D* = tr(C - S).

    Args:
      covariance: C, positive definite; [..., n, n].
      operator: A; [..., m, n].
      noise_covariance: B, positive semidefinite; [..., m, m]; A C A' + B must have full rank.

    Returns:
      `Estimate`.

    Raises:
      ValueError: if a covariance is none, or the shapes do not fit (outside of a trace).
    """
    check_covariance("covariance", covariance, definite=True)
    check_covariance("noise_covariance", noise_covariance, definite=False)
    check_domain("operator", operator, finite=True)
    seen_as, noise = np.shape(operator), np.shape(noise_covariance)
    if len(seen_as) < 2 or seen_as[-2:] != (noise[-1], np.shape(covariance)[-1]):
        raise ValueError(f"operator must have shape [..., {noise[-1]}, {np.shape(covariance)[-1]}], got {seen_as}")
    c, a, b = aligned(covariance, operator, noise_covariance)
    seen = a @ c
    gain = transpose(jnp.linalg.solve(seen @ transpose(a) + b, seen))
    s = symmetric(gain @ seen)
    return Estimate(gain, s, c - s, trace(c - s))


def w2_squared(covariance: ArrayLike, other: ArrayLike) -> jax.Array:
    """Squared 2-Wasserstein distance of N(0, C) and N(0, C').

    tr C + tr C' - 2 tr (C^1/2 C' C^1/2)^1/2.

    Args:
      covariance: C, positive semidefinite; [..., n, n].
      other: C', positive semidefinite; broadcast.

    Returns:
      W2 squared; [...].

    Raises:
      ValueError: if an argument is no covariance (outside of a trace).

    Reference: [dowson1982frechet] Dowson and Landau 1982.
    """
    check_covariance("covariance", covariance, definite=False)
    check_covariance("other", other, definite=False)
    c, d = aligned(covariance, other)
    half = root(c)
    return jnp.maximum(trace(c) + trace(d) - 2.0 * trace(root(symmetric(half @ d @ half))), 0.0)


def transport(start: ArrayLike, end: ArrayLike) -> Transport:
    """The optimal plan from N(0, S) to N(0, C), where S may be singular.

    With M = C^1/2 S C^1/2 it is z -> C^1/2 (M^+)^1/2 C^1/2 z + N(0, C^1/2 (I - M M^+) C^1/2): the least cost,
    tr C + tr S - 2 tr M^1/2, with noise in what S leaves out. Where S has full rank this is the optimal map alone.

    Args:
      start: S, positive semidefinite; [..., n, n].
      end: C, positive definite; broadcast.

    Returns:
      `Transport`. Derivatives are right where S has full rank.

    Raises:
      ValueError: if an argument is no such covariance (outside of a trace).

    Reference: [freirich2021theory] Freirich, Michaeli, Meir 2021, theorem 4 (there the estimator of perfect realism).
    """
    check_covariance("start", start, definite=False)
    check_covariance("end", end, definite=True)
    s, c = aligned(start, end)
    half = root(c)
    square = symmetric(half @ s @ half)
    inner = root(square)
    matrix = half @ jnp.linalg.pinv(inner, rtol=_RANK**0.5, hermitian=True) @ half
    # Its derivative is 0 wherever there are derivatives.
    values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(square))
    missing = jax.lax.stop_gradient(half) @ (vectors * (values <= _RANK * values[..., -1:])[..., None, :])
    noise = missing @ transpose(missing)
    w2sq = jnp.maximum(trace(c) + trace(s) - 2.0 * trace(inner), 0.0)
    return Transport(matrix, noise, w2sq)


def interpolation_point(alpha: ArrayLike, mse: ArrayLike, w2sq: ArrayLike) -> Point:
    """Distortion and perception of (1 - alpha) X* + alpha X^, X^ coupled to X* by the optimal plan.

    D = D* + alpha^2 W^2 and P = (1 - alpha)^2 W^2: D = D* + (W - sqrt(P))^2 for alpha in [0, 1], the least possible.
    Beyond 1 both grow; the formula stays exact for Gaussian vectors and their estimates, since S <= C keeps alpha I +
    (1 - alpha) T positive.

    Args:
      alpha: >= 0; any shape.
      mse: D* >= 0; broadcast.
      w2sq: W^2 >= 0, W2 squared from X* to X; broadcast.

    Returns:
      `Point`.

    Raises:
      ValueError: if an argument is negative (outside of a trace).

    Reference: [freirich2021theory, adrai2023deep] Freirich, Michaeli, Meir 2021; Adrai, Ohayon, Elad, Michaeli 2023.
    """
    for name, value in (("alpha", alpha), ("mse", mse), ("w2sq", w2sq)):
        check_domain(name, value, minimum=0.0, finite=True)
    alpha, mse, w2sq = broadcast(alpha, mse, w2sq)
    return Point(mse + alpha**2 * w2sq, (1.0 - alpha) ** 2 * w2sq)


def posterior_point(weight: ArrayLike, covariance: ArrayLike, estimate_covariance: ArrayLike) -> Point:
    """Distortion and perception of (1 - a) X* + a X^, X^ a sample of the posterior.

    The sample is X* plus an error of its own, so that D = (1 + a^2) D* and the output has covariance S + a^2 (C - S).

    Args:
      weight: a in [0, 1]; 1 is the sample; any shape.
      covariance: C, positive definite; [..., n, n].
      estimate_covariance: S; broadcast.

    Returns:
      `Point`; the shapes of weight and [...] broadcast.

    Raises:
      ValueError: if an argument is outside its domain (outside of a trace).
    """
    check_domain("weight", weight, minimum=0.0, maximum=1.0)
    check_covariance("covariance", covariance, definite=True)
    check_covariance("estimate_covariance", estimate_covariance, definite=False)
    square = jnp.square(jnp.asarray(weight, jnp.float64))[..., None, None]
    square, c, s = aligned(square, covariance, estimate_covariance)
    return Point((1.0 + square[..., 0, 0]) * trace(c - s), w2_squared(s + square * (c - s), c))


def linear_point(matrix: ArrayLike, noise_covariance: ArrayLike, estimate_covariance: ArrayLike, covariance: ArrayLike
                 ) -> Point:
    """Distortion and perception of matrix X* + N(0, noise covariance).

    D = D* + tr (M - I) S (M - I)' + tr B, P = W2^2(N(0, M S M' + B), N(0, C)).

    Args:
      matrix: M; [..., n, n].
      noise_covariance: B of what is added independently; broadcast.
      estimate_covariance: S; broadcast.
      covariance: C, positive definite; broadcast.

    Returns:
      `Point`.

    Raises:
      ValueError: if a covariance is none (outside of a trace).
    """
    check_domain("matrix", matrix, finite=True)
    check_covariance("noise_covariance", noise_covariance, definite=False)
    check_covariance("estimate_covariance", estimate_covariance, definite=False)
    check_covariance("covariance", covariance, definite=True)
    m, b, s, c = aligned(matrix, noise_covariance, estimate_covariance, covariance)
    away = m - jnp.broadcast_to(jnp.eye(m.shape[-1], dtype=jnp.float64), m.shape)
    distortion = trace(c - s) + trace(away @ s @ transpose(away)) + trace(b)
    return Point(distortion, w2_squared(symmetric(m @ s @ transpose(m) + b), c))
