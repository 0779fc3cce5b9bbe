"""Diffusion codecs of small images with a network for a denoiser: real bytes beside bounds and a linear codec.

    python -m experiments.images.diffusion_codecs --preset=quick --data=fashion_mnist \\
        --folder=/usr/share/datasets/fashion-mnist --workdir=RUN
    python -m paper_figures.image_diffusion_codecs --table=RUN/points.csv

Fashion-MNIST (Debian's dataset-fashion-mnist) as means over 16 x 16 cells, patches of a folder of photographs, or
scikit-learn's digits. The denoiser is the network that comes with the package (`--network=pretrained`), one from a
file, or one that is trained here (empty); "linear" is the denoiser of the Gaussian with the same moments: what the
network adds is what lies between the two. Codecs are those of `rdr.codecs.diffusion`: uniform noise (UQDM), layered
dithers and lattices (DiffC), with the probability flow (F), a posterior sample (A) or the denoiser's output (mean) for
a decoder, and codebooks (DDCM). Beside them principal components with dithered scalars and trained transforms around
dithered scalars (`diffusion_codecs_trained`), with and without realism.

`points.csv`: a row for each codec and decoder; bits per image, squared error of an image, perception is the Frechet
distance of pixels to images that were not coded, `perception_null` that of the originals, `feature_frechet` that of
the network's last hidden layer. Bounds: upper ones are the Gaussian channel, a mixture of Gaussians and the ideals of
the denoisers (`diffusion_codecs_measures`), the lower one projections. `bounds.csv` has their points, `points.npz`
images. A point below the lower bound by more than three standard errors fails the run. It resumes.

Cost: smoke a minute of CPU time, quick 9 CPU minutes, training of the network (`--network=`) 5.4 more. Expected:
docs/results/diffusion_codecs.md.
"""

import dataclasses
import json
import pathlib
import resource
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from experiments.images import diffusion_codecs_measures as measures
from experiments.images import diffusion_codecs_trained as trained
from experiments.images import diffusion_codecs_training as training
from experiments.images.diffusion_codecs_cases import CASES, Case, add_row, make_codec
from experiments.sources import harness
from rdr import command_line, files
from rdr.bitstream import progressive
from rdr.codecs.diffusion import network, network_sources
from rdr.codecs.diffusion.sources import ExactSource
from rdr.command_line import option
from rdr.data.samples import Samples
from rdr.evaluation import tables
from rdr.randomness import shared_key

SHOWN = 12  # images of the sheet


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings; each field says what it is."""

    data: str = option("fashion_mnist", "the source", choices=training.DATA, first=True)
    folder: str = option("", "of its files", first=True)
    network: str = option("pretrained", "the denoiser: pretrained, a file that this experiment wrote, or empty: "
                                        "trained here and written to network.npz")
    side: int = option(16, "pixels of an image each way")
    cases: str = option("quick", "which codecs are measured", choices=tuple(CASES))
    vectors: int = option(1000, "images of a message")
    messages: int = option(3, "messages of a codec; standard errors are from these")
    decode_steps: int = option(8, "steps of flows and ancestral sampling")
    width: int = option(256, "of the network's hidden layers")
    blocks: int = option(3, "pairs of layers of the network")
    steps: int = option(12_000, "of training")
    batch: int = option(256, "images of a step of training")
    learning_rate: float = option(2e-3, "of Adam")
    fraction: int = option(9, "binary digits of weights behind the point")
    ideal_points: int = option(40, "of the integral of the denoisers' ideals")
    rates: tuple[float, ...] = option((5.0, 10.0, 20.0, 40.0, 80.0, 160.0), "bits that the linear codec aims at")
    codec_rates: tuple[float, ...] = option((15.0, 33.0, 70.0), "bits that the trained codec aims at")
    codec_steps: int = option(2500, "of its training")
    codec_batch: int = option(128, "images of a step of it")
    codec_hidden: tuple[int, ...] = option((256,), "widths of its transforms' hidden layers")
    fitted: int = option(4000, "images that estimators of bounds are fitted to")
    components: int = option(8, "of the mixture of Gaussians")
    mixture_steps: int = option(20, "of the mixture of Gaussians")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        for name, least in (("side", 4), ("vectors", 32), ("messages", 2), ("decode_steps", 1), ("width", 1),
                            ("blocks", 1), ("steps", 1), ("batch", 1), ("ideal_points", 4), ("fitted", 16),
                            ("components", 1), ("mixture_steps", 1), ("codec_steps", 1), ("codec_batch", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name, values in (("learning_rate", (self.learning_rate,)), ("rates", self.rates),
                             ("codec_rates", self.codec_rates)):
            if not values or not all(0.0 < value < np.inf for value in values):
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not all(width >= 1 for width in self.codec_hidden):
            raise ValueError(f"codec_hidden must be at least 1, got {self.codec_hidden}")
        if not 1 <= self.fraction <= network.FRACTION:
            raise ValueError(f"fraction must be from 1 to {network.FRACTION}, got {self.fraction}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be in [0, 2^32), got {self.seed}")


PRESETS = {
    "smoke": Config(data="digits", network="", side=8, cases="smoke", vectors=64, messages=2, decode_steps=4, width=32,
                    blocks=1, steps=200, batch=64, ideal_points=12, rates=(10.0, 40.0), codec_rates=(10.0, 40.0),
                    codec_steps=200, codec_batch=64, codec_hidden=(16,), fitted=400, components=2, mixture_steps=3),
    "quick": Config(),
    "full": Config(cases="full", network="", width=512, steps=100_000, learning_rate=1e-3, messages=8, decode_steps=32,
                   codec_rates=(7.0, 15.0, 33.0, 70.0, 130.0), codec_steps=20_000, codec_batch=256,
                   codec_hidden=(512,)),
}


def make_sources(config: Config, samples: Samples, workdir: pathlib.Path) -> dict[str, ExactSource]:
    """Finds or trains the denoiser, and makes the linear one with the same moments.

    Args:
      config: settings.
      samples: the source.
      workdir: where a trained network is kept.

    Returns:
      Sources by name of denoiser.

    Raises:
      ValueError: if the network cannot be read, or is of other images.
    """
    if config.network == "pretrained":
        file, digest = network_sources.PRETRAINED["fashion_mnist"]
        found = network_sources.load_network(network_sources.path_of(file), samples=samples.vectors, sha256=digest)
    elif config.network:
        found = network_sources.load_network(config.network, samples=samples.vectors)
    else:
        path = workdir / "network.npz"
        if not path.exists():
            model = network.statistics(samples.vectors)
            weights = training.train(
                model, samples.vectors, width=config.width, blocks=config.blocks, steps=config.steps,
                batch=config.batch, learning_rate=config.learning_rate, seed=config.seed, directory=workdir / "network")
            settings = ("width", "blocks", "steps", "batch", "learning_rate", "fraction", "seed")
            notes = {"made by": "experiments.images.diffusion_codecs", "source": samples.description,
                     **{name: getattr(config, name) for name in settings}}
            network_sources.save_network(path, model, network.round_weights(weights, fraction=config.fraction),
                                         notes=notes)
        found = network_sources.load_network(path, samples=samples.vectors)
    linear = {name: found.identity[name] for name in ("mean", "axes", "variances")}
    return {"network": found, "linear": network_sources.network_source(linear, None, samples=samples.vectors)}


def _seconds() -> float:
    """CPU seconds of this process in its own code."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def measure(config: Config, case: Case, sources: dict[str, ExactSource], samples: Samples,
            keep: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Sends held-out images with one codec.

    Args:
      config: settings.
      case: which codec.
      sources: by name of denoiser.
      samples: the images.
      keep: where the first decoded images go, by label and decoder.

    Returns:
      For each decoder: bytes of messages, squared errors of images, realism, and CPU seconds for 1,000 images.
    """
    codec = make_codec(case, sources[case.denoiser], config.decode_steps)
    params = codec.finalize(codec.init(jax.random.key(0)))
    key = jax.random.fold_in(shared_key(config.seed), np.uint32(zlib.crc32(case.label().encode())))
    sizes, heads, spent = [], [], {"encode": 0.0, **dict.fromkeys(case.decoders, 0.0)}
    decoded: dict[str, list[np.ndarray]] = {name: [] for name in case.decoders}
    x = originals(config, samples)
    for number, part in enumerate(np.split(x, config.messages)):
        shared, before = jax.random.fold_in(key, number), _seconds()
        message = codec.encode(params, part, shared_key=shared)
        spent["encode"] += _seconds() - before
        sizes.append(len(message))
        heads.append(len(message) - sum(map(len, progressive.unpack(message).packets)))
        for name in case.decoders:
            private, before = jax.random.fold_in(shared, 1) if name == "ancestral" else None, _seconds()
            decoded[name].append(codec.decode(message, params=params, shared_key=shared, condition=name,
                                              private_key=private))
            spent[name] += _seconds() - before
    rows = []
    for name in case.decoders:
        y = np.concatenate(decoded[name])
        keep[f"{case.label()}/{name}"] = y[:SHOWN]
        rows.append({
            "decoder": name, "bytes": sizes, "head_bytes": heads, "errors": np.square(x - y).sum(1).tolist(),
            **measures.realism(y, samples.vectors, sources["network"].identity, seed=config.seed)._asdict(),
            "encode_seconds": 1000.0 * spent["encode"] / len(x), "decode_seconds": 1000.0 * spent[name] / len(x)})
    return rows


def originals(config: Config, samples: Samples) -> np.ndarray:
    """The held-out images that are sent.

    Args:
      config: settings.
      samples: the source.

    Returns:
      float64 [messages * vectors, dimension].

    Raises:
      ValueError: if there are not so many.
    """
    count = config.messages * config.vectors
    if count > len(samples.held_out):
        raise ValueError(f"messages * vectors must be at most {len(samples.held_out)}, the images held out, got "
                         f"{count}")
    return samples.held_out[:count].astype(np.float64)


def reference_rows(config: Config, samples: Samples, identity: Any, keep: dict[str, np.ndarray]
                   ) -> list[dict[str, Any]]:
    """Principal components with dithered scalars, the images of all messages in one.

    Args:
      config: settings.
      samples: the images.
      identity: of the network whose features measure realism.
      keep: where the first decoded images go.

    Returns:
      Rows as `measure` makes them, each with its case.
    """
    x, rows = originals(config, samples), []
    for aim, found in zip(config.rates, measures.reference_codec(samples, x, config.rates, seed=config.seed)):
        for weight, y in found.decoded.items():
            decoder = "realistic" if weight else "mean"
            keep[f"klt-{aim:g}/{decoder}"] = y[:SHOWN]
            rows.append({"channel": "klt", "aim": aim, "decoder": decoder, "rate": found.rate,
                         "bits": found.bits.tolist(), "errors": np.square(x - y).sum(1).tolist(),
                         **measures.realism(y, samples.vectors, identity, seed=config.seed)._asdict()})
    return rows


def _kept(path: pathlib.Path, make: Callable[[dict[str, np.ndarray]], list[dict[str, Any]]]
          ) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Rows and images that an interrupted run has made, or makes them."""
    if not path.exists():
        keep: dict[str, np.ndarray] = {}
        rows = make(keep)
        files.write_arrays(path.with_suffix(".npz"), {name: np.asarray(y, np.float32) for name, y in keep.items()})
        files.write_text(path, json.dumps(rows) + "\n")
    with np.load(path.with_suffix(".npz")) as archive:
        return json.loads(path.read_text(encoding="utf-8")), dict(archive)


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Measures every codec and writes tables and images.

    Args:
      config: settings.
      workdir: an existing directory that belongs to this configuration.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: if the samples or the network cannot be used, or a point lies below its bound.
    """
    started, workdir = time.monotonic(), pathlib.Path(workdir)
    samples = training.load(config.data, config.folder, side=config.side, seed=config.seed)
    x = originals(config, samples)
    sources = make_sources(config, samples, workdir)
    (workdir / "cases").mkdir(exist_ok=True)
    ideals = {name: measures.ideal(source.denoise, x[:1000], least=0.04, points=config.ideal_points, seed=config.seed)
              for name, source in sources.items()}
    bounds = measures.bounds(
        samples, ideals, rates=config.rates, fitted=config.fitted, held_out=min(2000, len(samples.held_out)),
        components=config.components, steps=config.mixture_steps, seed=config.seed, directory=workdir,
        tell=lambda line: print(line, file=sys.stderr, flush=True))
    tables.write_table(workdir / "bounds.csv", bounds, {
        "experiment": "image_diffusion_codecs", "seed": config.seed, "source": samples.name,
        "units": "rates: bits per image; distortion: squared error of an image"})
    seen = sources["network"].identity
    null = measures.realism(x, samples.vectors, seen, seed=config.seed)
    table: dict[str, list] = {}
    rows, sheet = _kept(workdir / "cases" / "klt.json", lambda keep: reference_rows(
        config, samples, seen, keep))
    sheet["originals"] = x[:SHOWN]
    others, images = _kept(workdir / "cases" / "trained.json", lambda keep: trained.rows(
        samples, x, seen, keep, rates=config.codec_rates, steps=config.codec_steps, hidden=config.codec_hidden,
        batch=config.codec_batch, messages=config.messages, shown=SHOWN, seed=config.seed,
        directory=workdir / "trained"))
    sheet |= images
    for row in rows + others:
        add_row(table, config, samples, bounds, None, row, null)
    for case in tqdm(CASES[config.cases], desc="codecs", unit="codec"):
        rows, images = _kept(workdir / "cases" / f"{case.label()}.json", lambda keep, case=case: measure(
            config, case, sources, samples, keep))
        sheet |= images
        for row in rows:
            add_row(table, config, samples, bounds, case, row, null)
    files.write_arrays(workdir / "points.npz", {
        name: np.rint(255.0 * np.clip(y, 0.0, 1.0)).astype(np.uint8).reshape(-1, *samples.shape)
        for name, y in sheet.items()}, compressed=True)
    harness.write(
        workdir, "diffusion_codecs", config, PRESETS, table, started=started, folder="images", digits=3,
        shown=("steps", "noise", "least", "bound_upper_bits"),
        units="rates: bits per image; distortion: squared error of it; perception: Frechet distance of pixels")
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the experiment from the command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
