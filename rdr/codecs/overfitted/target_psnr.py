"""Files of a given PSNR: latents are corrected at the end of a fit until the decoded image has it."""

import math
import pathlib

import jax.numpy as jnp
import numpy as np

from rdr.codecs.overfitted import format, rate_control, training
from rdr.codecs.overfitted.fitting import Fit, chunk_of, run_steps
from rdr.codecs.overfitted.target_size import CORRECTION, MAX_CORRECTIONS
from rdr.codecs.overfitted.weight_quantization import coded_latents, quantize_fit

TOLERANCE = 0.1  # dB above the PSNR that are good enough


def decoded_psnr(description: format.Description, image: np.ndarray) -> float:
    """Computes the PSNR of what a decoder makes of a description.

    Args:
      description: of a file.
      image: float32 [height, width, channels] in [0, 1].

    Returns:
      dB; inf for equal images.
    """
    decoded = np.asarray(format.render(description), np.float64) / 255.0
    error = float(np.mean(np.square(decoded - image.reshape(decoded.shape))))
    return -10.0 * math.log10(error) if error > 0 else math.inf


def choose(found: list[tuple[float, bytes]], wanted: float) -> bytes:
    """Chooses among files.

    Args:
      found: PSNR in dB and message of each.
      wanted: dB.

    Returns:
      The shortest message with that PSNR; if there is none, the one of the highest PSNR.
    """
    good = [message for psnr, message in found if psnr >= wanted]
    return min(good, key=len) if good else max(found, key=lambda pair: pair[0])[1]


def write_file(fit: Fit, state: training.State, directory: pathlib.Path) -> bytes:
    """Rounds and writes one image, moving lambda in short fits of the latents until its PSNR is met.

    Weights stay as they were written first. Where log lambda rises by one, the logarithm of one over the squared error
    rises by less than one: corrections go further than that, and further still while they stay on one side.

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
    wanted, [data], [seed] = fit.options.psnr, fit.data, fit.seeds
    image, fitted = np.asarray(data.image, np.float64), state.rate.log_lambda
    description = quantize_fit(fit.arch, state, data, fit.goal.distance, seed)
    exact = {name: jnp.asarray(w, jnp.float32) for name, w in format.dequantize_weights(description).items()}
    chunk = chunk_of(fit.options.schedule.steps)
    correction = CORRECTION._replace(steps=chunk * max(1, round(CORRECTION.steps / chunk)))  # the same program
    found = [(decoded_psnr(description, image), format.write(description).message)]
    gain, below = 1.5, None
    for attempt in range(MAX_CORRECTIONS):
        psnr = found[-1][0]
        if wanted <= psnr <= wanted + TOLERANCE or math.isinf(psnr):
            break
        gain = 2 * gain if below == (psnr < wanted) else 1.5
        below = psnr < wanted
        move = gain * (wanted + TOLERANCE / 2 - psnr) * math.log(10) / 10
        log_lambda = jnp.clip(state.rate.log_lambda + jnp.float32(move), fitted - rate_control.MAX_LOG_LAMBDA_SHIFT,
                              fitted + rate_control.MAX_LOG_LAMBDA_SHIFT)
        rate = state.rate._replace(log_lambda=log_lambda, initial_log_lambda=log_lambda)
        # Noise makes errors seem larger than they are once latents are rounded: lambda stays where it was put.
        [state] = run_steps(fit._replace(data=(data._replace(target_psnr=jnp.float32(0.0)),)),
                            [state._replace(weights=exact, rate=rate)], directory / f"correction{attempt}",
                            schedule=correction, label=f"{fit.label}, to PSNR")
        description = description._replace(latents=coded_latents(state))
        found.append((decoded_psnr(description, image), format.write(description).message))
    return choose(found, wanted)
