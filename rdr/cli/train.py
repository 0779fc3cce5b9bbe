"""Trains an image codec and writes it to a file that encodes and decodes.

    python -m rdr.cli.train --preset=quick --images=FOLDER_OR_TFDS_NAME --workdir=runs/train/quick

`--images` is a folder of images, a .npy file of patches, the name of a TFDS data set that is prepared on this machine,
or empty for the pictures that come with scikit-image. `--resident` keeps the patches on the devices and crops them
there, which leaves the host alone. `--config=FILE.json` sets any of the flags below, and flags override it. The same
command resumes a run that was interrupted. Several processes: --coordinator=HOST:PORT --num_processes=N
--process_id=I in each, the workdir on a disk that all see. --profile writes a profile of a few steps.

A codec with a realism weight is trained in two stages: first without (`--stage=distortion`), then, from its
codec.npz (`--start=FILE`), the decoder's second set of weights with the first at rest (`--stage=realism`).

Writes checkpoints/, metrics.jsonl, run.json, and at the end codec.npz. smoke: seconds; quick: half an hour on 2
cores; full: for a GPU.
"""

import argparse
import dataclasses
import difflib
import json
import pathlib
import sys
import time
import typing
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from rdr import command_line, sharding
from rdr.codecs.image import NAMES, files, make_codec, objective, pca_init
from rdr.codecs.image.codec import TRANSFORMS
from rdr.data import on_device
from rdr.data.arrays import read_array, stack_images
from rdr.evaluation import tables
from rdr.training.engine import train_on_batches
from rdr.training.step import initial_state, make_optimizer, make_step

_DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
_COMPONENTS_OF = 128  # images that principal components are computed of


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a training.

    Attributes:
      images: a folder, a .npy file of patches, or the name of a TFDS data set; empty: scikit-image's pictures.
      strict: whether an image that cannot be used is an error; otherwise it is named and left out.
      codec: one of `rdr.codecs.image.NAMES`.
      channels: N.
      latents: M.
      transforms: "gdn" or "residual".
      rate_levels: of the rate input; 0 for none.
      lambda_low: weight of 255^2 MSE at the first rate level, or of a codec of one rate.
      lambda_high: weight at the last level.
      stage: "distortion" or "realism".
      start: codec.npz of the stage before; empty: from scratch.
      initial: of GDN transforms from scratch: "principal" components of the images, or "random" as in the papers;
        residual ones are random in any case.
      patch: side of the stored patches.
      crop: side of the crops in a batch.
      resident: whether patches are held, cropped and mirrored on the devices.
      batch: of all devices together.
      steps: of training.
      learning_rate: of Adam, the highest.
      warmup: steps of rising learning rate.
      clip: largest norm of a gradient.
      decay: of the moving average of parameters.
      precision: of the transforms: "float32" or "bfloat16".
      perceptual_weight: of LPIPS (AlexNet) at realism weight 1, in bits per pixel (realism stage).
      structure_weight: of DISTS at realism weight 1, in bits per pixel (realism stage); 0 saves most of the time.
      texture_weight: of the Wasserstein distortion of the image at realism weight 1, times 255^2 lambda.
      texture_sigma: its width, in pixels.
      log_every: steps between lines of metrics.jsonl.
      save_every: steps between checkpoints.
      seed: of everything.
    """

    images: str = ""
    strict: bool = False
    codec: str = "mbt2018-mean"
    channels: int = 64
    latents: int = 96
    transforms: str = "gdn"
    rate_levels: int = 5
    lambda_low: float = 0.0018
    lambda_high: float = 0.0483
    stage: str = "distortion"
    start: str = ""
    initial: str = "principal"
    patch: int = 256
    crop: int = 128
    resident: bool = False
    batch: int = 8
    steps: int = 20_000
    learning_rate: float = 1e-3
    warmup: int = 200
    clip: float = 1.0
    decay: float = 0.999
    precision: str = "float32"
    perceptual_weight: float = 1.0
    structure_weight: float = 0.0
    texture_weight: float = 0.5
    texture_sigma: float = 4.0
    log_every: int = 50
    save_every: int = 250
    seed: int = 0

    def __post_init__(self):
        if self.codec not in NAMES:
            raise ValueError(f"codec must be one of {', '.join(NAMES)}, got {self.codec!r}")
        if self.stage not in ("distortion", "realism"):
            raise ValueError(f"stage must be distortion or realism, got {self.stage!r}")
        if self.stage == "realism" and not self.start:
            raise ValueError("the realism stage goes on from a codec: give --start=codec.npz of the distortion stage")
        if self.initial not in ("principal", "random"):
            raise ValueError(f"initial must be principal or random, got {self.initial!r}")
        if self.transforms not in TRANSFORMS:
            raise ValueError(f"transforms must be one of {', '.join(TRANSFORMS)}, got {self.transforms!r}")
        if self.precision not in _DTYPES:
            raise ValueError(f"precision must be float32 or bfloat16, got {self.precision!r}")
        for name in ("channels", "latents", "patch", "crop", "batch", "steps", "log_every", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.crop % 64 or self.crop > self.patch:
            raise ValueError(f"crop must be a multiple of 64 and at most patch, got {self.crop} and {self.patch}")
        for name in ("lambda_low", "lambda_high", "learning_rate", "clip"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be in [0, 2^32), got {self.seed}")


PRESETS = {
    "smoke": Config(codec="bmshj2018-factorized", channels=8, latents=12, rate_levels=2, patch=128, crop=64, batch=2,
                    steps=8, warmup=2, log_every=2, save_every=4),
    "quick": Config(lambda_low=0.0012, lambda_high=0.02, batch=4, steps=8000, learning_rate=7e-4, warmup=100,
                    save_every=100),
    "full": Config(channels=128, latents=192, rate_levels=8, crop=256, batch=16, steps=1_000_000, learning_rate=1e-4,
                   decay=0.9999, log_every=500, save_every=5000),
}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where and how a run happens, which its results do not depend on.

    Attributes:
      coordinator: HOST:PORT of process 0; empty for one process.
      num_processes: how many.
      process_id: which this is.
      profile: whether to write a profile.
    """

    coordinator: str = ""
    num_processes: int = 1
    process_id: int = 0
    profile: bool = False


def image_source(config: Config, data_dir: pathlib.Path) -> Any:
    """Opens the images that a configuration names; says which were left out.

    Args:
      config: settings.
      data_dir: where patches are stored.

    Returns:
      Random access to {"image": uint8 array}.
    """
    if config.images.endswith(".npy"):
        return read_array(config.images)
    # TFDS takes seconds to import, and is not needed by those who only ask for --help.
    from rdr.data import patches, tfds_source

    skipped = []
    if not config.images:
        source, skipped = patches.prepare_pictures(data_dir, size=config.patch)
    elif pathlib.Path(config.images).exists() or config.images.startswith(("/", ".")):
        source, skipped = patches.prepare_folder(config.images, data_dir, size=config.patch, strict=config.strict)
    else:
        source = tfds_source.named_source(config.images)
    if skipped:
        print(f"{len(skipped)} images were left out: " + "; ".join(entry.reason for entry in skipped[:5])
              + (" .." if len(skipped) > 5 else ""), file=sys.stderr)
    return source


def batches_of(source: Any, config: Config, mesh: Mesh) -> Callable[[int], Iterator]:
    """Chooses the loader.

    Args:
      source: random access to {"image": uint8 array}.
      config: settings.
      mesh: devices.

    Returns:
      `batches(start)` for `rdr.training.engine.fit`.
    """
    common = {"batch": config.batch, "crop": config.crop, "seed": config.seed}
    if config.resident:
        images = stack_images(source)
        return lambda start: on_device.batches(images, start=start, mesh=mesh, **common)
    from rdr.data import loader  # grain, too, takes seconds to import

    return lambda start: loader.batches(source, start=start, process=jax.process_index(),
                                        processes=jax.process_count(), **common)


def start_at_principal_components(params: Any, source: Any, config: Config) -> Any:
    """Puts principal components of some of the images into fresh parameters, the same in every process.

    Args:
      params: from the codec's `init`.
      source: random access to {"image": uint8 array}.
      config: settings.

    Returns:
      The parameters.

    Raises:
      ValueError: if an image is smaller than a crop, or not of three channels.
    """
    places = np.unique(np.linspace(0, len(source) - 1, _COMPONENTS_OF).astype(int))
    images = [source[int(place)]["image"][: config.crop, : config.crop] for place in places]
    for image in images:
        if image.shape != (config.crop, config.crop, 3):
            raise ValueError(f"images: the data set must hold images of three channels and at least {config.crop} x "
                             f"{config.crop} pixels, got one of shape {image.shape}")
    params = pca_init.principal_start(params, np.stack(images), weights=(config.lambda_low, config.lambda_high))
    return multihost_utils.broadcast_one_to_all(params) if jax.process_count() > 1 else params


def codec_options(config: Config) -> dict:
    """What `make_codec` is called with."""
    return {"name": config.codec, "channels": config.channels, "latents": config.latents,
            "transforms": config.transforms, "rate_levels": config.rate_levels, "realism": config.stage == "realism"}


def run(config: Config, workdir: pathlib.Path, place: Place = Place()) -> dict[str, float]:
    """Trains, and writes the codec.

    Args:
      config: settings.
      workdir: an existing directory; an interrupted run in it goes on.
      place: where it runs.

    Returns:
      The metrics of the last line of metrics.jsonl.
    """
    started = time.monotonic()
    mesh = sharding.data_mesh()
    sharding.check_batch(config.batch, mesh)
    first = jax.process_index() == 0
    data_dir = workdir / "data"
    source = image_source(config, data_dir) if first else None
    if jax.process_count() > 1:
        sharding.barrier("data")
        source = source if first else image_source(config, data_dir)
    options = codec_options(config)
    codec = make_codec(**options)
    params = codec.init(jax.random.key(config.seed))
    if config.start:
        loaded = files.load_codec(config.start)
        if {"transforms": "gdn", **loaded.options, "realism": None} != {**options, "realism": None}:
            raise ValueError(f"start: {config.start} holds a codec with the options {loaded.options}, asked for are "
                             f"{options}")
        params |= {part: tree for part, tree in loaded.params.items() if part in params}
    elif config.initial == "principal" and config.transforms == "gdn":
        params = start_at_principal_components(params, source, config)
    lambdas = (config.lambda_low, config.lambda_high)
    if config.stage == "distortion":
        trained, rest = params, {}
        loss = objective.rate_distortion_loss(codec, rate_levels=config.rate_levels, weights=lambdas,
                                              dtype=_DTYPES[config.precision])
    else:
        trained = {"realism": params["realism"]}
        rest = {part: tree for part, tree in params.items() if part != "realism"}
        loss = objective.realism_loss(codec, rest, rate_levels=config.rate_levels, weights=lambdas,
                                      perceptual_weight=config.perceptual_weight, texture_weight=config.texture_weight,
                                      texture_sigma=config.texture_sigma,
                                      structure_weight=config.structure_weight, dtype=_DTYPES[config.precision])
    optimizer = make_optimizer(learning_rate=config.learning_rate, steps=config.steps, warmup=config.warmup,
                               clip=config.clip)
    state = train_on_batches(
        initial_state(trained, optimizer), make_step(loss, optimizer, seed=config.seed, decay=config.decay),
        batches_of(source, config, mesh), steps=config.steps, directory=workdir, log_every=config.log_every,
        save_every=config.save_every, mesh=mesh, description=config.codec, profile=place.profile)
    last = json.loads((workdir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    if first:
        export(config, {**rest, **state.average}, workdir, steps=int(state.step))
        tables.write_run_record(workdir, name="rdr.cli.train", config=config,
                                 duration_seconds=time.monotonic() - started)
        print(f"{workdir / 'codec.npz'}: " + ", ".join(f"{name} {value:.5g}" for name, value in last.items()))
    return last


def export(config: Config, params: Any, workdir: pathlib.Path, *, steps: int) -> str:
    """Writes codec.npz.

    Args:
      config: settings.
      params: of the codec, not finalized.
      workdir: where.
      steps: how many steps it has seen, for the notes.

    Returns:
      The file's SHA-256.
    """
    options = codec_options(config)
    params = make_codec(**options).finalize(files.half_precision(params))
    # The folder's own name says enough; the rest of its path is the machine's business.
    notes = {**dataclasses.asdict(config), "images": pathlib.Path(config.images).name or "scikit-image",
             "start": pathlib.Path(config.start).name, "steps_done": steps}
    return files.save_codec(workdir / "codec.npz", options, params, notes={"training": notes})


def read_config_file(path: str) -> dict[str, Any]:
    """Reads the values of a configuration file.

    Args:
      path: a JSON file with names of `Config`'s fields.

    Returns:
      Values by name, each of its field's type; whether they fit together shows when flags are known, too.

    Raises:
      ValueError: if it cannot be read, or a name or a type is wrong.
    """
    try:
        values = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"config: {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"config: {path} is no JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"config: {path} must hold one JSON object")
    hints = typing.get_type_hints(Config)
    for name, value in values.items():
        if name not in hints:
            near = difflib.get_close_matches(name, hints, 1)
            raise ValueError(f"config: {path} sets {name!r}, which does not exist"
                             + (f"; did you mean {near[0]!r}?" if near else ""))
        kind = hints[name]
        fits = isinstance(value, (int, float) if kind is float else kind) and isinstance(value, bool) == (kind is bool)
        if not fits:
            raise ValueError(f"config: {path} sets {name} to {value!r}, which is no {kind.__name__}")
    return values


class _Parser(argparse.ArgumentParser):
    """One sentence instead of a page and an exit."""

    def error(self, message: str) -> typing.NoReturn:
        raise ValueError(message)


def main(argv: list[str] | None = None) -> int:
    """Runs the training from the command line."""
    def call():
        given = list(sys.argv if argv is None else argv)
        parser = _Parser(add_help=False, allow_abbrev=False)
        parser.add_argument("--config", default="")
        parser.add_argument("--coordinator", default="")
        parser.add_argument("--num_processes", type=int, default=1)
        parser.add_argument("--process_id", type=int, default=0)
        parser.add_argument("--profile", action="store_true")
        mine, rest = parser.parse_known_args(given[1:])
        values = read_config_file(mine.config) if mine.config else {}
        config, workdir = command_line.parse(__doc__, PRESETS, [given[0], *rest], values_of_file=values)
        place = Place(mine.coordinator, mine.num_processes, mine.process_id, mine.profile)
        sharding.initialize_distributed(place.coordinator, place.num_processes, place.process_id)
        if jax.process_index() == 0:
            command_line.open_workdir(workdir, config)
        if jax.process_count() > 1:
            sharding.barrier("workdir")
        run(config, workdir, place)

    return command_line.run_safely(call)


if __name__ == "__main__":
    sys.exit(main())
