"""Upper bounds on R(D) by particles: Wasserstein gradient descent on the distribution of reproductions.

Any distribution q of reproductions bounds R(D) + s D from above by F(q) = -E log sum_j w_j exp(-s d(X, y_j)), for
particles y_j of weights w_j. With r_j(x) = w_j exp(-s d(x, y_j)) / Z(x), a step of batch averages is

    w_j <- (1 - a) w_j + a E r_j(X),     y_j <- y_j - a E[r_j(X) grad d(X, y_j)] / (h w_j),

a hybrid of Blahut and Arimoto's update of weights with a gradient flow in Wasserstein's geometry, whose step fits each
particle: 1 / (h s c_j), c_j = E exp(-s d(X, y_j)) / Z(X). For squared error (h = 2) and a = 1 on all samples it is the
expectation-maximization of a mixture of Gaussians of variance 1 / (2 s), which F never rises under.
"""

from __future__ import annotations

import functools
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
from rdr.estimators.tilting import Distortion, block_rows, in_blocks, squared_error, tilt_curve
from rdr.training.checkpoint_owner import claim
from rdr.training.loop import train_scanned
from rdr.units import nats_to_bits

_CHECKS = 20  # of the validation samples in a training
_MAX_VALIDATION = 5000
_MIN_VALIDATION = 10
_FORGETTING = 0.6  # exponent of the step of stochastic approximation, in (1/2, 1]
_LEAST_MASS = 1e-20


class Particles(NamedTuple):
    """Distributions of reproductions, one for each slope.

    Attributes:
      points: less `center`, float32 [slopes, particles, dimension].
      weights: probabilities, float32 [slopes, particles].
      slopes: nats per unit of distortion, float32 [slopes].
      center: [dimension], of the samples' dtype.
      shape: of the slopes as they were asked for.
    """

    points: np.ndarray
    weights: np.ndarray
    slopes: np.ndarray
    center: np.ndarray
    shape: tuple[int, ...]

    @property
    def cap_bits(self) -> float:
        """log2 of the number of particles: the largest rate that equal weights can have."""
        return float(np.log2(self.points.shape[1]))


class _Plan(NamedTuple):
    """What a compiled step is made for."""

    batch: int
    block: int
    whole: bool
    steps: int
    distortion: Distortion
    curvature: float


class _State(NamedTuple):
    """Of a training: particles, and the best so far on validation samples; each with an axis of slopes."""

    points: Any
    mass: Any
    best_points: Any
    best_mass: Any
    best_value: Any


def particles(
    samples: ArrayLike,
    held_out: ArrayLike,
    *,
    slopes: ArrayLike,
    key: jax.Array,
    num_particles: int = 1000,
    steps: int = 300,
    batch: int = 4096,
    distortion: Distortion = squared_error,
    curvature: float = 2.0,
    workdir: str | pathlib.Path | None = None,
) -> Estimate:
    """Bounds R(D) from above by particles that are fitted to samples, measured on held-out samples.

    The channel of the particles q at slope s, Q(y_j | x) proportional to w_j exp(-s d(x, y_j)), has I(X; Y) <=
    E KL(Q(.|X) || q), and this and E d are means over held-out samples: unbiased, whatever the fit was. The rate is at
    most about log2 of the number of particles, where the bound is valid but far from R(D).

    Args:
      samples: of the source, [samples, dimension].
      held_out: others, [held out, dimension].
      slopes: -dR/dD, bits per unit of distortion; a number or an array, one point of the bound each.
      key: a `jax.random.key`.
      num_particles: m.
      steps: of training.
      batch: samples of a step; all of them if there are no more than that.
      distortion: `distortion(x [samples, dimension], y [particles, dimension]) -> [samples, particles]`, at least 0 and
        differentiable in y.
      curvature: h, at least the largest second derivative of the distortion along y; 2 for squared error.
      workdir: where checkpoints are kept, so that an interrupted call goes on; None keeps none.

    Returns:
      The estimate, kind "upper", each value of the shape of `slopes`.

    Raises:
      ValueError: if samples are too few, not finite or of two dimensions, or a setting is out of its range, or the
        directory belongs to another training.

    Reference: yang2023wasserstein, their hybrid algorithm; weights: blahut1972computation. Their step is the same for
      all particles.
    """
    result = fit_particles(samples, slopes=slopes, key=key, num_particles=num_particles, steps=steps, batch=batch,
                           distortion=distortion, curvature=curvature, workdir=workdir)
    return evaluate_particles(result, held_out, distortion=distortion)


def evaluate_particles(result: Particles, held_out: ArrayLike, *, distortion: Distortion = squared_error) -> Estimate:
    """Measures the channel of fitted particles on samples that they were not fitted to.

    Args:
      result: from `fit_particles`.
      held_out: [held out, dimension].
      distortion: as in the fit.

    Returns:
      See `particles`.

    Raises:
      ValueError: if there are fewer than two held-out samples, or they are not finite or of another dimension.
    """
    held_out = sample_vectors(held_out, name="held_out", dimension=result.center.size)
    x = (held_out - result.center).astype(np.float32)
    nats, distortions = tilt_curve(result.points, result.weights, result.slopes, x, distortion=distortion)
    return mean_estimate(np.asarray(nats_to_bits(nats)), distortions, shape=result.shape, estimator="particles")


def fit_particles(
    samples: ArrayLike,
    *,
    slopes: ArrayLike,
    key: jax.Array,
    num_particles: int = 1000,
    steps: int = 300,
    batch: int = 4096,
    distortion: Distortion = squared_error,
    curvature: float = 2.0,
    workdir: str | pathlib.Path | None = None,
) -> Particles:
    """Fits particles to samples, at all slopes in one compiled program.

    A tenth of the samples (at most 5000) is set aside to say which of the states along the training is the best, unless
    that leaves fewer than ten. Memory is a few times slopes x particles x dimension and a block of samples.

    Args:
      samples: of the source, [samples, dimension].
      slopes: see `particles`.
      key: see `particles`.
      num_particles: see `particles`.
      steps: see `particles`.
      batch: see `particles`.
      distortion: see `particles`.
      curvature: see `particles`.
      workdir: see `particles`.

    Returns:
      The particles.

    Raises:
      ValueError: see `particles`.
    """
    samples = sample_vectors(samples)
    betas = slopes_in_nats(slopes)
    check_counts(num_particles=num_particles, steps=steps, batch=batch)
    if not 0 < curvature < float("inf"):
        raise ValueError(f"curvature must be positive and finite, got {curvature}")
    centered = distortion is squared_error
    center = samples.mean(0, dtype=np.float64) if centered else np.zeros(samples.shape[1])
    center = center.astype(samples.dtype)  # so that no second copy of the samples has 64 bits
    training, validation = split_validation(samples - center, key)
    batch = min(batch, len(training))
    plan = _Plan(batch, block_rows(num_particles, batch), batch == len(training), steps, distortion, float(curvature))
    data = {"training": training, "validation": validation if len(validation) else training[:1],
            "slopes": betas, "validate": np.asarray(len(validation) > 0), "key": jax.random.key_data(key)}
    start = _initial_state(training, betas.size, num_particles)
    directory = None if workdir is None else pathlib.Path(workdir)
    if directory is not None:
        claim(directory, "particles", training, betas, num_particles, plan, np.asarray(data["key"]))
    state = train_scanned(start, _update_of(plan), steps=steps, chunk=chunk_of(steps), directory=directory,
                          description="particles", data=data)
    mass = np.asarray(state.best_mass)
    return Particles(np.asarray(state.best_points), mass / mass.sum(1, keepdims=True), betas, center, np.shape(slopes))


def split_validation(samples: np.ndarray, key: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """Shuffles samples and sets a tenth of them aside, at most 5000, or none if that were fewer than ten.

    Args:
      samples: [samples, dimension].
      key: a `jax.random.key`.

    Returns:
      Those to train on and those to validate with, float32.
    """
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, 1), samples.shape[0]))
    spare = min(samples.shape[0] // 10, _MAX_VALIDATION)
    spare = spare if spare >= _MIN_VALIDATION else 0
    shuffled = samples[order].astype(np.float32)
    return shuffled[spare:], shuffled[:spare]


def _initial_state(training: np.ndarray, slopes: int, num_particles: int) -> _State:
    """Particles at samples, in order and again from the first if there are fewer samples."""
    points = np.broadcast_to(np.resize(training, (num_particles, training.shape[1])),
                             (slopes, num_particles, training.shape[1]))
    mass = np.full((slopes, num_particles), 1.0 / num_particles, np.float32)
    return _State(points, mass, points, mass, np.full(slopes, np.inf, np.float32))


@functools.lru_cache(maxsize=8)
def _update_of(plan: _Plan) -> Callable[..., tuple[_State, dict[str, jax.Array]]]:
    """The step of a plan, one function for one plan, so that it is compiled once."""
    every = max(1, plan.steps // _CHECKS)

    def update(state: _State, step: jax.Array, data: dict[str, Any]) -> tuple[_State, dict[str, jax.Array]]:
        training = data["training"]
        if plan.whole:
            rows, rate = training, jnp.float32(1.0)
        else:
            key = jax.random.fold_in(jax.random.wrap_key_data(data["key"]), step + 2)
            rows = training[jax.random.randint(key, (plan.batch,), 0, training.shape[0])]
            offset = max(1.0, state.points.shape[1] / plan.batch) ** (1 / _FORGETTING)
            rate = (step.astype(jnp.float32) + jnp.float32(offset)) ** -_FORGETTING
        blocks = in_blocks(rows, plan.block)
        check = data["validate"] & ((step % every == every - 1) | (step == plan.steps - 1))
        tests = in_blocks(data["validation"], min(plan.block, data["validation"].shape[0]))

        def at_slope(of: tuple[_State, jax.Array]) -> tuple[_State, jax.Array]:
            one, slope = of
            points, mass, value = _descend(one, slope, blocks, rate, plan)
            score = jax.lax.cond(
                check, lambda: _lagrangian(points, mass, slope, tests, plan), lambda: jnp.float32(jnp.inf))
            better = jnp.where(data["validate"], score < one.best_value, True)
            return _State(points, mass, jnp.where(better, points, one.best_points),
                          jnp.where(better, mass, one.best_mass), jnp.where(better, score, one.best_value)), value

        state, values = jax.lax.map(at_slope, (state, data["slopes"]))
        return state, {"lagrangian": nats_to_bits(jnp.mean(values))}

    return update


def _log_weights(mass: jax.Array) -> jax.Array:
    return jnp.log(mass) - jnp.log(jnp.sum(mass))


def _descend(state: _State, slope: jax.Array, blocks: tuple[jax.Array, jax.Array], rate: jax.Array, plan: _Plan
             ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """New points and masses, and F of the old ones on this batch, nats."""
    points, log_weights = state.points, _log_weights(state.mass)

    def add(sums: tuple[jax.Array, ...], of: tuple[jax.Array, jax.Array]) -> tuple[tuple[jax.Array, ...], None]:
        x, counted = of
        cost, pull_back = jax.vjp(lambda y: plan.distortion(x, y), points)
        logits = log_weights[None, :] - slope * cost
        log_z = jax.nn.logsumexp(logits, axis=1)
        share = jnp.exp(logits - log_z[:, None]) * counted[:, None]
        mass, pull, total = sums
        return (mass + jnp.sum(share, 0), pull + pull_back(share)[0], total - jnp.sum(log_z * counted)), None

    zeros = (jnp.zeros_like(state.mass), jnp.zeros_like(points), jnp.zeros((), jnp.float32))
    (mass, pull, total), _ = jax.lax.scan(add, zeros, blocks)
    mass = (1 - rate) * state.mass + rate * mass / plan.batch
    step = jnp.where(mass > _LEAST_MASS, rate / (plan.curvature * plan.batch * jnp.maximum(mass, _LEAST_MASS)), 0.0)
    return points - step[:, None] * pull, mass, total / plan.batch


def _lagrangian(points: jax.Array, mass: jax.Array, slope: jax.Array, blocks: tuple[jax.Array, jax.Array], plan: _Plan
                ) -> jax.Array:
    """F on validation samples, nats."""
    log_weights = _log_weights(mass)

    def of_block(of: tuple[jax.Array, jax.Array]) -> jax.Array:
        x, counted = of
        logits = log_weights[None, :] - slope * plan.distortion(x, points)
        return -jnp.sum(counted * jax.nn.logsumexp(logits, axis=1))

    return jnp.sum(jax.lax.map(of_block, blocks)) / jnp.sum(blocks[1])
