"""Upper bounds on R(D) by a generator of reproductions (NERD), and beyond its cap by importance weights.

A network g makes reproductions of Gaussian noise. Its objective is F(q) = -E log E exp(-s d(X, g(Z))), whose inner
mean is over m draws of Z. For m draws that are held fixed it is the value of a codebook of m equal weights, an upper
bound like that of any particles, by Jensen's inequality above F(q) in expectation, and no rate of it can exceed
log2 m bits.
"""

from __future__ import annotations

import functools
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from rdr.estimators.curve_training import Loss, Schedule, check_counts, train_at_slopes
from rdr.estimators.estimate import Estimate, mean_estimate
from rdr.estimators.latent_networks import Architecture, decode
from rdr.estimators.latent_variable import LatentModel, elbo_loss, evaluate_latent_model, normalized_start
from rdr.estimators.samples import sample_vectors, slopes_in_nats
from rdr.estimators.tilting import squared_error, tilt_curve
from rdr.units import nats_to_bits

CAP_MARGIN_BITS = 1.0  # closer to log2 m the value is that of the number of draws and not of the generator


class Generator(NamedTuple):
    """Trained generators, one for each slope.

    Attributes:
      model: "decoder" and, for the importance-weighted extension, untrained "encoder" and "prior".
      rows: normalized training samples, float32.
      draws: m.
      schedule: of its training.
    """

    model: LatentModel
    rows: np.ndarray
    draws: int
    schedule: Schedule


def generator(
    samples: ArrayLike,
    held_out: ArrayLike,
    *,
    slopes: ArrayLike,
    key: jax.Array,
    draws: int = 4096,
    beyond_cap: str = "refuse",
    latent: int | None = None,
    hidden: tuple[int, ...] = (64, 64),
    steps: int = 2000,
    batch: int = 256,
    learning_rate: float = 3e-3,
    proposals: int = 16,
    workdir: str | pathlib.Path | None = None,
) -> Estimate:
    """Bounds R(D) from above by a generator, measured on held-out samples by fixed draws or by importance weights.

    Args:
      samples: of the source, [samples, dimension].
      held_out: others, [held out, dimension].
      slopes: -dR/dD, bits per unit of squared error; a number or an array.
      key: a `jax.random.key`.
      draws: m, of each step and of the measurement.
      beyond_cap: what to do where a rate is within a bit of log2 m: "refuse"; "keep" the value, a bound all the same,
        but one on what m draws can say; or "importance": all points are measured by importance weights, for which an
        encoder of the noise is trained with the generator held fixed.
      latent: components of the noise; default as many as a sample has, at most 64.
      hidden: widths of the hidden layers.
      steps: of training, of the generator and of the encoder each.
      batch: samples of a step.
      learning_rate: the highest, of Adam.
      proposals: K of the importance weights.
      workdir: where checkpoints are kept, so that an interrupted call goes on; None keeps none.

    Returns:
      The estimate, kind "upper" in expectation for each way of measuring; `assumptions` states the cap where there is
      one.

    Raises:
      ValueError: if samples are too few, not finite or of two dimensions, a setting is out of its range, the directory
        belongs to another training, or the cap binds and that is to be refused.

    Reference: lei2022neural; its extension by importance weights is ours, see `importance_bound`.
    """
    if beyond_cap not in ("refuse", "keep", "importance"):
        raise ValueError(f"beyond_cap must be 'refuse', 'keep' or 'importance', got {beyond_cap!r}")
    directory = None if workdir is None else pathlib.Path(workdir)
    held_out = sample_vectors(held_out, name="held_out")
    result = fit_generator(samples, slopes=slopes, key=key, draws=draws, latent=latent, hidden=hidden, steps=steps,
                           batch=batch, learning_rate=learning_rate, workdir=directory and directory / "generator")
    evaluation = jax.random.fold_in(key, 3)
    if beyond_cap != "importance":
        return evaluate_generator(result, held_out, key=evaluation, refuse=beyond_cap == "refuse")
    return importance_weighted(result, held_out, key=evaluation, proposals=proposals,
                               workdir=directory and directory / "encoder")


def fit_generator(
    samples: ArrayLike,
    *,
    slopes: ArrayLike,
    key: jax.Array,
    draws: int = 4096,
    latent: int | None = None,
    hidden: tuple[int, ...] = (64, 64),
    steps: int = 2000,
    batch: int = 256,
    learning_rate: float = 3e-3,
    workdir: str | pathlib.Path | None = None,
) -> Generator:
    """Trains generators at all slopes in one compiled program; memory is batch times draws.

    Args:
      samples: see `generator`.
      slopes: see `generator`.
      key: see `generator`.
      draws: see `generator`.
      latent: see `generator`.
      hidden: see `generator`.
      steps: see `generator`.
      batch: see `generator`.
      learning_rate: see `generator`.
      workdir: see `generator`.

    Returns:
      The generators.

    Raises:
      ValueError: see `generator`.
    """
    samples, betas = sample_vectors(samples), slopes_in_nats(slopes)
    latent = min(samples.shape[1], 64) if latent is None else latent
    check_counts(draws=draws, latent=latent, **{f"hidden[{i}]": w for i, w in enumerate(hidden)})
    sizes = Architecture(samples.shape[1], latent, tuple(hidden), 1, 1)
    rows, center, scale, start = normalized_start(samples, key, sizes)
    schedule = Schedule(steps, batch, learning_rate)
    decoder = train_at_slopes(
        _draws_loss(sizes, draws), start["decoder"], samples=rows, slopes=betas * np.float32(scale**2), key=key,
        schedule=schedule, workdir=workdir, settings=(draws,), description="generator")
    params = {"decoder": decoder, "encoder": start["encoder"], "prior": start["prior"]}
    return Generator(LatentModel(params, betas, center, scale, sizes, np.shape(slopes)), rows, draws, schedule)


@functools.lru_cache(maxsize=8)
def _draws_loss(sizes: Architecture, draws: int) -> Loss:
    """F with the mean over fresh draws, nats."""

    def loss(params: Any, rows: jax.Array, slope: jax.Array, key: jax.Array, fixed: Any) -> jax.Array:
        del fixed
        y = decode(params, jax.random.normal(key, (draws, sizes.latent), jnp.float32), sizes)
        return -jnp.mean(jax.nn.logsumexp(-slope * squared_error(rows, y), axis=1)) + jnp.log(jnp.float32(draws))

    return loss


def evaluate_generator(result: Generator, held_out: ArrayLike, *, key: jax.Array, refuse: bool = True) -> Estimate:
    """Measures the codebook of m draws of a generator on samples that it was not trained on.

    Args:
      result: from `fit_generator`.
      held_out: [held out, dimension].
      key: a `jax.random.key`, of the draws.
      refuse: whether rates within a bit of log2 m are refused.

    Returns:
      The estimate, kind "upper"; errors are those of held-out samples, given the draws.

    Raises:
      ValueError: if the cap binds, or held-out samples are too few, not finite or of another dimension.
    """
    model = result.model
    held_out = sample_vectors(held_out, name="held_out", dimension=model.sizes.dimension)
    z = jax.random.normal(key, (result.draws, model.sizes.latent), jnp.float32)
    points = np.asarray(jax.lax.map(lambda params: decode(params, z, model.sizes), model.params["decoder"]))
    weights = np.full(points.shape[:2], 1.0 / result.draws, np.float32)
    x = ((held_out - model.center) / model.scale).astype(np.float32)
    nats, distortions = tilt_curve(points, weights, model.slopes * np.float32(model.scale**2), x)
    cap = np.log2(result.draws)
    estimate = mean_estimate(
        np.asarray(nats_to_bits(nats)), np.asarray(distortions, np.float64) * model.scale**2, shape=model.shape,
        estimator="generator", assumptions=f"no rate above log2 of {result.draws} draws, {cap:.2f} bits")
    highest = float(np.max(estimate.rate))
    if refuse and highest > cap - CAP_MARGIN_BITS:
        raise ValueError(f"draws must be many enough that log2 of them is {CAP_MARGIN_BITS:g} bit above all rates, got "
                         f"{result.draws} ({cap:.2f} bits) for a rate of {highest:.2f} bits: take more draws or "
                         "smaller slopes, or measure by importance weights")
    return estimate


def importance_weighted(result: Generator, held_out: ArrayLike, *, key: jax.Array, proposals: int = 16,
                        workdir: str | pathlib.Path | None = None) -> Estimate:
    """Measures a generator without a cap: an encoder of its noise is trained and proposes it, weighted.

    In expectation -log of the mean weight is above -log E exp(-s d(x, g(Z))), and so the bound is above F of the
    generator, which it tends to with the number of proposals: an upper bound on R(D), as all others here.

    Args:
      result: from `fit_generator`.
      held_out: [held out, dimension].
      key: a `jax.random.key`.
      proposals: K.
      workdir: of the encoder's checkpoints, or None.

    Returns:
      The estimate, kind "upper".

    Raises:
      ValueError: if held-out samples are too few, not finite or of another dimension, or a setting is out of its range.
    """
    model = result.model
    check_counts(proposals=proposals)
    fixed = {"decoder": model.params["decoder"], "prior": _stacked(model.params["prior"], model.slopes.size)}
    encoder = train_at_slopes(
        elbo_loss(model.sizes), {"encoder": model.params["encoder"]}, samples=result.rows,
        slopes=model.slopes * np.float32(model.scale**2), key=key, schedule=result.schedule, workdir=workdir,
        fixed=fixed, description="encoder of the generator's noise")
    params = {**fixed, **encoder}
    return evaluate_latent_model(model._replace(params=params), held_out, key=jax.random.fold_in(key, 1),
                                 proposals=proposals, estimator="generator, importance-weighted")


def _stacked(tree: Any, count: int) -> Any:
    return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (count, *np.shape(leaf))), tree)
