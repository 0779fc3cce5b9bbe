"""Upper bounds on R(D) by latent-variable models: a beta-VAE with a learned prior, and codecs of ours.

For any encoder r(z | x), prior p(z) and deterministic decoder g, the channel x -> z -> y = g(z) has
I(X; Y) <= I(X; Z) <= E KL(r(.|X) || p), and E d(X, g(Z)) is its distortion: no cap by a number of samples.
"""

from __future__ import annotations

import functools
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from rdr.codecs.base import VectorCodec
from rdr.estimators.curve_training import Loss, Schedule, check_counts, train_at_slopes
from rdr.estimators.estimate import Estimate, mean_estimate
from rdr.estimators.importance import importance_bound
from rdr.estimators.latent_networks import Architecture, decode, initial_params, principal_coordinates, propose
from rdr.estimators.samples import sample_vectors, slopes_in_nats
from rdr.estimators.tilting import in_blocks
from rdr.program_cache import ProgramCache
from rdr.units import nats_to_bits

_BLOCK = 1024  # held-out samples at a time, times proposals


class LatentModel(NamedTuple):
    """Trained models, one for each slope.

    Attributes:
      params: "encoder", "prior" and "decoder", a tree of arrays [slopes, ...].
      slopes: nats per unit of distortion of the samples, float32 [slopes].
      center: float64 [dimension], of the samples.
      scale: of the samples; networks see (x - center) / scale.
      sizes: of the networks.
      shape: of the slopes as they were asked for.
    """

    params: Any
    slopes: np.ndarray
    center: np.ndarray
    scale: float
    sizes: Architecture
    shape: tuple[int, ...]


def variational(
    samples: ArrayLike,
    held_out: ArrayLike,
    *,
    slopes: ArrayLike,
    key: jax.Array,
    latent: int | None = None,
    hidden: tuple[int, ...] = (64, 64),
    components: int = 1,
    levels: int = 1,
    steps: int = 2000,
    batch: int = 256,
    learning_rate: float = 3e-3,
    proposals: int = 16,
    workdir: str | pathlib.Path | None = None,
) -> Estimate:
    """Bounds R(D) from above by a beta-VAE, measured on held-out samples with importance weights.

    Encoder and decoder start as a projection on principal components and back; with `components` the prior of the
    highest level is a mixture of Gaussians, and with two `levels` that of the lower one depends on the higher one.

    Args:
      samples: of the source, [samples, dimension].
      held_out: others, [held out, dimension].
      slopes: -dR/dD, bits per unit of squared error; a number or an array.
      key: a `jax.random.key`.
      latent: components of a latent vector; default as many as a sample has, at most 64.
      hidden: widths of the hidden layers of all networks; none for linear ones.
      components: Gaussians in the prior.
      levels: 1 or 2.
      steps: of training.
      batch: samples of a step.
      learning_rate: the highest, of Adam.
      proposals: K of `importance_bound` in the measurement; 1 for the ELBO.
      workdir: where checkpoints are kept, so that an interrupted call goes on; None keeps none.

    Returns:
      The estimate, kind "upper", each value of the shape of `slopes`.

    Raises:
      ValueError: if samples are too few, not finite or of two dimensions, a setting is out of its range, a loss is not
        finite, or the directory belongs to another training.

    Reference: yang2022sandwich; importance weights: burda2016importance, see `importance_bound`.
    """
    model = fit_latent_model(samples, slopes=slopes, key=key, latent=latent, hidden=hidden, components=components,
                             levels=levels, steps=steps, batch=batch, learning_rate=learning_rate, workdir=workdir)
    return evaluate_latent_model(model, held_out, key=jax.random.fold_in(key, 1), proposals=proposals)


def fit_latent_model(
    samples: ArrayLike,
    *,
    slopes: ArrayLike,
    key: jax.Array,
    latent: int | None = None,
    hidden: tuple[int, ...] = (64, 64),
    components: int = 1,
    levels: int = 1,
    steps: int = 2000,
    batch: int = 256,
    learning_rate: float = 3e-3,
    workdir: str | pathlib.Path | None = None,
) -> LatentModel:
    """Trains the models of `variational` at all slopes in one compiled program.

    Args:
      samples: see `variational`.
      slopes: see `variational`.
      key: see `variational`.
      latent: see `variational`.
      hidden: see `variational`.
      components: see `variational`.
      levels: see `variational`.
      steps: see `variational`.
      batch: see `variational`.
      learning_rate: see `variational`.
      workdir: see `variational`.

    Returns:
      The models.

    Raises:
      ValueError: see `variational`.
    """
    samples, betas = sample_vectors(samples), slopes_in_nats(slopes)
    latent = min(samples.shape[1], 64) if latent is None else latent
    check_counts(latent=latent, components=components, levels=levels)
    check_counts(**{f"hidden[{i}]": width for i, width in enumerate(hidden)})
    if levels > 2:
        raise ValueError(f"levels must be 1 or 2, got {levels}")
    sizes = Architecture(samples.shape[1], latent, tuple(hidden), components, levels)
    rows, center, scale, start = normalized_start(samples, key, sizes)
    params = train_at_slopes(elbo_loss(sizes), start, samples=rows, slopes=betas * np.float32(scale**2), key=key,
                             schedule=Schedule(steps, batch, learning_rate), workdir=workdir, description="variational")
    return LatentModel(params, betas, center, scale, sizes, np.shape(slopes))


def normalized_start(samples: np.ndarray, key: jax.Array, sizes: Architecture
                     ) -> tuple[np.ndarray, np.ndarray, float, dict[str, Any]]:
    """Brings samples to mean 0 and largest standard deviation 1, and parameters to their principal components.

    Args:
      samples: [samples, dimension].
      key: a `jax.random.key`.
      sizes: of the networks.

    Returns:
      float32 samples, their mean before, their scale before, and parameters.

    Raises:
      ValueError: if the latent vector has more components than a sample.
    """
    coordinates = principal_coordinates(samples, sizes.latent)
    scale = float(coordinates.scales[0])
    rows = ((samples - coordinates.mean) / scale).astype(np.float32)
    coordinates = coordinates._replace(scales=coordinates.scales / np.float32(scale))
    return rows, coordinates.mean, scale, initial_params(jax.random.fold_in(key, 2), sizes, coordinates)


def _channel(params: Any, x: jax.Array, slope: jax.Array, key: jax.Array, proposals: int, sizes: Architecture
             ) -> tuple[jax.Array, jax.Array]:
    z, log_ratios = propose(params, x, key, proposals, sizes)
    distortions = jnp.sum(jnp.square(decode(params["decoder"], z, sizes) - x[None]), -1)
    return importance_bound(log_ratios, distortions, slope)


@functools.lru_cache(maxsize=8)
def elbo_loss(sizes: Architecture, proposals: int = 1) -> Loss:
    """Makes the loss of a training, E KL + s E d in nats, one function for one architecture.

    Args:
      sizes: of the networks.
      proposals: K of `importance_bound`.

    Returns:
      `loss(params, rows, slope, key, fixed)`; `fixed` has parts of the parameters that are not trained, or is None.
    """

    def loss(params: Any, rows: jax.Array, slope: jax.Array, key: jax.Array, fixed: Any) -> jax.Array:
        nats, distortions = _channel({**params, **(fixed or {})}, rows, slope, key, proposals, sizes)
        return jnp.mean(nats + slope * distortions)

    return loss


def _curve(params: Any, x: jax.Array, slopes: jax.Array, words: jax.Array, proposals: int, sizes: Architecture,
           block: int) -> tuple[jax.Array, jax.Array]:
    blocks, _ = in_blocks(x, block)
    keys = jax.random.split(jax.random.wrap_key_data(words), blocks.shape[0])

    def at_slope(of: tuple[Any, jax.Array]) -> tuple[jax.Array, jax.Array]:
        params, slope = of
        nats, distortions = jax.lax.map(lambda b: _channel(params, b[0], slope, b[1], proposals, sizes), (blocks, keys))
        return nats.reshape(-1)[: x.shape[0]], distortions.reshape(-1)[: x.shape[0]]

    return jax.lax.map(at_slope, (params, slopes))


_compiled_curve = ProgramCache(_curve, maxsize=16, static_argnums=(4, 5, 6))


def evaluate_latent_model(model: LatentModel, held_out: ArrayLike, *, key: jax.Array, proposals: int = 16,
                          estimator: str = "variational") -> Estimate:
    """Measures trained models on samples that they were not trained on.

    Args:
      model: from `fit_latent_model`.
      held_out: [held out, dimension].
      key: a `jax.random.key`, of the proposals.
      proposals: K of `importance_bound`.
      estimator: name in the result.

    Returns:
      See `variational`.

    Raises:
      ValueError: if there are fewer than two held-out samples, they are not finite or of another dimension, or
        `proposals` is no whole number, at least 1.
    """
    check_counts(proposals=proposals)
    held_out = sample_vectors(held_out, name="held_out", dimension=model.sizes.dimension)
    x = ((held_out - model.center) / model.scale).astype(np.float32)
    slopes = model.slopes * np.float32(model.scale**2)
    block = max(1, min(_BLOCK, x.shape[0]))
    nats, distortions = _compiled_curve(model.params, x, slopes, jax.random.key_data(key), proposals, model.sizes,
                                        block)
    return mean_estimate(np.asarray(nats_to_bits(nats)), np.asarray(distortions, np.float64) * model.scale**2,
                         shape=model.shape, estimator=estimator)


def codec_bound(codec: VectorCodec, params: Any, held_out: ArrayLike, *, key: jax.Array) -> Estimate:
    """Turns the estimate of a trained codec of vectors into an upper bound on R(D).

    With a dither, quantization is the addition of noise: z = f(x) + u has E KL(Q(.|X) || p) = E -log2 of the
    probability of its cell, which `forward` returns, and y = g(z). Without one, -log2 P(k) is a code length, in
    expectation at least H(K) >= I(X; Y).

    Args:
      codec: from `rdr.codecs.vectors`, whose `forward` computes what is coded: dithered, or rounding hard.
      params: its parameters.
      held_out: samples that it was not trained on, of a shape that the codec takes, [held out, ...].
      key: a `jax.random.key`, of the dither.

    Returns:
      One point, kind "upper"; bits and squared error of a sample, summed over its components.

    Raises:
      ValueError: if there are fewer than two samples, they are not finite, or the codec refuses them.

    Reference: yang2022sandwich, whose bound needs no more than a channel and a prior.
    """
    array = np.asarray(held_out)
    sample_vectors(array, name="held_out")
    x = jnp.asarray(array, jnp.float32)
    reconstruction, bits = codec.forward(params, x, key=key)
    errors = jnp.sum(jnp.square(reconstruction - x).reshape(x.shape[0], -1), -1)
    return mean_estimate(np.asarray(bits)[None], np.asarray(errors)[None], shape=(), estimator=codec.name)
