"""Maximum differentiation: images that are equal under one metric and as different as possible under another."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import image_batch

# Newton steps back to the level set after each step along it.
_CORRECTIONS = 3


class Differentiation(NamedTuple):
    """An image that one metric cannot tell from the start, and its way there.

    Attributes:
      image: [1, height, width, channels], in [0, 1].
      held: the metric held, after each step [steps]; nearly constant.
      varied: the metric varied, after each step [steps].
    """

    image: jax.Array
    held: jax.Array
    varied: jax.Array


def mad_competition(
    hold: Callable[[jax.Array], jax.Array],
    vary: Callable[[jax.Array], jax.Array],
    start: ArrayLike,
    *,
    maximize: bool,
    steps: int = 100,
    step_size: float = 0.01,
) -> Differentiation:
    """Walks along a level set of one metric, up or down another.

    Each step follows the gradient of `vary` less its component along the gradient of `hold`, scaled to a root mean
    square that a cosine decays from `step_size` to 0; it is cut to [0, 1] and brought back to the level set by Newton
    steps along the gradient of `hold`. The end is a local optimum at best.

    Args:
      hold: function of an image [1, height, width, channels] to a scalar: the distance to the reference that stays.
      vary: the same of the distance that is driven.
      start: [1, height, width, channels], floating point, in [0, 1]; not the reference, where distances have no slope.
      maximize: whether `vary` grows or shrinks.
      steps: number of steps.
      step_size: of the first step, root mean square.

    Returns:
      The image at the end and the values on the way.

    Raises:
      ValueError: if `start` is not one image, or an option is out of range.

    Reference:
      Wang, Simoncelli (wang2008mad), Maximum differentiation (MAD) competition: a methodology for comparing
      computational models of perceptual quantities, Journal of Vision 8 (2008).
    """
    start = image_batch(start, name="start")
    if start.shape[0] != 1:
        raise ValueError(f"start must be one image, got {start.shape[0]}")
    if steps < 1 or not step_size > 0:
        raise ValueError(f"steps must be >= 1 and step_size > 0, got {steps} and {step_size}")
    # Up and down are one program.
    return _walk(start, jnp.asarray(1.0 if maximize else -1.0, start.dtype), hold, vary, steps, float(step_size))


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _walk(start, sign, hold, vary, steps, step_size):
    level = hold(start)

    def correct(_, image):
        value, gradient = jax.value_and_grad(hold)(image)
        power = jnp.sum(jnp.square(gradient))
        back = (value - level) / jnp.where(power > 0, power, 1.0)
        return jnp.clip(image - jnp.where(power > 0, back, 0.0) * gradient, 0.0, 1.0)

    def step(image, number):
        along, normal = jax.grad(vary)(image), jax.grad(hold)(image)
        power = jnp.sum(jnp.square(normal))
        along = along - jnp.sum(along * normal) / jnp.where(power > 0, power, 1.0) * normal
        size = jnp.sqrt(jnp.mean(jnp.square(along)))
        rate = step_size * 0.5 * (1.0 + jnp.cos(jnp.pi * number / steps))
        move = sign * rate * along / jnp.where(size > 0, size, 1.0)
        image = jax.lax.fori_loop(0, _CORRECTIONS, correct, jnp.clip(image + move, 0.0, 1.0))
        return image, (hold(image), vary(image))

    image, (held, varied) = jax.lax.scan(step, start, jnp.arange(steps, dtype=start.dtype))
    return Differentiation(image, held, varied)
