"""Any folder of images as a TensorFlow data set of patches, without TensorFlow.

The images are cut once and stored uncompressed as array records, from which a random patch is read thousands of times
a second; decoding whole PNGs for every crop would be tens of times slower.
"""

import contextlib
import hashlib
import io
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from rdr.data.folders import Skipped, cut_patches, list_images
from rdr.data.image_io import read_image


class ImagePatches(tfds.core.GeneratorBasedBuilder):
    """Patches of images; made by `prepare_folder` and `prepare_images`.

    Attributes:
      skipped: images that were left out while it was made.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, images: Callable[[], Iterable[tuple[str, Any]]] = tuple, size: int = 256,
                 strict: bool = False, **options: Any):
        """Makes a builder; nothing is read yet.

        Args:
          images: gives names with images, or with functions that read them.
          size: side of a patch.
          strict: whether an image that cannot be used is an error.
          **options: of TFDS's builder, such as `data_dir` and `config`.
        """
        self._images, self._size, self._strict = images, size, strict
        self.skipped: list[Skipped] = []
        super().__init__(file_format="array_record", **options)

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict({
            "image": tfds.features.Tensor(shape=(self._size, self._size, 3), dtype=np.uint8,
                                           encoding=tfds.features.Encoding.BYTES),
        })
        return tfds.core.DatasetInfo(builder=self, description=f"{self._size} x {self._size} patches of images, sRGB.",
                                     features=features)

    def _split_generators(self, dl_manager: Any) -> dict:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator:
        count = 0
        for name, image in self._images():
            try:
                image = image() if callable(image) else image
                patches = cut_patches(image, self._size)
                if not patches:
                    height, width = image.shape[:2]
                    raise ValueError(f"{name} has {height} x {width} pixels, less than a patch of {self._size} x "
                                     f"{self._size}")
            except ValueError as error:
                if self._strict:
                    raise
                self.skipped.append(Skipped(name, str(error)))
                continue
            for patch in patches:
                yield f"{count:08d}", {"image": patch}
                count += 1
        if not count:
            first = f", the first because {self.skipped[0].reason}" if self.skipped else ""
            raise ValueError(f"no image of {len(self.skipped)} can be used{first}")


def prepare_folder(folder: str | pathlib.Path, data_dir: str | pathlib.Path, *, size: int = 256,
                   strict: bool = False) -> tuple[Any, list[Skipped]]:
    """Makes a data set of a folder's images, or finds the one made before.

    Args:
      folder: of images, at any depth.
      data_dir: where data sets are kept.
      size: side of a patch.
      strict: whether a damaged or small image is an error; otherwise it is left out, and named in the result.

    Returns:
      A random-access source of {"image": uint8 [size, size, 3]}, and the images that were left out.

    Raises:
      ValueError: if the folder holds no image that can be used, or, if strict, one that cannot.
    """
    folder = pathlib.Path(folder)
    paths = list_images(folder)
    listing = [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    mark = hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:12]

    def images() -> Iterator:
        for path in paths:
            yield path.relative_to(folder).as_posix(), lambda path=path: read_image(path, channels=3, depth="eight")

    return _prepare(images, f"folder_{mark}_{size}{'_strict' if strict else ''}", data_dir, size, strict)


def prepare_sample_images(data_dir: str | pathlib.Path, *, size: int = 256) -> tuple[Any, list[Skipped]]:
    """Makes a data set of the photographs and textures that come with scikit-image: an input without network.

    Args:
      data_dir: where data sets are kept.
      size: side of a patch.

    Returns:
      As `prepare_folder`.
    """
    return _prepare(sample_images, f"pictures_{size}", data_dir, size, False)


def sample_images() -> Iterator[tuple[str, np.ndarray]]:
    """The images that scikit-image holds in its package.

    Yields:
      Names and uint8 images [height, width, 3].

    Raises:
      ValueError: if scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError:
        raise ValueError("images: the default images are those of scikit-image: install the extra `textures`, or "
                         "name a folder") from None
    for name in ("astronaut", "coffee", "chelsea", "rocket", "brick", "grass", "gravel"):
        image = np.asarray(getattr(data, name)(), np.uint8)
        yield name, image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)


def _prepare(images: Callable, config: str, data_dir: str | pathlib.Path, size: int, strict: bool):
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    builder = ImagePatches(images=images, size=size, strict=strict, data_dir=str(data_dir),
                           config=tfds.core.BuilderConfig(name=config, version="1.0.0"))
    record = pathlib.Path(data_dir) / f"{config}_skipped.json"
    if not builder.data_path.exists():
        try:
            tfds.disable_progress_bar()
            with contextlib.redirect_stdout(io.StringIO()):  # TFDS speaks of a download; there is none
                builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=1))
        except Exception as error:
            cause = _cause(error, ValueError)
            if cause is not None:
                raise ValueError(f"images: {cause}") from None
            raise
        record.write_text(json.dumps(builder.skipped), encoding="utf-8")
    skipped = [Skipped(*entry) for entry in json.loads(record.read_text(encoding="utf-8"))] if record.exists() else []
    return builder.as_data_source(split="train"), skipped


def _cause(error: BaseException | None, kind: type) -> BaseException | None:
    """The innermost exception of a kind: TFDS wraps what its generators raise."""
    result, inner = None, error
    while inner is not None:
        result = inner if isinstance(inner, kind) else result
        inner = inner.__cause__ or inner.__context__
    return result
