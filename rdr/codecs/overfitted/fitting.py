"""Fits of images of one size: what is fitted, and its steps on all devices."""

import functools
import operator
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.codecs.overfitted import format, training
from rdr.codecs.overfitted.architecture import Architecture
from rdr.codecs.overfitted.objectives import Objective, sigma_map
from rdr.codecs.overfitted.options import Options, sigma_options
from rdr.codecs.overfitted.pretrained_init import pretrained_weights
from rdr.codecs.overfitted.schedule import Schedule, as_arrays
from rdr.training.loop import train_scanned


class Fit(NamedTuple):
    """Images of one size that one program fits side by side.

    Attributes:
      arch: sizes of the decoder.
      goal: the objective.
      options: of the fits.
      data: what each fit sees.
      seeds: of each image's shared noise, or None.
      label: what the progress bar says first.
    """

    arch: Architecture
    goal: Objective
    options: Options
    data: tuple[training.Data, ...]
    seeds: tuple[int | None, ...]
    label: str

    @property
    def pixels(self) -> int:
        """Pixels of each image."""
        return self.arch.height * self.arch.width

    def only(self, index: int) -> "Fit":
        """The fit of one of the images.

        Args:
          index: which one.

        Returns:
          The fit.
        """
        return self._replace(data=(self.data[index],), seeds=(self.seeds[index],))


@functools.lru_cache(maxsize=16)
def _update(arch: Architecture, distance: Callable[[Any, Any, jax.Array], jax.Array], seed: int, batched: bool) -> Any:
    update = training.make_update(arch, distance, jax.random.key(seed, impl="threefry2x32"),
                                  pretrained_weights(arch))
    axes: Any = training.Data._make((0, 0, 0, 0, None, None, 0))
    return jax.vmap(update, in_axes=(0, None, axes)) if batched else update


@functools.lru_cache(maxsize=16)
def compiled_distance(distance: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Compiles an objective's distance, once.

    Args:
      distance: the function.

    Returns:
      The compiled function.
    """
    return jax.jit(distance)


@functools.lru_cache(maxsize=16)
def _prepare(prepare: Callable[..., Any], sigma: float | None) -> Callable[..., Any]:
    return jax.jit(lambda params, image, at=sigma: prepare(params, image, at))


def _target(goal: Objective, image: jax.Array, sigma: Any, fixed: bool) -> Any:
    """What the objective needs of an image.

    Where a map of sigma is known while the program is made, levels of pooling that it does not ask for are left out.
    Images with maps of their own share a program, which has all levels and is handed the map.
    """
    if sigma is None or np.ndim(sigma) == 0:
        return _prepare(goal.prepare, sigma)(goal.params, image)
    if fixed:
        return jax.jit(lambda params, image: goal.prepare(params, image, sigma))(goal.params, image)
    return _prepare(goal.prepare, None)(goal.params, image, jnp.asarray(sigma, jnp.float32))


def make_data(arch: Architecture, goal: Objective, options: Options, images: Sequence[np.ndarray],
              seeds: Sequence[int | None], sigmas: Sequence[Any] | None, target_bpp: float
              ) -> tuple[training.Data, ...]:
    """Makes what each fit sees.

    Args:
      arch: sizes of the decoder.
      goal: the objective.
      options: of the fits.
      images: float32 [height, width, channels] each.
      seeds: of each image's shared noise, or None.
      sigmas: each image's map, in place of `options.sigma`.
      target_bpp: bits per pixel for the latents, or 0.

    Returns:
      A `Data` for each image, without a schedule.
    """
    maps_differ = isinstance(options.sigma, str) and options.sigma == "intrinsic"
    fixed = sigmas is None and (len(images) == 1 or not maps_differ)
    data = []
    for image, seed, sigma in zip(images, seeds, [options.sigma] * len(images) if sigmas is None else sigmas,
                                  strict=True):
        batch = jnp.asarray(image)[None]
        sigma = sigma_map(sigma, batch, **sigma_options(options)) if goal.needs_sigma else None
        noise = tuple(jnp.asarray(one, jnp.float32) for one in format.noise_maps(arch, seed))
        data.append(training.Data(_target(goal, batch, sigma, fixed), jnp.float32(target_bpp), noise, batch[0],
                                  params=goal.params, target_psnr=jnp.float32(options.psnr or 0.0)))
    return tuple(data)


def chunk_of(steps: int) -> int:
    """Chooses the steps between checkpoints.

    Args:
      steps: of the fit.

    Returns:
      At most 50, a fifth of all of them, and a divisor of theirs if there is a good one.
    """
    limit = max(1, min(50, steps // 5))
    divisor = max(n for n in range(1, limit + 1) if steps % n == 0)
    return divisor if 2 * divisor >= limit else limit


def run_steps(fit: Fit, states: Sequence[training.State], directory: pathlib.Path, *, steps: int | None = None,
              schedule: Schedule | None = None, label: str | None = None) -> list[training.State]:
    """Fits one state by itself, or several stacked along a new first axis.

    Args:
      fit: of as many images as there are states.
      states: to go on from.
      directory: of the checkpoints; what is there is not done again.
      steps: to go to; default all of the schedule's.
      schedule: in place of the options'.
      label: what the progress bar says, in place of the fit's.

    Returns:
      The states after the last step.

    Raises:
      ValueError: if a fit went wrong.
    """
    schedule = fit.options.schedule if schedule is None else schedule
    batched = len(states) > 1
    def stack(trees: Sequence[Any]) -> Any:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees) if batched else trees[0]

    state, stacked = stack(states), stack([one._replace(params=None) for one in fit.data])
    devices = jax.devices()
    if batched and len(devices) > 1 and len(states) % len(devices) == 0:
        mesh = jax.sharding.Mesh(np.asarray(devices), ("image",))
        sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("image"))
        state, stacked = jax.device_put((state, stacked), sharding)
    update = _update(fit.arch, fit.goal.distance, fit.options.seed, batched)
    stacked = stacked._replace(schedule=as_arrays(schedule), params=fit.data[0].params)
    state = train_scanned(state, update, steps=steps or schedule.steps, chunk=chunk_of(fit.options.schedule.steps),
                          directory=directory, description=fit.label if label is None else label, data=stacked)
    return [jax.tree.map(operator.itemgetter(i), state) for i in range(len(states))] if batched else [state]
