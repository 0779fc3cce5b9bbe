"""Measures of `experiments.images.diffusion_codecs`: the ideal of a denoiser, realism, reference codec, and bounds.

With a denoiser of squared error e(v) at noise of variance v = t / (1 - t), steps that are sent by an ideal coder for
Gaussian noise, infinitely many of them, take

    R(v) = 1 / (2 ln 2)  integral from v to infinity of e(u) / u^2 du   bits,

which is I(x_0; x_t) for the conditional mean and more for any other denoiser. A decoder that takes the denoiser's
output has e(v): so the curve (e(v), R(v)) is an upper bound on R(D), and says what a network is worth without what its
coder costs.
"""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.sources import sample_bounds, sample_realism_codecs
from experiments.sources.sample_bounds_codecs import principal_axes
from experiments.sources.sample_bounds_sources import Source
from rdr.codecs.diffusion import network
from rdr.codecs.diffusion.process import Denoiser
from rdr.codecs.vectors import water_filling
from rdr.data.samples import Samples
from rdr.evaluation import estimate_tables
from rdr.metrics.frechet import gaussian_frechet
from rdr.metrics.moments import moments
from rdr.metrics.pyramid_sliced import sliced_distance
from rdr.randomness import shared_key

_FEATURE_NOISE, _FEATURE_IMAGES = 0.1, 20_000
LARGEST_NOISE = 30.0  # deviation from which integrals start: there e is the variance, and R(v) = e / (2 v ln 2)


class Ideal(NamedTuple):
    """The ideal of a denoiser, at falling noise.

    Attributes:
      deviations: of the noise, [points].
      rates: R, bits per vector.
      errors: e, squared error of a vector.
      rate_se: standard errors over vectors.
    """

    deviations: np.ndarray
    rates: np.ndarray
    errors: np.ndarray
    rate_se: np.ndarray


class Realism(NamedTuple):
    """Distances of images to the source.

    Attributes:
      frechet: Frechet distance of pixels, at most W2 squared.
      sliced: W2 squared of projections, mean over directions.
      features: Frechet distance of the network's last hidden layer.
    """

    frechet: float
    sliced: float
    features: float


def ideal(denoise: Denoiser, x: np.ndarray, *, least: float, points: int, seed: int) -> Ideal:
    """Integrates squared errors over noise levels.

    Args:
      denoise: (x_t, t) -> x_0.
      x: held-out vectors, [n, dimension].
      least: deviation of the least noise.
      points: of the integral, even in its logarithm.
      seed: of the noise.

    Returns:
      The curve.
    """
    deviations = np.geomspace(LARGEST_NOISE, least, points)
    rng, errors = np.random.default_rng([seed, 11]), np.empty((points, len(x)))
    for i, deviation in enumerate(deviations):
        t = float(deviation**2 / (1.0 + deviation**2))
        noisy = np.sqrt(1.0 - t) * x + np.sqrt(t) * rng.standard_normal(x.shape)
        errors[i] = np.square(denoise(noisy, t) - x).sum(1)
    # In u = log v the integrand is e / v.
    log_v, integrand = 2.0 * np.log(deviations), errors / np.square(deviations)[:, None]
    areas = 0.5 * (integrand[1:] + integrand[:-1]) * -np.diff(log_v)[:, None]
    nats = 0.5 * np.concatenate([integrand[:1], areas]).cumsum(0)
    bits = nats / np.log(2.0)
    return Ideal(deviations, bits.mean(1), errors.mean(1), bits.std(1) / np.sqrt(len(x)))


def features(identity: Mapping[str, Any], x: np.ndarray) -> np.ndarray:
    """What the denoiser's last hidden layer makes of images, taken for noisy ones with deviation .1.

    Second moments of pixels are those of the source as soon as every component has its variance; these features see
    what a network had to know of images to denoise them.

    Args:
      identity: of a source of `rdr.codecs.diffusion.network_sources.network_source` with a network.
      x: [n, dimension].

    Returns:
      [n, width].
    """
    t = _FEATURE_NOISE**2 / (1.0 + _FEATURE_NOISE**2)
    mean, axes, lam = (np.asarray(identity[name], np.float64) for name in ("mean", "axes", "variances"))
    weights = {name: np.asarray(value, np.float64) for name, value in identity["network"].items()}
    root = np.sqrt(1.0 - t)
    u = root * np.sqrt(lam) / ((1.0 - t) * lam + t) * (root * (np.asarray(x, np.float64) - mean) @ axes)
    return network.hidden(weights, u, network.levels(np.float64(t)), clip=np.clip)


def realism(y: np.ndarray, reference: np.ndarray, identity: Mapping[str, Any], *, seed: int) -> Realism:
    """Measures how decoded images are distributed.

    Args:
      y: [n, dimension].
      reference: images that are not the originals of these, at least as many.
      identity: of the network of `features`.
      seed: of directions.

    Returns:
      The distances.
    """
    def frechet(y: np.ndarray, reference: np.ndarray) -> float:
        left, right = moments(np.asarray(y, np.float64)), moments(np.asarray(reference, np.float64))
        return float(gaussian_frechet(left.mean, left.covariance, right.mean, right.covariance))

    sliced, _ = sliced_distance(np.asarray(y, np.float64), np.asarray(reference[: len(y)], np.float64),
                                key=jax.random.key(seed), seed=seed, num_projections=64)
    seen = (features(identity, part) for part in (y, reference[:_FEATURE_IMAGES]))
    return Realism(frechet(y, reference), float(sliced), frechet(*seen))


def equal_times(variances: np.ndarray, end: float, steps: int) -> tuple[float, ...]:
    """Times between which the Gaussian of these variances tells equally much in every step.

    Args:
      variances: of the principal components.
      end: last time, in (0, 1).
      steps: how many, at least 1.

    Returns:
      steps + 1 times from 1 to `end`.
    """
    lam = np.asarray(variances, np.float64)
    ratio = (1.0 - end) / end * np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 4000)])
    told = np.log1p(ratio[:, None] * lam).sum(1)
    inner = np.interp(told[-1] * np.arange(1, steps) / steps, told, ratio)
    return (1.0, *(1.0 / (1.0 + inner)).tolist(), float(end))


class Reference(NamedTuple):
    """What principal components and dithered scalars made of images.

    Attributes:
      rate: bits per image.
      bits: ideal code length of each image, [n].
      decoded: for each weight of realism [n, dimension].
    """

    rate: float
    bits: np.ndarray
    decoded: dict[float, np.ndarray]


def reference_codec(samples: Samples, x: np.ndarray, rates: Sequence[float], *, seed: int) -> list[Reference]:
    """Codes images by principal components and dithered scalars, and decodes them with and without realism.

    Args:
      samples: the source.
      x: held-out vectors, [n, dimension].
      rates: bits per vector to aim at.
      seed: of dither and noise.

    Returns:
      One for each rate; weight 0 is the decoder of least error, weight 1 gives every component its own variance.
    """
    mean, variances, axes = principal_axes(samples.vectors)
    variances = np.where(variances > 1e-9 * variances[0], variances, 0.0)
    z, found = (x.astype(np.float64) - mean) @ axes, []
    for slope in estimate_tables.vector_slopes(samples.vectors, rates)[0]:
        made = water_filling.plan(variances, float(0.5 / (slope * np.log(2.0))))
        message, bits = water_filling.encode(made, z[None], shared_key=shared_key(seed))
        plain = water_filling.decode(made, message, shared_key=shared_key(seed))[0]
        decoded = {weight: mean + sample_realism_codecs.decode_universally(made, plain, weight, seed=seed) @ axes.T
                   for weight in (0.0, 1.0)}
        found.append(Reference(8 * len(message) / len(x), bits[0], decoded))
    return found


def bounds(samples: Samples, ideals: dict[str, Ideal], *, rates: Sequence[float], fitted: int, held_out: int,
           components: int, steps: int, seed: int, directory: pathlib.Path, tell: Callable[[str], None]
           ) -> dict[str, list[Any]]:
    """Bounds on R(D): the Gaussian channel, a mixture of Gaussians and projections, and the ideals of denoisers.

    Args:
      samples: the source.
      ideals: by name of denoiser: upper bounds, too.
      rates: bits, at most and at least, of the curves.
      fitted: vectors that estimators are fitted to.
      held_out: vectors that they are measured on.
      components: of the mixture.
      steps: of the mixture.
      seed: of everything random.
      directory: of checkpoints and rows.
      tell: called with a line of progress.

    Returns:
      Rows of `rdr.evaluation.estimate_tables`.
    """
    few = samples._replace(vectors=samples.vectors[:fitted], held_out=samples.held_out[:held_out])
    config = sample_bounds.Config(estimators=("gaussian", "mixture", "projections"), num_points=8, max_rate=max(rates),
                                  components=components, mixture_steps=steps, atoms=64, projections=6, seed=seed)
    made = sample_bounds.make_estimators(config, Source(few, None), directory / "bounds")
    header = {"source": samples.name, "fitted": fitted, "held_out": held_out, "components": components, "steps": steps,
              "seed": seed, "max_rate": max(rates)}
    table = estimate_tables.run_estimators(made, directory / "bounds", header=header, tell=tell)
    for name, curve in ideals.items():
        rows = {"estimator": [f"ideal of the {name} denoiser"] * len(curve.rates), "kind": ["upper"] * len(curve.rates),
                "rate_bits": curve.rates.tolist(), "distortion": curve.errors.tolist(),
                "rate_se": curve.rate_se.tolist(), "distortion_se": [0.0] * len(curve.rates),
                "held_out": [held_out] * len(curve.rates)}
        table = estimate_tables.joined([table, rows])
    return table
