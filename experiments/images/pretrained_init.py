"""Initial weights of overfitted images: a fit to a mosaic of crops of photographs.

    python -m experiments.images.pretrained_init --images=FOLDER --preset=quick --workdir=OUT

Writes `start.npz` and `mosaic.png`. Replacing `rdr/codecs/overfitted/pretrained_init.npz` needs a new format number of
the files, which hold differences to it. The committed weights are those after 2,150 of the 2,500 steps of the preset
"quick" on photographs of the Debian packages mate-backgrounds, lomiri-wallpapers-16.04, plasma-workspace-wallpapers,
palapeli-data and libjxl-testdata.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from rdr import command_line, files
from rdr.codecs.overfitted import network, training
from rdr.codecs.overfitted.architecture import Architecture
from rdr.codecs.overfitted.objectives import objective
from rdr.codecs.overfitted.schedule import Schedule, as_arrays
from rdr.command_line import option
from rdr.data.folders import images_by_name
from rdr.data.image_io import read_image, write_image
from rdr.training.loop import train_scanned

ROWS, COLUMNS, TRIES = 2, 3, 4


@dataclasses.dataclass(frozen=True)
class Config:
    """What is fitted to what; each field says what it is."""

    images: str = option("", "folder of photographs")
    side: int = option(128, "side of the crops, in pixels")
    longest: int = option(768, "photographs are reduced to this longer side first")
    rd_lambda: float = option(0.02, "lambda of the squared error")
    steps: int = option(2500, "steps of the fit")
    seed: int = option(5, "random seed of the crops")


PRESETS = {"quick": Config(), "smoke": Config(side=16, steps=10), "full": Config(side=256, steps=20_000)}


def make_mosaic(config: Config) -> np.ndarray:
    """Cuts the liveliest of four random crops from each photograph, and joins six of them, from calm to lively.

    Args:
      config: of the experiment.

    Returns:
      uint8 [2 side, 3 side, 3].

    Raises:
      ValueError: if there are fewer than six photographs of that size.
    """
    rng, crops = np.random.default_rng(config.seed), []
    for file in images_by_name(config.images).values():
        image = Image.fromarray(read_image(file, channels=3, depth="eight"))
        scale = config.longest / max(image.size)
        if scale < 1:
            image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
        image = np.asarray(image)
        if min(image.shape[:2]) < config.side:
            continue
        tried = []
        for _ in range(TRIES):
            top, left = (int(rng.integers(n - config.side + 1)) for n in image.shape[:2])
            crop = image[top : top + config.side, left : left + config.side]
            tried.append((float(np.abs(np.diff(crop.astype(np.float64), axis=0)).mean()), crop))
        crops.append(max(tried, key=lambda pair: pair[0]))
    count = ROWS * COLUMNS
    if len(crops) < count:
        raise ValueError(f"--images must hold {count} photographs of at least {config.side} pixels, got {len(crops)}")
    crops.sort(key=lambda pair: pair[0])
    chosen = [crops[i][1] for i in np.linspace(0, len(crops) - 1, count).astype(int)]
    return np.concatenate([np.concatenate(chosen[row * COLUMNS : (row + 1) * COLUMNS], 1) for row in range(ROWS)], 0)


def run(config: Config, workdir: pathlib.Path) -> None:
    """Fits and writes.

    Args:
      config: of the experiment.
      workdir: where everything is kept.
    """
    mosaic = make_mosaic(config)
    write_image(workdir / "mosaic.png", mosaic)
    arch = Architecture(*mosaic.shape)
    image = jnp.asarray(mosaic / np.float32(255), jnp.float32)
    state = training.initial_state(arch, network.initial_weights(arch, jax.random.key(0)), config.rd_lambda)
    schedule = as_arrays(Schedule(steps=config.steps))
    data = training.Data(image[None], jnp.float32(0), (), image, schedule)
    update = training.make_update(arch, objective("mse").distance, jax.random.key(1))
    state = train_scanned(state, update, steps=config.steps, chunk=min(50, config.steps), directory=workdir / "fit",
                          data=data)
    files.write_arrays(workdir / "start.npz", {name: np.asarray(w, np.float32) for name, w in state.weights.items()})


def main(argv: Sequence[str] | None = None) -> int:
    """The command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
