"""Perfect realism: the rate of reproducing a density by samples of the same density, with common randomness."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike

from theory.continuous.densities import Density
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import squared_distances
from theory.numerics.units import bits_to_nats, nats_to_bits


class PerfectRealism(NamedTuple):
    """A point of R(D, 0), or a curve of them (a leading axis on every field).

    `rate`, `rate_lower` and `distortion` belong to the finest quadrature rule, for which they are certified;
    the `extrapolated` ones estimate the density's own values.

    Attributes:
      rate: [] bits, of a coupling of the rule with itself, marginals exact.
      rate_lower: [] bits; no coupling of that distortion has a smaller rate.
      distortion: [] expected squared error of the coupling, summed over components.
      slope: [] bits per unit of distortion.
      extrapolated_rate: [] bits, at spacing 0 by Richardson's rule from three spacings.
      extrapolated_distortion: [] the same for the distortion.
      discretization_error: [] bits, how far rate + slope * distortion is believed to be from the density's value.
      iterations: [] Sinkhorn steps on the finest rule.
    """

    rate: jax.Array
    rate_lower: jax.Array
    distortion: jax.Array
    slope: jax.Array
    extrapolated_rate: jax.Array
    extrapolated_distortion: jax.Array
    discretization_error: jax.Array
    iterations: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`rate - rate_lower`, bits, of the finest rule."""
        return self.rate - self.rate_lower

    @property
    def certified(self) -> jax.Array:
        """Whether the coupling was verified, whatever its gap: both bounds hold for the finest rule."""
        return jnp.isfinite(self.rate)

    @property
    def intercept_lower(self) -> jax.Array:
        """Bits; R(D, 0) >= intercept_lower - slope D for every D, of the finest rule."""
        # A bound that was raised to 0 says nothing of the line through it.
        return jnp.where(self.rate_lower > 0, self.rate_lower + self.slope * self.distortion, 0.0)


@partial(jax.jit, static_argnames="iterations")
def _sinkhorn(cost: jax.Array, pmf: jax.Array, slopes: jax.Array, iterations: int, tolerance: float):
    """Symmetric entropic transport of a pmf to itself at each slope; rate, its lower bound, distortion, steps."""
    log_pmf = jnp.log(pmf)

    def solve(slope):
        # The coupling is p_x p_y exp(f_x + f_y - s d_xy); f solves f_x = -log sum_y p_y exp(f_y - s d_xy).
        def marginal(f):
            return logsumexp((log_pmf + f)[None] - slope * cost, axis=1)

        def unfinished(state):
            return (state[0] < iterations) & (state[2] > tolerance)

        def body(state):
            count, f, _ = state
            g = -marginal(f)
            # Averaging the two halves keeps the potentials equal, and converges where alternating swings.
            return count + 1, 0.5 * (f + g), jnp.sum(pmf * jnp.abs(g - f))

        count, f, _ = jax.lax.while_loop(unfinished, body, (0, jnp.zeros_like(pmf), jnp.asarray(jnp.inf)))

        # Dual: I + s D >= 2 sum p f - log sum p_x p_y exp(f_x + f_y - s d) for every f.
        row = marginal(f) + f
        dual = 2.0 * jnp.sum(pmf * f) - logsumexp(log_pmf + row)
        # Primal: shrink rows and columns to at most p, then put back what is missing, symmetrically.
        shrink = jnp.minimum(-row, 0.0)
        coupling = jnp.exp(log_pmf[:, None] + log_pmf[None, :] + f[:, None] + f[None, :] - slope * cost
                           + shrink[:, None] + shrink[None, :])  # fmt: skip
        missing = jnp.maximum(pmf - coupling.sum(axis=1), 0.0)
        total = missing.sum()
        coupling = coupling + missing[:, None] * missing[None, :] / jnp.where(total > 0.0, total, 1.0)
        distortion = jnp.sum(coupling * cost)
        positive = coupling > 0.0
        ratio = jnp.log(jnp.where(positive, coupling, 1.0)) - log_pmf[:, None] - log_pmf[None, :]
        rate = jnp.sum(jnp.where(positive, coupling * ratio, 0.0))
        # Both agree to rounding when converged; the bound never claims more than what was achieved.
        return rate, jnp.clip(dual - slope * distortion, 0.0, rate), distortion, count

    return jax.lax.map(solve, slopes)


def _richardson(coarse: jax.Array, middle: jax.Array, fine: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Limit of a sequence at spacings 4h, 2h, h, and an estimate of the limit's own error.

    The order of convergence is taken from the sequence, between 1 and 8 (ratio 2 to 256).
    """
    first, second = middle - coarse, fine - middle
    # Rounding decides the ratio once the differences are tiny; then nothing is left to extrapolate.
    settled = jnp.abs(second) < 1e-13 * (1.0 + jnp.abs(fine))
    ratio = jnp.clip(jnp.abs(first) / jnp.where(settled, 1.0, jnp.abs(second)), 2.0, 256.0)
    correction = jnp.where(settled, 0.0, second / (ratio - 1.0))
    return fine + correction, jnp.abs(correction) + jnp.abs(second) * jnp.where(settled, 1.0, 1e-2)


def perfect_realism_curve(
    density: Density,
    slopes: ArrayLike,
    *,
    spacing: float | None = None,
    tolerance: float = 1e-14,
    iterations: int = 5000,
) -> PerfectRealism:
    """R(D, 0) of a density under squared error at several slopes, in one compilation per resolution.

    With unlimited common randomness and p_Y = p_X the least rate of a given distortion is an entropic optimal
    transport problem of the source with itself,

        R(D, 0) = min { KL(pi || p x p) : pi in Pi(p, p), E|X - Y|^2 <= D },

    solved by Sinkhorn's iteration with one potential for both sides, at spacings 4h, 2h and h of the density's
    quadrature rule, and extrapolated: with rules that are spectrally accurate for the density the three agree to
    rounding, with a kinked or tabulated one the extrapolation gains the leading power of h.

    Args:
      density: a density on the line or plane; its rule should have at most a few thousand nodes.
      slopes: [k] > 0, bits per unit of distortion.
      spacing: h; half of 1/sqrt(largest slope in nats) when None.
      tolerance: stop when the potentials change by less than this on average (nats).
      iterations: largest number of Sinkhorn steps.

    Returns:
      A `PerfectRealism` with a leading axis [k]. At slope s the point is where the curve's derivative is -s.

    Raises:
      ValueError: if a slope or the spacing is not positive and finite, or `slopes` is not one-dimensional.

    Reference:
      [blau2019rethinking, serra2024computation] Y. Blau and T. Michaeli, Rethinking lossy compression: the
      rate-distortion-perception tradeoff, ICML 2019, arXiv 1901.07821 (the definition); G. Serra, P. A. Stavrou and
      M. Kountouris, 2024 (the transport problem). Marginals and rates there are in nats.
    """
    check_domain("slopes", slopes, minimum=0.0, open_minimum=True, finite=True)
    slopes = np.asarray(slopes, np.float64)
    if slopes.ndim != 1 or slopes.size == 0:
        raise ValueError(f"slopes must have shape [k] with k >= 1, got shape {slopes.shape}")
    nats = jnp.asarray(bits_to_nats(slopes))
    if spacing is None:
        spacing = 0.5 / math.sqrt(float(nats.max()))
    check_domain("spacing", spacing, minimum=0.0, open_minimum=True, finite=True)

    levels = []
    for factor in (4.0, 2.0, 1.0):
        rule = density.rule(factor * spacing)
        keep = np.asarray(rule.core)
        nodes, mass = np.asarray(rule.nodes)[keep], np.asarray(rule.weights)[keep]
        cost = squared_distances(nodes, nodes)
        levels.append(_sinkhorn(cost, jnp.asarray(mass / mass.sum()), nats, iterations, tolerance))
    return _extrapolated(levels, nats, jnp.asarray(slopes))


@jax.jit
def _extrapolated(levels, nats: jax.Array, slopes: jax.Array) -> PerfectRealism:
    """The finest of three levels, with what the three say of the limit."""
    rate, lower, distortion, count = levels[-1]
    extrapolated_rate, _ = _richardson(*(level[0] for level in levels))
    extrapolated_distortion, _ = _richardson(*(level[2] for level in levels))
    intercepts = [level[0] + nats * level[2] for level in levels]
    limit, doubt = _richardson(*intercepts)
    return PerfectRealism(
        rate=nats_to_bits(rate),
        rate_lower=nats_to_bits(lower),
        distortion=distortion,
        slope=slopes,
        extrapolated_rate=nats_to_bits(extrapolated_rate),
        extrapolated_distortion=extrapolated_distortion,
        discretization_error=nats_to_bits(jnp.abs(limit - intercepts[-1]) + doubt),
        iterations=count,
    )


def perfect_realism(density: Density, *, slope: float, **options) -> PerfectRealism:
    """R(D, 0) of a density under squared error at one slope; see `perfect_realism_curve`.

    Args:
      density: a density on the line or plane.
      slope: bits per unit of distortion, > 0.
      **options: `spacing`, `tolerance` and `iterations` of `perfect_realism_curve`.

    Returns:
      A `PerfectRealism`.

    Raises:
      ValueError: if `slope` is not one positive, finite number.
    """
    if np.ndim(slope) != 0:
        raise ValueError(f"slope must be one number, got shape {np.shape(slope)}")
    curve = perfect_realism_curve(density, np.asarray([slope], np.float64), **options)
    return jax.tree.map(lambda field: jnp.asarray(np.asarray(field)[0]), curve)
