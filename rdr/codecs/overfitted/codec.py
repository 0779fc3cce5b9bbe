"""Encoding an image by fitting a decoder to it, and decoding."""

from __future__ import annotations

import math
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.codecs.overfitted import format, rate_control, target_psnr, target_size, training
from rdr.codecs.overfitted.architecture import operations
from rdr.codecs.overfitted.fitting import Fit, compiled_distance, make_data, run_steps
from rdr.codecs.overfitted.objectives import RD_LAMBDAS
from rdr.codecs.overfitted.options import (
    DEFAULT,
    Options,
    architecture,
    as_image,
    check_options,
    chosen_objective,
    with_display,
)
from rdr.codecs.overfitted.pretrained_init import starting_weights
from rdr.codecs.overfitted.target_size import estimate_weight_bytes, first_latent_budget
from rdr.training import checkpoint_owner


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
    arrays = [as_image(image) for image in images]
    if len({array.shape for array in arrays}) != 1:
        raise ValueError(f"images must be of one size, got {[array.shape for array in arrays]}")
    if directory is None:
        with tempfile.TemporaryDirectory() as temporary:
            return encode_batch(arrays, options, seeds=seeds, sigmas=sigmas, label=label, directory=temporary)
    directory = pathlib.Path(directory)
    seeds = [options.seed] * len(arrays) if seeds is None else seeds
    options = with_display(options)
    owner = (arrays, options, seeds, sigmas)
    fit = _make_fit(arrays, options, seeds, sigmas, label)
    checkpoint_owner.claim(directory, *owner)  # not before: what is refused above leaves nothing
    states = _initial_states(fit)
    if options.size is not None:
        fit = estimate_weight_bytes(fit, states, directory)
    states = run_steps(fit, states, directory / "fit")
    write_file = target_size.write_file if options.psnr is None else target_psnr.write_file
    made = [write_file(fit.only(index), state, directory / f"image{index}") for index, state in enumerate(states)]
    for index in _without_target(fit, states, made):
        free = encode_batch([arrays[index]], options._replace(size=None), seeds=[seeds[index]], label=fit.label,
                            sigmas=None if sigmas is None else [sigmas[index]], directory=directory / f"free{index}")
        made[index] = min(made[index], free[0], key=len)
    return made


def _without_target(fit: Fit, states: Sequence[training.State], messages: Sequence[bytes]) -> list[int]:
    """Images that are too long although more distortion was never asked for than without a target.

    The rate of blank images does not respond to lambda, so that the search goes astray: they are never to be longer
    than without it.
    """
    if fit.options.size is None:
        return []
    usual = math.log(fit.options.rd_lambda or RD_LAMBDAS.get(fit.goal.name, 1.0))
    return [index for index, (state, message) in enumerate(zip(states, messages)) if len(message) > fit.options.size
            and max(float(state.rate.log_lambda), float(state.rate.initial_log_lambda)) > usual + 1e-3]


def _make_fit(images: list[np.ndarray], options: Options, seeds: Sequence[int], sigmas: Sequence[Any] | None,
              label: str) -> Fit:
    arch = architecture(images[0].shape, options)
    goal = chosen_objective(options)
    noise_seeds = tuple(seed if arch.noise_levels else None for seed in seeds)
    bits = 8 / (arch.height * arch.width)
    target_bpp = 0.0 if options.size is None else bits * first_latent_budget(options.size)
    data = make_data(arch, goal, options, images, noise_seeds, sigmas, target_bpp)
    return Fit(arch, goal, options, data, noise_seeds, label or goal.name)


def _initial_states(fit: Fit) -> list[training.State]:
    weights = starting_weights(fit.arch, jax.random.key(fit.options.seed, impl="threefry2x32"))
    weights = {name: jnp.asarray(w, jnp.float32) for name, w in weights.items()}
    lambdas = [fit.options.rd_lambda or RD_LAMBDAS.get(fit.goal.name, 1.0)] * len(fit.data)
    if fit.options.rd_lambda is None and fit.options.psnr is not None:
        lambdas = [rate_control.guess_lambda_for_psnr(fit.goal.name, fit.options.psnr)] * len(fit.data)
    elif fit.options.rd_lambda is None and fit.options.size is not None:
        distance = compiled_distance(fit.goal.distance)
        lambdas = [rate_control.guess_lambda(fit.goal, distance, one.params, one.target, one.image,
                                             float(one.target_bpp)) for one in fit.data]
    return [training.initial_state(fit.arch, weights, rd_lambda) for rd_lambda in lambdas]


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


def decode(message: bytes, *, max_elements: int | None = None) -> np.ndarray:
    """Decodes an image: the same pixels on every machine.

    Args:
      message: from `encode`.
      max_elements: the most numbers that the image may have; None for 2^24, and for small messages as many as decode
        in a second or two.

    Returns:
      [height, width, channels]: uint8, or uint16 over its whole range if the image has more than 8 bits.

    Raises:
      ValueError: if it is no such message, or damaged.
    """
    return format.render(format.read(message, max_elements=max_elements))


def describe(message: bytes) -> dict[str, Any]:
    """Says what a message says about itself.

    Args:
      message: from `encode`.

    Returns:
      Sizes of the image and the decoder, depth, transfer function and primaries of its values, bytes by part, bits per
      pixel, and multiply-accumulates per pixel; of coded linear light, what 1 stood for, in cd/m^2.

    Raises:
      ValueError: if it is no such message, or damaged.
    """
    settings = format.read_settings(message)
    arch = settings.arch
    weights, weight_escapes, latents, latent_escapes = map(len, settings.coded)
    signal = settings.signal
    return {
        "height": arch.height, "width": arch.width, "channels": arch.channels, "depth": signal.depth,
        "transfer": signal.transfer, "primaries": signal.primaries,
        **({"unit_luminance": signal.unit} if signal.unit else {}), "bytes": len(message),
        "bits_per_pixel": 8 * len(message) / (arch.height * arch.width),
        "bytes_header": len(message) - weights - weight_escapes - latents - latent_escapes,
        "bytes_weights": weights + weight_escapes, "bytes_latents": latents + latent_escapes, "levels": arch.levels,
        "noise_levels": arch.noise_levels, "seed": settings.seed, "entropy_width": arch.entropy_width,
        "synthesis_width": arch.synthesis_width,
        "multiply_accumulates_per_pixel": round(operations(arch)["all"], 1),
    }
