"""One step of training, as a pure function of state and batch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class TrainState(NamedTuple):
    """What training knows after a number of steps.

    Attributes:
      step: int32 [], how many steps.
      params: what is trained.
      optimizer: state of the optax transformation.
      average: exponential moving average of `params`, for evaluation.
    """

    step: jax.Array
    params: Any
    optimizer: Any
    average: Any


class StepReport(NamedTuple):
    """What a step says of itself.

    Attributes:
      metrics: scalars by name; "loss" and "gradient_norm" (before clipping) are among them.
      finite: bool [leaves of params]: whether the gradient of each is finite.
    """

    metrics: dict[str, jax.Array]
    finite: jax.Array


def make_optimizer(*, learning_rate: float, steps: int, warmup: int = 0, final: float = 0.01,
                   clip: float = 1.0) -> optax.GradientTransformation:
    """Adam with clipped gradients and a learning rate that rises linearly, then falls along a cosine.

    Args:
      learning_rate: the highest.
      steps: in all.
      warmup: of these, while it rises.
      final: the last learning rate as a fraction of the highest.
      clip: largest global norm of the gradient.

    Returns:
      The optax transformation.

    Raises:
      ValueError: if a value is out of its range.
    """
    if not learning_rate > 0 or not clip > 0:
        raise ValueError(f"learning_rate and clip must be positive, got {learning_rate} and {clip}")
    if not 0 <= warmup < steps:
        raise ValueError(f"warmup must be in [0, steps), got {warmup} of {steps}")
    schedule = optax.warmup_cosine_decay_schedule(
        0.0 if warmup else learning_rate, learning_rate, warmup, steps, learning_rate * final)
    return optax.chain(optax.clip_by_global_norm(clip), optax.adam(schedule))


def initial_state(params: Any, optimizer: optax.GradientTransformation) -> TrainState:
    """The state before the first step.

    Args:
      params: a tree of float32 arrays.
      optimizer: what will update them.

    Returns:
      The state.
    """
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), params)


def make_step(
    loss: Callable[[Any, jax.Array, jax.Array, jax.Array], tuple[jax.Array, dict[str, jax.Array]]],
    optimizer: optax.GradientTransformation, *, seed: int, decay: float = 0.999,
) -> Callable[[TrainState, jax.Array], tuple[TrainState, StepReport]]:
    """Makes the function that training repeats.

    A step whose loss or gradient is not finite leaves everything but the count as it was, and says so.

    Args:
      loss: `loss(params, batch, key, step) -> (mean loss, metrics)`.
      optimizer: from `make_optimizer`.
      seed: of every step's key: `fold_in(key(seed), step)`.
      decay: of the moving average, in [0, 1); in the first steps it is lower, (1 + step) / (10 + step).

    Returns:
      `step(state, batch) -> (state, report)`, pure.

    Raises:
      ValueError: if `decay` is out of its range.
    """
    if not 0.0 <= decay < 1.0:
        raise ValueError(f"decay must be in [0, 1), got {decay}")

    def step(state: TrainState, batch: jax.Array) -> tuple[TrainState, StepReport]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(state.params, batch, key, state.step)
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradient)))
        updates, moments = optimizer.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        count = state.step.astype(jnp.float32)
        keep = jnp.minimum(jnp.float32(decay), (1.0 + count) / (10.0 + count))
        average = jax.tree.map(lambda old, new: keep * old + (1.0 - keep) * new, state.average, params)
        finite = jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(gradient)])
        good = jnp.all(finite) & jnp.isfinite(value)
        after = TrainState(state.step + 1, params, moments, average)
        before = state._replace(step=state.step + 1)
        state = jax.tree.map(lambda new, old: jnp.where(good, new, old), after, before)
        return state, StepReport({"loss": value, **metrics, "gradient_norm": norm}, finite)

    return step
