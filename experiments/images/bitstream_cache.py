"""Files of the overfitted codec that an experiment wants: those that are there are read, the others fitted."""

import hashlib
import pathlib
import shutil
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rdr.codecs import overfitted
from rdr.files import write_bytes


class Fit(NamedTuple):
    """A file to be written.

    Attributes:
      stem: its name, less `.rdr`.
      image: uint8 [height, width, 1 or 3].
      options: how it is fitted.
    """

    stem: str
    image: np.ndarray
    options: overfitted.Options


def messages(fits: Sequence[Fit], workdir: pathlib.Path, *, batch: int = 1) -> dict[str, bytes]:
    """Reads or makes files in `workdir/messages`; what was interrupted goes on from `workdir/progress`.

    Args:
      fits: what is wanted.
      workdir: where files and progress are kept.
      batch: images of one size and with the same options that are fitted side by side, at most.

    Returns:
      Stem -> message, in the order asked for.

    Raises:
      ValueError: if batch is smaller than 1, or an image or an option is refused.
    """
    if batch < 1:
        raise ValueError(f"--batch must be at least 1, got {batch}")
    folder = workdir / "messages"
    paths = {fit.stem: folder / f"{fit.stem}.rdr" for fit in fits}
    missing = [fit for fit in fits if not paths[fit.stem].exists()]
    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[tuple, list[Fit]] = {}
    for fit in missing:
        kinds.setdefault((fit.image.shape, fit.options), []).append(fit)
    for (_, options), group in kinds.items():
        for start in range(0, len(group), batch):
            together = group[start : start + batch]
            stems = [fit.stem for fit in together]
            mark = hashlib.sha256("\n".join(stems).encode()).hexdigest()[:8] if len(stems) > 1 else ""
            progress = workdir / "progress" / "-".join(filter(None, (stems[0], mark)))
            made = overfitted.encode_batch([fit.image for fit in together], options, directory=progress)
            for stem, message in zip(stems, made):
                write_bytes(paths[stem], message)
            shutil.rmtree(progress, ignore_errors=True)  # megabytes for each image, and done with
    return {stem: path.read_bytes() for stem, path in paths.items()}
