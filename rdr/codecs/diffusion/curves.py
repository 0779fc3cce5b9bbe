"""Sources along curves, with denoisers by quadrature: the banana and the circle.

The position along the curve given a noisy sample has a smooth density, over which the trapezoid rule is exact to
rounding with some tens of nodes; they are laid where that density is.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from rdr.codecs.diffusion import arithmetic
from rdr.codecs.diffusion.sources import ExactSource

_NODES = 96
_REACH = 9.0  # standard deviations to either side


@functools.cache
def circle() -> ExactSource:
    """A uniform point of the unit circle.

    The angle given x_t is a von Mises variable around that of x_t with kappa = |x_t| sqrt(1 - t) / t; the probability
    flow keeps the angle.

    Returns:
      The source.
    """
    def radius(kappa: np.ndarray) -> np.ndarray:
        """I_1(kappa) / I_0(kappa): the mean cosine, over the angles within which all of its density lies."""
        half = np.minimum(np.pi, np.pi * np.sqrt(19.0 / np.maximum(kappa, 1e-300)))
        theta = half[..., None] * ((np.arange(_NODES) + 0.5) / _NODES)
        # 1 - cos(theta) = 2 sin(theta/2)^2, by a polynomial, since sines are not the same everywhere either.
        fall = _one_minus_cosine(theta)
        weight = arithmetic.exp(-kappa[..., None] * fall)
        return 1.0 - arithmetic.total(weight * fall) / arithmetic.total(weight)

    def denoise(x: np.ndarray, t: float) -> np.ndarray:
        size = np.sqrt(arithmetic.total(np.square(x)))
        direction = x / np.where(size > 0, size, 1.0)[..., None]
        return direction if t == 0 else radius(size * (np.sqrt(1.0 - t) / t))[..., None] * direction

    def posterior_sample(rng: np.random.Generator, x: np.ndarray, t: float) -> np.ndarray:
        angle = np.arctan2(x[..., 1], x[..., 0])
        angle = angle + rng.vonmises(0.0, np.linalg.norm(x, axis=-1) * (np.sqrt(1.0 - t) / t))
        return np.stack([np.cos(angle), np.sin(angle)], -1)

    def flow(x: np.ndarray, t: float) -> np.ndarray:
        return x / np.sqrt(arithmetic.total(np.square(x)))[..., None]

    def sample(rng: np.random.Generator, count: int) -> np.ndarray:
        angle = 2.0 * np.pi * rng.random(count)
        return np.stack([np.cos(angle), np.sin(angle)], -1)

    return ExactSource("circle", 2, {"radius": np.ones(1)}, np.zeros(2), np.eye(2) / 2, sample, denoise,
                       posterior_sample, flow)


def _one_minus_cosine(theta: np.ndarray) -> np.ndarray:
    """1 - cos(theta) on [0, pi]: four halvings, the series, and four doublings of 1 - cos(2 a) = 2 u (2 - u)."""
    square = np.square(theta * 0.0625)
    u = np.zeros_like(square)
    for k in range(7, 0, -1):
        u = square * (1.0 / math.factorial(2 * k) - u)
    for _ in range(4):
        u = 2.0 * u * (2.0 - u)
    return u


_ANGLE = np.deg2rad(240.0)
_ROTATION = np.array([[np.cos(_ANGLE), -np.sin(_ANGLE)], [np.sin(_ANGLE), np.cos(_ANGLE)]])
_LONG, _SHORT, _BEND = 9.0, 0.25, 0.1


@functools.cache
def banana() -> ExactSource:
    """The banana: x = (y_1, y_2 - y_1^2 / 10) R(240 degrees) - 1 with y ~ N(0, diag(9, 1/4)).

    Turned back, x_t is Gaussian around sqrt(1 - t) (y_1, -y_1^2 / 10) given y_1, so that E[x_0 | x_t] is an integral
    over y_1 alone.

    Returns:
      The source.

    Reference: balle2021nonlinear.
    """
    rotation = np.ascontiguousarray(_ROTATION)
    unit = np.linspace(-_REACH, _REACH, _NODES)
    # E y_1^2 = 9 and E y_1^4 = 243 make the moments of the bent component: -0.9 and 1/4 + .01 (243 - 81).
    mean = np.array([0.0, -_BEND * _LONG]) @ rotation - 1.0
    covariance = rotation.T @ np.diag([_LONG, _SHORT + _BEND**2 * 2 * _LONG**2]) @ rotation

    def bend(y: np.ndarray) -> np.ndarray:
        return np.stack([y[..., 0], y[..., 1] - _BEND * np.square(y[..., 0])], -1)

    def denoise(x: np.ndarray, t: float) -> np.ndarray:
        root = np.sqrt(1.0 - t)
        r = arithmetic.transform(np.asarray(x, np.float64) + root, np.ascontiguousarray(rotation.T))
        if t == 0:
            return arithmetic.transform(r, rotation) - 1.0
        # Given the first component alone y_1 is Gaussian: the nodes lie around it.
        spread = _LONG * t / ((1.0 - t) * _LONG + t)
        center = root * _LONG / ((1.0 - t) * _LONG + t) * r[..., :1]
        y = center + np.sqrt(spread) * unit
        other = (1.0 - t) * _SHORT + t
        left = r[..., 1:] + root * _BEND * np.square(y)  # of the second component once y_1 is known
        log_weight = -0.5 * (np.square(unit) + np.square(left) / other)
        weight = arithmetic.exp(log_weight - log_weight.max(-1, keepdims=True))
        mass = arithmetic.total(weight)
        second = root * _SHORT / other * left - _BEND * np.square(y)
        turned = np.stack([arithmetic.total(weight * y) / mass, arithmetic.total(weight * second) / mass], -1)
        return arithmetic.transform(turned, rotation) - 1.0

    def sample(rng: np.random.Generator, count: int) -> np.ndarray:
        return bend(rng.standard_normal((count, 2)) * np.sqrt([_LONG, _SHORT])) @ rotation - 1.0

    return ExactSource("banana", 2, {"rotation": rotation}, mean, covariance, sample, denoise, None, None)
