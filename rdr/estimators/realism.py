"""Points of R(D, P) that channels reach: particles with a term for perception, and decoders with randomness.

Among channels to particles y_j, those that minimize I + s D + t P have the form Q(y_j | x) proportional to
v_j exp(-s d(x, y_j)), where v is not the output's distribution w unless t = 0. Points, v and w are trained on
E KL(Q || w) + s E d + t S(output, source), with the Sinkhorn divergence S in place of W2 squared. Measured are
KL(Q || w) and d on held-out samples, unbiased, and the perception of drawn reproductions.
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
from rdr.estimators.perception import Measure, perception_of_groups
from rdr.estimators.samples import sample_vectors, slopes_in_nats
from rdr.estimators.tilting import Distortion, block_rows, in_blocks, squared_differences, squared_error
from rdr.estimators.wasserstein_descent import Particles
from rdr.losses.sinkhorn import sinkhorn_divergence
from rdr.program_cache import ProgramCache
from rdr.units import bits_to_nats, nats_to_bits

_LEAST_WEIGHT = 1e-9
_ITERATIONS = 100  # of a Sinkhorn divergence in training
_EXACT_DIMENSIONS = 16  # up to which training, too, squares differences
_POSTERIOR = 4000  # training samples that stand for the source given a message


class _Trained(NamedTuple):
    """Channels, one for each point of the curve, of samples less `center`, over `scale`."""

    params: Any  # "points" [curve, m, dimension], "tilt" and "prior" [curve, m]
    slopes: np.ndarray
    center: np.ndarray
    scale: float


def realism_particles(
    samples: ArrayLike,
    held_out: ArrayLike,
    *,
    slopes: ArrayLike,
    perception_slopes: ArrayLike,
    key: jax.Array,
    measure: str | Measure = "sliced_w2",
    num_particles: int = 256,
    steps: int = 500,
    batch: int = 256,
    learning_rate: float = 0.02,
    epsilon: float = 0.05,
    groups: int = 10,
    workdir: str | pathlib.Path | None = None,
) -> Estimate:
    """Reaches points of R(D, P) with particles whose distribution is drawn to the source's, squared error.

    Args:
      samples: of the source, [samples, dimension].
      held_out: others, [held out, dimension].
      slopes: s, bits per unit of squared error; a number or an array.
      perception_slopes: t >= 0, bits per unit of W2 squared; of a shape that broadcasts with `slopes`.
      key: a `jax.random.key`.
      measure: of the perception in the result, see `perception_of_groups`.
      num_particles: m.
      steps: of training.
      batch: samples of a step.
      learning_rate: the highest, of Adam, in units of the samples' largest standard deviation along an axis.
      epsilon: of the Sinkhorn divergence in training, as a fraction of the total variance.
      groups: of held-out samples, for the perception's error.
      workdir: where checkpoints are kept, so that an interrupted call goes on; None keeps none.

    Returns:
      The estimate, each value of the broadcast shape; kind "upper" where the perception is biased upwards, "measured"
      for a measure of your own.

    Raises:
      ValueError: if samples are too few, not finite or of two dimensions, a setting is out of its range, or the
        directory belongs to another training.

    Reference: yang2023wasserstein for particles; the term for perception is ours, by feydy2019sinkhorn.
    """
    samples = sample_vectors(samples)
    held_out = sample_vectors(held_out, name="held_out", dimension=samples.shape[1])
    tilts = np.asarray(perception_slopes, np.float64)
    if tilts.size == 0 or not np.all((tilts >= 0) & np.isfinite(tilts)):
        raise ValueError(f"perception_slopes must be at least 0 and finite, got {perception_slopes}")
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"epsilon must be positive and finite, got {epsilon}")
    check_counts(num_particles=num_particles)
    shape = np.broadcast_shapes(np.shape(slopes), tilts.shape)
    betas = slopes_in_nats(np.broadcast_to(np.asarray(slopes, np.float64), shape))
    perceptions = np.asarray(bits_to_nats(np.broadcast_to(tilts, shape).reshape(-1)), np.float32)
    center, scale = samples.mean(0, dtype=np.float64), float(samples.std(0, dtype=np.float64).max()) or 1.0
    rows = ((samples - center) / scale).astype(np.float32)
    spread = float(rows.var(0, dtype=np.float64).sum()) or 1.0
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, 1), rows.shape[0]))
    flat = jnp.zeros((num_particles,), jnp.float32)
    start = {"points": np.resize(rows[order], (num_particles, rows.shape[1])), "tilt": flat, "prior": flat}
    slopes_here = betas * np.float32(scale**2)
    params = train_at_slopes(
        _loss(epsilon * spread), start, samples=rows, slopes=slopes_here, key=key, workdir=workdir,
        fixed=perceptions * np.float32(scale**2), schedule=Schedule(steps, batch, learning_rate),
        settings=(epsilon,), description="particles with perception")
    trained = _Trained(jax.tree.map(np.asarray, params), slopes_here, center, scale)
    return _evaluate(trained, held_out, key=jax.random.fold_in(key, 2), measure=measure, groups=groups, shape=shape,
                     training=samples)


@functools.lru_cache(maxsize=8)
def _loss(epsilon: float) -> Loss:
    """E KL + s E d + t S, nats, one function for one epsilon."""

    def loss(params: Any, rows: jax.Array, slope: jax.Array, key: jax.Array, fixed: jax.Array) -> jax.Array:
        del key
        exact = rows.shape[1] <= _EXACT_DIMENSIONS
        nats, distortions, shares = _channel(params, rows, slope, squared_differences if exact else squared_error)
        output = jnp.maximum(jnp.mean(shares, axis=0), _LEAST_WEIGHT)
        apart = sinkhorn_divergence(params["points"], rows, epsilon=epsilon, weights=output / jnp.sum(output),
                                    tolerance=1e-3, max_iterations=_ITERATIONS, exact=exact)
        return jnp.mean(nats + slope * distortions) + fixed * apart

    return loss


def _channel(params: Any, x: jax.Array, slope: jax.Array, distortion: Distortion = squared_differences
             ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """KL(Q || w) in nats and E d of each sample, and Q [samples, particles]."""
    cost = distortion(x, params["points"])
    log_q = jax.nn.log_softmax(params["tilt"][None, :] - slope * cost, axis=1)
    shares = jnp.exp(log_q)
    excess = log_q - jax.nn.log_softmax(params["prior"])[None, :]
    nats = jnp.sum(jnp.where(shares > 0, shares * excess, 0.0), axis=1)  # particles without weight are -inf twice
    return nats, jnp.sum(shares * cost, axis=1), shares


def _draw_curve(params: Any, slopes: jax.Array, x: jax.Array, words: jax.Array, block: int) -> tuple[jax.Array, ...]:
    blocks, _ = in_blocks(x, block)
    keys = jax.random.split(jax.random.wrap_key_data(words), blocks.shape[0])

    def at_point(of: tuple[Any, jax.Array]) -> tuple[jax.Array, ...]:
        params, slope = of

        def of_block(part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
            nats, distortions, shares = _channel(params, part[0], slope)
            return nats, distortions, jax.random.categorical(part[1], jnp.log(shares), axis=1).astype(jnp.int32)

        return jax.tree.map(lambda a: a.reshape(-1)[: x.shape[0]], jax.lax.map(of_block, (blocks, keys)))

    return jax.lax.map(at_point, (params, slopes))


_drawn = ProgramCache(_draw_curve, maxsize=16, static_argnums=(4,))


def _evaluate(trained: _Trained, held_out: np.ndarray, *, key: jax.Array, measure: str | Measure, groups: int,
              shape: tuple[int, ...], training: np.ndarray) -> Estimate:
    x = ((held_out - trained.center) / trained.scale).astype(np.float32)
    points = trained.params["points"]
    block = block_rows(points.shape[1] * points.shape[2], x.shape[0])
    nats, distortions, chosen = _drawn(trained.params, trained.slopes, x, jax.random.key_data(key), block)
    unit = trained.scale**2
    estimate = mean_estimate(np.asarray(nats_to_bits(nats)), np.asarray(distortions, np.float64) * unit, shape=shape,
                             estimator="particles with perception")
    outputs = [y[j] for y, j in zip(points, np.asarray(chosen), strict=True)]
    return _with_perception(estimate, outputs, x, unit=trained.scale, key=key, measure=measure, groups=groups,
                            training=training)


def _with_perception(estimate: Estimate, outputs: list[np.ndarray], x: np.ndarray, *, unit: float, key: jax.Array,
                     measure: str | Measure, groups: int, training: np.ndarray) -> Estimate:
    results = [perception_of_groups(y * np.float32(unit), x * np.float32(unit), measure=measure, key=key, groups=groups,
                                    training=training) for y in outputs]
    shape = np.shape(estimate.rate)
    upward = all(result[2] for result in results)
    return estimate._replace(
        perception=np.asarray([r[0] for r in results]).reshape(shape),
        perception_se=np.asarray([r[1] for r in results]).reshape(shape), kind="upper" if upward else "measured",
        assumptions=f"perception ({measure if isinstance(measure, str) else 'own measure'}) is that of "
                    f"{groups} groups of {x.shape[0] // groups} samples, "
                    + ("above the true one in expectation" if upward else "whose bias is not known"))


def universal_decoders(
    result: Particles, samples: ArrayLike, held_out: ArrayLike, *, realism: ArrayLike, key: jax.Array,
    measure: str | Measure = "sliced_w2", groups: int = 10,
) -> Estimate:
    """Reaches points of R(D, P) with one encoder and decoders with randomness of their own, squared error.

    A message j of fitted particles, simulated with shared randomness, is decoded to (1 - a) y_j + a X', X' a sample
    of the source given j: X' = x_i with probability proportional to Q(y_j | x_i), among training samples. Realism
    a = 0 is the decoder of least distortion, a = 1 has the source's own distribution, as far as training samples do.

    Args:
      result: from `fit_particles`, for squared error, at one slope.
      samples: of the source, [samples, dimension]; at most 4000 of them are used.
      held_out: others, [held out, dimension].
      realism: a, in [0, 1]; a number or an array.
      key: a `jax.random.key`, of all randomness.
      measure: see `perception_of_groups`.
      groups: of held-out samples, for the perception's error.

    Returns:
      The estimate, each value of the shape of `realism`, all rates the same; kind "upper" or "measured".

    Raises:
      ValueError: if there is more than one slope, a realism is out of range, or samples are too few, not finite or of
        another dimension.

    Reference: blau2019rethinking for the setting; decoders that interpolate: zhang2021universal.
    """
    weights = np.asarray(realism, np.float64)
    if weights.size == 0 or not np.all((weights >= 0) & (weights <= 1)):
        raise ValueError(f"realism must be in [0, 1], got {realism}")
    if result.slopes.size != 1:
        raise ValueError(f"result must be of one slope, got {result.slopes.size}")
    dimension = result.center.size
    prepared = [(sample_vectors(array, name=name, dimension=dimension) - result.center).astype(np.float32)
                for name, array in (("samples", samples), ("held_out", held_out))]
    training, x = prepared[0][:_POSTERIOR], prepared[1]
    with np.errstate(divide="ignore"):
        logits = np.log(result.weights)
    params = {"points": result.points, "tilt": logits, "prior": logits}
    block = block_rows(max(result.points[0].size, training.shape[0]), x.shape[0])
    keys = jax.random.split(key, 3)
    nats, _, chosen = _drawn(params, result.slopes, x, jax.random.key_data(keys[0]), block)
    others = np.asarray(_posterior(result.points[0], logits[0], result.slopes[0], training, np.asarray(chosen[0]),
                                   jax.random.key_data(keys[1]), block))
    real, plain = training[others], result.points[0][np.asarray(chosen[0])]
    outputs = [np.float32(1 - a) * plain + np.float32(a) * real for a in weights.reshape(-1)]
    errors = np.asarray([np.square(y - x).sum(1, dtype=np.float64) for y in outputs])
    bits = np.broadcast_to(np.asarray(nats_to_bits(nats)), errors.shape)
    estimate = mean_estimate(bits, errors, shape=weights.shape, estimator="universal decoder")
    return _with_perception(estimate, outputs, x, unit=1.0, key=keys[2], measure=measure, groups=groups,
                            training=prepared[0])


def _draw_posterior(points: jax.Array, logits: jax.Array, slope: jax.Array, training: jax.Array, chosen: jax.Array,
                    words: jax.Array, block: int) -> jax.Array:
    """For each message a training sample, by the posterior."""
    rows, _ = in_blocks(training, block_rows(points.size, training.shape[0]))
    cost = jax.lax.map(lambda some: squared_differences(some, points), rows).reshape(-1, points.shape[0])
    log_q = jax.nn.log_softmax(logits[None, :] - slope * cost[: training.shape[0]], axis=1)
    blocks, _ = in_blocks(chosen, block)
    keys = jax.random.split(jax.random.wrap_key_data(words), blocks.shape[0])

    def of_block(part: tuple[jax.Array, jax.Array]) -> jax.Array:
        return jax.random.categorical(part[1], log_q[:, part[0]].T, axis=1).astype(jnp.int32)

    return jax.lax.map(of_block, (blocks, keys)).reshape(-1)[: chosen.shape[0]]


_posterior = ProgramCache(_draw_posterior, maxsize=16, static_argnums=(6,))
