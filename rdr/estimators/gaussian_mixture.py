"""Upper bounds on R(D) for squared error by a mixture of Gaussians as the distribution of reproductions, without a cap.

For q = sum_j w_j N(mu_j, S_j) and slope s, with c = 1 / (2 s) and V_j = S_j + c I, all that `tilting` sums is known:

    -log E_q exp(-s |x - Y|^2) = -log sum_j w_j N(x; mu_j, V_j) - (d / 2) log(pi / s),
    E |x - Y|^2 = sum_j r_j(x) (|c V_j^-1 (x - mu_j)|^2 + c tr S_j V_j^-1),   r_j(x) the component's share of the sum.

To minimize the first line over q is to fit a mixture with covariances V_j >= c I, and expectation-maximization does it:
scatter matrices whose eigenvalues are raised to c, reverse water-filling in each component. One component gives the
Gaussian's curve. Principal components in which nothing is above c are described by their mean, at no rate.
"""

from __future__ import annotations

import functools
import math
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from rdr.estimators.curve_training import check_counts, chunk_of
from rdr.estimators.estimate import Estimate, mean_estimate
from rdr.estimators.samples import sample_vectors, slopes_in_nats
from rdr.estimators.tilting import block_rows, in_blocks
from rdr.estimators.wasserstein_descent import split_validation
from rdr.program_cache import ProgramCache
from rdr.training.checkpoint_owner import claim
from rdr.training.loop import train_scanned
from rdr.units import nats_to_bits

_LEAST_WEIGHT = 1e-12
_EXACT = jax.lax.Precision.HIGHEST


class _Mixture(NamedTuple):
    """Of covariances V; arrays may have an axis of slopes in front."""

    weights: Any  # [m]
    means: Any  # [m, k]
    vectors: Any  # [m, k, k], eigenvectors of V in columns
    values: Any  # [m, k], eigenvalues of V


class GaussianMixture(NamedTuple):
    """Mixtures of reproductions, one for each slope.

    Attributes:
      weights: [slopes, components].
      means: in the principal components, [slopes, components, k].
      vectors: eigenvectors of V_j in columns, [slopes, components, k, k].
      values: eigenvalues of V_j, at least c, [slopes, components, k].
      slopes: nats per unit of squared error, float32 [slopes].
      center: [dimension], of the samples' dtype.
      axes: principal components, float32 [dimension, k].
      shape: of the slopes as they were asked for.
    """

    weights: np.ndarray
    means: np.ndarray
    vectors: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    center: np.ndarray
    axes: np.ndarray
    shape: tuple[int, ...]


class _State(NamedTuple):
    """Of a fit: the mixture, and the best so far on validation samples."""

    now: _Mixture
    best: _Mixture
    best_value: Any


def mixture(
    samples: ArrayLike,
    held_out: ArrayLike,
    *,
    slopes: ArrayLike,
    key: jax.Array,
    components: int = 32,
    steps: int = 50,
    max_dimension: int = 128,
    prior_samples: float = 10.0,
    workdir: str | pathlib.Path | None = None,
) -> Estimate:
    """Bounds R(D) from above by a mixture of Gaussians, measured on held-out samples.

    Args:
      samples: of the source, [samples, dimension].
      held_out: others, [held out, dimension].
      slopes: -dR/dD, bits per unit of squared error; a number or an array.
      key: a `jax.random.key`.
      components: how many Gaussians.
      steps: of expectation-maximization, on all samples.
      max_dimension: principal components in which reproductions vary, at most.
      prior_samples: weight of the samples' covariance in that of each component, in samples.
      workdir: where checkpoints are kept, so that an interrupted call goes on; None keeps none.

    Returns:
      The estimate, kind "upper", each value of the shape of `slopes`.

    Raises:
      ValueError: if samples are too few, not finite or of two dimensions, a setting is out of its range, or the
        directory belongs to another fit.

    Reference: yang2023wasserstein for the bound of a distribution of reproductions; that it be a mixture is ours.
    """
    result = fit_mixture(samples, slopes=slopes, key=key, components=components, steps=steps,
                         max_dimension=max_dimension, prior_samples=prior_samples, workdir=workdir)
    return evaluate_mixture(result, held_out)


def evaluate_mixture(result: GaussianMixture, held_out: ArrayLike) -> Estimate:
    """Measures the channel of a fitted mixture on samples that it was not fitted to; nothing is drawn.

    Args:
      result: from `fit_mixture`.
      held_out: [held out, dimension].

    Returns:
      See `mixture`.

    Raises:
      ValueError: if there are fewer than two held-out samples, or they are not finite or of another dimension.
    """
    held_out = sample_vectors(held_out, name="held_out", dimension=result.center.size)
    centered = (held_out - result.center).astype(np.float32)
    x = centered @ result.axes
    rest = np.sum(np.square(centered - x @ result.axes.T), axis=1, dtype=np.float64)
    fitted = _Mixture(result.weights, result.means, result.vectors, result.values)
    block = block_rows(result.values.shape[1] * result.values.shape[2], x.shape[0])
    nats, distortions = _curve(fitted, result.slopes, x, block)
    return mean_estimate(np.asarray(nats_to_bits(nats)), np.asarray(distortions, np.float64) + rest, shape=result.shape,
                         estimator="mixture")


def fit_mixture(
    samples: ArrayLike,
    *,
    slopes: ArrayLike,
    key: jax.Array,
    components: int = 32,
    steps: int = 50,
    max_dimension: int = 128,
    prior_samples: float = 10.0,
    workdir: str | pathlib.Path | None = None,
) -> GaussianMixture:
    """Fits mixtures to samples, at all slopes in one compiled program.

    Args:
      samples: see `mixture`.
      slopes: see `mixture`.
      key: see `mixture`.
      components: see `mixture`.
      steps: see `mixture`.
      max_dimension: see `mixture`.
      prior_samples: see `mixture`.
      workdir: see `mixture`.

    Returns:
      The mixtures.

    Raises:
      ValueError: see `mixture`.
    """
    samples, betas = sample_vectors(samples), slopes_in_nats(slopes)
    check_counts(components=components, steps=steps, max_dimension=max_dimension)
    if not 0 <= prior_samples < float("inf"):
        raise ValueError(f"prior_samples must be at least 0 and finite, got {prior_samples}")
    center = samples.mean(0, dtype=np.float64).astype(samples.dtype)
    training, validation = split_validation(samples - center, key)
    values, axes = np.linalg.eigh(training.T @ training / len(training))
    above = int(np.sum(values > 0.5 / betas.max()))
    used = slice(-max(1, min(above, max_dimension)), None)
    values, axes = np.maximum(values[used], 0.0).astype(np.float32), axes[:, used].astype(np.float32)
    data = {"training": training @ axes, "validation": validation @ axes, "slopes": betas, "variances": values,
            "prior": np.float32(prior_samples), "validate": np.asarray(len(validation) > 0)}
    if not len(validation):
        data["validation"] = data["training"][:1]
    start = _initial_state(data["training"], values, betas, components)
    directory = None if workdir is None else pathlib.Path(workdir)
    if directory is not None:
        claim(directory, "mixture", data, components, steps)
    block = block_rows(components * len(values), len(training))
    best = train_scanned(start, _update_of(block), steps=steps, chunk=chunk_of(steps), directory=directory,
                         description="mixture", data=data).best
    return GaussianMixture(np.asarray(best.weights), np.asarray(best.means), np.asarray(best.vectors),
                           np.asarray(best.values), betas, center, axes, np.shape(slopes))


def _initial_state(training: np.ndarray, variances: np.ndarray, slopes: np.ndarray, components: int) -> _State:
    """Components at samples, with the covariance of all."""
    count, k = slopes.size, variances.size
    means = np.broadcast_to(np.resize(training, (components, k)) if components > 1 else np.zeros((1, k), np.float32),
                            (count, components, k))
    values = np.maximum(variances, 0.5 / slopes[:, None])[:, None, :]
    first = _Mixture(np.full((count, components), 1.0 / components, np.float32), means,
                     np.broadcast_to(np.eye(k, dtype=np.float32), (count, components, k, k)),
                     np.broadcast_to(values, (count, components, k)).astype(np.float32))
    return _State(first, first, np.full(count, np.inf, np.float32))


def _log_terms(of: _Mixture, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log w_j N(x; mu_j, V_j) [samples, m], and (x - mu_j) in eigenvectors [samples, m, k]."""
    along = jnp.einsum("nk,mkl->nml", x, of.vectors, precision=_EXACT)
    along = along - jnp.einsum("mk,mkl->ml", of.means, of.vectors, precision=_EXACT)[None]
    normalizer = jnp.sum(jnp.log(of.values), -1) + of.values.shape[-1] * math.log(2 * math.pi)
    quadratic = jnp.sum(jnp.square(along) / of.values[None], -1)
    return jnp.log(of.weights)[None] - 0.5 * (normalizer[None] + quadratic), along


def _value(of: _Mixture, x: jax.Array, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """KL in nats and E |x - Y|^2 of each sample."""
    floor = 0.5 / slope
    terms, along = _log_terms(of, x)
    shares = jax.nn.softmax(terms, axis=1)
    each = jnp.sum(jnp.square(floor * along / of.values[None]), -1)
    each = each + (floor * jnp.sum(jnp.maximum(of.values - floor, 0.0) / of.values, -1))[None]
    distortion = jnp.sum(shares * each, axis=1)
    log_z = jax.nn.logsumexp(terms, axis=1) + 0.5 * x.shape[1] * jnp.log(math.pi / slope)
    return -log_z - slope * distortion, distortion


def _values_at_slopes(fitted: _Mixture, slopes: jax.Array, x: jax.Array, block: int) -> tuple[jax.Array, jax.Array]:
    blocks, _ = in_blocks(x, block)

    def at_slope(of: tuple[_Mixture, jax.Array]) -> tuple[jax.Array, jax.Array]:
        nats, distortions = jax.lax.map(lambda rows: _value(of[0], rows, of[1]), blocks)
        return nats.reshape(-1)[: x.shape[0]], distortions.reshape(-1)[: x.shape[0]]

    return jax.lax.map(at_slope, (fitted, slopes))


_curve = ProgramCache(_values_at_slopes, maxsize=16, static_argnums=(3,))


@functools.lru_cache(maxsize=8)
def _update_of(block: int) -> Callable[..., tuple[_State, dict[str, jax.Array]]]:
    """The step of a block size, one function for one, so that it is compiled once."""

    def update(state: _State, step: jax.Array, data: dict[str, Any]) -> tuple[_State, dict[str, jax.Array]]:
        del step
        blocks = in_blocks(data["training"], block)
        tests = in_blocks(data["validation"], min(block, data["validation"].shape[0]))

        def at_slope(of: tuple[_State, jax.Array]) -> tuple[_State, jax.Array]:
            one, slope = of
            after, value = _maximize(one.now, blocks, slope, data)
            score = _negative_log(after, tests)
            better = ~data["validate"] | (score < one.best_value)
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), after, one.best)
            return _State(after, best, jnp.where(better, score, one.best_value)), value

        state, values = jax.lax.map(at_slope, (state, data["slopes"]))
        return state, {"nats": jnp.mean(values)}

    return update


def _negative_log(of: _Mixture, blocks: tuple[jax.Array, jax.Array]) -> jax.Array:
    sums = jax.lax.map(
        lambda part: -jnp.sum(part[1] * jax.nn.logsumexp(_log_terms(of, part[0])[0], axis=1)), blocks)
    return jnp.sum(sums) / jnp.sum(blocks[1])


def _maximize(of: _Mixture, blocks: tuple[jax.Array, jax.Array], slope: jax.Array, data: dict[str, jax.Array]
              ) -> tuple[_Mixture, jax.Array]:
    """The mixture after a step, and the mean negative log likelihood before it."""

    def add(sums: tuple[jax.Array, ...], part: tuple[jax.Array, jax.Array]) -> tuple[tuple[jax.Array, ...], None]:
        x, counted = part
        terms, _ = _log_terms(of, x)
        log_sum = jax.nn.logsumexp(terms, axis=1)
        shares = jnp.exp(terms - log_sum[:, None]) * counted[:, None]
        mass, first, second, total = sums
        first = first + jnp.matmul(shares.T, x, precision=_EXACT)
        second = second + jnp.einsum("nm,nk,nl->mkl", shares, x, x, precision=_EXACT)
        return (mass + jnp.sum(shares, 0), first, second, total - jnp.sum(log_sum * counted)), None

    m, k = of.means.shape
    zeros = (jnp.zeros((m,), jnp.float32), jnp.zeros((m, k), jnp.float32), jnp.zeros((m, k, k), jnp.float32),
             jnp.zeros((), jnp.float32))
    (mass, first, second, total), _ = jax.lax.scan(add, zeros, blocks)
    count = jnp.sum(blocks[1])
    safe = jnp.maximum(mass, 1e-6)
    means = jnp.where(mass[:, None] > 1e-6, first / safe[:, None], of.means)
    scatter = second - mass[:, None, None] * means[:, :, None] * means[:, None, :]
    prior = data["prior"] if m > 1 else jnp.zeros((), jnp.float32)
    covariance = (scatter + prior * jnp.diag(data["variances"])[None]) / (safe + prior)[:, None, None]
    values, vectors = jnp.linalg.eigh(0.5 * (covariance + jnp.swapaxes(covariance, 1, 2)))
    weights = jnp.maximum(mass / count, _LEAST_WEIGHT)
    after = _Mixture(weights / jnp.sum(weights), means, vectors, jnp.maximum(values, 0.5 / slope))
    return after, total / count
