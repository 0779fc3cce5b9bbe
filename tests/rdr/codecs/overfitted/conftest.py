"""A small decoder with random contents."""

import numpy as np
import pytest

from rdr.codecs.overfitted.architecture import Architecture, shapes
from rdr.codecs.overfitted.exact_inference import quantize_weights
from rdr.codecs.overfitted.format import Description


def random_description(height=13, width=10, *, channels=3, levels=4, noise_levels=2, seed=5, **widths):
    arch = Architecture(height, width, channels, levels, noise_levels, **widths)
    rng = np.random.default_rng(seed)
    exponents = {name: int(rng.integers(4, 10)) for name in shapes(arch)}
    whole = {}
    for name, shape in shapes(arch).items():
        w = rng.standard_normal(shape) * (0.1 if name.endswith("bias") else 0.7 / shape[-1] ** 0.5)
        w = w * 0.1 + np.asarray([0.0, 0.25, 0.75, 0.0]) if name == "upsampling" else w
        whole[name] = quantize_weights(w, exponents[name])
    latents = [np.rint(rng.laplace(size=shape) * 2).astype(np.int32) for shape in arch.latent_shapes]
    return Description(arch, exponents, whole, latents, seed if noise_levels else None)


@pytest.fixture(scope="session")
def make_description():
    return random_description


@pytest.fixture(scope="session")
def description():
    return random_description()
