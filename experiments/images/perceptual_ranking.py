"""Blindness of metrics: distortions of known order, scored by every metric beside noise of the same error.

    python -m experiments.images.perceptual_ranking --preset=quick --workdir=runs/perceptual_ranking/quick

Every image is distorted in seven ways at four strengths: blur, noise, JPEG, shift, brightness, texture (blocks from
near by in place of the right ones) and codec (our overfitted codec, fitted for squared error at four rates). A metric's
response to a distortion is the squared error of the white noise that it scores alike, over the distortion's own, in
octaves: 0 is what the squared error says, -3 means that the metric takes eight times the squared error to mind it as
much as noise. `order` is the rank correlation of score and strength. A maximum differentiation search then finds images
that one metric cannot tell apart and another finds as different as possible.

With --scores=CSV --images=DIR (columns dist_img, ref_img, dmos as in KADID-10k, or mos; or TID2013's
mos_with_names.txt) the metrics are also compared with people's opinions.

Images: scikit-image's by name (astronaut, coffee, rocket, grass; extra `textures`), `waves` (drawn here), or files.
Writes blindness.csv, scores.csv, maximum_differentiation.csv and .npz, opinions.csv. A run that was interrupted
goes on where it was. quick: about ten minutes on 2 quiet cores; full: for a GPU. Expected (quick, seed 0): a change of
brightness has the response -4.3 octaves of SSIM and -4.7 of LPIPS and DISTS; texture of other places -3.0 of LPIPS,
-3.1 of DISTS and -1.7 of SSIM.
"""

import dataclasses
import functools
import pathlib
import sys
import time
from typing import Any

import jax
import numpy as np

from experiments.images.distortions import CODEC, NUM_LEVELS, RD_LAMBDAS, noise_of_equal_error
from experiments.images.perceptual_scoring import (  # fmt: skip
    NATURAL_PATCH,
    blindness,
    make_suite,
    score_image,
    score_sets,
)
from rdr import command_line, files
from rdr.command_line import option
from rdr.data.image_io import read_image
from rdr.data.image_pairs import as_float
from rdr.evaluation import subjective_scores, tables
from rdr.evaluation.metric_suite import MetricSuite, dissimilarity
from rdr.evaluation.opinion_scoring import score_opinions
from rdr.metrics import niqe
from rdr.metrics.full_reference import FULL_REFERENCE, full_reference
from rdr.metrics.maximum_differentiation import mad_competition


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; each field says what it is."""

    pictures: tuple[str, ...] = option(("astronaut", "coffee", "rocket", "grass"), "what is distorted")
    size: int = option(176, "side of the square cut out of their middle, pixels")
    halvings: int = option(1, "how often the resolution is halved before")
    metrics: tuple[str, ...] = option(
        (
        "mse", "ssim", "ms_ssim", "nlpd", "ciede2000", "csf", "cvvdp", "lpips_alexnet", "dists", "wd_vgg16",
    ),
        'full-reference metrics; "mse" is always there')
    embeddings: tuple[str, ...] = option(("alexnet",), "feature spaces of Fréchet distances")
    natural: bool = option(True, "whether natural scene statistics are scored")
    codec_steps: int = option(150, "codec steps of each fit of our codec; 0 leaves it out")
    batch_size: int = option(4, "images per call and device")
    hold: str = option(
        "mse", "metric that the maximum differentiation search keeps; and in a second search, the one that it varies")
    vary: str = option("lpips_alexnet", "the other metric")
    steps: int = option(60, "steps of the search; 0 for none")
    step_size: float = option(0.01, "step size of the search's first step")
    scores: str = option("", "CSV file of opinions; empty for none")
    images: str = option("", "folder of the images that it names")
    seed: int = option(0, "random seed of everything random")


PRESETS = {
    "smoke": Config(
        pictures=("waves",), size=64, halvings=0, metrics=("mse", "ssim", "csf"), embeddings=("steerable",),
        natural=False, codec_steps=10, batch_size=8, vary="ssim", steps=8,
    ),
    "quick": Config(),
    "full": Config(
        pictures=("astronaut", "coffee", "rocket", "grass", "gravel", "brick"), size=208, halvings=1,
        metrics=tuple(name for name in FULL_REFERENCE if name != "psnr"),
        embeddings=("alexnet", "vgg16", "efficientnet_lite0"), codec_steps=2000, batch_size=8, steps=300,
    ),
}  # fmt: skip


def load_color(name: str, halvings: int) -> np.ndarray:
    """Loads an image.

    Args:
      name: of scikit-image, "waves", or a file.
      halvings: how often its resolution is halved.

    Returns:
      [height, width, 3], float32, in [0, 1].

    Raises:
      ValueError: if there is no such image; says what to install.
    """
    if name == "waves":
        y, x = np.mgrid[:96, :96] / 8
        waves = [np.sin(2 * np.pi * (x + 0.3 * np.sin(y))), np.cos(2 * np.pi * (y - 0.5 * x)), np.sin(x * y / 6)]
        image = 0.5 + 0.2 * np.stack(waves, -1) + 0.15 * (np.hypot(x - 6, y - 6) < 3)[..., None]
    elif pathlib.Path(name).suffix:
        image = as_float(read_image(name, channels=3))
    else:
        try:
            from skimage import data

            image = getattr(data, name)() / 255
        except (ImportError, AttributeError):
            raise ValueError(
                f"pictures: there is no {name!r}; scikit-image's need `pip install rdr-jax[textures]`, others are "
                "'waves' or files"
            ) from None
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, 2)
    for _ in range(halvings):
        height, width = (n - n % 2 for n in image.shape[:2])
        image = image[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
    return image.astype(np.float32)


def cut_middle(image: np.ndarray, size: int, name: str) -> np.ndarray:
    """Cuts the middle out of an image and rounds it to 8 bits.

    Args:
      image: [height, width, 3].
      size: side of the square.
      name: for messages.

    Returns:
      [size, size, 3], float32.

    Raises:
      ValueError: if the image is smaller.
    """
    top, left = ((n - size) // 2 for n in image.shape[:2])
    if min(top, left) < 0:
        raise ValueError(f"size must be at most that of every image, {name} has {image.shape[:2]}, got {size}")
    return as_float(np.uint8(np.round(255 * image[top : top + size, left : left + size])))


def search(suite: MetricSuite, config: Config, image: np.ndarray) -> tuple[dict[str, list], dict[str, np.ndarray]]:
    """Searches for maximum differentiation between two metrics, both ways.

    Args:
      suite: the configuration's metrics; those of the search are added if they are not among them.
      config: settings.
      image: the reference.

    Returns:
      Columns held, varied, direction and the values of both metrics at start and end; and images in 8 bits by name.
    """
    start = noise_of_equal_error(image, 0.05**2, seed=config.seed + 1)[None]
    reference = image[None]

    def distance(name):
        metric = suite.metrics.get(name) or full_reference(name)

        def call(candidate):
            return dissimilarity(metric, metric(candidate, reference)[0])

        return call

    images = {"reference": image, "start": start[0]}
    rows = []
    for held, varied in ((config.hold, config.vary), (config.vary, config.hold)):
        hold, vary = distance(held), distance(varied)
        for maximize in (False, True):
            result = mad_competition(hold, vary, start, maximize=maximize, steps=config.steps,
                                    step_size=config.step_size)
            direction = "most" if maximize else "least"
            images[f"{held} held, {direction} {varied}"] = np.asarray(result.image[0])
            # Of the image as it is kept, in 8 bits.
            retained = np.round(255 * np.asarray(result.image)).astype(np.float32) / np.float32(255)
            rows.append((held, varied, direction, float(hold(start)), float(hold(retained)), float(vary(start)),
                         float(vary(retained))))
            print(f"{held} held at {rows[-1][4]:.5g}, {direction} {varied}: {rows[-1][6]:.5g}", flush=True)
    names = ("held", "varied", "direction", "held_start", "held_end", "varied_start", "varied_end")
    return dict(zip(names, map(list, zip(*rows)))), {k: np.uint8(np.round(255 * v)) for k, v in images.items()}


def judge_metrics(suite: MetricSuite, config: Config, workdir: pathlib.Path) -> list[dict[str, Any]]:
    """Compares metrics with the opinions of people.

    Args:
      suite: the metrics.
      config: names table and folder.
      workdir: where `opinions.jsonl` is kept.

    Returns:
      Rows of `subjective_scores.agreement`.

    Raises:
      ValueError: if the table or an image cannot be read, or sizes differ.
    """
    opinions = subjective_scores.read_scores(config.scores)
    folder = config.images or pathlib.Path(config.scores).parent
    values = score_opinions(opinions, folder, suite, workdir / "opinions.jsonl")
    directions = {name: metric.higher_is_better for name, metric in suite.metrics.items()}
    return subjective_scores.agreement(values, directions, opinions, seed=config.seed)


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Runs the experiment.

    Args:
      config: settings.
      workdir: where to write and resume from.

    Returns:
      The columns of `blindness.csv`.

    Raises:
      ValueError: if an image, metric or table cannot be used.
    """
    began = time.perf_counter()
    workdir = pathlib.Path(workdir)
    stems = [pathlib.Path(name).stem for name in config.pictures]
    if not stems or len(set(stems)) < len(stems):
        raise ValueError(f"pictures must be one or more of different names, got {', '.join(stems)}")
    if config.scores:
        subjective_scores.read_scores(config.scores)
    whole = {name: load_color(name, config.halvings) for name in config.pictures}
    cut = {name: cut_middle(image, config.size, name) for name, image in whole.items()}
    suite = make_suite(config)
    records = [r for name, image in cut.items() for r in score_image(suite, config, name, image, workdir)]
    fit = None
    if config.natural:
        result = [niqe.compiled_patch_statistics(x[None], patch_size=NATURAL_PATCH)
                 for x in whole.values()]
        statistics, sharpness = (np.concatenate([np.asarray(f[k][0]) for f in result]) for k in range(2))
        fit = niqe.fit_natural_model(statistics, sharpness, patch_size=NATURAL_PATCH, threshold=0.25)
    sets = score_sets(suite, config, records, workdir, fit)
    columns = blindness(records, sets)
    header = {
        "response": "log2 of (squared error of the white noise of equal score / squared error); median over levels",
        "order": "Spearman correlation of score and level; mean over images",
        "pictures": " ".join(stems), "size": config.size, "seed": config.seed,
        "device": jax.devices()[0].device_kind,
    }  # fmt: skip
    if config.codec_steps:
        rates = np.mean([r["bits_per_pixel"] for r in records if r["distortion"] == CODEC], axis=0)
        header["codec"] = (f"rdr.codecs.overfitted fitted for squared error in {config.codec_steps} steps; lambda "
                           f"{' '.join(f'{x:g}' for x in RD_LAMBDAS)}; "
                           f"{' '.join(f'{x:.3f}' for x in rates)} bits per pixel (mean over images)")
    tables.write_table(workdir / "blindness.csv", columns, header)
    rows = [
        (pathlib.Path(r["picture"]).stem, r["distortion"], level, r["mse"][level], metric, s["distorted"][level],
         s["noise"][level])
        for r in records for metric, s in r["scores"].items() for level in range(NUM_LEVELS)
    ]  # fmt: skip
    names = ("picture", "distortion", "level", "mse", "metric", "score", "score_of_noise")
    tables.write_table(workdir / "scores.csv", dict(zip(names, map(list, zip(*rows)))), {"seed": config.seed})
    if config.steps:
        first = next(iter(cut.values()))
        table, images = search(suite, config, first)
        header = {"picture": stems[0], "steps": config.steps, "seed": config.seed}
        tables.write_table(workdir / "maximum_differentiation.csv", table, header)
        files.write_arrays(workdir / "maximum_differentiation.npz", images, compressed=True)
    if config.scores:
        opinions = judge_metrics(suite, config, workdir)
        tables.write_table(
            workdir / "opinions.csv", {key: [row[key] for row in opinions] for key in opinions[0]},
            {"scores": pathlib.Path(config.scores).name, "intervals": "95 % bootstrap over originals"},
        )  # fmt: skip
        print(tables.render({key: [row[key] for row in opinions] for key in opinions[0]}, digits=3))
    tables.write_run_record(
        workdir, name="experiments.images.perceptual_ranking", config=config,
        duration_seconds=time.perf_counter() - began
    )
    print(tables.render(columns, digits=2))
    return columns


main = functools.partial(command_line.main, __doc__, PRESETS, run)

if __name__ == "__main__":
    sys.exit(main())
