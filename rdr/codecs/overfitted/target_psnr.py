"""Files of a given PSNR: short fits with other lambdas follow a fit until the decoded image has it."""

import math
import pathlib

import jax.numpy as jnp
import numpy as np

from rdr.codecs.overfitted import format, rate_control, training
from rdr.codecs.overfitted.fitting import Fit, chunk_of, run_steps
from rdr.codecs.overfitted.schedule import Schedule
from rdr.codecs.overfitted.weight_quantization import quantize_fit

TOLERANCE = 0.1  # dB above the PSNR that are good enough
MAX_CORRECTIONS = 8
# Weights go on, too: of small images they hold much of what makes the PSNR.
CORRECTION = Schedule(steps=60, held_fraction=0.25, latent_rate=5e-3, min_latent_rate=1e-3, weight_rate=5e-3,
                      held_weight_rate=2e-3, temperatures=(0.15, 0.08), noise=(0.18, 0.15))


def decoded_psnr(description: format.Description, image: np.ndarray) -> float:
    """Computes the PSNR of what a decoder makes of a description, between values as they are coded.

    Args:
      description: of a file.
      image: float32 [height, width, channels] in [0, 1].

    Returns:
      dB; inf for equal images.
    """
    decoded = format.render(description)
    decoded = decoded / np.float64(np.iinfo(decoded.dtype).max)
    error = float(np.mean(np.square(decoded - image.reshape(decoded.shape))))
    return -10.0 * math.log10(error) if error > 0 else math.inf


def choose(candidates: list[tuple[float, bytes]], target: float) -> bytes:
    """Chooses among files.

    Args:
      candidates: PSNR in dB and message of each.
      target: dB.

    Returns:
      The shortest message with that PSNR; if there is none, the one of the highest PSNR.
    """
    good = [message for psnr, message in candidates if psnr >= target]
    return min(good, key=len) if good else max(candidates, key=lambda pair: pair[0])[1]


def write_file(fit: Fit, state: training.State, directory: pathlib.Path) -> bytes:
    """Rounds and writes one image, moving lambda in short fits until its PSNR is met.

    Where log lambda rises by one, the logarithm of one over the squared error rises by less than one: corrections go
    further than that, and further still while they stay on one side. Once there are files on both, the next one's
    lambda is between theirs.

    Args:
      fit: of one image, with a PSNR.
      state: after the last step.
      directory: of the corrections' checkpoints.

    Returns:
      The message.

    Raises:
      ValueError: if the fit has no PSNR to come to.
    """
    if fit.options.psnr is None:
        raise ValueError("psnr must be given to be met")
    target, [data], [seed] = fit.options.psnr, fit.data, fit.seeds
    image, fitted = np.asarray(data.image, np.float64), float(state.rate.log_lambda)
    description = quantize_fit(fit.arch, state, data, fit.goal.distance, seed, signal=fit.options.signal)
    chunk = chunk_of(fit.options.schedule.steps)
    correction = CORRECTION._replace(steps=chunk * max(1, round(CORRECTION.steps / chunk)))  # the same program
    result = [(decoded_psnr(description, image), format.write(description).message)]
    tried: dict[bool, tuple[float, float]] = {}  # the last that was below, and above: log lambda, PSNR
    gain = 1.0
    for attempt in range(MAX_CORRECTIONS):
        psnr, now = result[-1][0], float(state.rate.log_lambda)
        if target <= psnr <= target + TOLERANCE or math.isinf(psnr):
            break
        below = psnr < target
        gain = 2.0 * gain if below in tried else 1.5
        tried[below] = (now, psnr)
        if len(tried) == 2:  # between the two, and not too near to either
            (low, less), (high, more) = tried[True], tried[False]
            share = min(max((target + TOLERANCE / 2 - less) / (more - less), 0.2), 0.8)
            log_lambda = low + share * (high - low)
        else:
            log_lambda = now + gain * (target + TOLERANCE / 2 - psnr) * math.log(10) / 10
        shift = rate_control.MAX_LOG_LAMBDA_SHIFT
        log_lambda = jnp.float32(min(max(log_lambda, fitted - shift), fitted + shift))
        rate = state.rate._replace(log_lambda=log_lambda, initial_log_lambda=log_lambda)
        # Noise makes errors seem larger than they are once latents are rounded: lambda stays where it was put.
        [state] = run_steps(fit._replace(data=(data._replace(target_psnr=jnp.float32(0.0)),)),
                            [state._replace(rate=rate)], directory / f"correction{attempt}",
                            schedule=correction, label=f"{fit.label}, to PSNR")
        description = quantize_fit(fit.arch, state, data, fit.goal.distance, seed, signal=fit.options.signal)
        result.append((decoded_psnr(description, image), format.write(description).message))
    return choose(result, target)
