"""Diffusion codecs of sources with exact denoisers, in real bytes, against R(D, 0).

    python -m experiments.sources.diffusion_codecs --preset=quick --workdir=runs/diffusion_codecs/quick

For each codec, against steps and block length: bits per vector from whole messages, squared error of the decoders that
its message allows ("flow", DiffC-F; "ancestral", DiffC-A; "mean", the denoiser alone; "chosen", codebooks), and
realism: a lower bound on W2^2 to the source from its projections, beside the same figure for fresh samples of the
source, and the least p-value of Kolmogorov-Smirnov tests of projections, times their number. For Gaussian sources the
predictions in closed form: information, least bits of the coder's block length
(docs/derivations/diffusion_steps.md), D_A and D_F.

`bound_upper_bits`, and so the gap, is R(D, 0). A decoder whose output has exactly the source's distribution is held to
it; others, to R(D) or a bound below it (`bound_lower_kind`). quick: 4 minutes of CPU time.
"""

import dataclasses
import functools
import json
import pathlib
import sys
import time
import zlib
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy import stats
from tqdm import tqdm

from experiments.sources import harness, operational_rate
from experiments.sources.diffusion_bounds import source_bounds
from rdr import command_line, files
from rdr.bitstream import progressive
from rdr.codecs.diffusion import codec as diffusion
from rdr.codecs.diffusion.channels import make_channel
from rdr.codecs.diffusion.ddcm import ddcm_codec
from rdr.codecs.diffusion.sources import ExactSource, gaussian_process, mixture
from rdr.command_line import option
from rdr.randomness import shared_key
from theory.channel_simulation import gaussian_functional_information, uniform_noise_rate
from theory.gaussian.diffusion import diffusion_compression

MESSAGES = 8
DIRECTIONS = 6


class Case(NamedTuple):
    """A codec, and what is measured of it.

    Attributes:
      source: its name.
      channel: how steps are sent; "codebook-b" for codebooks of 2^b words.
      end: last time.
      steps: how many.
      decoders: which of them.
      share: its part of the configured number of vectors; slow ones get fewer.
    """

    source: str
    channel: str
    end: float
    steps: int = 1
    decoders: tuple[str, ...] = ("flow",)
    share: float = 1.0

    def label(self) -> str:
        """A name for files and messages."""
        return f"{self.source}-{self.channel}-{self.end:g}-{self.steps}"


BOTH, ALL, _THIRD = ("flow", "ancestral"), ("flow", "ancestral", "mean"), 1 / 3
_GAUSS, _LOW, _HIGH, _BW16 = "gaussian_vector", 0.95, 0.0319, 0.1162  # R(D, 0) is 2.5 and 1.6 bits per number
_OTHERS = (("gaussian_process", 0.2, _THIRD), ("mixture", 0.2, _THIRD), ("circle", 0.1, _THIRD), ("swirl", 0.03, 1 / 6),
           ("banana", 0.3, 1 / 6))
SMOKE = (Case(_GAUSS, "layered", 0.2, 1, BOTH), Case(_GAUSS, "uniform", 0.2, 4),
         Case("circle", "layered", 0.1, 2, BOTH), Case("mixture", "codebook-2", 0.02, 8, ("chosen",)))
QUICK = (
    *(Case(_GAUSS, "layered", 0.2, k, ALL if k == 1 else ("flow",)) for k in (1, 2, 4)),
    *(Case(_GAUSS, "uniform", 0.2, k, BOTH) for k in (1, 2, 4, 8, 16, 32)),
    Case(_GAUSS, "E8", 0.2, 1), Case(_GAUSS, "E8", _HIGH, 1, BOTH, 4.0), Case(_GAUSS, "BW16", _BW16, 1, share=2.0),
    Case(_GAUSS, "layered", _HIGH, 1, BOTH),
    *(Case(_GAUSS, name, _LOW, 1) for name in ("layered", "uniform")),
    *(Case(_GAUSS, name, _LOW, 1, share=0.25) for name in ("greedy-8", "greedy-32")),
    *(Case(_GAUSS, f"codebook-{b}", 0.02, k, ("chosen", "flow"), _THIRD) for b, k in ((1, 8), (1, 32), (4, 8))),
    *(Case(name, "layered", end, 1, BOTH, share) for name, end, share in _OTHERS),
    *(Case(name, "uniform", end, 8, BOTH, share) for name, end, share in _OTHERS[1:3]),
)
FULL = (
    *QUICK, *(Case(_GAUSS, "layered", end, k, BOTH) for end in (0.05, 0.5, 0.8) for k in (1, 4, 16, 64)),
    *(Case(_GAUSS, "uniform", end, k, BOTH) for end in (0.05, 0.5, 0.8) for k in (1, 4, 16, 64)),
    Case(_GAUSS, "layered", 0.2, 8), Case(_GAUSS, "layered", 0.2, 16), Case(_GAUSS, "E8", 0.2, 4),
    *(Case(_GAUSS, f"greedy-{n}", _LOW, k, share=0.5) for n in (2, 16, 64) for k in (1, 4)),
    Case(_GAUSS, "greedy-32", _LOW, 2, share=0.25),
    *(Case(name, channel, end, k, BOTH) for channel, k in (("layered", 4), ("E8", 1), ("uniform", 4), ("uniform", 16))
      for name, end, _ in _OTHERS),
    *(Case(name, "codebook-2", end, 12, ("chosen", "flow"))
      for name, end in (("mixture", 0.02), ("circle", 0.01), ("swirl", 0.003), ("banana", 0.02))),
)


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; each field says what it is."""

    cases: str = option("quick", "which codecs are measured: smoke, quick or full")
    vectors: int = option(6144, "vectors of a message; there are 8 messages a codec, some of more or fewer vectors")
    decode_steps: int = option(16, "steps of flows and ancestral sampling that are not known in closed form")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        if self.cases not in _CASES:
            raise ValueError(f"cases must be one of {', '.join(_CASES)}, got {self.cases!r}")
        if not 256 <= self.vectors <= 2**17:
            raise ValueError(f"vectors must be from 256 to 2^17, got {self.vectors}")
        if not 1 <= self.decode_steps <= 4096:
            raise ValueError(f"decode_steps must be from 1 to 4096, got {self.decode_steps}")
        harness.check_seed(self.seed)


_CASES = {"smoke": SMOKE, "quick": QUICK, "full": FULL}
PRESETS = {"smoke": Config(cases="smoke", vectors=512, decode_steps=8), "quick": Config(),
           "full": Config(cases="full", vectors=16384, decode_steps=64)}


@functools.cache
def make_source(name: str) -> ExactSource:
    """Finds the source of a case.

    Args:
      name: "mixture" (three Gaussians in the plane), "gaussian_process" (8 samples of an autoregressive process of
        coefficient .9), or one of `rdr.codecs.diffusion.codec.SOURCES`.

    Returns:
      The source.
    """
    if name == "mixture":
        return mixture([0.5, 0.3, 0.2], [[-2.0, 0.5], [1.0, -1.0], [0.5, 2.0]], [[0.15, 0.4], [0.5, 0.15], [0.2, 0.2]])
    return gaussian_process(0.9, 8) if name == "gaussian_process" else diffusion.find_source(name)


def make_codec(case: Case, decode_steps: int) -> Any:
    """Makes the codec of a case."""
    source = make_source(case.source)
    if case.channel.startswith("codebook-"):
        return ddcm_codec(source, bits=int(case.channel.partition("-")[2]), end=case.end, steps=case.steps,
                          decode_steps=decode_steps)
    return diffusion.diffusion_codec(source, channel=case.channel, end=case.end, steps=case.steps,
                                     decode_steps=decode_steps)


def is_exact(case: Case, decoder: str) -> bool:
    """Whether a decoder's output has exactly the distribution of the source: x_t is exact, and so is the way back."""
    source = make_source(case.source)
    gaussian = case.channel not in ("uniform",) and not case.channel.startswith("codebook")
    return gaussian and {"flow": source.flow, "ancestral": source.posterior_sample}.get(decoder) is not None


class Realism(NamedTuple):
    """Distances of decoded vectors to a source, from projections on the axes and on random directions.

    Attributes:
      w2_squared: dimension times the mean of W2^2 of random projections, which is at most W2^2 of the vectors.
      null: the same for fresh samples of the source.
      least_p: the smallest p-value of Kolmogorov-Smirnov tests against other samples, times their number.
    """

    w2_squared: float
    null: float
    least_p: float


def realism(source: ExactSource, y: np.ndarray, rng: np.random.Generator) -> Realism:
    """Measures how decoded vectors are distributed.

    Args:
      source: what they should be like.
      y: [n, dimension].
      rng: of the source's samples and of directions.

    Returns:
      The distances.
    """
    reference, fresh = source.sample(rng, 2 * len(y)), source.sample(rng, len(y))
    directions = rng.standard_normal((DIRECTIONS, source.dimension))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    squares, p_values = [], []
    for number, direction in enumerate((*directions, *np.eye(source.dimension)[:4])):
        quantiles = np.sort(reference @ direction)
        p_values.append(stats.ks_2samp(y @ direction, quantiles, method="asymp").pvalue)
        if number < DIRECTIONS:
            means = quantiles.reshape(-1, 2).mean(1)
            squares.append([np.mean(np.square(np.sort(part @ direction) - means)) for part in (y, fresh)])
    value, null = source.dimension * np.mean(squares, 0)
    return Realism(float(value), float(null), float(min(1.0, min(p_values) * len(p_values))))


def predict(case: Case, decoder: str, times: tuple[float, ...]) -> dict[str, float]:
    """What theory says of a Gaussian source: information, least bits, distortion; NaN where it says nothing."""
    nothing = {"information_bits": np.nan, "least_bits": np.nan, "predicted_distortion": np.nan}
    source = make_source(case.source)
    if not case.source.startswith("gaussian") or case.channel.startswith("codebook"):
        return nothing
    lam = np.linalg.eigvalsh(source.covariance)
    snr = (1.0 - np.array(times)) / np.array(times)
    steps = np.diff(0.5 * np.log2(1.0 + np.multiply.outer(snr, lam)), axis=0)
    n = make_channel(case.channel).dimension
    if case.channel == "uniform":
        least = float(np.sum(uniform_noise_rate(steps)))
    else:
        least = sum(_least(round(float(n * i), 12), n) / n for i in steps.ravel())
    theory = diffusion_compression(times[-1], lam)
    distortion = {"flow": theory.flow_distortion, "ancestral": theory.ancestral_distortion,
                  "mean": theory.ancestral_distortion / 2}[decoder]
    return {"information_bits": float(steps.sum()), "least_bits": least, "predicted_distortion": float(distortion)}


@functools.cache
def _least(information: float, n: int) -> float:
    return float(gaussian_functional_information(information, n))


def measure(config: Config, case: Case) -> list[dict[str, Any]]:
    """Sends vectors with one codec.

    Args:
      config: settings.
      case: which codec.

    Returns:
      For each decoder: arrays over messages of bits and squared errors per vector, realism, and predictions.
    """
    source, codec = make_source(case.source), make_codec(case, config.decode_steps)
    params = codec.finalize(codec.init())
    times = tuple(np.asarray(params["times"]).tolist())
    row = zlib.crc32(case.label().encode())
    rng, key = np.random.default_rng([config.seed, row]), jax.random.fold_in(shared_key(config.seed), np.uint32(row))
    count = max(int(config.vectors * case.share) // 32 * 32, 32)
    sizes, heads, errors, decoded = [], [], {d: [] for d in case.decoders}, {d: [] for d in case.decoders}
    for number in range(MESSAGES):
        x, shared = source.sample(rng, count), jax.random.fold_in(key, number)
        message = codec.encode(params, x, shared_key=shared)
        sizes.append(len(message))
        heads.append(len(message) - sum(map(len, progressive.unpack(message).packets)))
        noisy = codec.decode(message, params=params, shared_key=shared, condition="noisy")
        for decoder in case.decoders:  # as `decode` would have done it
            private = jax.random.fold_in(shared, 1) if decoder == "ancestral" else None
            y = diffusion.finish(source, noisy, times[-1], decoder="mean" if decoder == "chosen" else decoder,
                                 decode_steps=config.decode_steps, private_key=private)
            errors[decoder].append(float(np.square(x - y).sum(1).mean()))
            decoded[decoder].append(y)
    return [{
        "decoder": decoder, "vectors": count, "bytes": sizes, "head_bytes": heads, "errors": errors[decoder],
        "realism": realism(source, np.concatenate(decoded[decoder]), rng)._asdict(), **predict(case, decoder, times),
    } for decoder in case.decoders]


def add_rows(table: dict[str, list], case: Case, results: list[dict[str, Any]], seed: int) -> None:
    """Appends the rows of a codec."""
    bounds = _bounds(case.source)
    for result in results:
        exact = is_exact(case, result["decoder"])
        count, sizes, errors = result["vectors"], np.array(result["bytes"]), np.array(result["errors"])
        bits = 8.0 * sizes / count
        found = operational_rate.Measurement(int(sizes.sum()), float(bits.mean()), float(bits.mean()),
                                             float(errors.mean()), result["realism"]["w2_squared"], bits, errors,
                                             np.zeros(MESSAGES))
        name = case.channel.partition("-")[0]
        family = {"uniform": "UQDM", "codebook": "DDCM"}.get(name, "DiffC")
        suffix = {"flow": "-F", "ancestral": "-A", "mean": "-mean", "chosen": ""}[result["decoder"]]
        least = bounds.realistic if exact else bounds.plain
        harness.add_row(
            table, found, source=case.source, dimension=make_source(case.source).dimension,
            codec=f"{family}{suffix} {case.channel}", shared="unlimited", bound_kind=bounds.realistic_kind, seed=seed,
            lower=lambda d, p, least=least: least(d), upper=lambda d, p: bounds.realistic(d))
        # Standard errors are from the spread of 8 messages.
        table["gap_se"][-1] *= float(np.sqrt(MESSAGES / (MESSAGES - 1)))
        header = 8.0 * float(np.mean(result["head_bytes"])) / count
        extra = {
            "channel": case.channel, "decoder": result["decoder"], "steps": case.steps, "end": case.end,
            "vectors": count * MESSAGES, "exact": exact,
            "bound_lower_kind": bounds.realistic_kind if exact else bounds.plain_kind,
            "plain_bits": float(bounds.plain(found.distortion)), "header_bits": header,
            "rate_se": float(bits.std(ddof=1) / np.sqrt(MESSAGES)),
            "distortion_se": float(errors.std(ddof=1) / np.sqrt(MESSAGES)),
            "perception_null": result["realism"]["null"], "least_p": result["realism"]["least_p"],
            **{key: result[key] for key in ("information_bits", "least_bits", "predicted_distortion")}}
        for column, cell in extra.items():
            table.setdefault(column, []).append(cell)


@functools.cache
def _bounds(name: str) -> Any:
    return source_bounds(make_source(name))


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Measures every codec and writes the table; what an interrupted run has measured is not measured again.

    Args:
      config: settings.
      workdir: an existing directory that belongs to this configuration.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: if an operating point beats its bound.
    """
    started = time.monotonic()
    workdir, table = pathlib.Path(workdir), {}
    (workdir / "cases").mkdir(exist_ok=True)
    for case in tqdm(_CASES[config.cases], desc="codecs", unit="codec"):
        path = workdir / "cases" / f"{case.label()}.json"
        if not path.exists():
            files.write_text(path, json.dumps(measure(config, case)) + "\n")
        add_rows(table, case, json.loads(path.read_text(encoding="utf-8")), config.seed)
    harness.write(
        workdir, "diffusion_codecs", config, PRESETS, table, started=started, shown=("least_bits", "least_p"),
        units="rates: bits per vector; distortion: squared error of a vector; perception: at most W2^2 of vectors; "
              "errors: standard errors over 8 messages")
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
