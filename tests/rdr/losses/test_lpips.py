"""LPIPS, against recorded values of the authors' PyTorch package."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.features import weights
from rdr.losses import lpips as module
from rdr.losses.lpips import LPIPSParams, lpips


def random_params(recorder, network):
    names = [name for name, _ in weights.architecture(network).layers]
    kernels = recorder.random_kernels(network)
    layers = {n: {"kernel": jnp.asarray(k), "bias": jnp.asarray(b)} for n, (k, b) in zip(names, kernels)}
    return LPIPSParams(layers, tuple(map(jnp.asarray, recorder.random_heads(network))))


distance = jax.jit(lpips, static_argnames="network")


@pytest.mark.parametrize("network", ["alexnet", "vgg16"])
@pytest.mark.parametrize("kind", ["random", "imagenet"])
def test_lpips_equals_the_authors_package(network, kind, recorder, recorded, recorded_pair, request):
    if kind == "imagenet":
        request.getfixturevalue("trained_weights")
        params = module.load_params(network)
    else:
        params = random_params(recorder, network)
    x, y = recorded_pair(65, 83, seed=6)
    # Recorded in float64; float32 sums of up to 4,608 products leave a relative 1e-6 or so.
    got = distance(params, np.float32(x), np.float32(y), network=network)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[0], recorded[f"lpips {network} {kind} 65x83 seed 6"], rtol=1e-5)


def test_maps_that_vanish_have_a_finite_gradient():
    maps, reference = np.zeros((1, 2, 2, 3)), np.ones((1, 2, 2, 3))
    heads = (np.array([1.0, 2.0, 3.0]),)

    def to_reference(x):
        return module.unit_distance((x,), (jnp.asarray(reference),), heads)[0]

    value, gradient = jax.jit(jax.value_and_grad(to_reference))(jnp.asarray(maps))
    # The unit vector of ones is 1/sqrt(3) each way: (1 + 2 + 3) / 3. An all-zero map stays zero.
    np.testing.assert_allclose(value, 2.0, rtol=1e-9)
    assert np.isfinite(gradient).all()


def test_unknown_networks_are_refused():
    x = np.zeros((1, 64, 64, 3))
    with pytest.raises(ValueError, match="network must be one of 'alexnet', 'vgg16', got 'squeezenet'"):
        lpips(LPIPSParams({}, ()), x, x, network="squeezenet")


def test_parameters_of_another_network_are_refused():
    params = LPIPSParams({name: {} for name, _ in weights.architecture("vgg16").layers}, ())
    x = np.zeros((1, 64, 64, 3))
    with pytest.raises(ValueError, match="params must hold this network's layer conv1 .* got conv1_1, conv1_2"):
        jax.eval_shape(lambda: lpips(params, x, x, network="alexnet"))


def test_images_in_the_place_of_parameters_are_refused():
    x = jnp.zeros((1, 32, 32, 3), jnp.float32)
    with pytest.raises(ValueError, match="params, the first argument, must be LPIPSParams .* got ArrayImpl"):
        lpips(x, x, x)
