"""Files of a given size: what weights take is estimated on the way, and latents are corrected and mixed at the end."""

import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from rdr import files
from rdr.codecs.overfitted import format, rate_control, training
from rdr.codecs.overfitted.fitting import Fit, chunk_of, run_steps
from rdr.codecs.overfitted.schedule import Schedule
from rdr.codecs.overfitted.weight_quantization import coded_latents, quantize_fit

WEIGHED_AFTER = (0.5, 0.8)  # parts of the fit after which it is seen what weights take
MAX_CORRECTIONS = 6  # short fits of the latents alone, for files that come out too short or too long
CORRECTION = Schedule(steps=60, held_fraction=0.0, latent_rate=1e-3, weight_rate=0.0, held_weight_rate=0.0,
                      temperatures=(0.1, 0.1), noise=(0.15, 0.15))
# With rounding that is nearly hard, latents that are zero have next to no gradient and stay zero, whatever lambda is:
# files become shorter that way, but hardly longer. To become longer they begin as a fit does.
LENGTHENING = CORRECTION._replace(latent_rate=1e-2, temperatures=(0.3, 0.1), noise=(0.2, 0.15))
FAR_TOO_SHORT = 0.3  # log of bytes that lack, from which on all of that is done; less for less
# How many times more bits of weights weigh than bits of latents: one after the other, where weights take more than half
# of a file that is too long.
WEIGHT_RATE_MULTIPLIERS = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
MIXED = 1.05  # two files whose lengths have at most this ratio are mixed, instead of more corrections
MIXTURES = 8  # that are tried
# What weights and headers will take, before it is known: of small files a part, since they keep the pretrained weights.
MOST_WEIGHT_BYTES, HEADER_BYTES, WEIGHT_SHARE = 600, 60, 0.25


def latent_budget(size: float, taken: int) -> float:
    """Divides a size.

    Args:
      size: bytes of the file.
      taken: bytes of weights and headers.

    Returns:
      Bytes for the latents; where weights are too large for the size, a quarter of it.
    """
    return max(size - taken, size / 4)


def first_latent_budget(size: float) -> float:
    """Divides a size before anything is fitted.

    Args:
      size: bytes of the file.

    Returns:
      Bytes for the latents.
    """
    return latent_budget(size, min(MOST_WEIGHT_BYTES, HEADER_BYTES + round(WEIGHT_SHARE * size)))


def correction_schedule(lacking: float, last: float) -> tuple[Schedule, float]:
    """Chooses how a correction begins.

    Args:
      lacking: log of wanted over present bytes of latents; negative for those that shall become fewer.
      last: what this returned for the last correction, if that made less than half of what lacked then; or 0.

    Returns:
      The schedule, between `CORRECTION` and `LENGTHENING`, and how far it is between them, in [0, 1].
    """
    part = min(max(lacking / FAR_TOO_SHORT, 2 * last, 0.0), 1.0) if lacking > 0 else 0.0

    def between(name: str) -> tuple[float, float]:
        first, final = (a + part * (b - a) for a, b in zip(getattr(CORRECTION, name), getattr(LENGTHENING, name)))
        return first, final

    schedule = CORRECTION._replace(temperatures=between("temperatures"), noise=between("noise"),
                                   latent_rate=CORRECTION.latent_rate ** (1 - part) * LENGTHENING.latent_rate ** part)
    return schedule, part


def _size_of(fit: Fit) -> int:
    if fit.options.size is None:
        raise ValueError("size must be given to be met")
    return fit.options.size


def estimate_weight_bytes(fit: Fit, states: Sequence[training.State], directory: pathlib.Path) -> Fit:
    """Does the part of a fit in which latents move, sees on the way how long weights are, and steers lambda.

    Half of the way weights are still changing and take more than at the end: what they leave is the mean of what is
    seen and of what was guessed before. Once latents are held no lambda makes them longer or shorter: it stays.

    Args:
      fit: with a size.
      states: to start from.
      directory: of the fit's checkpoints and of what was found.

    Returns:
      The fit, in whose last part lambda stays.
    """
    size, schedule = _size_of(fit), fit.options.schedule
    chunk = chunk_of(schedule.steps)

    def go_on(part: float) -> list[training.State]:
        steps = min(chunk * max(1, round(part * schedule.steps / chunk)), schedule.steps)
        return run_steps(fit, states, directory / "fit", steps=steps)

    for part in WEIGHED_AFTER:
        record = directory / f"latent_bytes_{round(100 * part)}.json"
        if not record.exists():
            budgets = []
            for state, one, seed in zip(go_on(part), fit.data, fit.seeds):
                written = format.write(quantize_fit(fit.arch, state, one, fit.goal.distance, seed,
                                                    signal=fit.options.signal))
                # Half of the tolerance less, so that small errors do not make it too long.
                taken = len(written.message) - written.latent_bytes
                budget = latent_budget(size * (1 - fit.options.size_tolerance / 2), taken)
                if part == WEIGHED_AFTER[0]:
                    budget = (budget + float(one.target_bpp) * fit.pixels / 8) / 2
                budgets.append(budget)
            files.write_text(record, json.dumps(budgets))
        budgets = json.loads(record.read_text(encoding="utf-8"))
        fit = fit._replace(data=tuple(one._replace(target_bpp=jnp.float32(8 * budget / fit.pixels))
                                      for one, budget in zip(fit.data, budgets)))
    go_on(1 - schedule.held_fraction)
    return fit._replace(data=tuple(one._replace(target_bpp=jnp.float32(0.0)) for one in fit.data))


def write_file(fit: Fit, state: training.State, directory: pathlib.Path) -> bytes:
    """Rounds and writes one image; where a size is wanted, meets it if that is possible.

    Args:
      fit: of one image.
      state: after the last step.
      directory: of the corrections' checkpoints.

    Returns:
      The message: with a size the longest that is not longer, or the shortest that was found.
    """
    size, [data], [seed] = fit.options.size, fit.data, fit.seeds
    messages: list[bytes] = []
    for multiplier in WEIGHT_RATE_MULTIPLIERS:
        description = quantize_fit(fit.arch, state, data, fit.goal.distance, seed, rate_multiplier=multiplier,
                                   signal=fit.options.signal)
        written = format.write(description)
        messages.append(written.message)
        if size is None:
            break
        heavy = len(written.message) - written.latent_bytes > size / 2
        # All multipliers share the corrections; each has one at least.
        attempts = max(MAX_CORRECTIONS - (len(messages) - WEIGHT_RATE_MULTIPLIERS.index(multiplier) - 1), 1)
        messages += match_target_size(fit, state, description, written, directory / f"multiplier_{multiplier:g}",
                                      patient=not heavy, attempts=attempts)
        fitting = [message for message in messages if len(message) <= size]
        if fitting:
            return max(fitting, key=len)
        if not heavy:
            break
    return min(messages, key=len)


def match_target_size(fit: Fit, state: training.State, description: format.Description, written: format.Written,
                      directory: pathlib.Path, *, patient: bool, attempts: int = MAX_CORRECTIONS) -> list[bytes]:
    """Moves lambda in short fits of the latents until the size is met, and not longer than it helps.

    Weights stay as they were written; latents may take what is left beside them, less half of the tolerance.

    Args:
      fit: of one image, with a size.
      state: after the last step.
      description: what was made of it.
      written: its message.
      directory: of the checkpoints.
      patient: whether to go on where a correction hardly makes the file shorter.
      attempts: the most corrections.

    Returns:
      Messages that were written on the way.
    """
    size, [data] = _size_of(fit), fit.data
    exact = {name: jnp.asarray(w, jnp.float32) for name, w in format.dequantize_weights(description).items()}
    messages, fitted, least = [], state.rate.log_lambda, size * (1 - fit.options.size_tolerance)
    tried = [(description.latents, len(written.message))]
    chunk = chunk_of(fit.options.schedule.steps)
    steps, part = chunk * max(1, round(CORRECTION.steps / chunk)), 0.0  # the same program
    gain, longer = 1.5, None  # change of log lambda for one of log bytes: doubled while files stay on the same side
    for attempt in range(attempts):
        length, now = len(written.message), written.latent_bytes
        if least <= length <= size or (not now and length > size) or _are_near(tried, size):
            break  # it is met, or weights and headers alone are too long, or mixing will meet it
        target_bytes = max(size * (1 - fit.options.size_tolerance / 2) - (length - now), now * 0.2)
        gain = 2 * gain if longer == (now > target_bytes) else 1.5
        longer, lacking = now > target_bytes, math.log(target_bytes / max(now, 1))
        schedule, part = correction_schedule(lacking, part)
        log_lambda = state.rate.log_lambda + jnp.float32(gain * lacking)
        log_lambda = jnp.clip(log_lambda, fitted - rate_control.MAX_LOG_LAMBDA_SHIFT,
                              fitted + rate_control.MAX_LOG_LAMBDA_SHIFT)
        rate = state.rate._replace(log_lambda=log_lambda, initial_log_lambda=log_lambda)
        target_bpp = jnp.float32(8 * target_bytes / fit.pixels)
        [state] = run_steps(fit._replace(data=(data._replace(target_bpp=target_bpp),)),
                            [state._replace(weights=exact, rate=rate)], directory / f"correction{attempt}",
                            schedule=schedule._replace(steps=steps), label=f"{fit.label}, to size")
        latents = coded_latents(state)
        written = format.write(description._replace(latents=latents))
        made = math.log(max(written.latent_bytes, 1) / max(now, 1))
        part = part if made < lacking / 2 else 0.0
        messages.append(written.message)
        tried.append((latents, len(written.message)))
        if not patient and size < len(written.message) > 0.99 * length:
            break  # coarser weights will do more
    if not any(least <= length <= size for _, length in tried):
        messages += _mixtures(description, tried, size, least)
    return messages


def _neighbors(tried: Sequence[tuple[Any, int]], size: int) -> list[tuple[Any, int]]:
    """The longest of those that are not longer than the size, and the shortest of the others, if there are both."""
    shorter = [one for one in tried if one[1] <= size]
    longer = [one for one in tried if one[1] > size]
    return [max(shorter, key=lambda one: one[1]), min(longer, key=lambda one: one[1])] if shorter and longer else []


def _are_near(tried: Sequence[tuple[Any, int]], size: int) -> bool:
    pair = _neighbors(tried, size)
    return bool(pair) and pair[1][1] <= MIXED * pair[0][1]


def _mixtures(description: format.Description, tried: Sequence[tuple[Any, int]], size: int, least: float
              ) -> list[bytes]:
    """Writes files whose latents are a longer file's in the upper part of the image and a shorter one's below.

    Both are nearly the same fit, so that no border is seen; how far down is found by bisection.
    """
    pair = _neighbors(tried, size)
    if not pair:
        return []
    (short, _), (long, _) = pair
    low, high, messages = 0.0, 1.0, []
    for _ in range(MIXTURES):
        part = (low + high) / 2
        rows = [round(part * len(one)) for one in short]
        mixed = tuple(np.concatenate([b[:row], a[row:]]) for a, b, row in zip(short, long, rows))
        message = format.write(description._replace(latents=mixed)).message
        messages.append(message)
        if least <= len(message) <= size:
            break
        low, high = (part, high) if len(message) <= size else (low, part)
    return messages
