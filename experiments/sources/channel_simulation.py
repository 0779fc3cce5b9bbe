"""Exact and approximate channel simulation of Gaussian noise, in real bytes, against what is possible.

    python -m experiments.sources.channel_simulation --preset=quick --workdir=runs/channel_simulation/quick

Source N(0,1), i.i.d.; the decoder is to put out x plus noise of N(0, s^2), independent of x; mutual information I =
log2(1 + 1/s^2) / 2 per sample. For each scheme and I: bits per sample from whole messages (of which `header_bits` are
the container's), what they exceed I by without the header, the functional information F_n / n of blocks of its size (no
exact scheme of such blocks has less), p-values of tests that the noise is what it should be, and samples per second of
CPU time.

p-values: Kolmogorov-Smirnov and Cramer-von Mises of all errors, Kolmogorov-Smirnov where |x| is small and where it is
large, of the blocks' energy (chi-square), for x = 0 and x = 0.3 throughout, and of the correlations of errors with x,
of their squares with x^2, and of neighbors. `least_p` is the smallest of them times their number.

A rate below F_n / n by more than three standard errors fails the run. quick: some minutes on 2 cores.
"""

import dataclasses
import json
import pathlib
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy import stats

from rdr import command_line, files
from rdr.bitstream import container
from rdr.codecs.channel.base import ChannelCodec
from rdr.codecs.channel.block import block_channel
from rdr.codecs.channel.lattice import lattice_channel
from rdr.codecs.channel.layered import layered_channel
from rdr.command_line import option
from rdr.evaluation import tables
from rdr.randomness import shared_key
from theory.channel_simulation import gaussian_functional_information, high_rate_excess

MESSAGES = 8
COLUMNS = ("scheme", "dimension", "exact", "information_bits", "rate_bits", "header_bits", "rate_se", "excess_bits",
           "functional_information_bits", "high_rate_excess_bits", "samples", "message_bytes",
           "encode_samples_per_second", "decode_samples_per_second", "least_p", "p_values")


class Scheme(NamedTuple):
    """A codec and what of it is measured.

    Attributes:
      make: makes the codec.
      share: its part of the configured number of samples: slow ones get fewer.
      lowest: least information per sample, bits, at which it is measured.
      highest: largest.
    """

    make: Callable[[], ChannelCodec]
    share: float
    lowest: float = 0.0
    highest: float = 16.0


SCHEMES = {
    "layered": Scheme(layered_channel, 1.0),
    "E8": Scheme(lambda: lattice_channel("E8"), 0.5, 0.1, 8.0),
    "E8-adaptive": Scheme(lambda: lattice_channel("E8", acceptance="adaptive"), 0.125, 0.1, 1.0),
    "BW16": Scheme(lambda: lattice_channel("BW16"), 0.125, 0.5, 8.0),
    "greedy-32": Scheme(lambda: block_channel("greedy", dimension=32), 0.015625, 0.01, 0.1),
    "greedy-8": Scheme(lambda: block_channel("greedy", dimension=8), 0.015625, 0.1, 0.25),
    "gprs-8": Scheme(lambda: block_channel("gprs", dimension=8), 0.015625, 0.1, 0.25),
    "poisson-8": Scheme(lambda: block_channel("poisson", dimension=8), 0.015625, 0.1, 0.25),
    "ordered-8": Scheme(lambda: block_channel("ordered", dimension=8, max_candidates=2**12), 0.015625, 0.1, 0.25),
    "importance-8": Scheme(lambda: block_channel("importance", dimension=8, max_candidates=2**12), 0.015625, 0.1,
                           0.25),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; each field says what it is."""

    schemes: tuple[str, ...] = option(tuple(SCHEMES), "names in `SCHEMES`")
    information: tuple[float, ...] = option(
        (0.01, 0.03, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0), "mutual information per sample, bits")
    samples: int = option(2**21, "samples of the fastest scheme, in 8 messages; slower ones get a part of it")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        unknown = [name for name in self.schemes if name not in SCHEMES]
        if unknown or not self.schemes:
            raise ValueError(f"schemes must be among {', '.join(SCHEMES)}, got {unknown or 'none'}")
        if not self.information or not all(1e-3 <= i <= 8.0 for i in self.information):
            raise ValueError(f"information must lie in [0.001, 8] bits, got {self.information}")
        if not 2**13 <= self.samples <= 2**24:
            raise ValueError(f"samples must be from 2^13 to 2^24, got {self.samples}")
        if not 0 <= self.seed < 2**29:
            raise ValueError(f"seed must be in [0, 2^29), got {self.seed}")


PRESETS = {
    "smoke": Config(schemes=("layered", "E8"), information=(0.25, 1.0), samples=2**14),
    "quick": Config(),
    "full": Config(information=(0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0), samples=2**22),
}


def correlation_p_value(a: np.ndarray, b: np.ndarray) -> float:
    """Tests that two sequences are uncorrelated, by the normal limit of the mean of their products.

    Args:
      a: [n].
      b: [n].

    Returns:
      The two-sided p-value; 1 if one of them is constant.
    """
    products = (a - a.mean()) * (b - b.mean())
    spread = products.std()
    return float(2 * stats.norm.sf(abs(products.mean()) / spread * np.sqrt(products.size))) if spread > 0 else 1.0


def p_values(error: np.ndarray, x: np.ndarray) -> dict[str, float]:
    """Tests that errors are independent N(0, 1), independently of x.

    Args:
      error: in noise scales, [blocks, dimension].
      x: of the same shape.

    Returns:
      p-values by name.
    """
    flat, source = error.ravel(), x.ravel()
    small, large = np.quantile(np.abs(source), [0.3, 0.8])
    energy = np.sum(np.square(error), -1)
    return {
        "ks": float(stats.kstest(flat, "norm").pvalue),
        "cvm": float(stats.cramervonmises(flat, "norm").pvalue),
        "ks_small_x": float(stats.kstest(flat[np.abs(source) <= small], "norm").pvalue),
        "ks_large_x": float(stats.kstest(flat[np.abs(source) >= large], "norm").pvalue),
        "energy": float(stats.kstest(energy, stats.chi2(error.shape[1]).cdf).pvalue),
        "with_x": correlation_p_value(flat, source),
        "squares": correlation_p_value(flat**2, source**2),
        "neighbors": correlation_p_value(flat[1:], flat[:-1]),
    }


def measure(config: Config, name: str, information: float) -> dict[str, Any]:
    """Sends samples with one scheme.

    Args:
      config: settings.
      name: of the scheme.
      information: I, bits per sample.

    Returns:
      A row of the table.
    """
    scheme = SCHEMES[name]
    codec = scheme.make()
    n = codec.dimension
    scale = 1 / np.sqrt(np.expm1(2 * np.log(2) * information))
    params = codec.finalize(1.0, noise_scale=scale)
    blocks = max(int(config.samples * scheme.share) // MESSAGES // n, 1)
    shape = (blocks, n) if n > 1 else (blocks,)
    # Every row has samples and shared randomness of its own: the power of the one and the radii of the other are most
    # of the chance in its rate, and rows that share them err together.
    row = zlib.crc32(f"{name} {information:g}".encode())
    rng, key = np.random.default_rng([config.seed, row]), jax.random.fold_in(shared_key(config.seed), np.uint32(row))
    held = float(np.float32(scale))

    def send(x, number):
        given = {"noise_scale": scale, "shared_key": jax.random.fold_in(key, number)}
        start = time.process_time()
        message = codec.encode(params, x, **given)
        middle = time.process_time()
        y = codec.decode(message, params=params, **given)
        end = time.process_time()
        header = len(message) - sum(map(len, container.unpack(message).payloads))
        return ((y - x) / held).reshape(-1, n), len(message), header, middle - start, end - middle

    send(np.zeros(shape), 0)  # compiles
    sources = [rng.standard_normal(shape) for _ in range(MESSAGES)]
    errors, sizes, headers, encoding, decoding = zip(*(send(x, number) for number, x in enumerate(sources)))
    tests = p_values(np.concatenate(errors), np.concatenate([x.reshape(-1, n) for x in sources]))
    for fixed in (0.0, 0.3):
        tests[f"x={fixed:g}"] = float(stats.kstest(send(np.full(shape, fixed), MESSAGES)[0].ravel(), "norm").pvalue)
    rates, header = 8 * np.array(sizes) / (blocks * n), 8 * sum(headers) / (blocks * n * MESSAGES)
    functional = float(gaussian_functional_information(information * n, n)) / n
    return {
        "scheme": name, "dimension": n, "exact": codec.exact, "information_bits": information,
        "rate_bits": float(rates.mean()), "header_bits": header,
        "rate_se": float(rates.std(ddof=1) / np.sqrt(MESSAGES)),
        "excess_bits": float(rates.mean() - header - information), "functional_information_bits": functional,
        "high_rate_excess_bits": float(high_rate_excess(n)) / n, "samples": blocks * n * MESSAGES,
        "message_bytes": int(sum(sizes)),
        "encode_samples_per_second": blocks * n * MESSAGES / max(sum(encoding), 1e-9),
        "decode_samples_per_second": blocks * n * MESSAGES / max(sum(decoding), 1e-9),
        "least_p": min(1.0, min(tests.values()) * len(tests)),
        "p_values": " ".join(f"{key}:{value:.3g}" for key, value in tests.items()),
    }


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Measures every scheme and writes the table; what an interrupted run has measured is not measured again.

    Args:
      config: settings.
      workdir: an existing directory that belongs to this configuration.

    Returns:
      The columns of `channel_simulation.csv`.

    Raises:
      ValueError: if a scheme needs less than is possible.
    """
    started = time.monotonic()
    workdir = pathlib.Path(workdir)
    rows = []
    for name in config.schemes:
        for information in config.information:
            if not SCHEMES[name].lowest <= information <= SCHEMES[name].highest:
                continue
            path = workdir / "schemes" / f"{name}-{information:g}.json"
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                files.write_text(path, json.dumps(measure(config, name, information), indent=1) + "\n")
            rows.append(json.loads(path.read_text(encoding="utf-8")))
    if not rows:
        raise ValueError("none of the schemes is measured at any of these values of information")
    table = {name: [row[name] for row in rows] for name in COLUMNS}
    header = {
        "table": "channel simulation of Gaussian noise for a source N(0 1); from whole messages",
        "units": "information rates and excess: bits per sample; speed: samples per second of CPU time of all threads",
        "least_p": "smallest p-value of a row's tests times their number",
        "seed": config.seed,
    }
    tables.write_table(workdir / "channel_simulation.csv", table, header)
    tables.write_run_record(workdir, name="experiments.sources.channel_simulation", config=config,
                            duration_seconds=time.monotonic() - started)
    wrong = [f"{row['scheme']} at {row['information_bits']:g}" for row in rows
             if row["exact"] and row["information_bits"] + row["excess_bits"]
             < row["functional_information_bits"] - 3 * row["rate_se"]]
    if wrong:
        raise ValueError(f"rates of {', '.join(wrong)} lie below the functional information by more than 3 standard "
                         "errors: a codec that beats a bound is a mistake until explained")
    shown = [name for name in COLUMNS if name not in ("p_values", "message_bytes", "high_rate_excess_bits")]
    print(tables.render({name: table[name] for name in shown}, digits=5))
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
