"""Metrics of images on all devices: full-reference values, and the features that distances between sets compare."""

from __future__ import annotations

import functools
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from rdr.data.image_io import read_image
from rdr.data.image_pairs import as_float
from rdr.evaluation.metric_plan import (
    NATURAL_PATCH,
    NEIGHBORHOOD,
    NEIGHBORHOODS_PER_IMAGE,
    PYRAMID_LEVELS,
    Plan,
)
from rdr.metrics import niqe, pyramid_sliced
from rdr.metrics.embeddings import Embedding, embedding
from rdr.metrics.full_reference import AnyDisplay, Metric, available, full_reference
from rdr.metrics.patches import split_patches
from rdr.metrics.psnr import image_psnr
from rdr.sharding import call_sharded, data_mesh, replicate

# Patches that one call of an embedding takes on each device.
_PATCHES_PER_CALL = 64
# What a metric and an embedding may be given as.
MetricLike = str | Metric | Callable[[ArrayLike, ArrayLike], jax.Array]
EmbeddingLike = str | Embedding | Callable[[ArrayLike], jax.Array]


class MetricSuite:
    """Metrics that are computed together.

    Attributes:
      metrics: name -> full-reference metric.
      embeddings: name -> embedding.
      mesh: the devices.
      notes: sentences on metrics that were left out because their weights are not installed.
    """

    def __init__(
        self, metrics: Iterable[MetricLike] | Mapping[str, MetricLike] = (), *,
        embeddings: Iterable[EmbeddingLike] = (), patch_size: int = 64, natural_patch: int = 0, sliced: bool = False,
        display: AnyDisplay = None, sigma: float = 8.0, seed: int = 0, skip_missing: bool = False,
    ):
        """Builds the metrics; networks come with their parameters.

        Args:
          metrics: names, metrics, or functions of images and reference; by other names than their own if a mapping.
          embeddings: names, embeddings, or functions of images; see `rdr.metrics.embeddings.embedding`.
          patch_size: side of the patches that embeddings see, pixels; 0 for whole images.
          natural_patch: side of the patches of natural statistics, pixels; 0 for none.
          sliced: whether `features` holds neighborhoods of a Laplacian pyramid.
          display: for "csf" and "csf_castle", by default `Display()`, and for "cvvdp", by default "standard_4k".
          sigma: pooling width of "wd_vgg16", pixels.
          seed: of the places of neighborhoods.
          skip_missing: whether metrics whose weights are not installed are left out, with a note, instead of refused.

        Raises:
          ValueError: if there is no such metric, or an option is out of range.
          FileNotFoundError: if weights are not installed; the message says what to install.
        """
        named: Any = metrics.items() if isinstance(metrics, Mapping) else ((_name(one), one) for one in metrics)
        chosen: dict[str, MetricLike] = dict(named)
        missing = available([m for m in chosen.values() if isinstance(m, str)]) if skip_missing else {}
        self.notes = tuple(missing.values())
        self.metrics = {name: full_reference(metric, display=display, sigma=sigma) for name, metric in chosen.items()
                        if not (isinstance(metric, str) and metric in missing)}
        self.embeddings = {e.name: e for e in map(embedding, embeddings)}
        self.patch_size, self.natural_patch, self.sliced = patch_size, natural_patch, sliced
        self.mesh = data_mesh()
        self._params = {name: replicate(m.params, self.mesh) for name, m in self.metrics.items()}
        self._embedding_params = {name: replicate(e.params, self.mesh) for name, e in self.embeddings.items()}
        key = jax.random.key(seed)
        self._neighborhoods = jax.jit(
            lambda _, images: pyramid_sliced.pyramid_neighborhoods(
                images, key=key, num_levels=PYRAMID_LEVELS, size=NEIGHBORHOOD, count=NEIGHBORHOODS_PER_IMAGE
            )
        )

    @classmethod
    def from_plan(cls, plan: Plan) -> MetricSuite:
        """Builds what an evaluation computes.

        Args:
          plan: of the evaluation.

        Returns:
          The suite.
        """
        return cls(plan.metrics, embeddings=plan.embeddings.values(), patch_size=plan.patch_size, sliced=plan.sliced,
                   natural_patch=NATURAL_PATCH if plan.natural is not None else 0, seed=plan.seed)

    @property
    def has_features(self) -> bool:
        """Whether `features` returns anything."""
        return bool(self.embeddings or self.sliced or self.natural_patch)

    def compare(
        self, images: ArrayLike, references: ArrayLike, *, batch_size: int | None = None
    ) -> dict[str, np.ndarray]:
        """Computes the full-reference metrics.

        Args:
          images: [batch, height, width, 3], float32 in [0, 1].
          references: the same shape, or [1, height, width, 3] or [height, width, 3] for one reference of all.
          batch_size: that calls are filled up to, so that all have one shape; default: the batch.

        Returns:
          Metric -> [batch].
        """
        images = np.asarray(images)
        references = np.broadcast_to(references, images.shape)
        return {
            str(name): call_sharded(metric.call, self._params[name], images, references, mesh=self.mesh,
                               batch_size=batch_size)
            for name, metric in self.metrics.items()
        }

    def distances(
        self, images: ArrayLike, references: ArrayLike, *, batch_size: int | None = None
    ) -> dict[str, np.ndarray]:
        """Computes the full-reference metrics as distances: 1 less a similarity.

        Args:
          images: as for `compare`.
          references: as for `compare`.
          batch_size: as for `compare`.

        Returns:
          Metric -> [batch], 0 for equal images and larger for worse ones; PSNR, which orders images as the squared
          error does, is negated instead.
        """
        return {name: dissimilarity(self.metrics[name], values)
                for name, values in self.compare(images, references, batch_size=batch_size).items()}

    def measure(self, image: np.ndarray, reference: np.ndarray) -> dict[str, float]:
        """Compares one image of whole numbers with its reference.

        Args:
          image: uint8 or uint16 [height, width, 1 or 3]; gray is compared as three equal channels.
          reference: the same shape.

        Returns:
          Metric -> value, NaN where the image is too small for it; "mse" and "psnr" are computed in float64.
        """
        pair = [np.repeat(as_float(x), 4 - x.shape[2], 2)[None, :, :, :3] for x in (image, reference)]
        psnr = image_psnr(image, reference)
        exact = {"psnr": psnr, "mse": 10.0 ** (-psnr / 10.0)}
        return {
            name: exact[metric.name] if metric.name in exact
            else float(call_sharded(metric.call, self._params[name], *pair, mesh=self.mesh)[0])
            if min(image.shape[:2]) >= metric.min_side else math.nan
            for name, metric in self.metrics.items()
        }

    def features(self, images: ArrayLike, *, batch_size: int | None = None) -> dict[str, np.ndarray]:
        """Computes what distances between sets compare.

        Args:
          images: [batch, height, width, 3], float32 in [0, 1].
          batch_size: as for `compare`.

        Returns:
          Arrays [batch, samples, dimension]: each embedding by its name; "level0" and so on, neighborhoods of a
          pyramid; "natural", natural statistics, and "sharpness" [batch, samples].
        """
        images = np.asarray(images)
        result = {}
        if self.embeddings:
            patches = np.asarray(split_patches(images, self.patch_size)) if self.patch_size else images[:, None]
            flat = patches.reshape(-1, *patches.shape[2:])
            per_call = _PATCHES_PER_CALL * self.mesh.devices.size if self.patch_size else batch_size
            for name, e in self.embeddings.items():
                vectors = call_sharded(e.call, self._embedding_params[name], flat, mesh=self.mesh, batch_size=per_call)
                result[name] = vectors.reshape(*patches.shape[:2], -1)
        if self.sliced:
            levels = call_sharded(self._neighborhoods, None, images, mesh=self.mesh, batch_size=batch_size)
            result |= {f"level{k}": level for k, level in enumerate(levels)}
        if self.natural_patch:
            result["natural"], result["sharpness"] = self.natural_statistics(images, batch_size=batch_size)
        return result

    def natural_statistics(
        self, images: ArrayLike, *, batch_size: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Computes the local statistics by which photographs are told from other images.

        Args:
          images: [batch, height, width, 3], float32 in [0, 1].
          batch_size: as for `compare`.

        Returns:
          Statistics [batch, patches, 36] and sharpness [batch, patches].
        """
        call = functools.partial(_natural_statistics, patch_size=self.natural_patch)
        return call_sharded(call, None, np.asarray(images), mesh=self.mesh, batch_size=batch_size)

    def fit_natural_model(self, files: Iterable[pathlib.Path]) -> niqe.NaturalModel:
        """Fits a model of natural images to photographs.

        Args:
          files: images.

        Returns:
          The model.

        Raises:
          ValueError: if an image cannot be read, or there are too few patches.
        """
        images = (as_float(read_image(file, channels=3))[None] for file in files)
        fitted = [self.natural_statistics(image, batch_size=self.mesh.devices.size) for image in images]
        statistics, sharpness = (np.concatenate([part[0] for part in parts]) for parts in zip(*fitted))
        return niqe.fit_natural_model(statistics, sharpness, patch_size=self.natural_patch)


def dissimilarity(metric: Metric, values: Any) -> Any:
    """Turns values into distances.

    Args:
      metric: the metric.
      values: its values, any array.

    Returns:
      Values that are larger for worse images, and 0 for equal ones except of PSNR.
    """
    if not metric.higher_is_better:
        return values
    if metric.name == "cvvdp":
        return 10.0 - values
    return 1.0 - values if metric.is_similarity else -values


def _name(metric: MetricLike) -> str:
    return metric if isinstance(metric, str) else full_reference(metric).name


def _natural_statistics(_: Any, images: jax.Array, *, patch_size: int) -> tuple[jax.Array, jax.Array]:
    return niqe.compiled_patch_statistics(images, patch_size=patch_size)
