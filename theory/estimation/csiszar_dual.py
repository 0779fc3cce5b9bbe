"""Lower bounds by the dual problem, on held-out samples: in expectation."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.estimation.estimate import Estimate
from theory.estimation.intervals import mean
from theory.estimation.kernel_supremum import kernel_supremum
from theory.estimation.maximum_error import maximum_influence
from theory.estimation.mixture import Reproduction, fit_reproduction, log_partition
from theory.estimation.samples import check_both, check_samples
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import squared_distances
from theory.numerics.units import bits_to_nats, nats_to_bits

_TUNING_SHARE = 0.25  # of the training samples: what floor and shift are chosen on
_FLOORS = np.exp(-np.arange(0.0, 10.0))  # relative to the geometric mean of Z


class DualFunction(NamedTuple):
    """A function nu of the dual problem for each slope; leading axis [k] on every field.

    nu(x) = shift - ln(Z(x) + floor), between shift - ln(1 + floor) and shift - ln(floor).

    Attributes:
      reproduction: atoms and weights of Z.
      slope: [k] nats per unit of squared error.
      floor: [k].
      shift: [k] nats.
      value: [k] nats: the bound's intercept on the training samples that the floor was chosen on.
      distortion: [k] mean squared error of the channel into the atoms, training samples.
    """

    reproduction: Reproduction
    slope: jax.Array
    floor: jax.Array
    shift: jax.Array
    value: jax.Array
    distortion: jax.Array


class DualLines(NamedTuple):
    """Lower bounds R(D) >= intercept - slope D, one for each slope, in expectation over the held-out samples.

    Attributes:
      slope: [k] bits per unit of squared error.
      intercept: [k] bits.
      influence: [m, k] bits: what each held-out sample has to say; their mean is the intercept.
      expected: [k] bits, the intercept on the training samples: choices may depend on it.
      distortion: [k] where the line is about to touch R(D), from the training samples.
    """

    slope: jax.Array
    intercept: jax.Array
    influence: jax.Array
    expected: jax.Array
    distortion: jax.Array


def fit_dual(
    training: ArrayLike, *, slopes: ArrayLike, atoms: int | ArrayLike = 64, iterations: int = 200
) -> DualFunction:
    """Fits functions nu of the dual problem to training samples.

    Three quarters of the samples (the first ones) fit a `Reproduction`, the rest chooses the floor that keeps nu
    bounded and the shift. Whatever comes out, `dual_lines` makes a bound of it.

    Args:
      training: [n, d], n >= 8, in random order.
      slopes: [k] > 0, bits per unit of squared error.
      atoms: number of atoms, which start at training samples, or their first places, [m, d].
      iterations: of the fit.

    Returns:
      A `DualFunction`.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [csiszar1974extremum] Csiszar 1974, the dual; docs/derivations/bounds_from_samples.md.
    """
    training = check_samples("training", training, minimum=8)
    check_domain("slopes", slopes, minimum=0.0, open_minimum=True, finite=True)
    slopes = bits_to_nats(jnp.atleast_1d(jnp.asarray(slopes, jnp.float64)))
    tuning = training[len(training) - max(2, round(_TUNING_SHARE * len(training))) :]
    fitted = training[: len(training) - len(tuning)]
    if np.ndim(atoms) == 0:
        check_domain("atoms", atoms, minimum=1, finite=True)
        places = fitted[np.linspace(0, len(fitted) - 1, min(int(np.asarray(atoms)), len(fitted))).astype(int)]
    else:
        places = check_samples("atoms", atoms, minimum=1, dimension=training.shape[1])
    reproduction, distortion = fit_reproduction(fitted, places, slopes, iterations=int(iterations))
    floor, shift, value = _tune(tuning, reproduction, slopes)
    return DualFunction(reproduction, slopes, floor, shift, value, distortion)


@jax.jit
def _tune(tuning, reproduction, slopes):
    """Floor, shift and intercept of each slope, by what the tuning samples say at themselves and at the atoms."""

    def tune(arguments):
        reproduction, slope = arguments
        log_z = log_partition(tuning, reproduction, slope)
        log_floors = log_z.mean() + jnp.log(_FLOORS)
        nu = -jnp.logaddexp(log_z[None], log_floors[:, None])
        places = jnp.concatenate([reproduction.atoms, tuning[:512]])
        distances = squared_distances(places, tuning)
        log_c = jax.vmap(lambda each: jax.scipy.special.logsumexp(each[None] - slope * distances, axis=-1).max())(nu)
        # Where no tuning sample was there may still be one of as many others: it weighs 1 / floor.
        shifts = jnp.log(tuning.shape[0]) - jnp.maximum(log_c, -log_floors)
        values = nu.mean(-1) + shifts
        best = jnp.argmax(values)
        return jnp.exp(log_floors[best]), shifts[best], values[best]

    return jax.lax.map(tune, (reproduction, slopes))


def evaluate_dual(samples: jax.Array, function: DualFunction) -> jax.Array:
    """nu(x) of samples for each slope.

    Args:
      samples: [n, d].
      function: with k slopes.

    Returns:
      Nats, [n, k].
    """
    return _evaluate(samples, function)


@jax.jit
def _evaluate(samples, function):
    def each(one):
        log_z = log_partition(samples, one.reproduction, one.slope)
        return one.shift - jnp.logaddexp(log_z, jnp.log(one.floor))

    return jax.lax.map(each, function).T


def dual_lines(function: DualFunction, held_out: ArrayLike, *, tolerance: float = 2e-3) -> DualLines:
    """Lower bounds R(D) >= a - s D from held-out samples, a in expectation.

    For every nu and s >= 0, with c(y) = E exp(nu(X) - s |X - y|^2) and ln z <= z - 1,

        R(D) >= E nu(X) - s D - ln sup_y c(y) >= E nu(X) - s D - (sup_y c(y) - 1)   (nats).

    With means over held-out samples in place of expectations, E sup_y c_m(y) >= sup_y c(y): the value is in expectation
    a bound, at every number of samples. The supremum over all y is bounded by branch and bound.

    Args:
      function: from `fit_dual`, of other samples.
      held_out: [m, d].
      tolerance: relative gap of the supremum, which the bound loses at most (in nats).

    Returns:
      `DualLines`; the spread of `influence` is that of `maximum_influence`.

    Raises:
      ValueError: if samples are refused, or the dimension is too high for branch and bound (project them).

    Reference:
      [csiszar1974extremum] Csiszar 1974; docs/derivations/bounds_from_samples.md.
    """
    held_out = check_samples("held_out", held_out, dimension=function.reproduction.atoms.shape[-1])
    points, nu = np.asarray(held_out), np.asarray(evaluate_dual(held_out, function))
    influence = np.empty_like(nu)
    for k, slope in enumerate(np.asarray(function.slope)):
        found = kernel_supremum(points, nu[:, k] - np.log(len(points)), slope, tolerance=tolerance)
        # What branch and bound leaves open is subtracted.
        influence[:, k] = nu[:, k].mean() - found.upper + 1.0 + maximum_influence(points, nu[:, k], slope, found)
    influence = nats_to_bits(influence)
    return DualLines(nats_to_bits(function.slope), influence.mean(0), influence, nats_to_bits(function.value),
                     function.distortion)


def dual(
    training: ArrayLike,
    held_out: ArrayLike,
    *,
    slopes: ArrayLike,
    distortion: ArrayLike | None = None,
    atoms: int | ArrayLike = 64,
    iterations: int = 200,
    tolerance: float = 2e-3,
) -> Estimate:
    """Lower bounds on R(D) for squared error in few dimensions, in expectation over held-out samples.

    As `dual_lines` of `fit_dual`, at points: for each slope where its line is about to touch R(D), or for each
    distortion on the line that training samples prefer there. Values may be negative: cut at 0 they would be no bound
    in expectation.

    Args:
      training: [n, d], n >= 8, in random order.
      held_out: [m, d], independent of `training`.
      slopes: [k] > 0, bits per unit of squared error.
      distortion: D > 0, squared error summed over components, [j]; None for a point on each slope's line.
      atoms: number of atoms of the fit, or their first places, [.., d]: rates of r bits need 2^r and more.
      iterations: of the fit.
      tolerance: relative gap of the supremum.

    Returns:
      `Estimate` of shape [k], or [j], kind "lower".

    Raises:
      ValueError: if an argument lies outside of its domain, or the dimension is too high for branch and bound.

    Reference:
      docs/derivations/bounds_from_samples.md.
    """
    training, held_out = check_both(training, held_out)
    lines = dual_lines(fit_dual(training, slopes=slopes, atoms=atoms, iterations=iterations), held_out,
                       tolerance=tolerance)
    if distortion is None:
        chosen, places = jnp.arange(lines.slope.shape[0]), lines.distortion
    else:
        check_domain("distortion", distortion, minimum=0.0, open_minimum=True, finite=True)
        places = jnp.atleast_1d(jnp.asarray(distortion, jnp.float64))
        chosen = jnp.argmax(lines.expected[None] - places[:, None] * lines.slope[None], axis=-1)
    measured = mean(lines.influence[:, chosen])
    nan, zero = jnp.full(places.shape, jnp.nan), jnp.zeros(places.shape)
    return Estimate(measured.value - lines.slope[chosen] * places, places, nan, measured.se, zero, nan, "lower",
                    held_out.shape[0], "dual")
