"""The worth of shared randomness in the spectrum of an image: rate against shared bits, and where both go.

    python -m experiments.bounds.image_common_randomness --preset=quick --workdir=runs/image_common_randomness

A Gaussian image whose power falls like 1/f^2, at perfect realism of long sequences of images. `curves.csv` has the
least rate at fixed squared errors against the shared bits, `spectrum.csv` how budgets of both are divided over
frequencies. Expected cost: two CPU minutes with `quick`. Nothing is random. Expected: the first shared bit saves half a
bit of rate.
"""

import dataclasses
import pathlib
import sys
import time

import numpy as np

from rdr import command_line
from rdr.command_line import option
from rdr.evaluation import tables as results
from theory.gaussian import process, vector_common_randomness


@dataclasses.dataclass(frozen=True)
class Config:
    """What is tabulated; each field says what it is."""

    seed: int = option(0, "unused, for nothing is random; written to the results like every experiment's")
    grid: int = option(41, "amounts of common randomness on each curve")
    image_size: int = option(256, "pixels along each side of the Gaussian image")


PRESETS = {"smoke": Config(grid=5, image_size=16), "quick": Config(), "full": Config(grid=81, image_size=512)}
VARIANCE = 0.04
PSNR_DB = (24.0, 28.0, 32.0)
SHARED_PSNR_DB, SHARED_BITS = 20.0, (0.0, 0.05, 0.2, np.inf)  # of the divided budgets


def grouped_spectrum(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The spectrum of the image with equal variances put together.

    Args:
      size: pixels along each side.

    Returns:
      Distinct variances in falling order, their weights, and their radial frequencies in cycles per pixel.
    """
    spectrum, weights = (np.asarray(x) for x in process.image_spectrum(size, VARIANCE))
    # S is proportional to 1/f^2, and size^2 f^2 is a whole number.
    index = np.arange(size // 2 + 1)
    squared = (index[:, None] ** 2 + index[None, :] ** 2).reshape(-1)[1:]
    distinct, first, where = np.unique(squared, return_index=True, return_inverse=True)
    return spectrum[first], np.bincount(where, weights), np.sqrt(distinct) / size


def curve_table(config: Config) -> dict[str, np.ndarray]:
    """The least rate against common randomness at fixed squared errors.

    Args:
      config: settings.

    Returns:
      Columns psnr_db, distortion, common_randomness_bits, rate_bits, rate_unlimited_bits, rate_plain_bits (without
      realism) and saved_per_bit; rates and randomness per pixel.
    """
    spectrum, weights, _ = grouped_spectrum(config.image_size)
    columns: dict[str, list] = {}
    for psnr in PSNR_DB:
        d = 10 ** (-psnr / 10)
        unlimited = float(process.perfect_realism_rate_distortion(d, spectrum, weights=weights))
        plain = float(process.rate_distortion(d, spectrum, weights=weights))
        most = float(process.rate_distortion(0.5 * d, spectrum, weights=weights))
        common = 3.0 * (most - unlimited) * np.linspace(0.0, 1.0, config.grid) ** 2
        rate = np.asarray(process.strong_realism_rate(d, common, spectrum, weights=weights))
        split = vector_common_randomness.strong_realism_split(rate, common, spectrum, weights=weights)
        if not np.allclose(split.distortion_lower, d, rtol=1e-9):
            raise ValueError("the rate found does not have the distortion asked for")
        rows = {"psnr_db": psnr, "distortion": d, "common_randomness_bits": common, "rate_bits": rate,
                "rate_unlimited_bits": unlimited, "rate_plain_bits": plain,
                "saved_per_bit": np.asarray(split.randomness_price / split.rate_price)}
        for name, values in rows.items():
            columns.setdefault(name, []).append(np.broadcast_to(values, common.shape))
    return {name: np.concatenate(values) for name, values in columns.items()}


def spectrum_table(config: Config) -> dict[str, np.ndarray]:
    """How rate and shared bits are divided over frequencies, at one squared error.

    Args:
      config: settings.

    Returns:
      Columns budget_bits (shared bits per pixel), frequency (cycles per pixel), variance, rate_bits and
      common_randomness_bits (of a component at this frequency), and total_rate_bits (per pixel).
    """
    spectrum, weights, frequency = grouped_spectrum(config.image_size)
    d = 10 ** (-SHARED_PSNR_DB / 10)
    budgets = np.array(SHARED_BITS)
    rate = np.asarray(process.strong_realism_rate(d, budgets, spectrum, weights=weights))
    split = vector_common_randomness.strong_realism_split(rate, budgets, spectrum, weights=weights)
    shape = (len(budgets), len(spectrum))
    keep = np.unique(np.geomspace(1, len(spectrum), 200).astype(int) - 1)  # many more lie on top of each other
    columns = {"budget_bits": budgets[:, None], "frequency": frequency, "variance": spectrum, "rate_bits": split.rates,
               "common_randomness_bits": split.common_randomness, "total_rate_bits": rate[:, None]}
    return {name: np.broadcast_to(values, shape)[:, keep].ravel() for name, values in columns.items()}


def run(config: Config, workdir: pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Computes and writes the tables.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The tables' columns by name.
    """
    started = time.monotonic()
    tables = {"curves": curve_table(config), "spectrum": spectrum_table(config)}
    for name, columns in tables.items():
        header = {"experiment": "image_common_randomness", "table": name,
                  "units": f"Gaussian image; variance {VARIANCE} per pixel; spectrum 1/f^2; peak 1; perfect realism; "
                           "bits",
                  "grid": config.grid, "image_size": config.image_size, "seed": config.seed}
        results.write_table(workdir / f"{name}.csv", columns, header)
        print(f"{workdir / name}.csv: {len(columns['rate_bits'])} rows")
    results.write_run_record(workdir, name="experiments.bounds.image_common_randomness", config=config,
                             duration_seconds=time.monotonic() - started)
    return tables


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
