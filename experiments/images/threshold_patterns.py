"""Just-noticeable patterns under each metric: which metrics see what people see.

    python -m experiments.images.threshold_patterns --preset=quick --workdir=OUT

Gabor patches of several frequencies, in light and dark, red and green, yellow and violet, on gray of two luminances,
have the contrast that castleCSF says is just seen, times 2 (and 4). All are equally visible, so a metric that sees as
people do scores them alike. `deviation_db` is by how much, in dB of contrast, a metric's score of a pattern is above
its median over the patterns in light and dark: 20 log10(score / median) / p, where p is the power with which its
scores grow from contrast 2 to contrast 4. +6: it minds the pattern as if it had twice the contrast. Patterns that the
display cannot show are left out. Nothing is rounded to 8 bits. Thresholds are a model's, 3.5 dB from people's, and
`csf_castle` shares that model, and ColorVideoVDP's sensitivities are of its family. Writes patterns.csv. A few minutes.

Expected (quick): root mean square over patterns in light and dark 1.8 dB for csf, 3.1 ColorVideoVDP, 3.5 csf_castle,
4.5 MS-SSIM, 5.2 LPIPS, 5.8 the squared error, 9.6 SSIM; over all patterns 3.5 ColorVideoVDP, 4.0 csf_castle, 14.7 csf.
"""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from rdr import command_line
from rdr.command_line import option
from rdr.evaluation.metric_suite import dissimilarity
from rdr.evaluation.tables import write_run_record, write_table
from rdr.features.color import srgb_from_linear
from rdr.metrics.contrast_sensitivity import Display
from rdr.metrics.full_reference import FULL_REFERENCE, available, full_reference
from rdr.vision import castle_csf
from rdr.vision.colorspace import from_rgb, to_rgb

DIRECTIONS = ("light", "red-green", "yellow-violet")
CONTRASTS = (2.0, 4.0)  # times the threshold
FLOOR_DB = -40.0  # of what a metric does not see


@dataclasses.dataclass(frozen=True)
class Config:
    """Which patterns and metrics."""

    frequencies: tuple[float, ...] = option((1.0, 2.0, 4.0, 8.0, 16.0), "cycles per degree")
    luminances: tuple[float, ...] = option((80.0, 4.0), "of the gray around the patterns, cd/m^2")
    sigma: float = option(0.5, "standard deviation of the patches' window, degrees")
    size: int = option(192, "side of the image, pixels")
    pixels_per_degree: float = option(60.0, "pixels per degree")
    peak_luminance: float = option(200.0, "of the display, cd/m^2")
    black_luminance: float = option(0.2, "of the display, cd/m^2")
    metrics: tuple[str, ...] = option(
        ("mse", "ssim", "ms_ssim", "nlpd", "ciede2000", "csf", "csf_castle", "cvvdp", "lpips_alexnet", "dists"),
        "full-reference metrics")

    def __post_init__(self):
        for name in self.metrics:
            if name not in FULL_REFERENCE:
                raise ValueError(f"--metrics must be among {', '.join(FULL_REFERENCE)}, got {name}")
        if not 0 < self.black_luminance < min(self.luminances, default=0) <= max(self.luminances) < self.peak_luminance:
            raise ValueError("--luminances must lie between --black_luminance and --peak_luminance, got "
                             f"{self.luminances}")
        if not self.frequencies or not all(0 < u < self.pixels_per_degree / 2 for u in self.frequencies):
            raise ValueError("--frequencies must be positive and below half of --pixels_per_degree, got "
                             f"{self.frequencies}")


PRESETS = {
    "smoke": Config(frequencies=(1.0, 4.0), luminances=(80.0,), size=48, pixels_per_degree=16.0,
                    metrics=("mse", "ssim", "csf_castle")),
    "quick": Config(),
    "full": Config(frequencies=(0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0), luminances=(80.0, 20.0, 4.0, 1.0),
                   size=256),
}


class Pattern(NamedTuple):
    """A patch at its threshold.

    Attributes:
      direction: of `DIRECTIONS`.
      frequency: cycles per degree.
      luminance: of the gray, cd/m^2.
      threshold: cone contrast that is just seen.
      images: [contrasts, size, size, 3], sRGB.
      reference: [size, size, 3], the gray.
    """

    direction: str
    frequency: float
    luminance: float
    threshold: float
    images: np.ndarray
    reference: np.ndarray


def make_patterns(config: Config) -> list[Pattern]:
    """Draws all patterns that the display can show.

    Args:
      config: of the experiment.

    Returns:
      The patterns.
    """
    span = config.peak_luminance - config.black_luminance
    y, x = (np.mgrid[: config.size, : config.size] - (config.size - 1) / 2) / config.pixels_per_degree
    window = np.exp(-(x**2 + y**2) / (2 * config.sigma**2))
    white = np.asarray(from_rgb(np.ones(3), "lms"))
    patterns = []
    for direction in DIRECTIONS:
        for luminance in config.luminances if direction == "light" else config.luminances[:1]:
            background = white / white[:2].sum() * luminance  # L + M is the luminance, as castleCSF has it
            way = np.asarray(castle_csf.dkl_directions(background))[DIRECTIONS.index(direction)]
            change = np.asarray(to_rgb(way * white[:2].sum(), "lms"))  # linear RGB, cd/m^2 of each
            sensitivities = castle_csf.sensitivity(
                np.asarray(config.frequencies), background=background, direction=way, area=np.pi * config.sigma**2)
            for frequency, sensitivity in zip(config.frequencies, np.asarray(sensitivities, np.float64)):
                cones = np.sqrt(np.mean((way / background) ** 2))
                wave = np.cos(2 * np.pi * frequency * x) * window / (sensitivity * cones)
                light = luminance + np.multiply.outer(CONTRASTS, wave)[..., None] * change
                linear = (light - config.black_luminance) / span
                if linear.min() < 0 or linear.max() > 1:
                    continue
                gray = np.full((config.size, config.size, 3), (luminance - config.black_luminance) / span)
                patterns.append(Pattern(direction, frequency, luminance, 1 / sensitivity,
                                        *(np.asarray(srgb_from_linear(v), np.float32) for v in (linear, gray))))
    return patterns


def deviations(scores: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, float]:
    """Computes by how much a metric's scores of equally visible patterns differ.

    Args:
      scores: [patterns, 2], dissimilarities at contrast 2 and 4.
      among: [patterns], booleans: those whose median is the level that scores are compared with.

    Returns:
      [patterns], dB of contrast, at least `FLOOR_DB`; and the power with which scores grow.
    """
    scores = np.maximum(np.asarray(scores, np.float64), 0.0)
    seen = (scores[:, 0] > 0) & (scores[:, 1] > scores[:, 0])
    among = among & seen
    if not among.any():
        return np.full(len(scores), FLOOR_DB), 0.0
    power = float(np.median(np.log2(scores[among, 1] / scores[among, 0])))
    level = np.median(np.log10(scores[among, 0]))
    decibels = 20.0 * (np.log10(np.where(seen, scores[:, 0], 1.0)) - level) / power
    return np.where(seen, np.maximum(decibels, FLOOR_DB), FLOOR_DB), power


def run(config: Config, workdir: pathlib.Path) -> list[dict[str, Any]]:
    """Scores all patterns and writes the table.

    Args:
      config: of the experiment.
      workdir: where it is written.

    Returns:
      Its rows.

    Raises:
      ValueError: if the display can show none of the patterns.
    """
    started = time.time()
    patterns = make_patterns(config)
    if not patterns:
        raise ValueError("the display can show none of the patterns: choose other --luminances or --frequencies")
    display = Display(config.pixels_per_degree, config.peak_luminance, config.black_luminance)
    missing = available(config.metrics)
    images = jnp.asarray(np.stack([p.images for p in patterns]))
    reference = jnp.asarray(np.stack([p.reference for p in patterns]))
    light = np.array([p.direction == "light" for p in patterns])
    rows = []
    for name in config.metrics:
        if name in missing:
            print(missing[name])
            continue
        metric = full_reference(name, display=display)
        scores = np.array([[float(dissimilarity(metric, metric(images[i, k : k + 1], reference[i : i + 1]))[0])
                            for k in range(len(CONTRASTS))] for i in range(len(patterns))])
        decibels, power = deviations(scores, light)
        rows += [{"metric": name, "direction": p.direction, "luminance": p.luminance, "frequency": p.frequency,
                  "threshold": p.threshold, "score": s, "power": power, "deviation_db": d}
                 for p, s, d in zip(patterns, scores[:, 0], decibels)]
        print(f"{name:16} power {power:5.2f}, rms {np.sqrt(np.mean(decibels[light] ** 2)):5.1f} dB in light and dark, "
              f"{np.sqrt(np.mean(decibels**2)):5.1f} dB in all", flush=True)
    write_table(workdir / "patterns.csv", {name: [row[name] for row in rows] for name in rows[0]} if rows else {}, {
        "experiment": "threshold_patterns", "contrast": "2 times the threshold of castleCSF",
        "pixels_per_degree": config.pixels_per_degree, "sigma_degrees": config.sigma})
    write_run_record(workdir, name="experiments.images.threshold_patterns", config=config,
                     duration_seconds=time.time() - started)
    return rows


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
