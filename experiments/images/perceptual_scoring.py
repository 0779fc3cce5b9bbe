"""Scores of distorted pictures by every metric, and what each metric is blind to."""

import json
import pathlib
from typing import Any

import numpy as np

from experiments.images.distortions import CODEC, DISTORTIONS, NUM_LEVELS, compress, distort, noise_of_equal_error
from rdr import files
from rdr.metrics import niqe
from rdr.metrics.embeddings import embedding
from rdr.metrics.frechet import frechet_distance
from rdr.metrics.full_reference import Metric, full_reference
from rdr.metrics.patches import split_patches
from rdr.metrics.rank_correlation import spearman
from rdr.sharding import call_sharded, data_mesh, replicate

NATURAL_PATCH = 48
_PATCH = 32  # of the Fréchet distance
_LIMIT = 6.0  # octaves at which responses are cut: the noise that was scored is no weaker or stronger


def kinds(config: Any) -> tuple[str, ...]:
    """Names the distortions of a configuration.

    Args:
      config: of the experiment.

    Returns:
      The names, in order; "codec" is our own codec.
    """
    return (*DISTORTIONS, *((CODEC,) if config.codec_steps else ()))


def dissimilarity(metric: Metric, values: np.ndarray) -> np.ndarray:
    """Turns similarities, which are 1 for equal images, into distances.

    Args:
      metric: the metric.
      values: its values.

    Returns:
      Values that are 0 for equal images and larger for worse ones.
    """
    return 1.0 - values if metric.higher_is_better else values


class Scorer:
    """All metrics of a configuration, ready to score."""

    def __init__(self, config: Any):
        names = dict.fromkeys(("mse", *config.metrics))
        if "psnr" in names:
            raise ValueError("metrics must be distances or similarities from 0 to 1: psnr orders images as mse does")
        self.config, self.mesh = config, data_mesh()
        self.metrics = {name: full_reference(name) for name in names}
        for metric in self.metrics.values():
            if config.size < metric.least_side:
                raise ValueError(f"size must be at least {metric.least_side} for {metric.name}, got {config.size}")
        self.embeddings = {name: embedding(name) for name in config.embeddings}
        self._params = {name: replicate(m.params, self.mesh) for name, m in self.metrics.items()}
        self._batch = config.batch_size * self.mesh.devices.size

    def compare(self, images: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
        """Computes the distances of images to one reference, by metric."""
        references = np.broadcast_to(reference, images.shape)
        return {
            name: dissimilarity(m, call_sharded(
                m.call, self._params[name], images, references, mesh=self.mesh, batch_size=self._batch
            ))
            for name, m in self.metrics.items()
        }  # fmt: skip

    def features(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Computes feature vectors of patches, [images, patches, dimension], and natural statistics."""
        found = {}
        if self.embeddings:
            patches = np.asarray(split_patches(images, _PATCH))
            flat = patches.reshape(-1, *patches.shape[2:])
            for name, e in self.embeddings.items():
                vectors = call_sharded(e.call, e.params, flat, mesh=self.mesh, batch_size=64 * self.mesh.devices.size)
                found[f"fd_{name}"] = vectors.reshape(*patches.shape[:2], -1)
        if self.config.natural:
            found["natural"] = call_sharded(
                lambda _, x: niqe.compiled_patch_statistics(x, patch_size=NATURAL_PATCH)[0],
                None, images, mesh=self.mesh, batch_size=self._batch,
            )  # fmt: skip
        return found


def score_picture(scorer: Scorer, name: str, picture: np.ndarray, workdir: pathlib.Path) -> list[dict[str, Any]]:
    """Distorts a picture in every way and scores it, keeping what is done.

    Args:
      scorer: the metrics.
      name: of the picture.
      picture: [size, size, 3].
      workdir: where `scored/` is.

    Returns:
      One record per kind of distortion: squared errors, bits per pixel of a codec (else None), and "scores": metric ->
      {"distorted", "noise"}: a value per level.
    """
    folder = workdir / "scored"
    folder.mkdir(exist_ok=True)
    seed, steps = scorer.config.seed, scorer.config.codec_steps
    records = []
    for kind in kinds(scorer.config):
        path = folder / f"{pathlib.Path(name).stem}_{kind}.json"
        if path.exists():
            records.append(json.loads(path.read_text(encoding="utf-8")))
            continue
        rates = None
        if kind == CODEC:
            fits = [workdir / "fits" / f"{path.stem}_{level}" for level in range(NUM_LEVELS)]
            found = [compress(picture, i, steps=steps, seed=seed, directory=fit) for i, fit in enumerate(fits)]
            distorted, rates = map(list, zip(*found))
        else:
            distorted = [distort(picture, kind, level, seed=seed) for level in range(NUM_LEVELS)]
        errors = [float(np.mean((np.float64(x) - picture) ** 2)) for x in distorted]
        noise = [noise_of_equal_error(picture, error, seed=seed) for error in errors]
        images = np.stack([*distorted, *noise])
        values = scorer.compare(images, picture)
        features = scorer.features(np.concatenate([images, picture[None]]))
        files.write_arrays(path.with_suffix(".npz"), features)
        record = {
            "picture": name, "distortion": kind, "mse": errors, "bits_per_pixel": rates,
            "scores": {metric: {"distorted": v[:NUM_LEVELS].tolist(), "noise": v[NUM_LEVELS:].tolist()}
                       for metric, v in values.items()},
        }  # fmt: skip
        files.write_text(path, json.dumps(record) + "\n")
        records.append(record)
        print(f"{name} {kind}", flush=True)
    return records


def score_sets(scorer: Scorer, records: list[dict[str, Any]], workdir: pathlib.Path, fit: Any) -> dict[str, dict]:
    """Scores distances between sets: all pictures' patches, for each kind and level of distortion.

    Args:
      scorer: the metrics.
      records: of all pictures.
      workdir: where `scored/` is.
      fit: natural model, or None.

    Returns:
      (kind of distortion) -> metric -> {"distorted", "noise"}: a value per level.
    """
    table: dict[str, dict] = {}
    for kind in kinds(scorer.config):
        own = [r for r in records if r["distortion"] == kind]
        stored = [np.load(workdir / "scored" / f"{pathlib.Path(r['picture']).stem}_{kind}.npz") for r in own]
        table[kind] = {}
        for name in scorer.embeddings:
            sets = [s[f"fd_{name}"].astype(np.float64) for s in stored]
            reference = np.concatenate([s[-1] for s in sets])
            values = [frechet_distance(np.concatenate([s[i] for s in sets]), reference) for i in range(2 * NUM_LEVELS)]
            table[kind][f"fd_{name}"] = {"distorted": values[:NUM_LEVELS], "noise": values[NUM_LEVELS:]}
        if fit is not None:
            # How far an image has moved along the scale of naturalness, in either direction.
            distances = np.array([[niqe.natural_distance(fit, x) for x in s["natural"]] for s in stored])
            moved = np.abs(distances[:, :-1] - distances[:, -1:]).mean(0).tolist()
            table[kind]["natural"] = {"distorted": moved[:NUM_LEVELS], "noise": moved[NUM_LEVELS:]}
    return table


def response(scores: list[float], errors: list[float], noise: list[float], noise_errors: list[float]) -> float:
    """Computes how much squared error of white noise a metric minds as much as a distortion.

    Args:
      scores: of the distortion, one per level.
      errors: its mean squared errors.
      noise: scores of white noise, any number.
      noise_errors: its mean squared errors.

    Returns:
      The median over levels of log2(squared error of the noise of equal score / squared error), cut at 6 octaves. The
      noise is interpolated in logarithms; scores beyond those of all noise count as the nearest.
    """
    tiny = np.finfo(np.float64).tiny
    order = np.argsort(noise_errors)
    # Where a metric does not rise with the noise, the least noise that reaches a score counts.
    curve = np.maximum.accumulate(np.log2(np.maximum(np.asarray(noise)[order], tiny)))
    equal = np.interp(np.log2(np.maximum(scores, tiny)), curve, np.log2(np.asarray(noise_errors)[order]))
    return float(np.median(np.clip(equal - np.log2(errors), -_LIMIT, _LIMIT)))


def blindness(records: list[dict[str, Any]], sets: dict[str, dict]) -> dict[str, list]:
    """Summarizes responses and orders.

    Args:
      records: of all pictures.
      sets: of distances between sets.

    Returns:
      Columns: metric, distortion, response (octaves, mean over pictures), lowest and highest (over pictures), order.
    """
    rows = []
    pictures = dict.fromkeys(r["picture"] for r in records)
    distortions = dict.fromkeys(r["distortion"] for r in records)
    for metric in records[0]["scores"]:
        for kind in distortions:
            found, orders = [], []
            for picture in pictures:
                own = [r for r in records if r["picture"] == picture]
                noise, noise_errors = _noise_curve([(r["scores"][metric], r["mse"]) for r in own])
                (record,) = (r for r in own if r["distortion"] == kind)
                scores = record["scores"][metric]["distorted"]
                found.append(response(scores, record["mse"], noise, noise_errors))
                orders.append(spearman(range(NUM_LEVELS), scores))
            rows.append((metric, kind, float(np.mean(found)), min(found), max(found), float(np.mean(orders))))
    errors = {kind: np.mean([r["mse"] for r in records if r["distortion"] == kind], 0).tolist() for kind in sets}
    for metric in next(iter(sets.values())):
        noise, noise_errors = _noise_curve([(sets[kind][metric], errors[kind]) for kind in sets])
        for kind in sets:
            scores = sets[kind][metric]["distorted"]
            found = response(scores, errors[kind], noise, noise_errors)
            rows.append((metric, kind, found, found, found, spearman(range(NUM_LEVELS), scores)))
    names = ("metric", "distortion", "response", "lowest", "highest", "order")
    return dict(zip(names, map(list, zip(*rows))))


def _noise_curve(parts: list[tuple[dict[str, list[float]], list[float]]]) -> tuple[list[float], list[float]]:
    """Collects the scores of all noise, and its squared errors."""
    return [x for scores, _ in parts for x in scores["noise"]], [x for _, errors in parts for x in errors]
