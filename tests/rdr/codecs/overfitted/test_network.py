"""Networks in floating point, as they are trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from rdr.codecs.overfitted import network
from rdr.codecs.overfitted.architecture import CONTEXT, PARENTS, Architecture

laplace_bits = jax.jit(jax.value_and_grad(network.laplace_bits, (0, 1)))


def initial_weights(arch):
    return jax.jit(lambda key: network.initial_weights(arch, key))(jax.random.key(0))


@pytest.mark.parametrize("log2_scale", [-6.0, -1.0, 0.0, 3.0])
@pytest.mark.parametrize("distance", [0.0, 0.3, 0.5, -0.7, 2.0])
def test_bits_are_those_of_the_integrated_density(distance, log2_scale):
    b = 2.0**log2_scale
    edges = distance - 0.5, distance + 0.5
    middle = [0.0] if edges[0] < 0 < edges[1] else None
    mass, _ = integrate.quad(lambda x: np.exp(-abs(x) / b) / (2 * b), *edges, points=middle, epsabs=0, limit=200)
    value, slope = laplace_bits(np.float32(distance), np.float32(log2_scale))
    if mass > 1e-30:
        np.testing.assert_allclose(value, -np.log2(mass), rtol=2e-5, atol=3e-6)
    assert np.isfinite(slope).all()


def test_contexts_are_neighbors():
    latent = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    parent = np.arange(100, 104, dtype=np.float32).reshape(2, 2)
    got = np.asarray(jax.jit(network.context)(latent, parent)).reshape(-1, 4, 3)

    def at(array, i, j):
        return array[i, j] if 0 <= i < array.shape[0] and 0 <= j < array.shape[1] else 0.0

    for i in range(4):
        for j in range(3):
            own = [at(latent, i + di, j + dj) for di, dj in CONTEXT]
            above = [at(parent, i // 2 + di, j // 2 + dj) for di, dj in PARENTS]
            np.testing.assert_array_equal(got[:, i, j], own + above)


def test_upsampling_keeps_constants_and_lines():
    # Cubic interpolation reproduces straight lines away from the edges; samples lie at cell centers.
    arch = Architecture(32, 24, levels=3)
    weights = initial_weights(arch)
    line = [jnp.asarray((np.arange(shape[0]) + 0.5)[:, None] * 2**level * np.ones(shape), jnp.float32)
            for level, shape in enumerate(arch.latent_shapes)]
    up = np.asarray(jax.jit(network.upsample)(weights, line))
    assert up.shape == (3, 32, 24)
    for maps in up:
        np.testing.assert_allclose(maps[12:20], up[0][12:20], rtol=1e-5)


def test_synthesis_has_the_noise_after_the_grids():
    arch = Architecture(8, 8, levels=3, noise_levels=2)
    weights = initial_weights(arch)
    latents = [jnp.full(shape, float(level), jnp.float32) for level, shape in enumerate(arch.latent_shapes)]
    noise = [jnp.full(shape, 10.0 + level, jnp.float32) for level, shape in enumerate(arch.latent_shapes[:2])]
    up = np.asarray(jax.jit(network.upsample)(weights, latents, noise))
    np.testing.assert_allclose(up[:, 0, 0], [0, 1, 2, 10, 11], rtol=1e-6)
