"""Codecs under Wasserstein distortion, in real bytes, against the rate that it takes: tiles, sliding windows, images.

    python -m experiments.sources.wasserstein_rate --preset=quick --workdir=runs/wasserstein_rate/quick

Gaussian sources of variance 1. Three families, each with dithered scalars and with a trellis:

* tiles (`wasserstein_rate_tiles`): against a bracket that is certified and, for the proxy loss, nearly closed;
* fields (`wasserstein_rate_fields`): sliding Gaussian windows on a torus, in one and two dimensions, proxy loss;
* images (`wasserstein_rate_images`): the windows and edges of `rdr.losses`, proxy and exact loss.

`bound_lower_bits` is a converse for every code. For sliding windows there is no certified upper bound but the measured
codec itself; `asymptotic_bits` and `asymptotic_distortion` are what wide windows tend to, and bounds of nothing. The
run fails where a codec lies below its converse by more than three standard errors. `points.csv` has one row per codec
and loss; rates are those of whole messages, gaps those of ideal code lengths under the integer tables. `surplus_bits`
are what the sample at hand costs more than the source does on average (a control variate: `gap_bits - surplus_bits` has
the same expectation and a smaller standard error, `surplus_se`; it counts for no bound). `coded_bits` is the two-field
function at the fields' own squared error, before the decoder makes pixels of them: what is above it is lost in coding.
Every dither is fixed: common randomness is worth nothing here, and a codec may well share it forever.
"""

import dataclasses
import json
import math
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from experiments.sources import wasserstein_rate_fields as fields
from experiments.sources import wasserstein_rate_images as images
from experiments.sources import wasserstein_rate_tiles as tiles
from rdr import command_line
from rdr.codecs.vectors.water_filling import QUANTIZERS
from rdr.command_line import option
from rdr.evaluation import tables
from rdr.files import write_text

EXTRA_COLUMNS = ("family", "loss", "sigma", "level", "distortion_se", "message_bytes", "ideal_bits", "degrees",
                 "bound_degrees", "samples", "side", "asymptotic_bits", "asymptotic_distortion",
                 "zero_rate_distortion", "clipped", "surplus_bits", "surplus_se", "coded_bits", "coded_se")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment."""

    tile_pixels: tuple[int, ...] = option((4, 16, 64), "n of each kind of tile, squares")
    tile_distortions: tuple[float, ...] = option((0.5, 0.1, 0.02), "n D to aim at")
    tiles: int = option(2**14, "how many are coded each time")
    sigmas: tuple[float, ...] = option((2.0, 4.0, 8.0, 16.0, 32.0), "of sliding windows")
    levels: tuple[float, ...] = option(
        (0.1, 0.03), "water levels, relative to the largest spectral value of white noise and its like")
    fields: int = option(16, "how many fields are coded each time, four times as many where each has few components")
    longest: tuple[int, ...] = option((2**15, 512), "side of a field of one dimension, and of two, at most")
    row_sigmas: tuple[float, ...] = option((2.0, 8.0, 32.0), "of the loss on images of one row")
    row_width: int = option(128, "their pixels")
    square_sigmas: tuple[float, ...] = option((2.0, 8.0), "of the loss on square images")
    square_width: int = option(32, "their side")
    images: int = option(128, "how many are coded each time; an eighth of them for the exact loss")
    quantizers: tuple[str, ...] = option(("dither", "trellis-256"), "of rdr.codecs.vectors.water_filling")
    seed: int = option(0, "of everything")

    def __post_init__(self):
        for name in self.quantizers:
            if name not in QUANTIZERS:
                raise ValueError(f"quantizers must be among {', '.join(QUANTIZERS)}, got {name!r}")
        for n in self.tile_pixels:
            if n < 4 or math.isqrt(n) ** 2 != n:
                raise ValueError(f"tile_pixels must be squares from 4 on, got {n}")
        if len(self.longest) != 2 or min(self.longest) < 12 * max(self.sigmas, default=0.0):
            raise ValueError(f"longest must be two sides of at least 12 sigmas, got {self.longest}")
        for name, least in (("tiles", 64), ("fields", 4), ("images", 32)):
            if getattr(self, name) < least or getattr(self, name) % 2:
                raise ValueError(f"{name} must be even and at least {least}, got {getattr(self, name)}")
        if not all(0 < level < 1 for level in self.levels):
            raise ValueError(f"levels must lie in (0, 1), got {self.levels}")


PRESETS = {
    "smoke": Config(tile_pixels=(4,), tile_distortions=(0.1,), tiles=1024, sigmas=(4.0,), levels=(0.1,), fields=4,
                    longest=(2048, 64), row_sigmas=(2.0,), row_width=32, square_sigmas=(), images=32,
                    quantizers=("dither", "trellis-8")),
    "quick": Config(),
    "full": Config(tiles=2**17, levels=(0.3, 0.1, 0.03, 0.01), fields=32, longest=(2**17, 1024),
                   row_sigmas=(2.0, 4.0, 8.0, 16.0, 32.0), row_width=256, square_sigmas=(2.0, 4.0, 8.0), images=512,
                   quantizers=("dither", "rounding", "trellis-8", "trellis-256")),
}


def cases(config: Config) -> Iterator[tuple[str, Callable[[], list[dict[str, Any]]]]]:
    """What is measured: names, and functions that give rows.

    Args:
      config: settings.

    Yields:
      Pairs.
    """
    for pixels in config.tile_pixels:
        for distortion in config.tile_distortions:
            yield f"tiles-{pixels}-{distortion:g}", lambda n=pixels, d=distortion: tiles.measure(
                n, d, config.quantizers, 32, config.tiles // 32, config.seed)
    for source, dimension in (("white", 1), ("ar1", 1), ("white", 2), ("ar1", 2), ("inverse-square", 2)):
        for sigma in config.sigmas:
            yield f"fields-{source}-{dimension}-{sigma:g}", lambda a=source, b=dimension, c=sigma: _fields(
                config, a, b, c)
    for shape, sigmas, sources in (((1, config.row_width), config.row_sigmas, ("white", "ar1")),
                                   ((config.square_width,) * 2, config.square_sigmas, ("white", "inverse-square"))):
        for sigma in sigmas:
            for source in sources:
                yield f"images-{source}-{shape[0]}-{sigma:g}", lambda a=source, b=shape, c=sigma: _images(
                    config, a, b, c)


def _fields(config: Config, source: str, dimension: int, sigma: float) -> list[dict[str, Any]]:
    """All codecs of one field and window."""
    side = min((int(1024 * sigma), int(32 * sigma))[dimension - 1], config.longest[dimension - 1])
    where = fields.setting(source, max(side, math.ceil(6 * sigma) * 2), dimension, sigma)
    few = (where.means > config.levels[0] * where.means.max()).sum() * config.fields < 1000
    drawn = fields.draw(where, config.fields * (4 if few and source != "inverse-square" else 1), config.seed)
    rows = []
    for level in config.levels:
        theta = level * where.spectrum.ravel()[0]
        if source == "inverse-square":  # in units of K sigma^2, the spectrum at |w| = 1 / sigma
            theta = level * where.spectrum.ravel()[1] * (2.0 * math.pi * sigma / len(where.spectrum)) ** 2
        uses = [(quantizer, False, "checkerboard") for quantizer in config.quantizers]
        if source != "inverse-square":  # its correlations do not add up, and v has no such spectrum
            uses += [(quantizer, True, "checkerboard") for quantizer in config.quantizers]
        uses.append((config.quantizers[0], False, "noise"))
        rows += [fields.measure(where, drawn, theta, quantizer=quantizer, second=second, filler=filler,
                                seed=config.seed) for quantizer, second, filler in uses]
    return rows


def _images(config: Config, source: str, shape: tuple[int, int], sigma: float) -> list[dict[str, Any]]:
    """All codecs of one kind of image and window."""
    where = images.windows(source, shape, sigma)
    return [row for quantizer in config.quantizers for row in images.measure(
        where, config.levels[0], quantizer=quantizer, images=config.images, exact_images=config.images // 8,
        seed=config.seed)]


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Measures everything and writes the table; what an interrupted run has measured is not run again.

    Args:
      config: settings.
      workdir: an existing directory that belongs to this configuration.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: if a codec beats its converse.
    """
    started, workdir, rows = time.monotonic(), pathlib.Path(workdir), []
    (workdir / "cases").mkdir(exist_ok=True)
    for name, measured in cases(config):
        path = workdir / "cases" / f"{name}.json"
        if not path.exists():
            print(name, flush=True)
            result = [{k: v.item() if hasattr(v, "item") else v for k, v in row.items()} for row in measured()]
            write_text(path, json.dumps(result, indent=1) + "\n")
        rows += json.loads(path.read_text(encoding="utf-8"))
    table = {name: [row.get(name, math.nan) for row in rows] for name in (*tables.POINT_COLUMNS, *EXTRA_COLUMNS)}
    header = {
        "experiment": "wasserstein_rate", "source": "Gaussian; variance 1 per pixel",
        "units": "bits per tile for tiles (distortion per tile) and per pixel otherwise; gaps from ideal code lengths",
        "dimension": "pixels of a tile; otherwise of the field",
        "level": "water level over the largest spectral value; asymptotic columns are no bounds",
    }
    tables.write_points(workdir / "points.csv", table, header)
    shown = ("family", "source", "dimension", "codec", "loss", "sigma", "rate_bits", "distortion", "bound_lower_bits",
             "bound_upper_bits", "gap_bits", "gap_se", "degrees", "asymptotic_bits", "asymptotic_distortion")
    write_text(workdir / "summary.txt", tables.render({name: table[name] for name in shown}, digits=5) + "\n")
    tables.write_run_record(workdir, name="experiments.sources.wasserstein_rate", config=config,
                            duration_seconds=time.monotonic() - started)
    wrong = tables.violations(table)
    if wrong:
        raise ValueError(f"rows {wrong} of {workdir / 'points.csv'} lie below their bound by more than 3 standard "
                         "errors: a codec that beats a bound is a mistake until explained")
    print(f"No codec beats its converse. Table: {workdir / 'points.csv'}; for reading: {workdir / 'summary.txt'}")
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
