"""Steering of lambda towards a rate while an image is fitted."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rdr.codecs.overfitted.objectives import RD_LAMBDAS, TYPICAL_BITS_PER_PIXEL, Objective

GAIN = 0.05  # how far log lambda moves in a step for a rate that is off by a factor of e
WARMUP_STEPS = 30  # before it moves
# Rates follow lambda slowly. So that it does not run away while they do, it is steered by where the rate will be in so
# many steps if it goes on as it has lately; and there is a limit to how far it goes from where it was at first.
HORIZON_STEPS = 60
TREND_DECAY = 0.9
MAX_LOG_LAMBDA_SHIFT = 6.0


class RateState(NamedTuple):
    """What the control remembers.

    Attributes:
      log_lambda: natural logarithm of lambda, float32 scalar; it moves where bits per pixel are given.
      initial_log_lambda: where it was at first.
      log_rate: natural logarithm of the last step's bits per pixel, or of what is steered in their place.
      trend: by how much that rises in a step, lately.
    """

    log_lambda: jax.Array
    initial_log_lambda: jax.Array
    log_rate: jax.Array
    trend: jax.Array


def initial_rate_state(rd_lambda: float) -> RateState:
    """Starts the control.

    Args:
      rd_lambda: lambda, bits per pixel for one unit of distortion.

    Returns:
      The state.
    """
    log_lambda, zero = jnp.float32(math.log(rd_lambda)), jnp.float32(0.0)
    return RateState(log_lambda, log_lambda, zero, zero)


def steer(state: RateState, step: jax.Array, rate: jax.Array, target_bpp: jax.Array) -> RateState:
    """Moves lambda towards a rate, or towards another number that rises with lambda about as a power of it.

    Args:
      state: of the control.
      step: number of the step.
      rate: bits per pixel now; or one over the squared error.
      target_bpp: bits per pixel to come to, or one over the squared error; 0 leaves lambda where it is.

    Returns:
      The state after the step.
    """
    log_rate = jnp.log(jnp.maximum(rate, 1e-6)).astype(jnp.float32)
    rise = jnp.where(step > 0, log_rate - state.log_rate, 0.0)
    trend = (TREND_DECAY * state.trend + (1 - TREND_DECAY) * rise).astype(jnp.float32)
    off = jnp.log(jnp.maximum(target_bpp, 1e-6)) - (log_rate + HORIZON_STEPS * trend)
    move = jnp.where((target_bpp > 0) & (step >= WARMUP_STEPS), GAIN * jnp.clip(off, -1.0, 1.0), 0.0)
    first = state.initial_log_lambda
    log_lambda = jnp.clip(state.log_lambda + move, first - MAX_LOG_LAMBDA_SHIFT, first + MAX_LOG_LAMBDA_SHIFT)
    return RateState(log_lambda.astype(jnp.float32), first, log_rate, trend)


def guess_lambda_for_psnr(name: str, psnr: float) -> float:
    """Guesses lambda for a PSNR, for the search to start from.

    On photographs lambda times the squared error in squared 8-bit levels is between .2 and .5 at about half a bit per
    pixel and below; other objectives are taken to be as far from their usual lambda as squared error is from its own.

    Args:
      name: of the objective.
      psnr: dB to come to.

    Returns:
      lambda.
    """
    return RD_LAMBDAS.get(name, 1.0) * (0.3 / (255.0**2 * 10 ** (-psnr / 10))) / RD_LAMBDAS["mse"]


def guess_lambda(goal: Objective, distance: Callable[..., jax.Array], params: Any, target: Any, image: jax.Array,
                 target_bpp: float) -> float:
    """Guesses lambda for a rate, for the search to start from.

    If D falls exponentially with the rate R, lambda D is constant. At a fifth of a bit per pixel the D of photographs
    and textures is, within a factor of three, D_4^1.5 / D_all^0.5, where the image has a quarter of its resolution and
    where it is flat. The guess is half of that lambda: too small a one does less harm than too large a one.

    Args:
      goal: the objective.
      distance: its distance, compiled or not.
      params: its parameters.
      target: what it made of the image.
      image: float32 [height, width, channels].
      target_bpp: bits per pixel to come to.

    Returns:
      lambda; the objective's usual one for images with nothing to see at a quarter of their resolution, and no further
      from it than the control goes: where there is next to nothing to see, the formula divides by rounding errors.
    """
    height, width, channels = image.shape

    def coarse(factor: int) -> float:
        small = (max(1, height // factor), max(1, width // factor), channels)
        blurred = jax.image.resize(jax.image.resize(image, small, "linear"), image.shape, "linear")
        return float(distance(params, target, blurred[None])[0])

    quarter, flat = coarse(4), coarse(max(height, width))
    usual = RD_LAMBDAS.get(goal.name)
    if not (quarter > 0 and flat > 0):
        return usual or 1.0
    guess = 0.5 * TYPICAL_BITS_PER_PIXEL * (flat / quarter) ** 0.5 / quarter
    guess *= (target_bpp / TYPICAL_BITS_PER_PIXEL) ** 1.7
    if usual is None:
        return guess
    limit = math.exp(MAX_LOG_LAMBDA_SHIFT)
    return min(max(guess, usual / limit), usual * limit)
