"""DISTS, against recorded values of the authors' PyTorch package."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.features import weights
from rdr.losses.dists import DISTSParams, dists, load_params, with_published_weights


@pytest.fixture(scope="module")
def random_params(recorder):
    names = [name for name, _ in weights.architecture("vgg16").layers]
    kernels = recorder.random_kernels("vgg16")
    return with_published_weights(
        {n: {"kernel": jnp.asarray(k), "bias": jnp.asarray(b)} for n, (k, b) in zip(names, kernels)}
    )


@pytest.fixture(scope="module")
def distance():
    return jax.jit(dists)


@pytest.mark.parametrize("kind", ["random", "imagenet"])
def test_dists_equals_the_authors_package(kind, random_params, distance, recorded, recorded_pair, request):
    params = random_params
    if kind == "imagenet":
        request.getfixturevalue("trained_weights")
        params = load_params()
    x, y = recorded_pair(65, 83, seed=6)
    # Recorded in float64; float32 here, and variances down to the constant 1e-6.
    got = distance(params, np.float32(x), np.float32(y))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[0], recorded[f"dists {kind} 65x83 seed 6"], rtol=2e-5)
    if kind == "random":  # 1 - similarity is summed as dissimilarities, so that equal images are exactly 0 apart
        assert distance(params, np.float32(x), np.float32(x))[0] == 0.0


def test_the_published_weights_have_the_published_shape_and_sign(random_params):
    for values in (random_params.alpha, random_params.beta):
        assert values.shape == (1475,) and values.dtype == np.float32
        assert (np.asarray(values) >= 0).all()


def test_weights_of_another_size_are_refused():
    x = np.zeros((1, 16, 16, 3))
    with pytest.raises(ValueError, match=r"alpha and beta of shape \(1475,\), got \(3,\)"):
        dists(DISTSParams({}, np.ones(3), np.ones(3)), x, x)


def test_images_in_the_place_of_parameters_are_refused():
    x = jnp.zeros((1, 32, 32, 3), jnp.float32)
    with pytest.raises(ValueError, match="params, the first argument, must be DISTSParams .* got ArrayImpl"):
        dists(x, x, x)
