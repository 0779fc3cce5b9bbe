"""Encoding an image by fitting a decoder to it, and decoding."""

import functools
import json
import math
import operator
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr import files
from rdr.bitstream import container
from rdr.codecs.overfitted import checkpoint_owner, format, training
from rdr.codecs.overfitted.architecture import Architecture, operations
from rdr.codecs.overfitted.objectives import RD_LAMBDAS, TYPICAL_BITS_PER_PIXEL, Objective, objective, sigma_map
from rdr.codecs.overfitted.options import DEFAULT, Options, architecture, as_image, check_options
from rdr.codecs.overfitted.pretrained_init import first_weights
from rdr.codecs.overfitted.weight_quantization import coded_grids, finish
from rdr.training.loop import train_scanned

# Where a size is wanted: the parts of the fit after which it is seen what weights take; short fits of the grids alone
# for files that come out too short or too long; and how far below the size is good enough.
WEIGHED_AFTER = (0.5, 0.8)
CORRECTIONS = 6
CORRECTION = training.Schedule(steps=60, rate=1e-3, temperatures=(0.1, 0.1), shapes=(1.5, 1.5), weights=0.0)
TOLERANCE = 0.03
# How many times more bits of weights weigh than bits of grids: one after the other, where weights take more than half
# of a file that is too long.
WEIGHT_RATE_MULTIPLIERS = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_WEIGHT_BYTES = 600  # what weights and headers will take, at a guess, before they are known


@functools.lru_cache(maxsize=16)
def _update(arch: Architecture, distance: Callable[[Any, Any, jax.Array], jax.Array], seed: int, batched: bool) -> Any:
    update = training.make_update(arch, distance, jax.random.key(seed, impl="threefry2x32"))
    return jax.vmap(update, in_axes=(0, None, training.Data(0, 0, 0, 0, None, None))) if batched else update


@functools.lru_cache(maxsize=16)
def _distance(distance: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
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


def _first_trade_off(goal: Objective, data: training.Data, wanted: float) -> float:
    """A guess of lambda for a rate, for the search to start from.

    If D falls exponentially with the rate R, lambda D is constant. At a fifth of a bit per pixel the D of photographs
    and textures is, within a factor of three, D_4^1.5 / D_all^0.5, where the image has a quarter of its resolution and
    where it is flat. The guess is half of that lambda: too small a one does less harm than too large a one.
    """
    height, width, channels = data.image.shape

    def coarse(factor):
        small = (max(1, height // factor), max(1, width // factor), channels)
        blurred = jax.image.resize(jax.image.resize(data.image, small, "linear"), data.image.shape, "linear")
        return float(_distance(goal.distance)(data.params, data.target, blurred[None])[0])

    quarter, flat = coarse(4), coarse(max(height, width))
    if not (quarter > 0 and flat > 0):  # nothing to see at this resolution
        return RD_LAMBDAS[goal.name]
    return 0.5 * TYPICAL_BITS_PER_PIXEL * (flat / quarter) ** 0.5 / quarter * (wanted / TYPICAL_BITS_PER_PIXEL) ** 1.7


def encode_batch(images: Sequence[ArrayLike], options: Options = DEFAULT, *, seeds: Sequence[int] | None = None,
                 sigmas: Sequence[ArrayLike] | None = None, label: str = "",
                 directory: str | pathlib.Path | None = None) -> list[bytes]:
    """Encodes images of one size side by side, spread over the devices that there are.

    Args:
      images: see `as_image`; all of one size.
      options: of the fits.
      seeds: of each image's shared noise, in place of `options.seed`.
      sigmas: each image's map, in place of `options.sigma`.
      label: what the progress bar says first.
      directory: where their progress is kept; a call that was interrupted goes on from there.

    Returns:
      A message for each image.

    Raises:
      ValueError: if images or options are not as above, the directory holds the progress of others, or a fit went
        wrong.
    """
    check_options(options)
    images = [as_image(image) for image in images]
    if not images or len({image.shape for image in images}) != 1:
        raise ValueError(f"images must be of one size, got {[image.shape for image in images]}")
    if directory is None:
        with tempfile.TemporaryDirectory() as temporary:
            return encode_batch(images, options, seeds=seeds, sigmas=sigmas, label=label, directory=temporary)
    directory = pathlib.Path(directory)
    seeds = [options.seed] * len(images) if seeds is None else seeds
    belongs = (images, options, seeds, sigmas)
    arch = architecture(images[0].shape, options)
    goal = objective(options.objective, features=options.features, squared_error_weight=options.squared_error_weight)
    weights = first_weights(arch, jax.random.key(options.seed, impl="threefry2x32"))
    weights = {name: jnp.asarray(w, jnp.float32) for name, w in weights.items()}
    pixels = arch.height * arch.width
    wanted = 0.0 if options.size is None else 8 * _left(options.size, _WEIGHT_BYTES) / pixels
    trade_offs = [RD_LAMBDAS[goal.name] if options.rd_lambda is None else options.rd_lambda] * len(images)
    seeds = [seed if arch.noise_levels else None for seed in seeds]
    fixed = sigmas is None and (len(images) == 1 or not isinstance(options.sigma, str) or options.sigma != "intrinsic")
    sigmas = [options.sigma] * len(images) if sigmas is None else sigmas
    data = []
    for image, seed, sigma in zip(images, seeds, sigmas, strict=True):
        batch = jnp.asarray(image)[None]
        sigma = sigma_map(sigma, batch, saliency=options.saliency) if "wd" in goal.name else None
        noise = tuple(jnp.asarray(grid, jnp.float32) for grid in format.noise_grids(arch, seed))
        data.append(training.Data(_target(goal, batch, sigma, fixed), jnp.float32(wanted), noise, batch[0],
                                  params=goal.params))
    checkpoint_owner.claim(directory, *belongs)  # not before: what is refused above leaves nothing
    if wanted and options.rd_lambda is None:
        trade_offs = [_first_trade_off(goal, one, wanted) for one in data]
    states = [training.initial_state(arch, weights, rd_lambda) for rd_lambda in trade_offs]
    chunk, label = _chunk(options.schedule.steps), label or goal.name
    if options.size is not None:
        data = _weighed(arch, goal, options, chunk, states, data, seeds, directory, label)
    states = _fit(arch, goal, options.schedule, chunk, options.seed, states, data, directory / "fit", label)
    return [_finish(arch, goal, options, state, one, seed, directory / f"image{index}", label)
            for index, (state, one, seed) in enumerate(zip(states, data, seeds))]


def encode(image: ArrayLike, options: Options = DEFAULT, *, directory: str | pathlib.Path | None = None) -> bytes:
    """Encodes an image.

    Args:
      image: see `as_image`.
      options: of the fit.
      directory: where its progress is kept; a call that was interrupted goes on from there.

    Returns:
      The message: all that `decode` needs.

    Raises:
      ValueError: if the image or an option is not as above, the directory holds the progress of another fit, or the
        fit went wrong.
    """
    return encode_batch([image], options, directory=directory)[0]


def _left(size: float, taken: int) -> float:
    """Bytes for the grids beside weights; where these are too large for the size, a quarter of it."""
    return max(size - taken, size / 4)


def _weighed(arch: Architecture, goal: Objective, options: Options, chunk: int, states: list, data: list,
             seeds: list, directory: pathlib.Path, label: str) -> list:
    """Does the first parts of a fit, sees after each how long weights are, and says what that leaves for the grids."""
    bits = 8 / (arch.height * arch.width)
    for part in WEIGHED_AFTER:
        record = directory / f"grid_bytes_{round(100 * part)}.json"
        if not record.exists():
            steps = min(chunk * max(1, round(part * options.schedule.steps / chunk)), options.schedule.steps)
            fitted = _fit(arch, goal, options.schedule, chunk, options.seed, states, data, directory / "fit", label,
                          steps=steps)
            left = []
            for state, one, seed in zip(fitted, data, seeds):
                message = format.write(finish(arch, state, one, goal.distance, seed))
                # Half of the tolerance less, so that small errors do not make it too long.
                left.append(_left(options.size * (1 - TOLERANCE / 2), len(message) - format.grid_bytes(message)))
            files.write_text(record, json.dumps(left))
        left = json.loads(record.read_text(encoding="utf-8"))
        data = [one._replace(wanted=jnp.float32(most * bits)) for one, most in zip(data, left)]
    return data


def _chunk(steps: int) -> int:
    """Steps between checkpoints: at most 50, a fifth of all of them, and a divisor of theirs if there is a good one."""
    most = max(1, min(50, steps // 5))
    divisor = max(n for n in range(1, most + 1) if steps % n == 0)
    return divisor if 2 * divisor >= most else most


def _fit(arch: Architecture, goal: Objective, schedule: training.Schedule, chunk: int, seed: int, states: list,
         data: list, directory: pathlib.Path, description: str, steps: int | None = None) -> list:
    """Fits one state by itself, or several stacked along a new first axis."""
    batched = len(states) > 1
    params, data = data[0].params, [one._replace(params=None) for one in data]
    state, data = (jax.tree.map(lambda *a: jnp.stack(a), *tree) if batched else tree[0] for tree in (states, data))
    devices = jax.devices()
    if batched and len(states) % len(devices) == 0:
        mesh = jax.sharding.Mesh(np.asarray(devices), ("image",))
        sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("image"))
        state, data = jax.device_put((state, data), sharding)
    update = _update(arch, goal.distance, seed, batched)
    data = data._replace(schedule=training.as_arrays(schedule), params=params)
    state = train_scanned(state, update, steps=steps or schedule.steps, chunk=chunk, directory=directory,
                  description=description, data=data)
    return [jax.tree.map(operator.itemgetter(i), state) for i in range(len(states))] if batched else [state]


def _finish(arch: Architecture, goal: Objective, options: Options, state: training.State, data: training.Data,
            seed: int | None, directory: pathlib.Path, label: str) -> bytes:
    """Rounds and writes; where a size is wanted, corrects the grids, and coarsens weights where that is not enough."""
    found: list[bytes] = []
    for thrift in WEIGHT_RATE_MULTIPLIERS if options.size is not None else WEIGHT_RATE_MULTIPLIERS[:1]:
        description = finish(arch, state, data, goal.distance, seed, thrift=thrift)
        found.append(format.write(description))
        if options.size is None:
            break
        heavy = len(found[-1]) - format.grid_bytes(found[-1]) > options.size / 2
        found += _corrected(arch, goal, options, state, data, description, directory / f"thrift_{thrift:g}", label,
                            patient=not heavy)
        fitting = [one for one in found if len(one) <= options.size]
        if fitting:
            return max(fitting, key=len)
        if not heavy:
            break
    return min(found, key=len)


def _corrected(arch: Architecture, goal: Objective, options: Options, state: training.State, data: training.Data,
               description: format.Description, directory: pathlib.Path, label: str, *, patient: bool) -> list[bytes]:
    """Moves lambda in short fits of the grids until the size is met, and not longer than it helps.

    Weights stay as they were written; grids may take what is left beside them, less half of the tolerance.
    """
    exact = {name: jnp.asarray(w, jnp.float32) for name, w in format.dequantize_weights(description).items()}
    message, found, fitted = format.write(description), [], state.log_rd_lambda
    chunk = _chunk(options.schedule.steps)
    correction = CORRECTION._replace(steps=chunk * max(1, round(CORRECTION.steps / chunk)))  # the same program
    gain, longer = 1.5, None  # change of log lambda for one of log bytes: doubled while files stay on the same side
    for attempt in range(CORRECTIONS):
        if options.size * (1 - TOLERANCE) <= len(message) <= options.size:
            break
        now = format.grid_bytes(message)
        if not now and len(message) > options.size:
            break  # weights and headers alone are too long
        wanted = max(options.size * (1 - TOLERANCE / 2) - (len(message) - now), now * 0.2)
        gain = 2 * gain if longer == (now > wanted) else 1.5
        longer = now > wanted
        rd_lambda = state.log_rd_lambda + jnp.float32(gain * math.log(wanted / max(now, 1)))
        rd_lambda = jnp.clip(rd_lambda, fitted - training.REACH, fitted + training.REACH)
        state = state._replace(weights=exact, log_rd_lambda=rd_lambda, first_log_trade_off=rd_lambda)
        bits = jnp.float32(8 * wanted / (arch.height * arch.width))
        [state] = _fit(arch, goal, correction, chunk, options.seed, [state], [data._replace(wanted=bits)],
                       directory / f"correction{attempt}", f"{label}, to size")
        before, message = len(message), format.write(description._replace(grids=coded_grids(state)))
        found.append(message)
        if not patient and options.size < len(message) > 0.99 * before:
            break  # coarser weights will do more
    return found


def decode(message: bytes, *, max_elements: int = container.MAX_ELEMENTS) -> np.ndarray:
    """Decodes an image: the same pixels on every machine.

    Args:
      message: from `encode`.
      max_elements: the most numbers that the image may have.

    Returns:
      uint8 [height, width, channels].

    Raises:
      ValueError: if it is no such message, or damaged.
    """
    return format.picture(format.read(message, max_elements=max_elements))


def describe(message: bytes) -> dict[str, Any]:
    """What a message says about itself.

    Args:
      message: from `encode`.

    Returns:
      Sizes of the image and the decoder, bytes by part, bits per pixel, and multiply-accumulates per pixel.

    Raises:
      ValueError: if it is no such message, or damaged.
    """
    parts = container.unpack(message)
    description = format.read(message)
    arch = description.arch
    _, weights, weight_escapes, grids, grid_escapes = map(len, parts.payloads)
    return {
        "height": arch.height, "width": arch.width, "channels": arch.channels, "bytes": len(message),
        "bits_per_pixel": 8 * len(message) / (arch.height * arch.width),
        "bytes_header": len(message) - weights - weight_escapes - grids - grid_escapes,
        "bytes_weights": weights + weight_escapes, "bytes_grids": grids + grid_escapes, "levels": arch.levels,
        "noise_levels": arch.noise_levels, "seed": description.seed, "entropy_width": arch.entropy_width,
        "synthesis_width": arch.synthesis_width,
        "multiply_accumulates_per_pixel": round(operations(arch)["all"], 1),
    }
