"""Steps of a fit: latents and networks of one image."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rdr import quantize
from rdr.codecs.overfitted import network, rate_control
from rdr.codecs.overfitted.architecture import Architecture
from rdr.codecs.overfitted.rate_control import RateState
from rdr.codecs.overfitted.schedule import Schedule, learning_rates, noisy_steps, progress
from rdr.codecs.overfitted.weight_rate import soft_weight_bits
from rdr.training.soap import scale_by_soap

LATENT_UNIT = 16.0  # latents are trained in units of 16, so that one learning rate suits all of them

_LATENT_OPTIMIZER = optax.scale_by_adam(b2=0.99)
_WEIGHT_OPTIMIZER = scale_by_soap()


class State(NamedTuple):
    """What is fitted.

    Attributes:
      latents: float32 [rows, columns] each, finest first, in units of 16.
      weights: float32 by name.
      rate: of the control of lambda.
      latent_moments: the latents' optimizer's.
      weight_moments: the weights' optimizer's.
    """

    latents: tuple[jax.Array, ...]
    weights: dict[str, jax.Array]
    rate: RateState
    latent_moments: Any
    weight_moments: Any


class Data(NamedTuple):
    """What a fit sees beside its state.

    Attributes:
      target: what the objective made of the image.
      target_bpp: bits per pixel that the latents should take, by moving lambda; 0 where lambda is fixed.
      noise: shared noise, float32 [rows, columns] for each of the finest resolutions that have it.
      image: float32 [height, width, channels], for PSNR.
      schedule: as arrays, so that another schedule is the same program; the same for all images.
      params: the objective's, the same for all images.
      target_psnr: dB that the decoded image should come to, by moving lambda while latents are fitted; 0 or None where
        it is not.
    """

    target: Any
    target_bpp: jax.Array
    noise: tuple[jax.Array, ...]
    image: jax.Array
    schedule: Schedule | None = None
    params: Any = None
    target_psnr: jax.Array | None = None


def initial_state(arch: Architecture, weights: dict[str, jax.Array], rd_lambda: float) -> State:
    """Starts a fit from empty latents.

    Args:
      arch: sizes of the decoder.
      weights: to start from.
      rd_lambda: lambda, bits per pixel for one unit of distortion.

    Returns:
      The state.
    """
    latents = tuple(jnp.zeros(shape, jnp.float32) for shape in arch.latent_shapes)
    return State(latents, weights, rate_control.initial_rate_state(rd_lambda), _LATENT_OPTIMIZER.init(latents),
                 _WEIGHT_OPTIMIZER.init(weights))


def quantized(latents: Sequence[jax.Array], step: jax.Array, schedule: Schedule, key: jax.Array
              ) -> tuple[jax.Array, ...]:
    """Makes of latents what a decoder would see, or nearly.

    Args:
      latents: in units of 16.
      step: number of the step.
      schedule: of the fit.
      key: of the noise.

    Returns:
      In units of 1: noisy softly rounded numbers in the first stage; in the last rounded ones, without a gradient.

    Reference: agustsson2020universally for soft rounding before and after noise; ladune2023coolchic, whose code (5.0)
      has Gaussian noise.
    """
    part = progress(step, schedule)
    temperature = schedule.temperatures[0] + (schedule.temperatures[1] - schedule.temperatures[0]) * part
    deviation = schedule.noise[0] + (schedule.noise[1] - schedule.noise[0]) * part

    def noisy(numbers):
        noise = deviation * jax.random.normal(key, numbers.shape, jnp.float32)
        return quantize.soft_round(quantize.soft_round(numbers, temperature) + noise, temperature)

    # All latents in one: a shorter program.
    numbers = jnp.concatenate([latent.reshape(-1) for latent in latents]) * np.float32(LATENT_UNIT)
    numbers = jax.lax.cond(step < noisy_steps(schedule), noisy, jnp.round, numbers)
    parts = jnp.split(numbers, np.cumsum([latent.size for latent in latents])[:-1])
    return tuple(part.reshape(latent.shape) for part, latent in zip(parts, latents))


def make_update(arch: Architecture, distance: Callable[[Any, Any, jax.Array], jax.Array], key: jax.Array,
                start: Mapping[str, np.ndarray] | None = None
                ) -> Callable[[State, jax.Array, Data], tuple[State, dict[str, jax.Array]]]:
    """Makes the function that does a step.

    Args:
      arch: sizes of the decoder.
      distance: an objective's.
      key: of the noise of training, known to the encoder only.
      start: pretrained weights that files hold the difference to, whose bits are then part of the loss; None for none.

    Returns:
      `update(state, step, data) -> (state, metrics)`; metrics are loss, bits per pixel of the file but for its header
      (latents, rounded ones where bits per pixel are given, and an estimate of the weights) and PSNR in dB.
    """
    pixels = arch.height * arch.width

    def loss(trained, rd_lambda, step, data):
        latents, weights = trained
        latents = quantized(latents, step, data.schedule, jax.random.fold_in(key, step))
        rate = network.bits(weights, latents).sum() / pixels
        image = network.synthesize(weights, latents, data.noise).transpose(1, 2, 0)
        distortion = distance(data.params, data.target, image[None])[0]
        error = jnp.mean((jnp.clip(image, 0.0, 1.0) - data.image) ** 2)
        psnr = -10.0 * jnp.log10(jnp.maximum(error, 1e-10))
        total = rate + rd_lambda * distortion
        if start is not None:
            total += soft_weight_bits(weights, start) / pixels
        return total, {"loss": total, "bpp": rate, "psnr": psnr}

    def coded_rate(trained):
        """What the latents would take if they were rounded now: noise makes rates seem higher."""
        return network.bits(trained[1], [jnp.round(latent * LATENT_UNIT) for latent in trained[0]]).sum() / pixels

    def steered(metrics, step, data):
        """What lambda is moved for, and where to: the rate, or one over the squared error."""
        if data.target_psnr is None:
            return metrics["bpp"], data.target_bpp
        by_psnr = data.target_psnr > 0
        target = jnp.where(step < noisy_steps(data.schedule), 10.0 ** (data.target_psnr / 10), 0.0)
        return (jnp.where(by_psnr, 10.0 ** (metrics["psnr"] / 10), metrics["bpp"]),
                jnp.where(by_psnr, target, data.target_bpp))

    def update(state, step, data):
        trained = (state.latents, state.weights)
        gradient, metrics = jax.grad(loss, has_aux=True)(trained, jnp.exp(state.rate.log_lambda), step, data)
        norm = optax.tree.norm(gradient)
        gradient = jax.tree.map(lambda g: g * jnp.minimum(1.0, data.schedule.clip / jnp.maximum(norm, 1e-12)), gradient)
        latent_change, latent_moments = _LATENT_OPTIMIZER.update(gradient[0], state.latent_moments)
        weight_change, weight_moments = _WEIGHT_OPTIMIZER.update(gradient[1], state.weight_moments, step=step)
        latent_rate, weight_rate = learning_rates(step, data.schedule)
        latents = jax.tree.map(lambda p, change: p - latent_rate * change, state.latents, latent_change)
        weights = jax.tree.map(lambda p, change: p - weight_rate * change, state.weights, weight_change)
        metrics["bpp"] = jax.lax.cond(data.target_bpp > 0, coded_rate, lambda _: metrics["bpp"], trained)
        rate = rate_control.steer(state.rate, step, *steered(metrics, step, data))
        metrics["bpp"] += soft_weight_bits(trained[1], start or dict.fromkeys(trained[1], 0.0)) / pixels
        return State(latents, weights, rate, latent_moments, weight_moments), metrics

    return update
