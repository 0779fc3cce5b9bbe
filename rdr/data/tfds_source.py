"""Data sets that TFDS knows by name, when they are on this machine already."""

import pathlib
from typing import Any

import tensorflow_datasets as tfds


def named_source(name: str, *, data_dir: str | pathlib.Path | None = None, split: str = "train") -> Any:
    """Opens a prepared data set; nothing is downloaded.

    Args:
      name: TFDS's name, such as "clic" or "div2k/bicubic_x2:2.0.0".
      data_dir: where it was prepared; default TFDS's own directory.
      split: which part.

    Returns:
      Random access to examples that hold "image".

    Raises:
      ValueError: if the data set is unknown, or not prepared here as array records, or has no images.
    """
    where = str(data_dir) if data_dir is not None else tfds.core.constants.DATA_DIR
    command = f"tfds build {name} --file_format=array_record --data_dir={where}"
    try:
        source = tfds.data_source(name, split=split, data_dir=data_dir, download=False)
    except Exception as error:
        # TFDS reports by many exception types, some of them pages long.
        lines = [line for line in str(error).splitlines() if line.strip()]
        cause = lines[0] if lines else repr(error)
        raise ValueError(f"images: the data set {name!r} is not ready in {where} ({cause}): "
                         f"prepare it where there is a network, with `{command}`, or name a folder") from None
    if "image" not in source.dataset_info.features:
        raise ValueError(f"images: the data set {name!r} has no feature \"image\", but "
                         f"{', '.join(source.dataset_info.features)}")
    return source
