"""Feature vectors come back as they were, and their files do not stay open."""

import os

import numpy as np
import pytest

from rdr.evaluation.feature_files import FeatureFile, feature_path, save_features


def test_features_of_many_images_come_back_and_no_file_stays_open(tmp_path):
    arrays = {"alexnet candidate": np.arange(6.0).reshape(2, 3), "alexnet reference": np.ones((2, 3))}
    for number in range(4):
        save_features(tmp_path, f"image {number}", {key: number + array for key, array in arrays.items()})
    assert sorted(path.name for path in (tmp_path / "features").iterdir()) == [f"image {n}.npz" for n in range(4)]
    # numpy holds an archive open as long as it lives; systems allow a process about a thousand files.
    files = [FeatureFile(feature_path(tmp_path, f"image {number}")) for number in range(4)]
    before = len(os.listdir("/dev/fd"))
    for number, file in enumerate(files):
        assert list(file) == list(arrays) and len(file) == 2
        for key, array in arrays.items():
            np.testing.assert_array_equal(file[key], number + array)
    assert len(os.listdir("/dev/fd")) == before
    with pytest.raises(KeyError):
        files[0]["steerable candidate"]


def test_a_file_is_replaced_whole(tmp_path):
    save_features(tmp_path, "a", {"x": np.zeros(3)})
    save_features(tmp_path, "a", {"x": np.ones(2)})
    assert FeatureFile(feature_path(tmp_path, "a"))["x"].tolist() == [1.0, 1.0]
