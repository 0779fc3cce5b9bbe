"""One image for three displays: fitted for squared error and for what people notice there, at equal bytes.

    python -m experiments.images.display_aware --preset=quick --workdir=OUT [--images=FOLDER]

Crops of photographs are fitted with the overfitted codec to files of one length, for squared error ("mse") and for
ColorVideoVDP's quality on a display ("jod"): the first of them on a phone, a desktop monitor and a television of high
dynamic range, on which its light is coded as PQ of 10 bits; the others on `--display`. The first is also fitted for one
glance on that display ("glance"): the eye rests on a point, and sensitivities fall away from it as castleCSF says.

`fits.csv` has a row for each file: bytes, PSNR of its values, JOD of an eye that goes everywhere and of the glance, and
the color error: CIEDE2000 between means over 8 x 8 pixels of what is shown on a page, averaged, so that it is of areas.
With `--more`, `equal.csv` says how many bytes squared error takes for the JOD of each fit for a display.
`fits.npz` has originals, what files decode to (as 8 bits of sRGB where they are PQ), bits of latents per pixel ("bits
..") and where differences are seen, in JOD ("seen .."). `sheet1.png` and `sheet4.png` show all crops, as they are and
enlarged four times.

--images  folder of images, from whose middles crops are cut; default: places of scikit-image's photographs
--bytes   length of each file; files may be 1 % shorter

Cost: benchmarks/overfitted.md says what a step takes; each display's objective compiles for itself. Expected (quick):
.16 to .48 JOD more in every crop on the desktop, and .5 to 1.3 dB less PSNR; the first crop has .40 JOD more on the
phone, .66 on the television and .33 in the glance.
"""

import dataclasses
import math
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.images.bitstream_cache import Fit, messages
from experiments.images.display_measures import bytes_of_squared_error, color_error
from experiments.images.foveated_glance import bit_map
from rdr import command_line
from rdr.codecs import overfitted
from rdr.codecs.overfitted.objectives import SQUARED_ERROR_WEIGHT_OF_JOD, objective
from rdr.codecs.overfitted.signals import SRGB, Signal
from rdr.command_line import option
from rdr.data import light
from rdr.data.color_spaces import PRIMARIES, bt709_from, linear_from_srgb, srgb_from_linear
from rdr.data.folders import images_by_name
from rdr.data.image_io import read_image, write_image
from rdr.evaluation.tables import write_run_record, write_table
from rdr.files import write_arrays
from rdr.vision.cvvdp import cvvdp, cvvdp_map
from rdr.vision.display import Display, get_display

# Photographs of scikit-image, and the middles of crops as fractions of height and width.
PLACES = {
    "astronaut": (0.21, 0.43), "chelsea": (0.36, 0.37), "coffee": (0.6, 0.62), "motorcycle": (0.42, 0.69),
    "rocket": (0.87, 0.24), "shuttle": (0.3, 0.78),
}
_LOADERS = {"motorcycle": lambda data: data.stereo_motorcycle()[0], "shuttle": lambda data: data.astronaut()}
# Name -> display that it is made of, pixels per degree (None: its own), and what values its images have. The pixels of
# an image are two of the phone's and of the television's each way.
DISPLAYS: dict[str, tuple[str, float | None, Signal]] = {
    "phone": ("standard_phone", 60.0, SRGB),
    "desktop": ("standard_fhd", None, SRGB),
    "television": ("65inch_hdr_pq_1Knit", 46.0, Signal(10, "pq", "bt2020")),
}
TOLERANCE = 0.01  # by which files of equal length may be shorter
_MORE = "mse x"


@dataclasses.dataclass(frozen=True)
class Config:
    """What is fitted and how."""

    images: str = option("", "folder of images; empty for scikit-image's")
    names: tuple[str, ...] = option((), "which of them; empty for all")
    size: int = option(96, "side of the square crops in pixels")
    bytes: int = option(900, "bytes of each file")
    more: tuple[float, ...] = option(
        (), "so many times the bytes, for one more fit for squared error of each crop and number: how many squared "
        "error needs for the JOD of the others")
    displays: tuple[str, ...] = option(tuple(DISPLAYS), "displays that the first crop is fitted for",
                                       choices=tuple(DISPLAYS))
    display: str = option("desktop", "the display that the others, and the glance, are fitted for",
                          choices=tuple(DISPLAYS))
    squared_error: float = option(
        SQUARED_ERROR_WEIGHT_OF_JOD, "weight of squared error, of 8-bit levels, beside ColorVideoVDP's inner quality, "
        "which hardly sees hues of large areas; the usual one is that of `rdr encode --objective=jod`")
    white: float = option(500.0, "cd/m^2 that a photograph's white has on the television")
    fixation: tuple[float, ...] = option(
        (0.5, 0.5), "row and column of the glance, as fractions of the side; empty for no glance")
    steps: int = option(400, "steps of a fit")
    seed: int = option(0, "seed of fits")

    def __post_init__(self):
        if self.fixation and not (len(self.fixation) == 2 and all(0 <= f <= 1 for f in self.fixation)):
            raise ValueError(f"--fixation must be a row and a column in [0, 1], got {self.fixation}")
        if not 0 < self.white <= light.PQ_PEAK:
            raise ValueError(f"--white must be positive and at most {light.PQ_PEAK:g} cd/m^2, got {self.white}")
        if not 0 <= self.squared_error < math.inf:
            raise ValueError(f"--squared_error must be at least 0, got {self.squared_error}")
        if self.size < 16:
            raise ValueError(f"--size must be at least 16, got {self.size}")
        if not all(1 < factor < math.inf for factor in self.more) or len(set(self.more)) < len(self.more):
            raise ValueError(f"--more must be different numbers above 1, got {self.more}")


PRESETS = {
    "smoke": Config(names=("astronaut",), size=24, bytes=330, displays=("desktop",), fixation=(), steps=6),
    "quick": Config(),
    "full": Config(size=256, bytes=6000, steps=4000),
}


class Viewed(NamedTuple):
    """A display and what its images are.

    Attributes:
      display: the display.
      signal: bits, transfer function and primaries of its images.
      white: cd/m^2 of a photograph's white where values are absolute.
    """

    display: Display
    signal: Signal
    white: float

    def encode(self, image: np.ndarray) -> np.ndarray:
        """Brings a photograph to the display's values.

        Args:
          image: uint8 [height, width, 3], sRGB.

        Returns:
          The same, or float32 in [0, 1], of whole steps of the signal.
        """
        if not self.signal.hdr:
            return image
        rgb = linear_from_srgb(image / 255.0) @ np.linalg.inv(_BT709_FROM_BT2020).T
        levels = 2**self.signal.depth - 1
        coded = light.pq_from_luminance(np.maximum(rgb, 0.0) * self.white)
        return (np.rint(coded * levels) / levels).astype(np.float32)

    def as_srgb(self, values: np.ndarray) -> np.ndarray:
        """What values look like on a page.

        Args:
          values: uint8 or uint16 over its whole range.

        Returns:
          uint8, sRGB; of PQ with `white` at 255 and brighter ones cut.
        """
        if not self.signal.hdr:
            return values
        rgb = light.luminance_from_pq(values / np.iinfo(values.dtype).max) / self.white @ _BT709_FROM_BT2020.T
        return np.rint(255 * srgb_from_linear(np.clip(rgb, 0.0, 1.0))).astype(np.uint8)


_BT709_FROM_BT2020 = bt709_from(PRIMARIES[9])


def viewed(name: str, white: float) -> Viewed:
    """Finds a display of `DISPLAYS`.

    Args:
      name: which one.
      white: see `Viewed`.

    Returns:
      The display with its pixels per degree, and what its images are.
    """
    known, pixels_per_degree, signal = DISPLAYS[name]
    display = get_display(known)
    return Viewed(display._replace(name=name, pixels_per_degree=pixels_per_degree or display.pixels_per_degree),
                  signal, white)


def crops(config: Config) -> dict[str, np.ndarray]:
    """Reads the crops.

    Args:
      config: of the experiment.

    Returns:
      Name -> uint8 [size, size, 3].

    Raises:
      ValueError: if an image is missing or smaller than a crop.
    """
    if config.images:
        known = images_by_name(config.images)
    else:
        try:
            from skimage import data
        except ImportError:
            raise ValueError("--images is missing, and scikit-image is not installed: pip install scikit-image"
                             ) from None
        known = dict.fromkeys(PLACES)
    found = {}
    for name in config.names or tuple(known):
        if name not in known:
            raise ValueError(f"--names must be among {', '.join(known)}, got {name!r}")
        image = read_image(known[name], channels=3) if config.images else (
            _LOADERS[name](data) if name in _LOADERS else getattr(data, name)())
        image = np.rint(image / 257).astype(np.uint8) if image.dtype == np.uint16 else image
        starts = [round(f * (n - config.size)) if config.images else round(f * n - config.size / 2)
                  for f, n in zip(PLACES.get(name, (0.5, 0.5)) if not config.images else (0.5, 0.5), image.shape)]
        if not all(0 <= s <= n - config.size for s, n in zip(starts, image.shape)):
            raise ValueError(f"--size must fit into the images, got {config.size} for {name}, "
                             f"{image.shape[0]} x {image.shape[1]} pixels")
        found[name] = image[starts[0] : starts[0] + config.size, starts[1] : starts[1] + config.size]
    return found


class Wanted(NamedTuple):
    """A file of the experiment.

    Attributes:
      name: the crop's.
      display: of `DISPLAYS`.
      method: "mse", "jod", "glance", or "mse x1.2" for squared error at 1.2 times the bytes.
    """

    name: str
    display: str
    method: str


def wanted(config: Config, names: Sequence[str]) -> list[Wanted]:
    """Lists the files.

    Args:
      config: of the experiment.
      names: of the crops.

    Returns:
      The files; for displays with the same values, squared error has one file by the name of the first.
    """
    found = []
    for name in names:
        for display in dict.fromkeys((config.display, *config.displays)) if name == names[0] else (config.display,):
            found += [Wanted(name, display, "mse"), Wanted(name, display, "jod")]
            if display == config.display:
                found += [Wanted(name, display, f"{_MORE}{factor:g}") for factor in config.more]
                found += [Wanted(name, display, "glance")] if config.fixation and name == names[0] else []
    return found


def point(config: Config) -> tuple[float, float] | None:
    """The fixated point: row and column in pixels, or None."""
    return tuple(f * (config.size - 1) for f in config.fixation) if config.fixation else None


def make_fit(config: Config, one: Wanted, image: np.ndarray) -> Fit:
    """Says how a file is made.

    Args:
      config: of the experiment.
      one: the file.
      image: its crop, uint8 [size, size, 3].

    Returns:
      The fit; the same for two displays whose images have the same values, where it is for squared error.
    """
    at = viewed(one.display, config.white)
    length = round(config.bytes * (float(one.method.removeprefix(_MORE)) if one.method.startswith(_MORE) else 1.0))
    common = overfitted.Options(size=length, size_tolerance=TOLERANCE, signal=at.signal, seed=config.seed,
                                schedule=overfitted.Schedule(steps=config.steps))
    kind = one.display
    if one.method in ("jod", "glance"):
        goal = objective("jod", display=at.display, fixation=point(config) if one.method == "glance" else None)
        common = common._replace(objective=goal._replace(params=np.float32(config.squared_error)))
    else:
        kind = "hdr" if at.signal.hdr else "sdr"
    return Fit(f"{one.name}-{kind}-{one.method.replace(' ', '-')}", at.encode(image), common)


def measure(at: Viewed, image: np.ndarray, decoded: np.ndarray, glance: tuple[float, float] | None
            ) -> tuple[dict[str, float], np.ndarray]:
    """Measures a decoded crop.

    Args:
      at: the display.
      image: what was encoded, [size, size, 3].
      decoded: what came back, uint8 or uint16.
      glance: row and column of the fixated point in pixels, or None.

    Returns:
      PSNR of the display's values in dB, JOD, and JOD of the glance (NaN for none); and where differences are seen
      [size, size], JOD.
    """
    pair = [np.asarray(x, np.float32)[None] / np.float32(np.iinfo(x.dtype).max if x.dtype.kind == "u" else 1.0)
            for x in (decoded, image)]
    error = float(np.mean(np.square(pair[0].astype(np.float64) - pair[1])))
    scores = {
        "psnr": -10.0 * math.log10(error) if error else math.inf,
        "jod": float(cvvdp(*pair, display=at.display).jod[0]),
        "jod_glance": float(cvvdp(*pair, display=at.display, fixation=glance).jod[0]) if glance else math.nan,
    }
    return scores, np.asarray(cvvdp_map(*pair, display=at.display)[0])


def write_sheet(path: pathlib.Path, rows: Sequence[Sequence[np.ndarray]], factor: int) -> None:
    """Writes images side by side, as they are or enlarged by a whole factor.

    Args:
      path: of the PNG.
      rows: of images, uint8 [size, size, 3].
      factor: how many pixels each way a pixel becomes.
    """
    gap = 4

    def strip(images, axis):
        space = np.full((*(images[0].shape[:axis]), gap, *images[0].shape[axis + 1 :]), 128, np.uint8)
        return np.concatenate([x for image in images for x in (image, space)][:-1], axis)

    enlarged = [[image.repeat(factor, 0).repeat(factor, 1) for image in row] for row in rows]
    write_image(path, strip([strip(row, 1) for row in enlarged], 0))


def run(config: Config, workdir: pathlib.Path) -> list[dict[str, Any]]:
    """Fits, decodes, measures, and writes table, arrays and sheets.

    Args:
      config: of the experiment.
      workdir: where everything is kept.

    Returns:
      The rows of `fits.csv`.

    Raises:
      ValueError: if an image or an option is refused.
    """
    started = time.time()
    images = crops(config)
    fits = {one: make_fit(config, one, images[one.name]) for one in wanted(config, tuple(images))}
    files = messages(list({fit.stem: fit for fit in fits.values()}.values()), workdir)
    rows, arrays = [], {f"{name} original": image for name, image in images.items()}
    for one, fit in fits.items():
        at, message = viewed(one.display, config.white), files[fit.stem]
        decoded = overfitted.decode(message)
        scores, seen = measure(at, fit.image, decoded, point(config) if one.name == next(iter(images)) else None)
        key, shown = " ".join(one), at.as_srgb(decoded)
        rows.append({**one._asdict(), "bytes": len(message), "bits_per_pixel": 8 * len(message) / config.size**2,
                     **scores, "color_error": color_error(images[one.name], shown)})
        spent = bit_map(message).astype(np.float32)
        arrays |= {key: shown, f"bits {key}": spent, f"seen {key}": seen.astype(np.float32)}
        print(f"{key:32} {len(message)} bytes  {scores['psnr']:.2f} dB  {scores['jod']:.3f} JOD", flush=True)
    write_arrays(workdir / "fits.npz", arrays, compressed=True)
    sheet = [[arrays[f"{name} original"], *(arrays[f"{name} {config.display} {method}"] for method in ("mse", "jod"))]
             for name in images]
    for factor in (1, 4):
        write_sheet(workdir / f"sheet{factor}.png", sheet, factor)
    write_table(workdir / "fits.csv", {column: [row[column] for row in rows] for column in rows[0]}, {
        "experiment": "display_aware", "units": "bytes of whole files; psnr in dB of coded values; jod of 10; "
        "color_error in CIEDE2000",
        "size": config.size, "wanted_bytes": config.bytes, "steps": config.steps, "squared_error": config.squared_error,
        "white": config.white,
        "fixation": " ".join(map(str, config.fixation)), "seed": config.seed,
        **{name: f"{viewed(name, config.white).display.pixels_per_degree:.4g} pixels per degree"
           for name in dict.fromkeys((config.display, *config.displays))}})
    if equal := bytes_of_squared_error(rows):
        write_table(workdir / "equal.csv", {column: [row[column] for row in equal] for column in equal[0]}, {
            "experiment": "display_aware", "units": "bytes of whole files; jod of 10; saved as a share of bytes_mse"})
    write_run_record(workdir, name="experiments.images.display_aware", config=config,
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
