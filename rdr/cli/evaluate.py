"""Evaluates decoded images against their originals: fidelity, realism and rate, each with its protocol and its error.

    python -m rdr.cli.evaluate --reference=DIR --candidate=DIR --workdir=OUT

--reference   folder of original images, --candidate folder of decoded ones by the same names (suffixes may differ)
--bitstreams  folder of the messages by the same names, for the rate; candidates in a lossy format are their own
--metrics     names separated by commas. Per image: mse psnr ssim ms_ssim nlpd ciede2000 csf lpips_alexnet lpips_vgg16
              dists wd_vgg16. Between sets of patches: fd_E kd_E prdc_E (E is alexnet, vgg16, efficientnet_lite0 or
              steerable), sliced, natural. Or "all" (what can be computed here), "fast" (per image, without VGG-16)
--natural     folder of photographs that "natural" is fitted on; by default the reference folder
--patch_size  side of the patches in pixels; 0 takes whole images

Writes results.json and results.csv (aggregates with 95 % intervals over images, or standard errors), images.csv (per
image) and contact_sheet.png. A run that was interrupted goes on where it was when the command is repeated.
"""

import dataclasses
import json
import math
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from rdr import command_line, files
from rdr.data.image_io import read_image
from rdr.data.image_pairs import Pair, as_float, file_digest, pair_folders
from rdr.evaluation import contact_sheet, tables
from rdr.evaluation.feature_files import FeatureFile, feature_path, save_features
from rdr.evaluation.metric_suite import Evaluator, Plan, make_plan
from rdr.metrics.bootstrap import bootstrap_interval
from rdr.metrics.psnr import psnr_of_mean


@dataclasses.dataclass(frozen=True)
class Config:
    """What to compare and how.

    Attributes:
      reference: folder of originals.
      candidate: folder of decoded images.
      bitstreams: folder of messages; empty for none.
      metrics: names, "all" or "fast".
      natural: folder that natural statistics are fitted on; empty for the reference folder.
      patch_size: side of patches for distances between sets; 0 for whole images.
      batch_size: images per call and device.
      pixels_per_degree: of the display for "csf".
      peak_luminance: of the display, cd/m^2.
      black_luminance: of the display, cd/m^2.
      transfer: "srgb" or "pq".
      sigma: pooling width of "wd_vgg16", pixels.
      max_samples: samples used by "kd" and "prdc", whose cost grows with the square.
      seed: of random subsets, directions and resamples.
    """

    reference: str = ""
    candidate: str = ""
    bitstreams: str = ""
    metrics: tuple[str, ...] = ("all",)
    natural: str = ""
    patch_size: int = 64
    batch_size: int = 1
    pixels_per_degree: float = 60.0
    peak_luminance: float = 100.0
    black_luminance: float = 0.1
    transfer: str = "srgb"
    sigma: float = 8.0
    max_samples: int = 5000
    seed: int = 0


def read_finished(path: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Reads the per-image results that an earlier run kept.

    Args:
      path: `images.jsonl`.

    Returns:
      name -> record; a last line that was cut short is left out.
    """
    return {record["name"]: record for record in command_line.read_lines(path)}


def evaluate_images(
    evaluator: Evaluator, pairs: Sequence[Pair], workdir: pathlib.Path, *, batch_size: int
) -> list[dict[str, Any]]:
    """Computes what is computed image by image, keeping each result at once.

    Args:
      evaluator: computes.
      pairs: of images.
      workdir: where `images.jsonl` and `features/` are.
      batch_size: images per call; those of one call have one size.

    Returns:
      One record per pair, in their order.
    """
    log = workdir / "images.jsonl"
    kept = read_finished(log)
    digests = {pair.name: [file_digest(pair.reference), file_digest(pair.candidate)] for pair in pairs}
    finished = {
        pair.name: kept[pair.name]
        for pair in pairs
        if pair.name in kept and kept[pair.name]["sha256"] == digests[pair.name]
        and (not evaluator.needs_features or feature_path(workdir, pair.name).exists())
    }
    # Without lines that were cut short, and without those of files that have changed.
    files.write_text(log, "".join(json.dumps(record) + "\n" for record in finished.values()))
    by_size: dict[tuple[int, int], list[Pair]] = {}
    for pair in pairs:
        if pair.name not in finished:
            by_size.setdefault((pair.height, pair.width), []).append(pair)
    with tqdm(total=len(pairs), initial=len(finished), unit="image", disable=None) as progress:
        for group in by_size.values():
            for start in range(0, len(group), batch_size):
                batch = group[start : start + batch_size]
                references, candidates = (
                    np.stack([as_float(read_image(getattr(pair, side), channels=3)) for pair in batch])
                    for side in ("reference", "candidate")
                )
                values = evaluator.compare(candidates, references, batch_size)
                features = evaluator.features(candidates, references, batch_size)
                with open(log, "a", encoding="utf-8") as stream:
                    for i, pair in enumerate(batch):
                        if features:
                            save_features(workdir, pair.name, {key: array[i] for key, array in features.items()})
                        record = {
                            "name": pair.name, "height": pair.height, "width": pair.width, "bits": pair.bits,
                            "sha256": digests[pair.name], "values": {k: encode(float(v[i])) for k, v in values.items()},
                        }  # fmt: skip
                        stream.write(json.dumps(record) + "\n")
                        stream.flush()
                        finished[pair.name] = record
                progress.update(len(batch))
    return [finished[pair.name] for pair in pairs]


def encode(value: float) -> float | str:
    """Turns a number into what JSON can hold: infinities and NaN become strings.

    Args:
      value: the number.

    Returns:
      The number, or "inf", "-inf" or "nan", which `float` reads.
    """
    return value if math.isfinite(value) else str(value)


def summarize(values: Sequence[float], seed: int) -> dict[str, Any]:
    """Averages a metric over images.

    Args:
      values: one per image.
      seed: of the bootstrap.

    Returns:
      "value", and with two or more finite values "low" and "high", the ends of a 95 % interval.
    """
    values = np.asarray(values, np.float64)
    if not np.isfinite(values).all() or values.size < 2:
        return {"value": encode(float(values.mean()))}
    found = bootstrap_interval(lambda index: values[index].mean(), values.size, seed=seed)
    return {"value": found.value, "low": found.low, "high": found.high, "standard_error": found.standard_error}


def aggregate(plan: Plan, records: Sequence[dict[str, Any]], config: Config) -> dict[str, dict[str, Any]]:
    """Summarizes everything that was computed image by image.

    Args:
      plan: the metrics.
      records: one per image.
      config: the seed.

    Returns:
      Metric -> value, interval, direction and protocol.
    """
    table = {}
    for name, metric in plan.metrics.items():
        values = [float(record["values"][name]) for record in records]
        table[name] = summarize(values, config.seed) | {
            "higher_is_better": metric.higher_is_better, "images": len(values), "protocol": metric.protocol.tag()
        }  # fmt: skip
        if name == "mse":
            # Of the mean of all squared errors; the average of dB values is "psnr".
            protocol = metric.protocol._replace(metric="psnr_of_mean_mse", options={"range": 1.0, "average": "of mse"})
            table["psnr_of_mean_mse"] = {
                "value": encode(psnr_of_mean(values)), "higher_is_better": True, "images": len(values),
                "protocol": protocol.tag(),
            }  # fmt: skip
    if all(record["bits"] is not None for record in records):
        rates = [record["bits"] / (record["height"] * record["width"]) for record in records]
        protocol = {"metric": "rate_bpp", "rate": "8 x bytes of the message / pixels, averaged over images"}
        table["rate_bpp"] = summarize(rates, config.seed) | {
            "higher_is_better": False, "images": len(rates), "protocol": protocol
        }  # fmt: skip
    return table


def write_results(
    workdir: pathlib.Path, config: Config, records: Sequence[dict[str, Any]], table: dict[str, dict[str, Any]],
    notes: Sequence[str],
) -> None:
    """Writes `results.json`, `results.csv` and `images.csv`.

    Args:
      workdir: where to.
      config: the configuration.
      records: one per image.
      table: metric -> value and so on.
      notes: what was left out, and why.
    """
    document = {
        "reference": config.reference, "candidate": config.candidate, "images": len(records), "notes": list(notes),
        "metrics": table,
    }  # fmt: skip
    files.write_text(workdir / "results.json", json.dumps(document, indent=2) + "\n")
    columns = {
        "metric": list(table),
        **{key: [entry.get(key, "") for entry in table.values()] for key in ("value", "standard_error", "low", "high")},
        "higher_is_better": [entry["higher_is_better"] for entry in table.values()],
    }
    header = {"interval": "low to high: 95 % bootstrap (BCa) over images", "images": len(records)}
    header |= {f"protocol {name}": json.dumps(entry["protocol"]) for name, entry in table.items()}
    tables.write_table(workdir / "results.csv", columns, header)
    names = list(records[0]["values"])
    per_image = {
        "image": [record["name"].replace(",", "_").replace("\n", "_") for record in records],
        "height": [record["height"] for record in records],
        "width": [record["width"] for record in records],
        **{name: [float(record["values"][name]) for record in records] for name in names},
    }
    if "rate_bpp" in table:
        per_image["rate_bpp"] = [record["bits"] / (record["height"] * record["width"]) for record in records]
    tables.write_table(workdir / "images.csv", per_image, {"units": "psnr in dB, rate in bits per pixel"})


def run(config: Config, workdir: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Evaluates a folder.

    Args:
      config: what to compare and how.
      workdir: where to write; left alone when the input is refused.

    Returns:
      Metric -> "value", "standard_error" or "low" and "high", "higher_is_better", "protocol".

    Raises:
      ValueError: if folders, files or options cannot be used, or the directory holds results of other settings.
      FileNotFoundError: if a metric that was asked for needs weights that are not installed.
    """
    began = time.perf_counter()
    if config.batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {config.batch_size}")
    if config.max_samples < 10:
        raise ValueError(f"max_samples must be at least 10, got {config.max_samples}")
    pairs = pair_folders(config.reference, config.candidate, config.bitstreams)
    plan = make_plan(config, pairs)
    workdir = command_line.open_workdir(pathlib.Path(workdir), config)
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    evaluator = Evaluator(plan)
    size = config.batch_size * evaluator.mesh.devices.size
    records = evaluate_images(evaluator, pairs, workdir, batch_size=size)
    notes = list(plan.notes)
    table = aggregate(plan, records, config)
    if evaluator.needs_features:
        images = [FeatureFile(feature_path(workdir, record["name"])) for record in records]
        table |= evaluator.between_sets(images, records, notes)
    for note in notes[len(plan.notes):]:
        print(f"note: {note}", file=sys.stderr)
    write_results(workdir, config, records, table, notes)
    contact_sheet.write(workdir / "contact_sheet.png", pairs, records, plan.metrics)
    tables.write_run_record(
        workdir, name="rdr.cli.evaluate", config=config, duration_seconds=time.perf_counter() - began
    )
    shown = {
        "metric": list(table),
        "value": [f"{float(entry['value']):.5g}" for entry in table.values()],
        "error or interval": [describe_error(entry) for entry in table.values()],
        "better": ["higher" if entry["higher_is_better"] else "lower" for entry in table.values()],
    }
    print(tables.render(shown))
    print(f"{len(records)} images; results.json, results.csv, images.csv and contact_sheet.png are in {workdir}")
    return table


def describe_error(entry: dict[str, Any]) -> str:
    """Writes a metric's uncertainty for a person.

    Args:
      entry: of the table of `run`.

    Returns:
      An interval, "+- standard error", or nothing.
    """
    if "low" in entry:
        return f"{entry['low']:.5g} .. {entry['high']:.5g}"
    return f"+- {entry['standard_error']:.2g}" if "standard_error" in entry else ""


def main(argv: list[str] | None = None) -> int:
    """Runs from the command line; returns the exit status."""
    return command_line.run_safely(lambda: run(*command_line.parse(__doc__, {"tool": Config()}, argv)))


if __name__ == "__main__":
    sys.exit(main())
