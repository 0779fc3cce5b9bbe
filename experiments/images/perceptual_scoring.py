"""Scores of distorted images by every metric, and what each metric is blind to."""

import json
import pathlib
from typing import Any

import numpy as np

from experiments.images.distortions import CODEC, DISTORTIONS, NUM_LEVELS, compress, distort, noise_of_equal_error
from rdr import files
from rdr.evaluation.metric_suite import MetricSuite
from rdr.metrics import niqe
from rdr.metrics.frechet import frechet_distance
from rdr.metrics.rank_correlation import spearman

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


def make_suite(config: Any) -> MetricSuite:
    """Builds the metrics of a configuration.

    Args:
      config: of the experiment.

    Returns:
      The suite; "mse" is its first metric.

    Raises:
      ValueError: if a metric is unknown, does not order images by a distance of its own, or needs larger images.
      FileNotFoundError: if weights are not installed.
    """
    if "psnr" in config.metrics:
        raise ValueError("metrics must be distances or similarities from 0 to 1: psnr orders images as mse does")
    suite = MetricSuite(list(dict.fromkeys(("mse", *config.metrics))), embeddings=config.embeddings, patch_size=_PATCH,
                        natural_patch=NATURAL_PATCH if config.natural else 0)
    for metric in suite.metrics.values():
        if config.size < metric.min_side:
            raise ValueError(f"size must be at least {metric.min_side} for {metric.name}, got {config.size}")
    return suite


def score_image(
    suite: MetricSuite, config: Any, name: str, image: np.ndarray, workdir: pathlib.Path
) -> list[dict[str, Any]]:
    """Distorts an image in every way and scores it, keeping what is done.

    Args:
      suite: the metrics.
      config: of the experiment.
      name: of the image.
      image: [size, size, 3].
      workdir: where `scored/` is.

    Returns:
      One record per kind of distortion: squared errors, bits per pixel of a codec (else None), and "scores": metric ->
      {"distorted", "noise"}: a value per level.
    """
    folder = workdir / "scored"
    folder.mkdir(exist_ok=True)
    seed, steps, batch = config.seed, config.codec_steps, config.batch_size * suite.mesh.devices.size
    records = []
    for kind in kinds(config):
        path = folder / f"{pathlib.Path(name).stem}_{kind}.json"
        if path.exists():
            records.append(json.loads(path.read_text(encoding="utf-8")))
            continue
        rates = None
        if kind == CODEC:
            fits = [workdir / "fits" / f"{path.stem}_{level}" for level in range(NUM_LEVELS)]
            result = [compress(image, i, steps=steps, seed=seed, directory=fit) for i, fit in enumerate(fits)]
            distorted, rates = map(list, zip(*result))
        else:
            distorted = [distort(image, kind, level, seed=seed) for level in range(NUM_LEVELS)]
        errors = [float(np.mean((np.float64(x) - image) ** 2)) for x in distorted]
        noise = [noise_of_equal_error(image, error, seed=seed) for error in errors]
        images = np.stack([*distorted, *noise])
        values = suite.distances(images, image, batch_size=batch)
        features = suite.features(np.concatenate([images, image[None]]), batch_size=batch)
        features = {f"fd_{what}" if what in suite.embeddings else what: array for what, array in features.items()
                    if what != "sharpness"}
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


def score_sets(
    suite: MetricSuite, config: Any, records: list[dict[str, Any]], workdir: pathlib.Path, fit: Any
) -> dict[str, dict]:
    """Scores distances between sets: all images' patches, for each kind and level of distortion.

    Args:
      suite: the metrics.
      config: of the experiment.
      records: of all images.
      workdir: where `scored/` is.
      fit: natural model, or None.

    Returns:
      (kind of distortion) -> metric -> {"distorted", "noise"}: a value per level.
    """
    table: dict[str, dict] = {}
    for kind in kinds(config):
        own = [r for r in records if r["distortion"] == kind]
        stored = [np.load(workdir / "scored" / f"{pathlib.Path(r['picture']).stem}_{kind}.npz") for r in own]
        table[kind] = {}
        for name in suite.embeddings:
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
      records: of all images.
      sets: of distances between sets.

    Returns:
      Columns: metric, distortion, response (octaves, mean over images), lowest and highest (over images), order.
    """
    rows = []
    images = dict.fromkeys(r["picture"] for r in records)
    distortions = dict.fromkeys(r["distortion"] for r in records)
    for metric in records[0]["scores"]:
        for kind in distortions:
            result, orders = [], []
            for image in images:
                own = [r for r in records if r["picture"] == image]
                noise, noise_errors = _noise_curve([(r["scores"][metric], r["mse"]) for r in own])
                (record,) = (r for r in own if r["distortion"] == kind)
                scores = record["scores"][metric]["distorted"]
                result.append(response(scores, record["mse"], noise, noise_errors))
                orders.append(spearman(range(NUM_LEVELS), scores))
            rows.append((metric, kind, float(np.mean(result)), min(result), max(result), float(np.mean(orders))))
    errors = {kind: np.mean([r["mse"] for r in records if r["distortion"] == kind], 0).tolist() for kind in sets}
    for metric in next(iter(sets.values())):
        noise, noise_errors = _noise_curve([(sets[kind][metric], errors[kind]) for kind in sets])
        for kind in sets:
            scores = sets[kind][metric]["distorted"]
            result = response(scores, errors[kind], noise, noise_errors)
            rows.append((metric, kind, result, result, result, spearman(range(NUM_LEVELS), scores)))
    names = ("metric", "distortion", "response", "lowest", "highest", "order")
    return dict(zip(names, map(list, zip(*rows))))


def _noise_curve(parts: list[tuple[dict[str, list[float]], list[float]]]) -> tuple[list[float], list[float]]:
    """Collects the scores of all noise, and its squared errors."""
    return [x for scores, _ in parts for x in scores["noise"]], [x for _, errors in parts for x in errors]
