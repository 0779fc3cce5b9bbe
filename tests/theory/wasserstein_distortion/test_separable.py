"""Oracles: adaptive quadrature over the line, and the plane of a triangle-shaped log spectrum in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate

from theory.wasserstein_distortion import separable


def _cone(frequency, slope):
    return -slope * frequency


def test_exponential_spectra_in_closed_form():
    """s = e^(-a w): with L = ln(1/theta) < a pi, A is a segment of length L/a, a triangle of area L^2 / (2 a^2)."""
    slope, theta = 6.0, 0.02
    level = -np.log(theta)
    distortion, rate = separable.water_filling(jnp.float64(theta), _cone, jnp.float64(slope), dimension=1)
    tail = theta - np.exp(-slope * np.pi)
    np.testing.assert_allclose(distortion, (theta * level + tail) / (slope * np.pi), rtol=1e-12)
    np.testing.assert_allclose(rate, level**2 / (4 * slope * np.pi), rtol=1e-12)
    rate = separable.water_filling(jnp.float64(theta), _cone, jnp.float64(slope), dimension=2)[1]
    np.testing.assert_allclose(rate, level**3 / (12 * (slope * np.pi) ** 2), rtol=1e-9)


def test_planes_where_some_columns_are_active_all_along():
    """Oracle: a one-dimensional integral of the inner one in closed form."""
    slope, theta = 0.9, 0.05  # L = 3 > a pi: the corner of the band is cut off

    def column(x):
        height = min(np.pi, max(0.0, (-np.log(theta) - slope * x) / slope))
        return 0.5 * ((-np.log(theta) - slope * x) * height - slope * height**2 / 2)

    expected = integrate.quad(column, 0, np.pi, points=[-np.log(theta) / slope - np.pi], epsabs=1e-13)[0] / np.pi**2
    rate = separable.water_filling(jnp.float64(theta), _cone, jnp.float64(slope), dimension=2)[1]
    np.testing.assert_allclose(rate, expected, rtol=1e-9)


def test_the_rate_is_the_dual_functions_maximum_with_its_derivative():
    slope, theta = jnp.float64(2.0), jnp.float64(0.2)
    for dimension in (1, 2):
        distortion, rate = separable.water_filling(theta, _cone, slope, dimension=dimension)

        def curve(d, dimension=dimension):
            return separable.rate_distortion(d, _cone, slope, dimension=dimension)

        value, derivative = jax.jit(jax.value_and_grad(curve))(distortion)
        np.testing.assert_allclose(value, rate, rtol=1e-9)
        np.testing.assert_allclose(derivative, -1 / (2 * theta), rtol=1e-6)
