"""The schedule of a fit: learning rates, noise and temperature step by step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Schedule(NamedTuple):
    """The course of a fit: first with noise, then with latents that are rounded and held while weights go on.

    Latents that went on with straight-through gradients once they are rounded would undo a long fit: such gradients
    push numbers onto the borders of rounding and across.

    Attributes:
      steps: in all.
      held_fraction: fraction of them, the last, in which latents are rounded and held.
      latent_rate: learning rate of latents at the start; it falls as a cosine to `min_latent_rate`.
      min_latent_rate: the least learning rate of latents.
      weight_rate: learning rate of weights at the start; it falls as a cosine, but not below `held_weight_rate`.
      held_weight_rate: learning rate of weights when latents are first held; it falls from there to zero as a cosine.
      temperatures: of soft rounding, first and last step with noise.
      noise: standard deviation of the noise in units of a latent's step, first and last step with noise.
      clip: largest norm of a gradient.
    """

    steps: int = 2000
    held_fraction: float = 0.15
    latent_rate: float = 1e-2
    min_latent_rate: float = 5e-4
    weight_rate: float = 2e-2
    held_weight_rate: float = 5e-3
    temperatures: tuple[float, float] = (0.35, 0.08)
    noise: tuple[float, float] = (0.22, 0.15)
    clip: float = 0.1


def as_arrays(schedule: Schedule) -> Schedule:
    """Makes arrays of a schedule's numbers, so that another schedule is the same program.

    Args:
      schedule: of a fit.

    Returns:
      The same with float32 scalars.
    """
    return jax.tree.map(jnp.float32, schedule)


def noisy_steps(schedule: Schedule) -> jax.Array:
    """Counts the steps of the first stage.

    Args:
      schedule: of the fit.

    Returns:
      float32, at least 1.
    """
    steps = jnp.float32(schedule.steps)
    return jnp.maximum(steps - jnp.ceil(jnp.float32(schedule.held_fraction) * steps - 1e-3), 1.0)


def progress(step: jax.Array, schedule: Schedule) -> jax.Array:
    """Tells how far the first stage is.

    Args:
      step: number of the step.
      schedule: of the fit.

    Returns:
      float32 from 0 to 1, which it is in all of the last stage.
    """
    return jnp.minimum(step / noisy_steps(schedule), 1.0).astype(jnp.float32)


def learning_rates(step: jax.Array, schedule: Schedule) -> tuple[jax.Array, jax.Array]:
    """Computes the learning rates of a step.

    Args:
      step: number of the step.
      schedule: of the fit.

    Returns:
      That of latents, which is 0 in the last stage, and that of weights, float32.
    """
    noisy = noisy_steps(schedule)
    falling = _half_cosine(progress(step, schedule))
    late = jnp.clip((step - noisy) / jnp.maximum(schedule.steps - noisy, 1.0), 0.0, 1.0)
    latents = jnp.where(step < noisy, jnp.maximum(schedule.latent_rate * falling, schedule.min_latent_rate), 0.0)
    first = jnp.maximum(schedule.weight_rate * falling, schedule.held_weight_rate)
    weights = jnp.where(step < noisy, first, schedule.held_weight_rate * _half_cosine(late))
    return latents.astype(jnp.float32), weights.astype(jnp.float32)


def _half_cosine(part: jax.Array) -> jax.Array:
    return 0.5 * (1.0 + jnp.cos(jnp.pi * part))
