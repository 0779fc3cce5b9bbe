"""Variance-preserving diffusion: forward process, schedules of times, and two ways back, as pure functions.

Time t in [0, 1] is the variance of the noise:

    x_t = sqrt(1 - t) x_0 + sqrt(t) n,   n ~ N(0, I),

so that t = 0 is the source, t = 1 is noise alone, and what the literature calls alpha-bar is 1 - t. A denoiser is a
function `denoise(x_t, t) -> E[x_0 | x_t]`, exact for a known source (`rdr.codecs.diffusion.sources`) or a network.
Everything here is arithmetic on arrays of NumPy or JAX, of any shape and precision, with times as floats or, inside of
a compiled loop, as traced numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Denoiser = Callable[[Any, Any], Any]


class Bridge(NamedTuple):
    """The distribution of x_s given x_t and x_0: Gaussian around `source` x_0 + `state` x_t.

    Attributes:
      source: coefficient of x_0.
      state: coefficient of x_t.
      variance: of each component.
    """

    source: Any
    state: Any
    variance: Any


def check_times(times: Sequence[float], *, name: str = "times") -> tuple[float, ...]:
    """Refuses what is no way back.

    Args:
      times: from noisy to clean.
      name: what the message calls them.

    Returns:
      The times as floats.

    Raises:
      ValueError: if there are fewer than two, or they do not fall, or leave [0, 1].
    """
    values = np.asarray(times, np.float64)
    if values.ndim != 1 or values.size < 2 or not (np.isfinite(values).all() and (np.diff(values) < 0).all()
                                                   and values[0] <= 1.0 and values[-1] >= 0.0):
        raise ValueError(f"{name} must fall strictly within [0, 1] and be two or more, got {times}")
    return tuple(float(value) for value in values)


def diffuse(x: Any, t: Any, noise: Any) -> Any:
    """Adds noise to a source.

    x_t = sqrt(1 - t) x_0 + sqrt(t) n.

    Args:
      x: x_0, any shape.
      t: time in [0, 1], a number or an array that broadcasts.
      noise: n, standard normal, of the shape of x.

    Returns:
      x_t.
    """
    return (1.0 - t) ** 0.5 * x + t**0.5 * noise


def bridge(t: Any, s: Any) -> Bridge:
    """The distribution of x_s given x_t and x_0, s < t, of the forward process.

    x_s = a x_0 + b x_t + sqrt(v) n with a = (t - s) / (t sqrt(1 - s)), b = (s / t) sqrt((1 - t) / (1 - s)),
    v = s (t - s) / (t (1 - s)). With t = 1, x_t says nothing: a = sqrt(1 - s), b = 0, v = s.

    Args:
      t: time of what is known, in (0, 1].
      s: earlier time, in [0, t).

    Returns:
      The coefficients.

    Reference: ho2020denoising, equations 6 and 7, whose alpha-bar is 1 - t.
    """
    return Bridge((t - s) / (t * (1.0 - s) ** 0.5), s / t * ((1.0 - t) / (1.0 - s)) ** 0.5,
                  s * (t - s) / (t * (1.0 - s)))


def information_times(end: float, steps: int, *, variance: float = 1.0) -> tuple[float, ...]:
    """Times between which a Gaussian of this variance tells equally much in every step.

    I(x_0; x_t) = 1/2 ln(1 + variance (1 - t) / t) grows by the same amount from each time to the next.

    Args:
      end: last time, in (0, 1).
      steps: how many, at least 1.
      variance: of the Gaussian, > 0.

    Returns:
      steps + 1 times from 1 to `end`.

    Raises:
      ValueError: if an argument is out of its range.
    """
    if not 0.0 < end < 1.0:
        raise ValueError(f"end must be in (0, 1), got {end}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if not 0.0 < variance < np.inf:
        raise ValueError(f"variance must be positive and finite, got {variance}")
    total = np.log1p(variance * (1.0 - end) / end)
    ratio = np.expm1(total * np.arange(steps + 1) / steps) / variance
    return (*(1.0 / (1.0 + ratio[:-1])).tolist(), float(end))


def decoding_times(start: float, steps: int, *, power: float = 2.0) -> tuple[float, ...]:
    """Times from a noisy sample to the source, for `probability_flow` and `ancestral`.

    t = sin(phi)^2 with phi_i = phi_start (1 - i / steps)^power: x_t turns by the angle phi from x_0 to noise, and
    steps become shorter where there is little noise.

    Args:
      start: time of the sample, in (0, 1].
      steps: how many, at least 1.
      power: at least 1; larger ones spend more of the steps near the end.

    Returns:
      steps + 1 times from `start` to 0.

    Raises:
      ValueError: if an argument is out of its range.
    """
    if not 0.0 < start <= 1.0:
        raise ValueError(f"start must be in (0, 1], got {start}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if not 1.0 <= power < np.inf:
        raise ValueError(f"power must be at least 1 and finite, got {power}")
    angle = np.arcsin(np.sqrt(start)) * (1.0 - np.arange(steps + 1) / steps) ** power
    return (float(start), *(np.sin(angle[1:-1]) ** 2).tolist(), 0.0)


def flow_step(denoise: Denoiser, x: Any, t: Any, s: Any, *, order: int = 2, last: bool = False) -> Any:
    """One step of the probability flow from time t to s < t.

    x_s = sqrt(s / t) x_t + (sqrt(1 - s) - sqrt(s (1 - t) / t)) x^, exact if the denoiser's output x^ did not change on
    the way. Order 1 takes it at x_t (DDIM), order 2 the mean of it there and at the x_s of order 1.

    Args:
      denoise: (x_t, t) -> E[x_0 | x_t].
      x: x_t.
      t: time of x, in (0, 1].
      s: time to go to.
      order: 1 or 2, the power of the step with which the flow's error falls.
      last: whether s is 0, where a denoiser has nothing to say: then order 1.

    Returns:
      x_s.

    Reference: song2021ddim, equation 13 with eta = 0; the flow is that of song2021sde, equation 13.
    """
    state = (s / t) ** 0.5
    source = (1.0 - s) ** 0.5 - state * (1.0 - t) ** 0.5
    mean = denoise(x, t)
    if order == 2 and not last:
        mean = 0.5 * (mean + denoise(state * x + source * mean, s))
    return state * x + source * mean


def probability_flow(denoise: Denoiser, x: Any, times: Sequence[float], *, order: int = 2) -> Any:
    """Follows the probability flow: a map of noisy samples, without randomness, to samples of the source.

    For any source the output has the source's distribution in the limit of many steps, if x has that of x_t.

    Args:
      denoise: (x_t, t) -> E[x_0 | x_t].
      x: x_t at the first of the times.
      times: falling, in [0, 1], such as `decoding_times` makes.
      order: 1 or 2.

    Returns:
      x at the last of the times.

    Raises:
      ValueError: if the times do not fall, or the order is none of these.

    Reference: song2021sde.
    """
    times = check_times(times)
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order}")
    for t, s in zip(times[:-1], times[1:]):
        x = flow_step(denoise, x, t, s, order=order, last=s == 0.0)
    return x


def ancestral_step(denoise: Denoiser, x: Any, t: Any, s: Any, noise: Any) -> Any:
    """One step of ancestral sampling from time t to s < t: the bridge with the denoiser's output for x_0.

    Args:
      denoise: (x_t, t) -> E[x_0 | x_t].
      x: x_t.
      t: time of x, in (0, 1].
      s: time to go to.
      noise: standard normal, of the shape of x.

    Returns:
      x_s; with s = 0 the denoiser's output.

    Reference: ho2020denoising, algorithm 2, with the smaller of the two variances.
    """
    a, b, variance = bridge(t, s)
    return a * denoise(x, t) + b * x + variance**0.5 * noise


def ancestral(denoise: Denoiser, x: Any, times: Sequence[float], noise: Callable[[int], Any]) -> Any:
    """Samples the source given a noisy sample, step by step.

    In the limit of many steps the output is a sample of the distribution of x_0 given x_t.

    Args:
      denoise: (x_t, t) -> E[x_0 | x_t].
      x: x_t at the first of the times.
      times: falling, in [0, 1].
      noise: `noise(step)` draws standard normal numbers of the shape of x, anew for each step from 0 on.

    Returns:
      x at the last of the times.

    Raises:
      ValueError: if the times do not fall.

    Reference: ho2020denoising.
    """
    times = check_times(times)
    for step, (t, s) in enumerate(zip(times[:-1], times[1:])):
        x = ancestral_step(denoise, x, t, s, noise(step))
    return x
