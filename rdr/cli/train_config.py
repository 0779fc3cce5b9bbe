"""Settings of `rdr train`: flags, presets, and a file that sets them."""

import dataclasses
import difflib
import json
import math
import pathlib
import typing
from typing import Any

from rdr.codecs.image import NAMES
from rdr.codecs.image.codec import TRANSFORMS
from rdr.command_line import option

STAGES, STARTS, PRECISIONS = ("distortion", "realism"), ("principal", "random"), ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a training; each field says what it is."""

    images: str = option("", "folder of images, .npy file of patches, or name of a TFDS data set that is prepared on "
                             "this machine; none: the photographs that come with scikit-image",
                             first=True, metavar="PATH")
    strict: bool = option(False, "refuse images that cannot be used; otherwise they are named and left out")
    codec: str = option("mbt2018-mean", "architecture; later ones in this list need fewer bits and compute more",
                       choices=NAMES, first=True)
    channels: int = option(64, "channels N of the transforms; more for higher rates")
    latents: int = option(96, "channels M of the latents; more for higher rates")
    transforms: str = option("gdn", "nonlinearity and blocks of the transforms; residual ones compute more",
                            choices=tuple(TRANSFORMS))
    rate_levels: int = option(5, "rate levels of one network; 0 for a network of one rate", first=True)
    lambda_low: float = option(
        0.0018, "weight of 255^2 MSE at the lowest rate level, or of a codec of one rate; smaller for shorter files")
    lambda_high: float = option(0.0483, "weight of 255^2 MSE at the highest rate level; larger for longer files")
    stage: str = option("distortion", "what is trained: the codec, or afterwards its decoder's second set of weights",
                        choices=STAGES, first=True)
    start: str = option("", "codec.npz of the stage before; none: from scratch", first=True, metavar="FILE")
    initial: str = option("principal", "start of GDN transforms from scratch: components of the images, or random as "
                                       "in the papers; residual ones are random in any case", choices=STARTS)
    patch: int = option(256, "side in pixels of the stored patches; smaller for small images")
    crop: int = option(128, "side in pixels of the crops in a batch, a multiple of 64; smaller for less memory")
    resident: bool = option(False, "hold, crop and mirror patches on the devices, which leaves the host alone")
    batch: int = option(8, "crops in a batch, of all devices together; fewer for less memory")
    steps: int = option(20_000, "steps of training; more for a better codec", first=True)
    learning_rate: float = option(1e-3, "highest learning rate of Adam; smaller where the loss jumps")
    warmup: int = option(200, "steps of rising learning rate; more where the loss jumps at first")
    clip: float = option(1.0, "largest norm of a gradient; smaller where the loss jumps")
    decay: float = option(
        0.999, "decay of the moving average of parameters, for each step; nearer to 1 in long trainings")
    precision: str = option("float32", "of the transforms; bfloat16 is faster on accelerators", choices=PRECISIONS)
    perceptual_weight: float = option(
        1.0, "LPIPS (AlexNet) at realism weight 1, in bits per pixel (stage realism); larger for realism before "
        "squared error")
    structure_weight: float = option(
        0.0, "DISTS at realism weight 1, in bits per pixel (stage realism); 0 saves most of the time")
    texture_weight: float = option(
        0.5, "Wasserstein distortion of the image at realism weight 1, times 255^2 lambda (stage realism); "
        "larger for realism before squared error")
    texture_sigma: float = option(4.0, "width in pixels of that distortion (stage realism); larger for freer textures")
    log_every: int = option(50, "steps between lines of metrics.jsonl; fewer to watch it closely")
    save_every: int = option(250, "steps between checkpoints; fewer where a run may be interrupted")
    seed: int = option(0, "random seed of parameters, crops and noise; another for a repetition")

    def __post_init__(self):
        for name, known in (("codec", NAMES), ("stage", STAGES), ("initial", STARTS), ("transforms", TRANSFORMS),
                            ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.stage == "realism" and not self.start:
            raise ValueError("the realism stage goes on from a codec: give --start=codec.npz of the distortion stage")
        for name in ("channels", "latents", "patch", "crop", "batch", "steps", "log_every", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.crop % 64 or self.crop > self.patch:
            raise ValueError(f"crop must be a multiple of 64 and at most patch, got {self.crop} and {self.patch}")
        for name in ("lambda_low", "lambda_high", "learning_rate", "clip"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be in [0, 2^32), got {self.seed}")


PRESETS = {
    "smoke": Config(codec="bmshj2018-factorized", channels=8, latents=12, rate_levels=2, patch=128, crop=64, batch=2,
                    steps=8, warmup=2, log_every=2, save_every=4),
    "quick": Config(lambda_low=0.0012, lambda_high=0.02, batch=4, steps=8000, learning_rate=7e-4, warmup=100,
                    save_every=100),
    "full": Config(channels=128, latents=192, rate_levels=8, crop=256, batch=16, steps=1_000_000, learning_rate=1e-4,
                   decay=0.9999, log_every=500, save_every=5000),
}


@dataclasses.dataclass(frozen=True)
class DistributedConfig:
    """Where and how a training runs."""

    config: str = option("", "JSON file that sets any of the options above; flags override it", metavar="FILE")
    coordinator: str = option(
        "", "HOST:PORT of process 0, for several processes; workdir on a disk that all see", metavar="HOST:PORT")
    num_processes: int = option(1, "number of processes; several for several machines")
    process_id: int = option(0, "which of them this is, from 0")
    profile: bool = option(False, "write a profile of a few steps to the workdir, to see what takes the time")
    json: bool = option(False, "print one line of JSON at the end: bytes of codec.npz, seconds, and the last metrics")


def read_config_file(path: str) -> dict[str, Any]:
    """Reads the values of a configuration file.

    Args:
      path: a JSON file with names of `Config`'s fields.

    Returns:
      Values by name, each of its field's type; whether they fit together shows when flags are known, too.

    Raises:
      ValueError: if it cannot be read, or a name or a type is wrong.
    """
    try:
        values = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"config: {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"config: {path} is no JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"config: {path} must hold one JSON object")
    hints = typing.get_type_hints(Config)
    for name, value in values.items():
        if name not in hints:
            near = difflib.get_close_matches(name, hints, 1)
            raise ValueError(f"config: {path} sets {name!r}, which does not exist"
                             + (f"; did you mean {near[0]!r}?" if near else ""))
        kind = hints[name]
        fits = isinstance(value, (int, float) if kind is float else kind) and isinstance(value, bool) == (kind is bool)
        if not fits:
            raise ValueError(f"config: {path} sets {name} to {value!r}, which is no {kind.__name__}")
    return values
