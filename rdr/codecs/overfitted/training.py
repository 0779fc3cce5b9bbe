"""Fitting grids and networks to one image."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rdr import quantize
from rdr.codecs.overfitted import network
from rdr.codecs.overfitted.architecture import Architecture

GRID_UNIT = 16.0  # grids are trained in units of 16, so that one learning rate suits them and the networks

STEERING = 0.05  # how far log lambda moves in a step for a rate that is off by a factor of e
SETTLING = 30  # steps before it moves
# Rates follow lambda slowly. So that it does not run away while they do, it is steered by where the rate will be in so
# many steps if it goes on as it has lately; and there is a limit to how far it goes from where it was at first.
FORESIGHT = 60
LATELY = 0.9  # memory of the trend
REACH = 6.0


def _adam() -> optax.GradientTransformation:
    return optax.scale_by_adam(b2=0.99)


class Schedule(NamedTuple):
    """How a fit goes: with noise first, with rounded numbers at the end.

    Gradients that pass straight through rounding are wrong enough to undo much of what noise has found, so that the
    last stage is short and slow: with 300 steps, 45 rounded ones at four times the rate end at a loss a fifth higher.

    Attributes:
      steps: in all.
      rounded: fraction of them that round.
      rate: learning rate at the start; it falls as a cosine towards zero, but never below `rounded_rate`.
      rounded_rate: of the last stage, falling to zero as a cosine.
      temperatures: of soft rounding, first and last step with noise.
      shapes: of Kumaraswamy's noise, first and last step with noise.
      clip: largest norm of a gradient.
      weights: learning rate of weights in proportion to that of grids.
    """

    steps: int = 2000
    rounded: float = 0.02
    rate: float = 1e-2
    rounded_rate: float = 5e-4
    temperatures: tuple[float, float] = (0.4, 0.1)
    shapes: tuple[float, float] = (2.0, 1.5)
    clip: float = 0.1
    weights: float = 1.0


class State(NamedTuple):
    """What is fitted.

    Attributes:
      grids: float32 [rows, columns] each, finest first, in units of 16.
      weights: float32 by name.
      log_rd_lambda: natural logarithm of lambda, float32 scalar; it moves where bits per pixel are given.
      first_log_trade_off: where it was at first.
      log_rate: natural logarithm of the last step's bits per pixel.
      trend: by how much that rises in a step, lately.
      moments: the optimizer's.
    """

    grids: tuple[jax.Array, ...]
    weights: dict[str, jax.Array]
    log_rd_lambda: jax.Array
    first_log_trade_off: jax.Array
    log_rate: jax.Array
    trend: jax.Array
    moments: Any


class Data(NamedTuple):
    """What a fit sees beside its state.

    Attributes:
      target: what the objective made of the image.
      wanted: bits per pixel that the grids should take, by moving lambda; 0 where lambda is fixed.
      noise: shared noise, float32 [rows, columns] for each of the finest resolutions that have it.
      image: float32 [height, width, channels], for PSNR.
      schedule: as arrays, so that another schedule is the same program; the same for all images.
      params: the objective's, the same for all images.
    """

    target: Any
    wanted: jax.Array
    noise: tuple[jax.Array, ...]
    image: jax.Array
    schedule: Schedule | None = None
    params: Any = None


def initial_state(arch: Architecture, weights: dict[str, jax.Array], rd_lambda: float) -> State:
    """Starts a fit from empty grids.

    Args:
      arch: sizes of the decoder.
      weights: to start from.
      rd_lambda: lambda, bits per pixel for one unit of distortion.

    Returns:
      The state.
    """
    grids = tuple(jnp.zeros(shape, jnp.float32) for shape in arch.grids)
    log_rd_lambda = jnp.float32(math.log(rd_lambda))
    zero = jnp.float32(0.0)
    return State(grids, weights, log_rd_lambda, log_rd_lambda, zero, zero, _adam().init((grids, weights)))


def as_arrays(schedule: Schedule) -> Schedule:
    """The schedule with arrays for numbers.

    Args:
      schedule: of a fit.

    Returns:
      The same with float32 scalars.
    """
    return jax.tree.map(jnp.float32, schedule)


def noisy_steps(schedule: Schedule) -> jax.Array:
    """How many steps the first stage has.

    Args:
      schedule: of the fit.

    Returns:
      float32, at least 1.
    """
    steps = jnp.float32(schedule.steps)
    return jnp.maximum(steps - jnp.ceil(jnp.float32(schedule.rounded) * steps - 1e-3), 1.0)


def quantized(grids: Sequence[jax.Array], step: jax.Array, schedule: Schedule, key: jax.Array) -> tuple[jax.Array, ...]:
    """The grids as a decoder would see them, or nearly.

    Args:
      grids: in units of 16.
      step: number of the step.
      schedule: of the fit.
      key: of the noise.

    Returns:
      In units of 1: noisy softly rounded numbers in the first stage, rounded ones in the last.
    """
    progress = jnp.minimum(step / noisy_steps(schedule), 1.0).astype(jnp.float32)
    temperature = schedule.temperatures[0] + (schedule.temperatures[1] - schedule.temperatures[0]) * progress
    shape = schedule.shapes[0] + (schedule.shapes[1] - schedule.shapes[0]) * progress

    def noisy(numbers):
        noise = quantize.kumaraswamy_noise(key, numbers.shape, shape)
        return quantize.soft_round(quantize.soft_round(numbers, temperature) + noise, temperature)

    # All grids in one: a shorter program.
    numbers = jnp.concatenate([grid.reshape(-1) for grid in grids]) * np.float32(GRID_UNIT)
    numbers = jax.lax.cond(step < noisy_steps(schedule), noisy, quantize.straight_through_round, numbers)
    parts = jnp.split(numbers, np.cumsum([grid.size for grid in grids])[:-1])
    return tuple(part.reshape(grid.shape) for part, grid in zip(parts, grids))


def learning_rate(step: jax.Array, schedule: Schedule) -> jax.Array:
    """The learning rate of a step: a cosine in each stage.

    Args:
      step: number of the step.
      schedule: of the fit.

    Returns:
      float32.
    """
    noisy = noisy_steps(schedule)
    first = schedule.rate * 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(step / noisy, 1.0)))
    late = (step - noisy) / jnp.maximum(schedule.steps - noisy, 1.0)
    last = schedule.rounded_rate * 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(late, 0.0, 1.0)))
    return jnp.where(step < noisy, jnp.maximum(first, schedule.rounded_rate), last).astype(jnp.float32)


def make_update(arch: Architecture, distance: Callable[[Any, Any, jax.Array], jax.Array], key: jax.Array
                ) -> Callable[[State, jax.Array, Data], tuple[State, dict[str, jax.Array]]]:
    """Makes the function that does a step.

    Args:
      arch: sizes of the decoder.
      distance: an objective's.
      key: of the noise of training, known to the encoder only.

    Returns:
      `update(state, step, data) -> (state, metrics)`; metrics are loss, bits per pixel (grids only; of rounded ones
      where bits per pixel are given) and PSNR in dB.
    """
    pixels = arch.height * arch.width

    def loss(trained, rd_lambda, step, data):
        grids, weights = trained
        grids = quantized(grids, step, data.schedule, jax.random.fold_in(key, step))
        rate = network.bits(weights, grids).sum() / pixels
        image = network.synthesize(weights, grids, data.noise).transpose(1, 2, 0)
        distortion = distance(data.params, data.target, image[None])[0]
        error = jnp.mean((jnp.clip(image, 0.0, 1.0) - data.image) ** 2)
        psnr = -10.0 * jnp.log10(jnp.maximum(error, 1e-10))
        total = rate + rd_lambda * distortion
        return total, {"loss": total, "bpp": rate, "psnr": psnr}

    def coded_rate(trained):
        """What the grids would take if they were rounded now: noise makes rates seem higher."""
        return network.bits(trained[1], [jnp.round(grid * GRID_UNIT) for grid in trained[0]]).sum() / pixels

    def update(state, step, data):
        trained, rd_lambda = (state.grids, state.weights), jnp.exp(state.log_rd_lambda)
        gradient, metrics = jax.grad(loss, has_aux=True)(trained, rd_lambda, step, data)
        norm = optax.global_norm(gradient)
        gradient = jax.tree.map(lambda g: g * jnp.minimum(1.0, data.schedule.clip / jnp.maximum(norm, 1e-12)), gradient)
        change, moments = _adam().update(gradient, state.moments)
        rate = learning_rate(step, data.schedule)
        grids = jax.tree.map(lambda p, c: p - rate * c, trained[0], change[0])
        weights = jax.tree.map(lambda p, c: p - rate * data.schedule.weights * c, trained[1], change[1])
        metrics["bpp"] = jax.lax.cond(data.wanted > 0, coded_rate, lambda _: metrics["bpp"], trained)
        log_rate = jnp.log(jnp.maximum(metrics["bpp"], 1e-6)).astype(jnp.float32)
        rise = jnp.where(step > 0, log_rate - state.log_rate, 0.0)
        trend = (LATELY * state.trend + (1 - LATELY) * rise).astype(jnp.float32)
        off = jnp.log(jnp.maximum(data.wanted, 1e-6)) - (log_rate + FORESIGHT * trend)
        move = jnp.where((data.wanted > 0) & (step >= SETTLING), STEERING * jnp.clip(off, -1.0, 1.0), 0.0)
        first = state.first_log_trade_off
        log_rd_lambda = jnp.clip(state.log_rd_lambda + move, first - REACH, first + REACH).astype(jnp.float32)
        return State(grids, weights, log_rd_lambda, first, log_rate, trend, moments), metrics

    return update
