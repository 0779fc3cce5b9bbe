"""Encoding an image by fitting a decoder to it, and decoding."""

import functools
import json
import math
import operator
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.bitstream import container
from rdr.codecs.overfitted import file, training
from rdr.codecs.overfitted.architecture import Architecture, operations
from rdr.codecs.overfitted.finishing import coded_grids, finish
from rdr.codecs.overfitted.objectives import TRADE_OFFS, TYPICAL_BITS_PER_PIXEL, Objective, objective, sigma_map
from rdr.codecs.overfitted.start import first_weights
from rdr.training.loop import train

PRESETS = {
    "fast": training.Schedule(steps=500),
    "medium": training.Schedule(steps=2000),
    "slow": training.Schedule(steps=10_000),
}
# Where a size is wanted: the part of the fit after which it is known what weights will take; short fits of the grids
# alone for files that come out too short or too long; and how far below the size is good enough.
WEIGHED_AFTER = 0.6
CORRECTIONS = 4
CORRECTION = training.Schedule(steps=60, rate=1e-3, temperatures=(0.1, 0.1), shapes=(1.5, 1.5), weights=0.0)
TOLERANCE = 0.03
THRIFT = (1.5, 2.0, 3.0)  # weights of files that are too long are coarsened
_WEIGHT_BYTES = 600  # what weights and headers will take, at a guess, before they are known


class Options(NamedTuple):
    """How an image is fitted.

    Attributes:
      objective: "mse", "ms_ssim", "wd", "wd_mse" or "lpips".
      trade_off: lambda, bits per pixel for one unit of the objective; None for the objective's usual one.
      size: bytes that the file should have; lambda is then found, from `trade_off` on.
      schedule: of the fit.
      seed: of the noise in training, and of shared noise.
      noise_levels: the finest so many resolutions get shared noise; 0 for a deterministic codec.
      sigma: of "wd" and "wd_mse": pixels, "eccentricity", "saliency" or "intrinsic".
      features: of "wd" and "wd_mse": "pixels", "steerable", "alexnet" or "vgg16".
      saliency: [height, width] for sigma = "saliency".
      entropy_width: see `Architecture`.
      synthesis_width: see `Architecture`.
    """

    objective: str = "mse"
    trade_off: float | None = None
    size: int | None = None
    schedule: training.Schedule = PRESETS["medium"]
    seed: int = 0
    noise_levels: int = 0
    sigma: float | str = 4.0
    features: str = "alexnet"
    saliency: Any = None
    entropy_width: int = 16
    synthesis_width: int = 24


DEFAULT = Options()


def as_image(image: ArrayLike) -> np.ndarray:
    """Brings an image to float32 [height, width, channels] in [0, 1].

    Args:
      image: uint8, uint16, or floating point in [0, 1]; [height, width] or [height, width, 1 or 3].

    Returns:
      The image.

    Raises:
      ValueError: if it is none of these.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or 0 in image.shape:
        raise ValueError("image must have shape [height, width] or [height, width, 1 or 3] without empty sides, "
                         f"got {image.shape}")
    if image.size > container.MAX_ELEMENTS:
        raise ValueError(f"image must have at most {container.MAX_ELEMENTS} numbers, got {image.size}: cut it up")
    if image.dtype in (np.uint8, np.uint16):
        return (image / np.iinfo(image.dtype).max).astype(np.float32)
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"image must be uint8, uint16 or floating point, got {image.dtype}")
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise ValueError("image must lie in [0, 1] where it is floating point")
    return image.astype(np.float32)


def architecture(shape: tuple[int, int, int], options: Options) -> Architecture:
    """The sizes of the decoder for an image.

    Args:
      shape: height, width, channels.
      options: of the fit.

    Returns:
      The sizes: seven grids, or as many as it takes to come to a grid of one number.
    """
    levels = min(7, 1 + math.ceil(math.log2(max(shape[:2]))))
    noise_levels = min(options.noise_levels, levels)
    return Architecture(*shape, levels, noise_levels, options.entropy_width, options.synthesis_width)


def check_options(options: Options) -> None:
    """Refuses options that make no sense.

    Args:
      options: of the fit.

    Raises:
      ValueError: naming the one.
    """
    if options.trade_off is not None and not (options.trade_off > 0 and math.isfinite(options.trade_off)):
        raise ValueError(f"trade_off must be positive and finite, got {options.trade_off}")
    if options.size is not None and options.size < 100:
        raise ValueError(f"size must be at least 100 bytes, got {options.size}")
    if options.schedule.steps < 1:
        raise ValueError(f"steps must be at least 1, got {options.schedule.steps}")
    if not 0 <= options.seed < 2**32:
        raise ValueError(f"seed must be an integer in [0, 2^32), got {options.seed}")
    if not 0 <= options.noise_levels <= 7:
        raise ValueError(f"noise_levels must be between 0 and 7, got {options.noise_levels}")
    for name in ("entropy_width", "synthesis_width"):
        if not 1 <= getattr(options, name) <= file.MAX_WIDTH:
            raise ValueError(f"{name} must be between 1 and {file.MAX_WIDTH}, got {getattr(options, name)}")


@functools.lru_cache(maxsize=16)
def _update(arch: Architecture, distance: Callable[[Any, Any, jax.Array], jax.Array], seed: int, batched: bool) -> Any:
    update = training.make_update(arch, distance, jax.random.key(seed, impl="threefry2x32"))
    return jax.vmap(update, in_axes=(0, None, training.Data(0, 0, 0, 0, None, None))) if batched else update


def encode_batch(images: Sequence[ArrayLike], options: Options = DEFAULT, *,
                 directory: str | pathlib.Path | None = None) -> list[bytes]:
    """Encodes images of one size side by side, spread over the devices that there are.

    Args:
      images: see `as_image`; all of one size.
      options: of the fits.
      directory: where their progress is kept; a call that was interrupted goes on from there.

    Returns:
      A message for each image.

    Raises:
      ValueError: if images or options are not as above, or a fit went wrong.
    """
    check_options(options)
    images = [as_image(image) for image in images]
    if not images or len({image.shape for image in images}) != 1:
        raise ValueError(f"images must be of one size, got {[image.shape for image in images]}")
    if directory is None:
        with tempfile.TemporaryDirectory() as temporary:
            return encode_batch(images, options, directory=temporary)
    directory = pathlib.Path(directory)
    arch = architecture(images[0].shape, options)
    goal = objective(options.objective, features=options.features)
    weights = first_weights(arch, jax.random.key(options.seed, impl="threefry2x32"))
    weights = {name: jnp.asarray(w, jnp.float32) for name, w in weights.items()}
    noise = tuple(jnp.asarray(grid, jnp.float32) for grid in file.noise_grids(arch, options.seed))
    pixels = arch.height * arch.width
    wanted = 0.0 if options.size is None else 8 * _left(options.size, _WEIGHT_BYTES) / pixels
    trade_off = TRADE_OFFS[goal.name] if options.trade_off is None else options.trade_off
    if wanted and options.trade_off is None:
        trade_off *= (wanted / TYPICAL_BITS_PER_PIXEL) ** 1.7  # a guess, for the search to start from

    data = []
    for image in images:
        batch = jnp.asarray(image)[None]
        sigma = sigma_map(options.sigma, batch, saliency=options.saliency) if "wd" in goal.name else None
        target = jax.jit(lambda params, image, sigma=sigma: goal.prepare(params, image, sigma))(goal.params, batch)
        data.append(training.Data(target, jnp.float32(wanted), noise, batch[0], params=goal.params))
    states = [training.initial_state(arch, weights, trade_off) for _ in images]
    chunk = _chunk(options.schedule.steps)
    if options.size is not None:
        data = _weighed(arch, goal, options, chunk, states, data, directory)
    states = _fit(arch, goal, options.schedule, chunk, options.seed, states, data, directory / "fit", goal.name)
    return [_finish(arch, goal, options, state, one, directory / f"image{index}")
            for index, (state, one) in enumerate(zip(states, data))]


def encode(image: ArrayLike, options: Options = DEFAULT, *, directory: str | pathlib.Path | None = None) -> bytes:
    """Encodes an image.

    Args:
      image: see `as_image`.
      options: of the fit.
      directory: where its progress is kept; a call that was interrupted goes on from there.

    Returns:
      The message: all that `decode` needs.

    Raises:
      ValueError: if the image or an option is not as above, or the fit went wrong.
    """
    return encode_batch([image], options, directory=directory)[0]


def _left(size: int, taken: int) -> float:
    """Bytes for the grids beside weights; where these are too large for the size, a third of it."""
    return max(size - taken, size / 3)


def _weighed(arch: Architecture, goal: Objective, options: Options, chunk: int, states: list, data: list,
             directory: pathlib.Path) -> list:
    """Does the first part of a fit, sees how long its weights are, and says what that leaves for the grids."""
    record = directory / "grid_bytes.json"
    if not record.exists():
        steps = chunk * max(1, round(WEIGHED_AFTER * options.schedule.steps / chunk))
        states = _fit(arch, goal, options.schedule, chunk, options.seed, states, data, directory / "fit", goal.name,
                      steps=min(steps, options.schedule.steps))
        left = []
        for state, one in zip(states, data):
            message = file.write(finish(arch, state, one, goal.distance, options.seed if arch.noise_levels else None))
            left.append(_left(options.size, len(message) - file.grid_bytes(message)))
        record.with_suffix(".partial").write_text(json.dumps(left), encoding="utf-8")
        record.with_suffix(".partial").replace(record)
    bits = 8 / (arch.height * arch.width)
    return [one._replace(wanted=jnp.float32(left * bits)) for one, left in zip(data, json.loads(record.read_text()))]


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
    state = train(state, update, steps=steps or schedule.steps, chunk=chunk, directory=directory,
                  description=description, data=data)
    return [jax.tree.map(operator.itemgetter(i), state) for i in range(len(states))] if batched else [state]


def _finish(arch: Architecture, goal: Objective, options: Options, state: training.State, data: training.Data,
            directory: pathlib.Path) -> bytes:
    """Rounds and writes; where a size is wanted, coarsens weights, and moves lambda in short fits."""
    seed = options.seed if arch.noise_levels else None
    description = finish(arch, state, data, goal.distance, seed)
    message = file.write(description)
    if options.size is None:
        return message
    for thrift in THRIFT:
        if len(message) > options.size:
            coarser = finish(arch, state, data, goal.distance, seed, thrift=thrift)
            shorter = file.write(coarser)
            if len(shorter) < len(message):
                description, message = coarser, shorter
    exact = {name: jnp.asarray(w, jnp.float32) for name, w in file.exact_weights(description).items()}
    chunk, found = _chunk(options.schedule.steps), [message]
    correction = CORRECTION._replace(steps=chunk * max(1, round(CORRECTION.steps / chunk)))  # the same program
    for attempt in range(CORRECTIONS):
        if options.size * (1 - TOLERANCE) <= len(message) <= options.size:
            break
        # Weights stay as they were written; grids may take what is left beside them, less half of the tolerance.
        now = file.grid_bytes(message)
        wanted = max(options.size * (1 - TOLERANCE / 2) - (len(message) - now), now * 0.2)
        trade_off = state.log_trade_off + jnp.float32(1.5 * math.log(wanted / max(now, 1)))
        state = state._replace(weights=exact, log_trade_off=trade_off, first_log_trade_off=trade_off)
        bits = jnp.float32(8 * wanted / (arch.height * arch.width))
        [state] = _fit(arch, goal, correction, chunk, options.seed, [state], [data._replace(wanted=bits)],
                       directory / f"correction{attempt}", "to size")
        message = file.write(description._replace(grids=coded_grids(state)))
        found.append(message)
    fitting = [one for one in found if len(one) <= options.size]
    return max(fitting, key=len) if fitting else min(found, key=len)


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
    return file.picture(file.read(message, max_elements=max_elements))


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
    description = file.read(message)
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
