import gzip
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from rdr.data import samples

RNG = np.random.default_rng(0)


def write_images(path, array):
    path.write_bytes(gzip.compress(struct.pack(">HBB3I", 0, 8, 3, *array.shape) + array.tobytes()))


def test_data_sets_of_mnists_kind_keep_their_own_division(tmp_path):
    train, test = RNG.integers(0, 256, (12, 5, 4), np.uint8), RNG.integers(0, 256, (3, 5, 4), np.uint8)
    write_images(tmp_path / "train-images-idx3-ubyte.gz", train)
    write_images(tmp_path / "t10k-images-idx3-ubyte.gz", test)
    found = samples.load_samples("fashion_mnist", tmp_path)
    np.testing.assert_allclose(found.vectors * 255, train.reshape(12, 20), rtol=1e-6)
    np.testing.assert_allclose(found.held_out * 255, test.reshape(3, 20), rtol=1e-6)
    assert (found.shape, found.name, found.dimension) == ((5, 4, 1), "fashion_mnist", 20)
    kept = samples.load_samples("fashion_mnist", tmp_path, count=9, seed=3)
    assert len(np.unique(kept.vectors, axis=0)) == 9
    assert {v.tobytes() for v in kept.vectors} <= {v.tobytes() for v in found.vectors}
    write_images(tmp_path / "t10k-images-idx3-ubyte.gz", test[:, 1:])
    with pytest.raises(ValueError, match="training images of 5 x 4 pixels and test images of 4 x 4"):
        samples.load_samples("mnist", tmp_path)


def test_arrays_are_divided_once_and_for_all(tmp_path):
    array = RNG.normal(size=(23, 2, 3))
    np.save(tmp_path / "x.npy", array)
    found = samples.load_samples("array", tmp_path / "x.npy", seed=5)
    assert found.vectors.shape == (18, 6) and found.held_out.shape == (5, 6) and found.shape == (2, 3)
    both = np.concatenate([found.vectors, found.held_out])
    np.testing.assert_array_equal(np.unique(both, axis=0), np.unique(array.reshape(23, 6).astype(np.float32), axis=0))
    again = samples.load_samples("array", tmp_path / "x.npy", seed=5)
    np.testing.assert_array_equal(found.vectors, again.vectors)
    np.save(tmp_path / "y.npy", np.arange(50, dtype=np.uint8))
    assert samples.array_samples(tmp_path / "y.npy").vectors.shape == (40, 1)


@pytest.mark.parametrize(("array", "message"), [
    (np.zeros((20, 2), complex), "real numbers"), (np.zeros((20, 0)), "real numbers"),
    (np.array([{}] * 20), "NumPy file"),
    (np.array([[1.0, 2.0]]), "at least 10 are needed, got 1"), (np.full((20, 2), 1e39), "20 of its 20"),
    (np.where(np.arange(40).reshape(20, 2) == 7, np.nan, 1.0), "1 of its 20 samples"),
    (np.ones((20, 2)), "all 16 are equal"), (1e-20 * np.arange(40.0).reshape(20, 2), "1e-12 .* scale them"),
    (1e16 * np.arange(40.0).reshape(20, 2), "3.9e.17: scale them"), (np.array(3.0), "real numbers")])
def test_arrays_that_are_no_samples_are_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=f"samples: .*{message}"):
        samples.load_samples("array", tmp_path / "x.npy")


def test_files_that_are_no_arrays_are_refused(tmp_path):
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY no")
    np.savez(tmp_path / "z.npz", a=np.ones(3))
    for name, message in (("x.npy", "no whole NumPy file"), ("z.npz", "not an archive"), ("none.npy", "no file")):
        with pytest.raises(ValueError, match=message):
            samples.array_samples(tmp_path / name)
    np.save(tmp_path / "cut.npy", RNG.normal(size=(20, 3)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-9])
    with pytest.raises(ValueError, match="no whole NumPy file"):
        samples.array_samples(tmp_path / "cut.npy")


def test_arrays_without_a_sample_or_that_float32_would_round_away_are_refused(tmp_path):
    np.save(tmp_path / "none.npy", np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"none.npy must hold real numbers .*, got float64 of shape \(0, 3\)"):
        samples.array_samples(tmp_path / "none.npy")
    vectors = RNG.normal(size=(50, 2))
    np.save(tmp_path / "far.npy", vectors + 1e6)
    with pytest.raises(ValueError, match="a mean that is large beside the standard deviation: subtract it"):
        samples.array_samples(tmp_path / "far.npy")
    np.save(tmp_path / "near.npy", vectors + 1e3)
    assert len(samples.array_samples(tmp_path / "near.npy").vectors) == 40


def test_patches_are_pieces_of_the_photographs_in_proportion_to_their_places(tmp_path):
    images = {"a": RNG.integers(0, 256, (9, 12, 3), np.uint8), "b": RNG.integers(0, 256, (20, 16), np.uint8)}
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    found = samples.load_samples("photographs", tmp_path, patch=4, channels="rgb", count=3000, seed=1)
    assert found.vectors.shape == (3000, 48) and found.held_out.shape == (1000, 48)
    images["b"] = np.repeat(images["b"][..., None], 3, 2)
    places = {image[y : y + 4, x : x + 4].tobytes(): name for name, image in images.items()
              for y in range(image.shape[0] - 3) for x in range(image.shape[1] - 3)}
    both = np.concatenate([found.vectors, found.held_out])
    origins = [places[np.rint(v * 255).astype(np.uint8).tobytes()] for v in both]
    expected = 6 * 9 / (6 * 9 + 17 * 13)
    assert abs(origins.count("a") / 4000 - expected) < 4 * np.sqrt(expected * (1 - expected) / 4000)
    gray = samples.photograph_patches(tmp_path, patch=4, channels="luma", count=3000, seed=1)  # the same places
    weights = found.vectors.reshape(-1, 16, 3) @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(gray.vectors, weights, atol=1e-6)
    assert gray.shape == (4, 4, 1) and gray.name == "luma_4x4"


def test_photographs_that_cannot_be_used_are_refused(tmp_path):
    Image.new("RGB", (16, 6)).save(tmp_path / "small.png")
    with pytest.raises(ValueError, match=r"small.png has 6 x 16 pixels, less than a patch of 8 x 8"):
        samples.load_samples("photographs", tmp_path)
    for options, message in (({"patch": 65}, "patch must be"), ({"channels": "hsv"}, "channels must be"),
                             ({"count": 3}, "count must be"), ({"count": -1}, "count must be")):
        with pytest.raises(ValueError, match=message):
            samples.load_samples("photographs", tmp_path, **options)
    with pytest.raises(ValueError, match="no folder"):
        samples.load_samples("photographs", "")
    with pytest.raises(ValueError, match="source must be one of"):
        samples.load_samples("cifar")


def test_digits_need_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError):
        samples.load_samples("digits")


def test_digits_are_all_there_and_in_range():
    pytest.importorskip("sklearn", reason="digits come with scikit-learn")
    found = samples.load_samples("digits")
    assert len(found.vectors) == 1437 and len(found.held_out) == 360 and found.shape == (8, 8, 1)
    assert found.vectors.min() == 0.0 and found.vectors.max() == 1.0
