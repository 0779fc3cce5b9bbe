"""The command `rdr train`: trains an amortized image codec, and writes it to a file that encodes and decodes."""

import contextlib
import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from rdr import command_line, sharding
from rdr.cli.outcome import Outcome, show_json
from rdr.cli.train_config import PRESETS, Config, DistributedConfig, read_config_file
from rdr.codecs.image import files, make_codec, objective, pca_init
from rdr.command_line import CommandLine
from rdr.data import on_device
from rdr.data.arrays import read_array, stack_images
from rdr.evaluation import tables
from rdr.files import read_json_lines
from rdr.training.engine import train_on_batches
from rdr.training.step import initial_state, make_optimizer, make_step

DESCRIPTION = """
Trains an image codec and writes it to codec.npz, which `rdr encode --checkpoint=codec.npz` takes.

    rdr train --preset=quick --images=FOLDER --workdir=out

The same command resumes a run that was interrupted, and shows one that is finished. Several processes: --coordinator,
--num_processes and --process_id in each. A codec with a realism weight is trained in two stages: first without, then,
from its codec.npz, with --stage=realism --start=FILE.

Writes checkpoints/, metrics.jsonl, run.json, and at the end codec.npz. smoke: seconds; quick: half an hour on 2
cores; full: for a GPU. The extra `training` has what reads images: pip install "rdr-jax[training]".
"""
_DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
_COMPONENTS_OF = 128  # images that principal components are computed of


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
    # What reads data sets takes seconds to import, and need not be installed by those who use something else.
    skipped = []
    if not config.images:
        from rdr.data import patches

        source, skipped = patches.prepare_sample_images(data_dir, size=config.patch)
    elif pathlib.Path(config.images).exists() or config.images.startswith(("/", ".")):
        from rdr.data import patches

        source, skipped = patches.prepare_folder(config.images, data_dir, size=config.patch, strict=config.strict)
    else:
        from rdr.data import tfds_source

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
    """Names what `make_codec` is called with.

    Args:
      config: settings.

    Returns:
      The arguments by name.
    """
    return {"name": config.codec, "channels": config.channels, "latents": config.latents,
            "transforms": config.transforms, "rate_levels": config.rate_levels, "realism": config.stage == "realism"}


def run(config: Config, workdir: pathlib.Path, place: DistributedConfig | None = None) -> dict[str, float]:
    """Trains, and writes the codec.

    Args:
      config: settings.
      workdir: an existing directory; an interrupted run in it goes on.
      place: where and how it runs; default: in this process.

    Returns:
      The metrics of the last line of metrics.jsonl.

    Raises:
      ValueError: if images, options, or the codec to start from do not fit together.
    """
    started = time.monotonic()
    last = _finished(workdir, config.steps)
    if last is not None:
        return last
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
        save_every=config.save_every, mesh=mesh, description=config.codec, profile=bool(place and place.profile))
    last = read_json_lines(workdir / "metrics.jsonl")[-1]
    if first:
        export(config, {**rest, **state.average}, workdir, steps=int(state.step))
        tables.write_run_record(workdir, name="rdr train", config=config,
                                 duration_seconds=time.monotonic() - started)
    return last


def _finished(workdir: pathlib.Path, steps: int) -> dict[str, float] | None:
    """The last metrics of a run that has written its codec."""
    lines = read_json_lines(workdir / "metrics.jsonl")
    return lines[-1] if lines and lines[-1].get("step") == steps and (workdir / "codec.npz").exists() else None


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


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        started = time.monotonic()
        parsed = command_line.parse(
            CommandLine("rdr train", DESCRIPTION, PRESETS, DistributedConfig()), argv,
            further_values=lambda extra: read_config_file(extra.config) if extra.config else {})
        place, workdir = parsed.extra, parsed.required_workdir()
        sharding.initialize_distributed(place.coordinator, place.num_processes, place.process_id)
        first = jax.process_index() == 0
        with command_line.claim_workdir(workdir, parsed.config) if first else contextlib.nullcontext():
            if jax.process_count() > 1:
                sharding.barrier("workdir")
            last = run(parsed.config, workdir, place)
        if jax.process_index() == 0:
            path = workdir / "codec.npz"
            if place.json:
                outcome = Outcome(path.stat().st_size, seconds=time.monotonic() - started)
                show_json(outcome, workdir=str(workdir), **last)
            else:
                print(f"{path}: " + ", ".join(f"{name} {value:.5g}" for name, value in last.items()))

    return command_line.run_safely(call)
