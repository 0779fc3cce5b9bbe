"""The weights that fits start from."""

import hashlib

import jax
import numpy as np
import pytest

from rdr.codecs.overfitted import network
from rdr.codecs.overfitted.architecture import Architecture, shapes
from rdr.codecs.overfitted.pretrained_init import pretrained_weights, quantized_pretrained, starting_weights


def test_stored_weights_are_those_that_files_were_written_with():
    # Files hold differences to them: another digest needs another format number.
    digest = hashlib.sha256()
    for name, w in sorted(pretrained_weights(Architecture(512, 768)).items()):
        digest.update(name.encode() + np.asarray(w, "<f4").tobytes())
    assert digest.hexdigest()[:16] == "3ee935de7eda42c9"


@pytest.mark.parametrize("arch", [Architecture(9, 9, 1, 4), Architecture(9, 9, 3, 7, 7), Architecture(1, 1, 3, 1)])
def test_shapes_fit(arch):
    for weights in (pretrained_weights(arch), quantized_pretrained(arch, dict.fromkeys(shapes(arch), 5))):
        assert {name: w.shape for name, w in weights.items()} == shapes(arch)


def test_gray_decoders_make_the_mean_of_what_color_decoders_make():
    # Where all colors are equal, a gray image's synthesis is the color one's, averaged: linear up to the rectifier
    # in the refinement, which sees the same sums.
    gray, color = Architecture(6, 5, 1, 3), Architecture(6, 5, 3, 3)
    weights = {name: np.array(w) for name, w in pretrained_weights(color).items()}
    for name in ("pixel_out", "pixel_skip", "pixel_out_bias"):
        weights[name][:] = weights[name].mean(0, keepdims=True)
    latents = [np.random.default_rng(level).standard_normal(shape).astype(np.float32)
             for level, shape in enumerate(color.latent_shapes)]
    synthesize = jax.jit(network.synthesize)
    expected = np.asarray(synthesize(weights, latents)).mean(0)
    found = np.asarray(synthesize(pretrained_weights(gray), latents))[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_other_widths_start_at_random_and_store_everything():
    arch = Architecture(9, 9, entropy_width=5)
    assert pretrained_weights(arch) is None
    assert not any(w.any() for w in quantized_pretrained(arch, dict.fromkeys(shapes(arch), 5)).values())
    assert starting_weights(arch, jax.random.key(0))["entropy_in"].any()
