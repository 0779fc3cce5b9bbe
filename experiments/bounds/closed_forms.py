"""Tables of closed-form bounds, from which figures are drawn.

    python -m experiments.bounds.closed_forms --preset=quick --workdir=runs/closed_forms

Expected cost: half a minute on two cores with `quick`. Nothing is random; the same preset gives the same
files, byte for byte. Rates are in bits, the perception of Wasserstein is W2 squared.
"""

import dataclasses
import pathlib
import sys
import time

import numpy as np

from rdr import command_line
from rdr.command_line import option
from rdr.evaluation import tables as results
from theory import gaussian
from theory.closed_form import bernoulli
from theory.gaussian import process as gaussian_process
from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_perception as gaussian_vector_perception
from theory.gaussian import vector_realism as gaussian_vector_realism
from theory.gaussian.common_randomness import strong_realism_rate
from theory.numerics.units import power_to_db


@dataclasses.dataclass(frozen=True)
class Config:
    """What is tabulated; each field says what it is."""

    seed: int = option(0, "unused, for nothing is random; written to the results like every experiment's")
    grid: int = option(101, "points along the distortion axis of surfaces and curves")
    image_size: int = option(256, "pixels along each side of the Gaussian image")


PRESETS = {
    "smoke": Config(grid=11, image_size=16),
    "quick": Config(),
    "full": Config(grid=201, image_size=512),
}
BERNOULLI_PROBABILITY = 0.1
EIGENVALUES = 4.0 * 0.6 ** np.arange(10)
IMAGE_VARIANCE = 0.04
IMAGE_PERCEPTIONS = (np.inf, 2e-3, 5e-4, 0.0)


def _surface(distortion: np.ndarray, perception: np.ndarray, rate) -> dict[str, np.ndarray]:
    d, p = np.meshgrid(distortion, perception, indexing="ij")
    return {"distortion": d.ravel(), "perception": p.ravel(), "rate_bits": np.asarray(rate(d, p)).ravel()}


def bernoulli_table(config: Config) -> dict[str, np.ndarray]:
    """R(D,P) of a Bernoulli(0.1) source under Hamming distortion and total variation, on a grid.

    Args:
      config: settings.

    Returns:
      Columns distortion, perception, rate_bits.
    """
    p = BERNOULLI_PROBABILITY
    return _surface(
        np.linspace(0.0, 0.2, config.grid), np.linspace(0.0, 0.1, config.grid // 2 + 1),
        lambda d, perception: bernoulli.rate_distortion_perception(d, perception, p))


def gaussian_table(config: Config) -> dict[str, np.ndarray]:
    """R(D,P) of N(0,1) under squared error and W2 squared, on a grid.

    Args:
      config: settings.

    Returns:
      Columns distortion, perception, rate_bits.
    """
    root = np.linspace(0.0, 1.0, config.grid // 2 + 1)
    return _surface(np.linspace(0.02, 2.0, config.grid), root**2, gaussian.rate_distortion_perception)


def common_randomness_table(config: Config) -> dict[str, np.ndarray]:
    """Rate against common randomness for N(0,1) at fixed distortion and perception.

    Args:
      config: settings.

    Returns:
      Columns distortion, perception, common_randomness_bits, rate_bits and rate_unlimited_bits (C = inf).
    """
    d, p, c = (a.ravel() for a in np.meshgrid(
        [0.1, 0.25, 0.5], [0.0, 0.005, 0.02], np.linspace(0.0, 3.0, config.grid), indexing="ij"))
    return {
        "distortion": d, "perception": p, "common_randomness_bits": c,
        "rate_bits": np.asarray(strong_realism_rate(d, c, p)),
        "rate_unlimited_bits": np.asarray(gaussian.rate_distortion_perception(d, p)),
    }


def water_filling_table(config: Config) -> dict[str, np.ndarray]:
    """How the components of a Gaussian vector are coded at one distortion, with and without realism.

    Args:
      config: settings (nothing of them matters here).

    Returns:
      Columns perception, component, eigenvalue, distortion, reconstruction_variance, rate_bits, and of the
      whole vector total_distortion, total_rate_bits, kkt_residual; one row per component and perception.
    """
    total = 0.25 * EIGENVALUES.sum()
    idle = float(gaussian_vector_perception.water_filling_perception(total, EIGENVALUES))
    perception = np.array([np.inf, 0.2 * idle, 0.0])
    result = gaussian_vector_perception.rate_distortion_perception(total, perception, EIGENVALUES)
    shape = (len(perception), len(EIGENVALUES))

    def spread(values) -> np.ndarray:
        return np.broadcast_to(np.asarray(values), shape).ravel()

    return {
        "perception": spread(perception[:, None]), "component": spread(np.arange(1, shape[1] + 1)),
        "eigenvalue": spread(EIGENVALUES), "distortion": spread(result.component_distortions),
        "reconstruction_variance": spread(result.reconstruction_variances),
        "rate_bits": spread(result.component_rates), "total_distortion": spread(total),
        "total_rate_bits": spread(result.rate_upper[:, None]),
        "kkt_residual": spread(result.kkt_residual[:, None]),
    }


def image_table(config: Config) -> dict[str, np.ndarray]:
    """Bits per pixel against PSNR for a Gaussian image whose power spectrum falls like 1/f^2.

    Args:
      config: settings.

    Returns:
      Columns perception (W2 squared per pixel), psnr_db (peak 1), distortion (per pixel), bits_per_pixel (a
      lower bound up to rounding), bits_per_pixel_upper, kkt_residual.
    """
    spectrum, weights = gaussian_process.image_spectrum(config.image_size, IMAGE_VARIANCE)
    distortion = IMAGE_VARIANCE * np.geomspace(1.9, 5e-4, config.grid // 2 + 1)
    rows: dict[str, list] = {name: [] for name in (
        "perception", "psnr_db", "distortion", "bits_per_pixel", "bits_per_pixel_upper", "kkt_residual")}
    for perception in IMAGE_PERCEPTIONS:
        result = gaussian_process.rate_distortion_perception(distortion, perception, spectrum, weights=weights)
        rows["perception"] += [perception] * len(distortion)
        rows["psnr_db"] += list(-np.asarray(power_to_db(distortion)))
        rows["distortion"] += list(distortion)
        rows["bits_per_pixel"] += list(np.asarray(result.rate))
        rows["bits_per_pixel_upper"] += list(np.asarray(result.rate_upper))
        rows["kkt_residual"] += list(np.asarray(result.kkt_residual))
    # The two ends have closed forms of their own.
    ends = (gaussian_vector.rate_distortion, gaussian_vector_realism.perfect_realism_rate_distortion)
    for function, start in zip(ends, (0, -len(distortion))):
        exact = np.asarray(function(distortion, spectrum, weights=weights))
        computed = np.array(rows["bits_per_pixel"][start:][: len(distortion)])
        if not np.allclose(computed, exact, rtol=1e-12, atol=1e-14):
            raise ValueError("the solver's end disagrees with the closed form")
    return {name: np.array(values) for name, values in rows.items()}


TABLES = {
    "bernoulli_rdp": (bernoulli_table, f"Bernoulli({BERNOULLI_PROBABILITY}); Hamming distortion; total variation"),
    "gaussian_surface": (gaussian_table, "N(0 1); mean squared error; W2 squared; unlimited common randomness"),
    "common_randomness": (
        common_randomness_table, "N(0 1); mean squared error; W2 squared per sample of the block; exact"),
    "water_filling": (
        water_filling_table, "Gaussian vector; squared error summed over components; W2 squared summed"),
    "gaussian_image": (
        image_table, f"stationary Gaussian image; variance {IMAGE_VARIANCE} per pixel; spectrum 1/f^2; peak 1; "
        "distortion and W2 squared per pixel"),
}


def run(config: Config, workdir: pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Computes and writes the tables.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The tables' columns by name.
    """
    started = time.monotonic()
    tables = {}
    for name, (make, units) in TABLES.items():
        tables[name] = make(config)
        header = {"experiment": "closed_forms", "table": name, "units": f"{units}; rates in bits",
                  "grid": config.grid, "image_size": config.image_size, "seed": config.seed}
        results.write_table(workdir / f"{name}.csv", tables[name], header)
        print(f"{workdir / name}.csv: {len(next(iter(tables[name].values())))} rows")
    results.write_run_record(workdir, name="experiments.bounds.closed_forms", config=config,
                             duration_seconds=time.monotonic() - started)
    return tables


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
