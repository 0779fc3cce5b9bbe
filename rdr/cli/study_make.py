"""The command `rdr study make`: a site that shows images to people and asks about them."""

import dataclasses
import math
import pathlib
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import numpy as np

from rdr import command_line
from rdr.cli import reports
from rdr.cli.inputs import MESSAGE_SUFFIX, read_message
from rdr.cli.outcome import Outcome, show_json
from rdr.command_line import CommandLine, UsageError, option
from rdr.data.folders import SUFFIXES, by_name, list_images
from rdr.data.image_io import read_image
from rdr.evaluation.studies import design as designs
from rdr.evaluation.studies import site
from rdr.evaluation.studies.design import REFERENCE, Condition, Plan
from rdr.evaluation.studies.site import Settings, Stimulus

DESCRIPTION = """
Makes a site that asks people about images: it opens from a disk as well as from any web server.

    rdr study make jpeg@1 jpeg@2 ours@1 ours@2 --reference=originals --out=site --protocol=triplet

Each FOLDER is a codec, or a codec at a level if its name ends in @NUMBER; its images (.rdr files, too) have the names
of the originals. Protocols: 2afc (which of two is closer to the original, or looks better), triplet (which of two is
more distorted; a key switches to the original), flicker (the same while both alternate with the original), 3afc (which
of three differs from the others), foveated (original, then two images, each shown for a moment: which one differs).

Open index.html, or give the site to `rdr study serve`. Answers stay in the browser until they are downloaded as CSV,
which `rdr study analyze` reads. Images are stored under neutral names, but whoever reads the page's source finds out.
"""
MAX_TRIALS = 120
MAX_MAGNIFICATION = 16
_SCREEN, _MARGIN = (1920, 900), 20  # pixels; of a usual monitor, without what a browser and the page need
_BOOSTS = {"flicker": 2}  # magnification and amplification where nothing else is said


@dataclasses.dataclass(frozen=True)
class Config:
    """What is asked, of whom, and how it is shown.

    Raises:
      ValueError: if values contradict each other or are out of range.
    """

    reference: str = option("", "folder of the originals", first=True, metavar="FOLDER")
    out: str = option("", "folder of the site, which must not exist", first=True, metavar="FOLDER")
    protocol: str = option("triplet", "what is shown and asked", choices=designs.PROTOCOLS, first=True)
    design: str = option(
        "balanced", "which images are compared; random: drawn; balanced: all equally often, on either side; active: "
        "those that say most, chosen by `rdr study serve` while answers come in", choices=designs.DESIGNS, first=True)
    trials: int = option(0, f"test trials of an observer; 0: every comparison once, {MAX_TRIALS} at most", first=True)
    observers: int = option(50, "for how many observers there are schedules", first=True)
    compare: str = option(
        "all", "which conditions of a source are compared: all; codec: those of one codec, and each with the original; "
        "reference: each with the original", choices=designs.COMPARE)
    catch: float = option(0.1, "catch trials, whose answer is known, as a share of the test trials")
    training: int = option(3, "training trials before the first one that counts")
    rest: int = option(40, "trials between two breaks; 0: no breaks")
    question: str = option("closer", "of 2afc: which is closer to the original, which can be seen, or looks better",
                           choices=("closer", "better"))
    notsure: str = option("auto", "whether `not sure` is an answer; auto: in triplet and flicker",
                          choices=("auto", "yes", "no"))
    magnification: int = option(0, "screen pixels a side for a pixel of an image; 0: 2 in flicker, else 1")
    amplification: float = option(0.0, "factor of the difference to the original; 0: 2 in flicker, else 1")
    flicker: float = option(10.0, "changes of the image in a second, in flicker")
    duration: float = option(200.0, "milliseconds that an image is shown, in foveated")
    blank: float = option(500.0, "milliseconds between two images, in foveated")
    crop: tuple[int, ...] = option((), "width and height in pixels of the middle that is shown; none: everything")
    title: str = option("Which image?", "heading of the pages", metavar="TEXT")
    collect: str = option(
        "", "address that answers are posted to, too, as soon as they are given; none: nowhere", metavar="URL")
    seed: int = option(0, "random seed of schedules and names of images")

    def __post_init__(self):
        for name in ("trials", "training", "rest", "magnification", "amplification", "seed", "blank"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise ValueError(f"--{name} must be 0 or more, got {getattr(self, name):g}")
        for name in ("observers", "flicker", "duration"):
            if not (getattr(self, name) > 0 and math.isfinite(getattr(self, name))):
                raise ValueError(f"--{name} must be positive, got {getattr(self, name):g}")
        if not 0 <= self.catch <= 1:
            raise ValueError(f"--catch must be in [0, 1], got {self.catch:g}")
        if 0 < self.amplification < 1:
            raise ValueError(f"--amplification must be 1 or more, or 0, got {self.amplification:g}")
        if self.magnification > MAX_MAGNIFICATION:
            raise ValueError(f"--magnification must be {MAX_MAGNIFICATION} at most, got {self.magnification}")
        if self.crop and (len(self.crop) != 2 or min(self.crop) < 1):
            raise ValueError(f"--crop must be a width and a height, got {','.join(map(str, self.crop))}")
        if self.question == "better" and self.protocol != "2afc":
            raise ValueError("--question=better is of --protocol=2afc only")
        if self.notsure == "yes" and self.protocol in designs.ODDITY:
            raise ValueError(f"--notsure=yes is not of --protocol={self.protocol}, whose answers are right or wrong")
        if self.design == "active" and self.protocol in designs.ODDITY:
            raise ValueError(f"--design=active is not of --protocol={self.protocol}, where conditions are not compared")
        if self.design == "active" and self.collect:
            raise ValueError("--design=active needs `rdr study serve`, which has all answers: leave out --collect")
        if self.collect and (urlsplit(self.collect).scheme not in ("http", "https")
                             or not urlsplit(self.collect).hostname):
            raise ValueError(f"--collect must be an address that begins with http:// or https://, got {self.collect!r}")


@dataclasses.dataclass(frozen=True)
class Extra:
    """What is printed."""

    json: bool = option(False, "print one line of JSON: seconds, images, comparisons, trials, site")


def codec_of(folder: pathlib.Path) -> Condition:
    """Reads codec and level off a folder's name.

    Args:
      folder: named CODEC or CODEC@LEVEL.

    Returns:
      The condition; level 1 where there is none.

    Raises:
      ValueError: if the level is not a positive number.
    """
    name, separator, level = folder.resolve().name.rpartition("@")
    if not separator:
        return Condition(level, 1.0)
    try:
        value = float(level)
    except ValueError:
        raise ValueError(f"{folder}: what follows @ must be a number, got {level!r}") from None
    if not 0 < value < math.inf:
        raise ValueError(f"{folder}: a level must be positive (0 is the original), got {level}")
    return Condition(name, value)


def images_of(folder: str, flag: str) -> dict[str, pathlib.Path]:
    """Lists images and messages of a folder by name without suffix.

    Args:
      folder: the folder.
      flag: how it is called in messages.

    Returns:
      name -> file, in order of names.

    Raises:
      ValueError: if there is no such folder, no image in it, or two of one name.
    """
    result = list_images(folder, flag=flag, recursive=False, suffixes=(*SUFFIXES, MESSAGE_SUFFIX))
    return by_name(result, flag=flag)


def read_stimulus(path: pathlib.Path) -> np.ndarray:
    """Reads an image or decodes a message.

    Args:
      path: the file.

    Returns:
      uint8 [height, width, 3].

    Raises:
      ValueError: if it cannot be read.
    """
    if path.suffix.lower() != MESSAGE_SUFFIX:
        return read_image(path, channels=3, depth="eight")
    try:
        image = reports.decode_srgb(read_message(path), "", 0.0)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return np.repeat(image, 3 // image.shape[2], 2)


def gather(folders: Sequence[str], reference: str) -> tuple[list[str], list[Condition], list[Stimulus]]:
    """Finds sources, conditions and images.

    Args:
      folders: one a condition.
      reference: the folder of the originals.

    Returns:
      Names of sources, conditions with the reference first, and all images.

    Raises:
      ValueError: if a folder lacks an image, has another one, or its name is not that of a condition.
    """
    originals = images_of(reference, "reference")
    for name in originals:
        site.check_name(name)
    conditions = [codec_of(pathlib.Path(folder)) for folder in folders]
    site.check_conditions(conditions)
    images = [Stimulus(number, 0, path) for number, path in enumerate(originals.values())]
    for condition, folder in enumerate(folders, 1):
        result = images_of(folder, "FOLDER")
        for name in originals.keys() ^ result.keys():
            where, lacks = (folder, reference) if name in result else (reference, folder)
            raise ValueError(f"there is an image {name} in {where}, but none in {lacks}")
        images += [Stimulus(number, condition, result[name]) for number, name in enumerate(originals)]
    return list(originals), [REFERENCE, *conditions], images


def run(folders: Sequence[str], config: Config, extra: Extra = Extra()) -> site.Written:
    """Makes a study.

    Args:
      folders: one a condition.
      config: what is asked, of whom, and how it is shown.
      extra: what is printed.

    Returns:
      What was written.

    Raises:
      UsageError: if folders are missing.
      ValueError: if something cannot be read, or the site exists.
    """
    began = time.perf_counter()
    for name in ("reference", "out"):
        if not getattr(config, name):
            raise UsageError(f"--{name} is missing: {'say where the originals are' if name == 'reference' else ''}"
                             f"{'say where to write the site' if name == 'out' else ''}")
    if not folders:
        raise UsageError("say which folders of images are compared")
    sources, conditions, images = gather(folders, config.reference)
    protocol = config.protocol
    comparisons = designs.list_comparisons(conditions, len(sources), protocol, compare=config.compare)
    test = config.trials or min(len(comparisons), MAX_TRIALS)
    plan = Plan(protocol, len(conditions), len(sources), test, round(config.catch * test), config.training,
                config.question == "closer")
    not_sure = protocol in ("triplet", "flicker") if config.notsure == "auto" else config.notsure == "yes"
    settings = Settings(
        title=config.title, design=config.design, compare=config.compare, observers=config.observers, seed=config.seed,
        question=config.question, not_sure=not_sure, magnification=config.magnification or _BOOSTS.get(protocol, 1),
        amplification=config.amplification or float(_BOOSTS.get(protocol, 1)), flicker=config.flicker,
        duration=config.duration, blank=config.blank, rest=config.rest, collect=config.collect, crop=config.crop)
    written = site.write_site(pathlib.Path(config.out), sources, conditions, images, plan, settings,
                              read=read_stimulus)
    if extra.json:
        show_json(Outcome(seconds=time.perf_counter() - began), **written._asdict(), site=config.out)
        return written
    print(f"{config.out}: {written.images} images, {written.comparisons} comparisons, {written.trials} trials for each "
          f"of {config.observers} observers" + (" that `rdr study serve` chooses" if config.design == "active" else ""))
    if config.design != "active":
        share = config.observers * test / written.comparisons
        print(f"each comparison is answered {share:.1f} times if all of them come; open {config.out}/index.html")
    shown = {"2afc": 3 if config.question == "closer" else 2, "3afc": 3, "foveated": 1}.get(protocol, 2)
    width, height = (side * settings.magnification for side in written.largest)
    if shown * (width + _MARGIN) > _SCREEN[0] or height + _MARGIN > _SCREEN[1]:
        print(f"note: {shown} images of {width} x {height} pixels are more than a screen of {_SCREEN[0]} x "
              f"{_SCREEN[1]} shows beside each other; --crop takes their middle")
    if written.clipped > 0.01:
        print(f"note: amplification clips up to {written.clipped:.1%} of the values of an image")
    return written


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        parsed = command_line.parse(
            CommandLine("rdr study make", DESCRIPTION, {"": Config()}, Extra(), "FOLDER..", "none"), argv)
        run(parsed.words, parsed.config, parsed.extra)

    return command_line.run_safely(call, interrupted="nothing was written")
