"""Feature vectors of images on disk, one file each, so that an evaluation resumes and holds few of them at a time."""

import pathlib
from collections.abc import Mapping

import numpy as np

from rdr import files


def feature_path(workdir: pathlib.Path, name: str) -> pathlib.Path:
    """Says where the feature vectors of an image are.

    Args:
      workdir: the working directory.
      name: the image's.

    Returns:
      The file.
    """
    return workdir / "features" / f"{name}.npz"


def save_features(workdir: pathlib.Path, name: str, arrays: dict[str, np.ndarray]) -> None:
    """Writes the feature vectors of one image so that they are there whole or not at all.

    Args:
      workdir: the working directory.
      name: the image's.
      arrays: to write.
    """
    path = feature_path(workdir, name)
    path.parent.mkdir(exist_ok=True)
    files.write_arrays(path, arrays)


class FeatureFile(Mapping):
    """The feature vectors of one image, read when they are asked for.

    Args:
      path: of the file, which is not kept open: a system allows some thousand open files.
    """

    def __init__(self, path: pathlib.Path):
        self._path = path

    def __getitem__(self, key: str) -> np.ndarray:
        with np.load(self._path) as archive:
            return archive[key]

    def __iter__(self):
        with np.load(self._path) as archive:
            return iter(archive.files)

    def __len__(self) -> int:
        return len(list(iter(self)))
