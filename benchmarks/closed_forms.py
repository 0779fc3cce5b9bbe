"""Speed of the closed forms: whole surfaces and batches of vectors in one call, after compilation.

    python -m benchmarks.closed_forms
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

from theory import gaussian
from theory.gaussian import process as gaussian_process
from theory.gaussian import vector_perception as gaussian_vector_perception


def timed(call, repeats=7):
    """Seconds of the first call, and the shortest of the others."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    first = time.perf_counter() - start
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return first, min(times)


def main():
    """Prints the table."""
    d, p = jnp.linspace(0.01, 2.0, 200)[:, None], jnp.linspace(0.0, 1.0, 200)[None, :]
    rng = np.random.default_rng(0)
    lam = jnp.asarray(10 ** rng.uniform(-3, 2, (1000, 8)))
    total = lam.sum(-1)
    spectrum, weights = gaussian_process.image_spectrum(256, 0.04)
    image_d = jnp.geomspace(1e-4, 0.05, 20)
    cases = {}
    for divergence in ("w2sq", "kl"):
        surface = jax.jit(lambda d, p, divergence=divergence: gaussian.rate_distortion_perception(
            d, p, divergence=divergence))
        slopes = jax.jit(jax.grad(lambda d, p, divergence=divergence: gaussian.rate_distortion_perception(
            d, p, divergence=divergence).sum(), argnums=(0, 1)))
        cases[f"scalar R(D P) {divergence}: 200 x 200 surface"] = lambda f=surface: f(d, p)
        cases[f"the same with both slopes, {divergence}"] = lambda f=slopes: f(
            jnp.broadcast_to(d, (200, 200)), jnp.broadcast_to(p, (200, 200)))
        cases[f"vector R(D P) {divergence}: 1000 vectors of 8, certified"] = (
            lambda divergence=divergence: gaussian_vector_perception.rate_distortion_perception(
                0.2 * total, 0.02 * total, lam, divergence=divergence))
    cases["image of 256 x 256 pixels: 20 points, certified"] = (
        lambda: gaussian_process.rate_distortion_perception(image_d, 5e-4, spectrum, weights=weights))
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}; first call (with compilation) and best of 7, in ms")
    print("case | first | best")
    for name, call in cases.items():
        first, best = timed(call)
        print(f"{name} | {1e3 * first:.0f} | {1e3 * best:.2f}")


if __name__ == "__main__":
    main()
