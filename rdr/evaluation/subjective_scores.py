"""Opinion scores of distorted images: their files, and the agreement of metrics with them."""

import csv
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from rdr.metrics.bootstrap import bootstrap_interval
from rdr.metrics.logistic_fit import logistic_fit
from rdr.metrics.rank_correlation import fitted_agreement, forced_choice_accuracy, kendall, spearman

# Names of the columns, in lower case: KADID-10k's dmos.csv, and TID2013 as tables of it name them.
_DISTORTED = ("dist_img", "distorted", "image", "image_name", "filename", "dist")
_REFERENCE = ("ref_img", "reference", "ref", "ref_name")
_OPINION = ("dmos", "mos", "score")
# What `agreement` computes, in order; "rmse" in units of the opinions.
STATISTICS = ("pearson", "spearman", "kendall", "forced_choice", "rmse")


class Opinion(NamedTuple):
    """An opinion of a distorted image.

    Attributes:
      distorted: file name.
      reference: file name.
      score: mean opinion, higher is better; the negative of what the file says where that is the other way round.
    """

    distorted: str
    reference: str
    score: float


def read_scores(path: str | pathlib.Path, *, higher_is_better: bool | None = None) -> list[Opinion]:
    """Reads opinions.

    Degradations ("dmos") are larger for worse images in most data sets, but KADID-10k gives its scores that name and
    means the opposite. Its file is known by its columns; of other files that say "dmos" the direction must be given.

    Args:
      path: a CSV file with the columns dist_img, ref_img and dmos (KADID-10k), or mos instead of dmos; or TID2013's
        `mos_with_names.txt`, lines of a score and a name i01_01_1.bmp, whose reference is I01.BMP.
      higher_is_better: what a larger number means; None for what the file's kind says.

    Returns:
      The opinions, at least two.

    Raises:
      ValueError: if the file cannot be read or lacks a column or a number, or it does not say what larger numbers mean.
    """
    path = pathlib.Path(path)
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--scores: {path} cannot be read ({error})") from None
    if not lines:
        raise ValueError(f"--scores: {path} is empty")
    opinions, known = (_named_lines(lines), True) if "," not in lines[0] else _table(path, lines)
    if len(opinions) < 2:
        raise ValueError(f"--scores: {path} must hold at least two opinions, got {len(opinions)}")
    direction = known if higher_is_better is None else higher_is_better
    if direction is None:
        raise ValueError(f"--scores: {path} has degradations (dmos), of which larger numbers may mean worse or better "
                         "images: say which (higher_is_better, --better=higher or lower)")
    return opinions if direction else [opinion._replace(score=-opinion.score) for opinion in opinions]


def _named_lines(lines: list[str]) -> list[Opinion]:
    opinions = []
    for line in lines:
        parts = line.split()
        try:
            score, name = float(parts[0]), parts[1]
        except (ValueError, IndexError):
            raise ValueError(f"--scores: lines must hold a score and a file name, got {line!r}") from None
        opinions.append(Opinion(name, name.split("_")[0].upper() + pathlib.Path(name).suffix.upper(), score))
    return opinions


def _table(path: pathlib.Path, lines: list[str]) -> tuple[list[Opinion], bool | None]:
    """Opinions of a table, and whether higher numbers are better, if that is known."""
    rows = list(csv.DictReader(lines))
    names = {name.strip().lower(): name for name in rows[0] if name is not None} if rows else {}

    def column(candidates: tuple[str, ...], what: str) -> str:
        for candidate in candidates:
            if candidate in names:
                return names[candidate]
        raise ValueError(f"--scores: {path} must have a column for the {what} ({', '.join(candidates)}), it has "
                         f"{', '.join(names.values())}")

    keys = [column(*arguments) for arguments in
            ((_DISTORTED, "distorted image"), (_REFERENCE, "reference"), (_OPINION, "opinion"))]
    kadid = {"dist_img", "ref_img", "dmos", "var"} <= names.keys()
    try:
        opinions = [Opinion(row[keys[0]].strip(), row[keys[1]].strip(), float(row[keys[2]])) for row in rows]
        return opinions, True if kadid or keys[2] != names.get("dmos") else None
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"--scores: {path} must hold a number for every opinion") from None


def find_file(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Finds an image that a table names, in a folder or below it, in upper or lower case.

    Args:
      folder: where to look.
      name: the file's name.

    Returns:
      The file.

    Raises:
      ValueError: if there is none.
    """
    direct = folder / name
    if direct.is_file():
        return direct
    result = _files_below(folder).get(name.lower())
    if result is None:
        raise ValueError(f"--images: there is no {name} in {folder}")
    return result


@functools.lru_cache(maxsize=4)
def _files_below(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    # Read once: a data set has thousands of files. The first of each name is kept.
    return {file.name.lower(): file for file in sorted(folder.rglob("*"), reverse=True) if file.is_file()}


def agreement(
    scores: Mapping[str, np.ndarray], higher_is_better: Mapping[str, bool], opinions: list[Opinion], *, seed: int,
    resamples: int = 500,
) -> list[dict[str, Any]]:
    """Compares metrics with opinions.

    Args:
      scores: metric -> [images].
      higher_is_better: metric -> its direction.
      opinions: [images].
      seed: of the bootstrap.
      resamples: of the bootstrap, over originals (with all their distortions) if there are at least five, else over
        images.

    Returns:
      One row per metric: Pearson's correlation after a monotone logistic fit, Spearman's, Kendall's, the accuracy of
      forced choices among distortions of one original, and the root of the mean squared error of the fit, each with
      the ends of its 95 % interval; NaN where one is not defined (a metric that is constant). Correlations are positive
      where the metric agrees.
    """
    opinion = np.array([o.score for o in opinions])
    names, groups = np.unique([o.reference for o in opinions], return_inverse=True)
    members = [np.flatnonzero(groups == g) for g in range(names.size)]
    by_original = names.size >= 5

    def draw(index):
        """Images of a resample, and the original of each; an original drawn twice counts as two."""
        if not by_original:
            return index, groups[index]
        chosen = [members[i] for i in index]
        return np.concatenate(chosen), np.repeat(np.arange(len(chosen)), [part.size for part in chosen])

    rows = []
    for metric, values in scores.items():
        oriented = np.asarray(values) if higher_is_better[metric] else -np.asarray(values)
        row: dict[str, Any] = {"metric": metric}
        for name, statistic in _statistics(oriented, opinion).items():
            try:
                value, low, high, *_ = bootstrap_interval(
                    lambda index, s=statistic: s(*draw(index)), names.size if by_original else opinion.size, seed=seed,
                    resamples=resamples, method="percentile",
                )  # fmt: skip
            except ValueError:
                value = low = high = float("nan")
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return rows


def _statistics(values: np.ndarray, opinion: np.ndarray) -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """Functions of the indices of images, and of the original of each, by name."""
    try:
        start = logistic_fit(values, opinion)  # of all images, close to that of each resample
    except ValueError:
        start = None
    return {
        "pearson": lambda i, g: fitted_agreement(values[i], opinion[i], start=start)[0],
        "spearman": lambda i, g: spearman(values[i], opinion[i]),
        "kendall": lambda i, g: kendall(values[i], opinion[i]),
        "forced_choice": lambda i, g: forced_choice_accuracy(values[i], opinion[i], g),
        "rmse": lambda i, g: fitted_agreement(values[i], opinion[i], start=start)[1],
    }
