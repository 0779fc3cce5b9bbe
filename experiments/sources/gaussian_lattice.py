"""Lattice and trellis codecs against the Gaussian bounds, in real bits.

    python -m experiments.sources.gaussian_lattice --preset=quick --workdir=runs/gaussian_lattice/quick

Source N(0,1), i.i.d., squared error. Blocks are quantized to the nearest point of a lattice of dimension 1 to 24, or to
the nearest path through a trellis, and coded to bytes with the discrete Gaussian pmf of their points; only power and
gain are fitted to (other) samples. Three uses of each:

* `none`: no shared randomness, least squared error, against R(D);
* `dither`: encoder and decoder share a dither, least squared error (`weight` 0), against R(D);
* `dither` with `weight` 1: the same bytes, decoded to the source's power, against R(D, P = 0) with unlimited common
  randomness. The lower side of this bound is R(D, P) at the measured P, W2^2 of the marginal. Correlations of
  neighbors within decoded blocks, and of their squares, say what the marginal does not.

`gap_bits` is rate minus bound as measured. A part of its noise is that of the drawn samples' power, which moves the
rate but not the distortion; `controlled_gap_bits` takes it out by regression on a block's power, whose mean is known.
`points.csv` has one row per codec and use; `summary.txt` is the same for reading. quick: minutes on 2 cores.
"""

import dataclasses
import json
import pathlib
import sys
import time
from typing import Any

import jax
import numpy as np

from experiments.sources import harness, operational_rate
from rdr import command_line, files
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.lattice import lattice_codec, lattice_quantizer
from rdr.codecs.vectors.linear import Quantizer, fit, gaussian_params, step_for_rate
from rdr.codecs.vectors.trellis import trellis_codec, trellis_quantizer
from rdr.command_line import option
from rdr.evaluation import tables
from rdr.quantize import LATTICES
from rdr.randomness import shared_key
from theory import gaussian
from theory.quantization import lattices as theory_lattices

EXTRA_COLUMNS = ("weight", "target_rate_bits", "states", "message_bytes", "ideal_bits", "controlled_gap_bits",
                 "controlled_gap_se", "high_rate_excess_bits", "neighbour_correlation",
                 "neighbour_correlation_of_squares", "correlation_se")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; each field says what it is."""

    lattices: tuple[str, ...] = option(tuple(LATTICES), "names of lattices (`rdr.quantize.LATTICES`)")
    trellises: tuple[int, ...] = option((8, 64, 256), "numbers of states")
    rates: tuple[float, ...] = option((1.0, 2.0), "bits per sample to aim at")
    dither_levels: int = option(256, "values of the shared dither along an axis")
    trellis_block: int = option(1024, "samples in a block of a trellis")
    samples: int = option(2**18, "for evaluation; whole blocks of about as many")
    fit_samples: int = option(2**16, "from which power and gain are taken")
    seed: int = option(0, "random seed of samples and noise")

    def __post_init__(self):
        for name in self.lattices:
            if name not in LATTICES:
                raise ValueError(f"lattices must be among {', '.join(LATTICES)}, got {name!r}")
        for states in self.trellises:
            trellis_quantizer(states)
        if not self.rates or not all(0.5 <= rate <= 8.0 for rate in self.rates):
            raise ValueError(f"rates must lie in [0.5, 8], got {self.rates}")
        if not 8 <= self.dither_levels <= 2**16 or self.dither_levels & (self.dither_levels - 1):
            raise ValueError(f"dither_levels must be a power of two from 8 to 2^16, got {self.dither_levels}")
        for name, least in (("trellis_block", 2), ("samples", 2**12), ("fit_samples", 2**10)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.samples > 2**22 or self.trellis_block > min(self.samples, self.fit_samples):
            raise ValueError("samples must be at most 2^22, and trellis_block no more than samples and fit_samples")
        harness.check_seed(self.seed)


PRESETS = {
    "smoke": Config(lattices=("Z", "E8"), trellises=(8,), rates=(1.0,), trellis_block=256, samples=2**13,
                    fit_samples=2**12),
    "quick": Config(),
    "full": Config(trellises=(8, 16, 32, 64, 128, 256), rates=(0.75, 1.0, 1.5, 2.0, 3.0, 4.0), trellis_block=4096,
                   samples=2**20, fit_samples=2**18),
}


def measure(config: Config, quantizer: Quantizer, codec: VectorCodec, rate: float, block: int) -> list[dict[str, Any]]:
    """Codes samples with one codec, and compares every use of it with its bound.

    Args:
      config: settings.
      quantizer: the codec's quantizer.
      codec: the codec.
      rate: bits per sample to aim at.
      block: samples in a block.

    Returns:
      A row for each use.

    Raises:
      ValueError: if the bytes exceed the ideal code length by more than 0.1 % + 64 bytes.
    """
    dithered = codec.name.endswith("-dither")
    source = np.random.default_rng([config.seed, 1])
    training = np.random.default_rng([config.seed, 2])
    x = source.standard_normal((config.samples // block, block)).astype(np.float32)
    params = gaussian_params(quantizer, step_for_rate(quantizer, rate))
    params = fit(codec, params, training.standard_normal((config.fit_samples // block, block)),
                 key=jax.random.fold_in(jax.random.key(config.seed), 3))
    params = codec.finalize(params)
    shared = shared_key(config.seed) if dithered else None
    message = codec.encode(params, x, shared_key=shared)
    bits = codec.code_lengths(params, x, shared_key=shared).sum(-1)
    harness.check_length(message, bits)
    power = np.sum(np.square(x, dtype=np.float64), -1) - block
    rows = []
    for weight in (0.0, 1.0) if dithered else (0.0,):
        y = np.asarray(codec.decode(message, params=params, shared_key=shared, condition=weight), np.float64)
        errors = np.sum(np.square(x - y), -1)
        distortion = errors.sum() / x.size
        perception, _ = operational_rate.normal_w2_squared(y.ravel())
        if weight:
            bound = lambda d: gaussian.rate_distortion_perception(d, 0.0)  # noqa: E731
            lower = float(gaussian.rate_distortion_perception(distortion, perception))
        else:
            bound = gaussian.rate_distortion
            lower = float(bound(distortion))
        upper, slope = (float(v) for v in jax.value_and_grad(bound)(distortion))
        gap = 8 * len(message) / x.size - upper
        noise = (bits - slope * errors) / block
        factor = np.cov(noise, power)[0, 1] / power.var(ddof=1)
        left, right = y[:, :-1], y[:, 1:]
        rows.append({
            "source": "gaussian", "dimension": 0 if quantizer.dimension == 0 else block, "codec": quantizer.name,
            "shared": "dither" if dithered else "none", "rate_bits": 8 * len(message) / x.size,
            "distortion": distortion, "perception": perception,
            "bound_kind": "R(D P=0) unlimited common randomness" if weight else "R(D)", "bound_lower_bits": lower,
            "bound_upper_bits": upper, "gap_bits": gap, "gap_se": noise.std(ddof=1) / np.sqrt(len(x)),
            "seed": config.seed, "weight": weight, "target_rate_bits": rate,
            "states": int(quantizer.name.split("-")[1]) if quantizer.dimension == 0 else 0,
            "message_bytes": len(message), "ideal_bits": bits.sum() / x.size,
            "controlled_gap_bits": gap - factor * power.mean(),
            "controlled_gap_se": (noise - factor * power).std(ddof=1) / np.sqrt(len(x)),
            "high_rate_excess_bits": _high_rate_excess(quantizer),
            "neighbour_correlation": _correlation(left, right),
            "neighbour_correlation_of_squares": _correlation(left**2, right**2),
            "correlation_se": left.size**-0.5 if left.size else float("nan"),
        })
    return [{name: value.item() if hasattr(value, "item") else value for name, value in row.items()} for row in rows]


def _high_rate_excess(quantizer: Quantizer) -> float:
    if quantizer.dimension == 0:
        return float("nan")
    known = theory_lattices.LATTICES[quantizer.name.removeprefix("lattice-")]
    return float(theory_lattices.space_filling_loss(known.normalized_second_moment))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) if a.size else float("nan")


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Measures every codec and writes the table; codecs that an interrupted run has measured are not run again.

    Args:
      config: settings.
      workdir: an existing directory that belongs to this configuration.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: if a codec beats its bound.
    """
    started = time.monotonic()
    workdir = pathlib.Path(workdir)
    cases = [(lattice_quantizer(name), lattice_codec, name) for name in config.lattices]
    cases += [(trellis_quantizer(states), trellis_codec, states) for states in config.trellises]
    rows = []
    for quantizer, make, argument in cases:
        block = quantizer.dimension or config.trellis_block
        for rate in config.rates:
            for levels in (0, config.dither_levels):
                codec = make(argument, dither_levels=levels)
                path = workdir / "codecs" / f"{codec.name}-{rate:g}.json"
                if not path.exists():
                    path.parent.mkdir(exist_ok=True)
                    result = measure(config, quantizer, codec, rate, block)
                    files.write_text(path, json.dumps(result, indent=1) + "\n")
                rows += json.loads(path.read_text(encoding="utf-8"))
    table = {name: [row[name] for row in rows] for name in (*tables.POINT_COLUMNS, *EXTRA_COLUMNS)}
    bias = operational_rate.empirical_bias(config.samples, 8, config.seed)
    harness.write(
        workdir, "gaussian_lattice", config, PRESETS, table, started=started, digits=5,
        units="rates and gaps: bits per sample from bytes written; distortion: mean squared error per sample; "
              "perception: W2^2 of the decoded samples' marginal to N(0 1); dimension 0: a trellis",
        shown=("weight", "controlled_gap_bits", "controlled_gap_se", "high_rate_excess_bits", "neighbour_correlation"),
        source="N(0 1) i.i.d.", samples=f"{config.samples} or the whole blocks in it",
        trellis_block=config.trellis_block, dither_levels=config.dither_levels,
        perception_bias=f"{bias:.3g} (mean W2^2 of as many draws of N(0 1) itself; P is not corrected for it)")
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
