"""Maximum differentiation, where the extreme is known, and its refusals."""

import jax.numpy as jnp
import numpy as np
import pytest

from rdr.metrics.maximum_differentiation import mad_competition

REFERENCE = np.full((1, 6, 5, 3), 0.5)
WEIGHTS = jnp.asarray(np.linspace(1.0, 3.0, 90).reshape(1, 6, 5, 3))


def squared(x):
    return jnp.mean(jnp.square(x - REFERENCE))


def weighted(x):
    return jnp.mean(WEIGHTS * jnp.square(x - REFERENCE))


@pytest.mark.parametrize("maximize,extreme", [(True, 3.0), (False, 1.0)])
def test_on_a_sphere_the_extremes_are_the_extreme_eigenvectors(maximize, extreme):
    # |x - r|^2 fixed, sum w (x - r)^2 driven: between the smallest and the largest weight times the squared error.
    start = REFERENCE + 0.05 * np.random.default_rng(0).normal(size=REFERENCE.shape)
    found = mad_competition(squared, weighted, start, maximize=maximize, steps=400, step_size=0.01)
    level = float(squared(start))
    np.testing.assert_allclose(found.held, level, rtol=1e-6)
    ratio = np.asarray(found.varied) / level
    np.testing.assert_allclose(ratio[-1], extreme, rtol=1e-6)
    # Straight there: every step helps until the end is near.
    helped = np.diff(np.append(float(weighted(start)) / level, ratio)) * (1 if maximize else -1)
    assert (helped[:5] > 0).all()
    assert float(found.image.min()) >= 0.0 and float(found.image.max()) <= 1.0


def test_what_cannot_be_varied_stays_and_options_are_refused():
    start = REFERENCE + 0.1
    found = mad_competition(squared, squared, start, maximize=True, steps=3)
    np.testing.assert_allclose(found.image, start, atol=1e-9)
    with pytest.raises(ValueError, match="start must be one image, got 2"):
        mad_competition(squared, weighted, np.zeros((2, 4, 4, 3)), maximize=True)
    with pytest.raises(ValueError, match="steps must be >= 1 and step_size > 0"):
        mad_competition(squared, weighted, start, maximize=True, steps=0)
