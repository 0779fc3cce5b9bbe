"""Codecs of `experiments.sources.sample_bounds`: vectors to bytes and back, fitted to samples, measured on others.

* `klt_dither`: the Karhunen-Loeve transform of the samples and dithered scalars, steps by water-filling, tables of
  Gaussian components; no training;
* `scalar_dither`: learned transforms around dithered scalars with learned densities;
* `lattice_transform`: learned transforms around a dithered lattice of up to 24 dimensions.

All share a dither between encoder and decoder. Transforms start as the Karhunen-Loeve transform and its inverse.
"""

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.sources import harness, operational_rate
from experiments.sources.harness import Schedule
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors import block_codec, lattice_transform_codec, water_filling
from rdr.data.samples import Samples
from rdr.evaluation.estimate_tables import vector_slopes
from rdr.randomness import shared_key

CODECS = ("klt_dither", "scalar_dither", "lattice_transform")
LATTICES = {1: "Z", 2: "A2", 4: "D4", 8: "E8", 16: "BW16", 24: "Leech"}
_DITHER_LEVELS = 64
_LATENT = 64  # most coordinates that scalars code


def principal_axes(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variances and axes of the principal components of samples.

    Args:
      vectors: [n, dimension].

    Returns:
      Mean [dimension], variances [dimension] from the largest on, axes [dimension, dimension], one a column; float64.
    """
    mean = vectors.mean(0, dtype=np.float64)
    centered = vectors.astype(np.float64) - mean
    variances, axes = np.linalg.eigh(centered.T @ centered / len(vectors))
    return mean, np.maximum(variances[::-1], 0.0), axes[:, ::-1]


def klt_dither(samples: Samples, rates: tuple[float, ...], *, seed: int) -> list[operational_rate.Measurement]:
    """Codes held-out vectors by principal components and dithered scalars.

    Args:
      samples: the source.
      rates: bits per vector to aim at.
      seed: of the dither.

    Returns:
      A measurement for each rate.

    Raises:
      ValueError: if the bytes exceed the ideal code length by more than 0.1 % + 64 bytes.
    """
    mean, variances, axes = principal_axes(samples.vectors)
    variances = np.where(variances > 1e-9 * variances[0], variances, 0.0)
    z = (samples.held_out.astype(np.float64) - mean) @ axes
    slopes, _ = vector_slopes(samples.vectors, rates)
    measured = []
    for slope in slopes:
        made = water_filling.plan(variances, float(0.5 / (slope * np.log(2.0))))
        message, bits = water_filling.encode(made, z[None], shared_key=shared_key(seed))
        bits = bits[0]
        harness.check_length(message, bits, streams=max(len(made.bands), 1))
        errors = np.square(z - water_filling.decode(made, message, shared_key=shared_key(seed))[0]).sum(-1)
        measured.append(operational_rate.Measurement(
            len(message), 8 * len(message) / len(z), float(bits.mean()), float(errors.mean()), float("nan"), bits,
            errors, np.zeros(len(z))))
    return measured


def make_codec(name: str, dimension: int, active: int, hidden: tuple[int, ...]) -> VectorCodec:
    """Makes a codec that is trained.

    Args:
      name: "scalar_dither" or "lattice_transform".
      dimension: components of a vector.
      active: principal components that water-filling codes at the largest rate: so many latents scalars get.
      hidden: widths of the hidden layers of both transforms.

    Returns:
      The codec.
    """
    if name == "scalar_dither":
        return block_codec(dimension=dimension, latent=min(active, _LATENT), hidden=hidden,
                           dither_levels=_DITHER_LEVELS, prior_scale=1.0, max_elements=2**24)
    size = max(n for n in LATTICES if n <= max(active, 1))
    return lattice_transform_codec(LATTICES[size], dimension=dimension, hidden=hidden, dither_levels=_DITHER_LEVELS,
                                   max_elements=2**24)


def _start(name: str, params: Any, samples: Samples, slopes: np.ndarray) -> tuple[Any, float]:
    """Parameters of a grid that start as the Karhunen-Loeve transform, and the unit that vectors are divided by."""
    mean, variances, axes = principal_axes(samples.vectors)
    unit = float(np.sqrt(variances[0]))
    latent = params["analysis"]["line"].shape[-1]
    axes, mean = axes[:, :latent], mean / unit
    press = np.ones(latent)
    if name == "lattice_transform":  # one distribution for all coordinates
        press = np.sqrt(np.maximum(variances[:latent], 1e-4 * variances[0])) / unit
    start = {"analysis": {"line": axes / press, "bias": -mean @ axes / press},
             "synthesis": {"line": (axes * press).T, "bias": mean}}
    for part, values in start.items():
        params[part] |= {leaf: jnp.broadcast_to(jnp.asarray(value, jnp.float32), params[part][leaf].shape)
                         for leaf, value in values.items()}
    # The step of high-rate theory, of coordinates in units of the largest component.
    log_step = jnp.asarray(0.5 * np.log(6.0 / (slopes * unit**2 * np.log(2.0))), jnp.float32)
    if name == "lattice_transform":
        middle = float(np.exp(np.mean(np.log(press))))
        params["latent"] |= {"log_step": jnp.minimum(log_step - np.float32(np.log(middle)), 1.0),
                             "log_power": jnp.full_like(log_step, np.float32(np.log(1.1)))}
    else:
        params["log_step"] = jnp.minimum(log_step, np.float32(np.log(4.0)))
    return params, unit


def train(name: str, samples: Samples, rates: tuple[float, ...], schedule: Schedule, *, hidden: tuple[int, ...],
          seed: int, directory: pathlib.Path) -> tuple[VectorCodec, Any, float]:
    """Trains codecs for several rates at once.

    Args:
      name: see `make_codec`.
      samples: the source.
      rates: bits per vector to aim at: slopes are those that a Gaussian of the same covariance has there.
      schedule: of the training; quantization is noise throughout, as it is with a dither.
      hidden: see `make_codec`.
      seed: of initialization, batches and noise.
      directory: of checkpoints and metrics.

    Returns:
      The codec, parameters with a leading axis over the rates, and the unit in which it takes vectors.
    """
    slopes, _ = vector_slopes(samples.vectors, rates)
    level = 0.5 / (np.max(slopes) * np.log(2.0))
    active = int((principal_axes(samples.vectors)[1] > level).sum())
    codec = make_codec(name, samples.dimension, active, hidden)
    key = jax.random.fold_in(jax.random.key(seed), CODECS.index(name))
    params = jax.vmap(codec.init)(jax.random.split(key, len(rates)))
    params, unit = _start(name, params, samples, slopes)
    price = jnp.asarray(slopes * unit**2, jnp.float32)

    def loss(params, price, x, key, temperature):
        y, bits = codec.forward(params, x, key=key)
        rate, distortion = jnp.mean(bits), jnp.mean(jnp.square(x - y).sum(-1))
        return (rate + price * distortion) / (1.0 + price), {"rate": rate, "distortion": distortion}

    def sample(key, batch, vectors):
        return vectors[jax.random.randint(key, (batch,), 0, vectors.shape[0])]

    trained = harness.train_grid(schedule, params, price, loss=loss, sample=sample, key=key, directory=directory,
                                 description=name, data=jnp.asarray(samples.vectors / np.float32(unit)))
    return codec, trained, unit


def measure(name: str, samples: Samples, rates: tuple[float, ...], schedule: Schedule, *, hidden: tuple[int, ...],
            seed: int, directory: pathlib.Path) -> list[operational_rate.Measurement]:
    """Fits a codec to samples for several rates, codes the held-out vectors to bytes and decodes them.

    Args:
      name: one of `CODECS`.
      samples: the source.
      rates: bits per vector to aim at.
      schedule: of the training.
      hidden: widths of the hidden layers.
      seed: random seed.
      directory: of checkpoints and metrics.

    Returns:
      A measurement for each rate, in the units of the samples.

    Raises:
      ValueError: if the bytes exceed the ideal code length by more than 0.1 % + 64 bytes.
    """
    if name == "klt_dither":
        return klt_dither(samples, rates, seed=seed)
    codec, trained, unit = train(name, samples, rates, schedule, hidden=hidden, seed=seed, directory=directory)
    measured = []
    for i in range(len(rates)):
        params = codec.finalize(harness.entry(trained, i))
        m = harness.measure(codec, params, samples.held_out / np.float32(unit), shared_key=shared_key(seed))
        measured.append(m._replace(distortion=m.distortion * unit**2, errors=m.errors * unit**2))
    return measured
