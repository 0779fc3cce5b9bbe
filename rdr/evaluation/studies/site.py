"""The static site of a study: images under neutral names, who sees which of them, and the pages that ask."""

import contextlib
import hashlib
import html
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from rdr import files
from rdr.data.image_io import write_image
from rdr.evaluation.studies import design, stimuli
from rdr.evaluation.studies.design import REFERENCE, Condition, Plan, Trial

ASSETS = ("study.css", "answers.js", "screen.js", "stimuli.js", "study.js")
DATA, SERVER, PAGE = "data.js", "server.js", "index.html"
CATCH = "catch"  # what codec the images of catch trials are said to be of
_PREFIX = "window.STUDY = "
_NO_SERVER = "// Nobody serves this study: answers stay in the browser until they are downloaded.\n"


class Stimulus(NamedTuple):
    """An image of a study.

    Attributes:
      source: number of its source.
      condition: number of its condition.
      path: the file to read.
    """

    source: int
    condition: int
    path: pathlib.Path


class Settings(NamedTuple):
    """How a study is shown.

    Attributes:
      title: of its pages.
      design: one of `design.DESIGNS`.
      compare: one of `design.COMPARE`.
      observers: for how many there are schedules.
      seed: of schedules and names of images.
      question: "closer" (to the source) or "better", of protocol 2afc.
      not_sure: whether that may be answered.
      magnification: pixels of the screen a side for a pixel of an image.
      amplification: of the difference to the source.
      flicker: how often a second the image changes, in protocol flicker.
      duration: milliseconds that an image is shown, in protocol foveated.
      blank: milliseconds between images there.
      rest: test trials between breaks; 0 for none.
      collect: where answers are posted; empty for nowhere.
      crop: width and height in pixels that images are cropped to; empty for none.
    """

    title: str = "Which image?"
    design: str = "balanced"
    compare: str = "all"
    observers: int = 50
    seed: int = 0
    question: str = "closer"
    not_sure: bool = False
    magnification: int = 1
    amplification: float = 1.0
    flicker: float = 10.0
    duration: float = 200.0
    blank: float = 500.0
    rest: int = 40
    collect: str = ""
    crop: tuple[int, ...] = ()


class Written(NamedTuple):
    """What was written.

    Attributes:
      images: how many.
      comparisons: how many different questions there are.
      trials: of each observer, training and catch trials among them.
      clipped: the greatest share of values that amplification clipped in an image.
      largest: width and height of an image, the greatest of each.
    """

    images: int
    comparisons: int
    trials: int
    clipped: float
    largest: tuple[int, int]


def write_site(folder: pathlib.Path, sources: Sequence[str], conditions: Sequence[Condition],
               images: Sequence[Stimulus], plan: Plan, settings: Settings, *,
               read: Callable[[pathlib.Path], np.ndarray]) -> Written:
    """Writes a study into a folder that must not exist yet; whole or not at all.

    Args:
      folder: where to.
      sources: their names.
      conditions: the reference first.
      images: one for each source and condition.
      plan: what every observer gets.
      settings: how it is shown.
      read: reads a file as uint8 [height, width, 3].

    Returns:
      What was written.

    Raises:
      ValueError: if the folder exists, images are missing, cannot be read or differ in size, or the plan is wrong.
      OSError: if it cannot be written.
    """
    folder = pathlib.Path(folder)
    if folder.exists():
        raise ValueError(f"{folder} exists already: remove it, or name another folder for the site")
    result = {(image.source, image.condition): image.path for image in images}
    if len(result) != len(images) or len(result) != len(sources) * len(conditions):
        raise ValueError(f"there must be one image for each of {len(sources)} sources and {len(conditions)} "
                         f"conditions, got {len(result)}")
    comparisons = design.list_comparisons(conditions, len(sources), plan.protocol, compare=settings.compare)
    trials = [] if settings.design == "active" else design.schedule(
        plan, comparisons, settings.observers, design=settings.design, seed=settings.seed)
    partial = folder.with_name(f".{folder.name}.partial")
    files.remove_tree(partial)
    above = [one for one in partial.parents if not one.exists()]  # the innermost first
    try:
        (partial / "images").mkdir(parents=True)
        table, clipped = _write_images(partial, sources, result, plan, settings, read)
        _write_pages(partial, table, sources, conditions, plan, settings, trials)
        partial.rename(folder)
    except BaseException:
        files.remove_tree(partial)
        for one in above:
            with contextlib.suppress(OSError):  # it was not made, or somebody else uses it meanwhile
                one.rmdir()
        raise
    largest = max(image["width"] for image in table), max(image["height"] for image in table)
    return Written(len(table), len(comparisons), plan.training + plan.test + plan.catch, clipped, largest)


def _write_images(folder: pathlib.Path, sources: Sequence[str], found: Mapping[tuple[int, int], pathlib.Path],
                  plan: Plan, settings: Settings,
                  read: Callable[[pathlib.Path], np.ndarray]) -> tuple[list[dict[str, Any]], float]:
    """Writes all images under numbers that say nothing of them, and lists them by condition within source."""
    total = plan.conditions + 1
    names = np.random.default_rng([settings.seed, 2]).permutation(len(sources) * total) + 1
    table, limit = [], 0.0
    for number, name in enumerate(sources):
        original = read(found[number, 0])
        for condition in range(total):
            path = found.get((number, condition))
            image = original if condition == 0 else stimuli.distort_heavily(original) if path is None else read(path)
            if image.shape != original.shape:
                raise ValueError(f"{path} has {image.shape[1]} x {image.shape[0]} pixels (width x height), but its "
                                 f"source {name} has {original.shape[1]} x {original.shape[0]}")
            if path is not None and condition and settings.amplification != 1:
                image, share = stimuli.amplify(original, image, settings.amplification)
                limit = max(limit, share)
            if settings.crop:
                image = stimuli.crop_center(image, *settings.crop)
            file = f"images/{names[number * total + condition]:05d}.png"
            write_image(folder / file, image)
            table.append({"file": file, "width": image.shape[1], "height": image.shape[0],
                          "digest": hashlib.sha256(image.tobytes()).hexdigest()[:16]})
    return table, limit


def _write_pages(folder: pathlib.Path, table: list[dict[str, Any]], sources: Sequence[str],
                 conditions: Sequence[Condition], plan: Plan, settings: Settings,
                 trials: list[list[Trial]]) -> None:
    data: dict[str, Any] = {
        "sources": list(sources), "conditions": [list(condition) for condition in (*conditions, (CATCH, 1.0))],
        "images": table, "plan": plan._asdict(), "settings": settings._asdict(),
        "trials": [[list(trial) for trial in one] for one in trials],
    }
    data["study"] = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
    files.write_text(folder / DATA, write_data(data))
    files.write_text(folder / SERVER, _NO_SERVER)
    page = read_asset(PAGE).replace("{{title}}", html.escape(settings.title))
    files.write_text(folder / PAGE, page)
    for name in ASSETS:
        files.write_text(folder / name, read_asset(name))


def write_data(data: Mapping[str, Any]) -> str:
    """Writes a script that assigns the data of a study.

    Nothing in it can end the script or start another one, since only ASCII is used and < and > are escaped.

    Args:
      data: of JSON's types.

    Returns:
      The script.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return _PREFIX + text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") + ";\n"


class Study(NamedTuple):
    """A study as its site has it.

    Attributes:
      id: 16 hexadecimal digits that its content determines.
      sources: their names.
      conditions: the reference first, the catch trials' distortion last.
      images: file, width, height and digest of each, by condition within source.
      plan: what every observer gets.
      settings: how it is shown.
      trials: of each observer; empty if a server must choose them.
    """

    id: str
    sources: list[str]
    conditions: list[Condition]
    images: list[dict[str, Any]]
    plan: Plan
    settings: Settings
    trials: list[list[Trial]]

    def row(self, trial: Trial) -> dict[str, Any]:
        """Describes a trial in the columns of answers.

        Args:
          trial: of this study.

        Returns:
          Values by column, without those that the answer has; empty where nothing is shown.
        """
        values: dict[str, Any] = {"protocol": self.plan.protocol, "kind": trial.kind,
                                  "source": self.sources[trial.source], "correct": trial.correct}
        for place in ("left", "pivot", "right"):
            number = getattr(trial, place)
            codec, level = ("", "") if number == design.NOTHING else self.conditions[number]
            values |= {f"codec_{place}": codec, f"level_{place}": level}
        return values


def read_site(folder: pathlib.Path) -> Study:
    """Reads the study of a site.

    Args:
      folder: that `write_site` has written.

    Returns:
      The study.

    Raises:
      ValueError: if there is no such folder, or no study in it.
    """
    path = pathlib.Path(folder) / DATA
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text.removeprefix(_PREFIX).rstrip().removesuffix(";"))
        images = data["images"]
        settings = Settings(**data["settings"])._replace(crop=tuple(data["settings"]["crop"]))
        return Study(str(data["study"]), data["sources"], [Condition(*c) for c in data["conditions"]], images,
                     Plan(**data["plan"]), settings, [[Trial(*t) for t in one] for one in data["trials"]])
    except FileNotFoundError:
        raise ValueError(f"{folder} is no study: `rdr study make` writes one") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): make the study again") from None


def read_asset(name: str) -> str:
    """Reads a file of the pages.

    Args:
      name: of the file.

    Returns:
      Its text.
    """
    return (resources.files("rdr") / "web" / "study" / name).read_text(encoding="utf-8")


def check_name(name: str) -> None:
    """Refuses a name that a table of answers would not give back.

    Args:
      name: of a source or a codec.

    Raises:
      ValueError: if it has line breaks or other invisible signs, or blanks around it.
    """
    if not name.isprintable() or name != name.strip():
        raise ValueError(f"the name {name!r} has invisible signs in it, or blanks around it: rename what is called so")


def check_conditions(conditions: Sequence[Condition]) -> None:
    """Refuses codecs that answers could not tell apart.

    Args:
      conditions: without the reference.

    Raises:
      ValueError: if two are the same, or one has a name that stands for something else.
    """
    for number, condition in enumerate(conditions):
        check_name(condition.codec)
        if condition.codec in (REFERENCE.codec, CATCH, ""):
            raise ValueError(f"a codec cannot be called {condition.codec!r}, which means something else in answers")
        if condition in conditions[:number]:
            raise ValueError(f"two folders are codec {condition.codec} at level {condition.level:g}")
