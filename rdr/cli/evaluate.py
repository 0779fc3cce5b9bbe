"""The command `rdr evaluate`: fidelity, realism and rate of decoded images, each with its protocol and its error."""

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdr import command_line, files
from rdr.cli.image_records import digests_of, encode, evaluate_images, is_current, read_finished
from rdr.cli.outcome import Outcome, show_json
from rdr.command_line import CommandLine, option
from rdr.data.image_pairs import Light, Pair, pair_folders
from rdr.evaluation import contact_sheet, tables
from rdr.evaluation.feature_files import FeatureFile, feature_path
from rdr.evaluation.metric_plan import Plan, make_plan, metrics_of
from rdr.evaluation.metric_suite import MetricSuite
from rdr.evaluation.set_report import between_sets
from rdr.metrics import registry
from rdr.metrics.bootstrap import bootstrap_interval
from rdr.metrics.contrast_sensitivity import TRANSFERS
from rdr.metrics.embeddings import EMBEDDINGS
from rdr.metrics.psnr import psnr_of_mean
from rdr.metrics.set_distances import KINDS
from rdr.vision.display import display_names, get_display

DESCRIPTION = """
Evaluates decoded images against their originals, or what a codec makes of a folder.

    rdr evaluate --reference=originals --candidate=decoded --workdir=out
    rdr evaluate photos/ --workdir=out [options of `rdr encode`]        see `rdr evaluate photos/ --help`

The first form writes results.json and results.csv (aggregates with 95 % intervals over images, or standard errors),
images.csv (per image) and contact_sheet.png. The second encodes and decodes a folder and writes messages, decoded
images and images.csv. What was interrupted goes on when the command is repeated, and what is there is shown again.
"""
_METRICS = (f"names separated by commas; per image {' '.join(registry.names())}; between sets of patches "
            f"{' '.join(f'{kind}_E' for kind in KINDS)} (E is one of {' '.join(EMBEDDINGS)}), sliced, natural; or all "
            "that can be computed here, or fast (per image, without VGG-16)")


@dataclasses.dataclass(frozen=True)
class Config:
    """What to compare and how; each field says what it is."""

    reference: str = option("", "folder of original images", first=True, metavar="FOLDER")
    candidate: str = option(
        "", "folder of decoded images by the same names; suffixes may differ", first=True, metavar="FOLDER")
    bitstreams: str = option(
        "", "folder of the messages by the same names, for the rate; not for candidates in a lossy format",
        first=True, metavar="FOLDER")
    metrics: tuple[str, ...] = option(("all",), _METRICS, first=True)
    natural: str = option(
        "", "folder of photographs that the metric natural is fitted on; none: the references", metavar="FOLDER")
    patch_size: int = option(
        64, "side in pixels of the patches for distances between sets; 0: whole images; smaller where images are small")
    batch_size: int = option(1, "images per call and device; more for small images, if memory allows")
    pixels_per_degree: float = option(
        60.0, "pixels per degree of visual angle, for csf and csf_castle; fewer for a closer look")
    peak_luminance: float = option(100.0, "luminance of white in cd/m^2, for csf and csf_castle; that of your display")
    black_luminance: float = option(0.1, "luminance of black in cd/m^2, for csf and csf_castle; that of your display")
    transfer: str = option(
        "srgb", "transfer function of the display, for csf and csf_castle; pq with --color=keep", choices=TRANSFERS)
    display: str = option(
        "standard_4k", "display that images are seen on, for cvvdp; those for PQ and HLG with --color=keep; those for "
        "linear light take OpenEXR and Radiance, also for csf and csf_castle",
        choices=display_names())
    white_luminance: float = option(
        100.0, "cd/m^2 that a value of 1 of OpenEXR and Radiance stands for, where the file does not say it; 1 for "
        "files that hold cd/m^2")
    negative: str = option(
        "refuse", "negative values of OpenEXR, and colors that the display does not have: refuse the file, or clip "
        "them to 0", choices=("clip", "refuse"))
    color: str = option(
        "convert", "colors that are not sRGB, as a file says: convert them, keep the values as they are (for PQ), or "
        "refuse the file", choices=("convert", "keep", "refuse"))
    sigma: float = option(8.0, "width in pixels over which wd_vgg16 pools; larger for more tolerance")
    max_samples: int = option(
        5000, "most samples of kd and prdc, whose cost grows with the square; more for smaller errors")
    seed: int = option(0, "random seed of subsets, directions and resamples; another to see what they matter")

    def __post_init__(self):
        metrics_of(self.metrics)
        if self.batch_size < 1:
            raise ValueError(f"--batch_size must be at least 1, got {self.batch_size}")
        if not 0 < self.white_luminance < np.inf:
            raise ValueError(f"--white_luminance must be positive and finite, got {self.white_luminance}")
        if self.max_samples < 10:
            raise ValueError(f"--max_samples must be at least 10, got {self.max_samples}")


@dataclasses.dataclass(frozen=True)
class Extra:
    """What is printed."""

    json: bool = option(False, "print one line of JSON: bytes, bits_per_pixel, psnr_db, seconds, metrics")


def read_results(config: Config, pairs: Sequence[Pair], workdir: pathlib.Path) -> dict[str, dict[str, Any]] | None:
    """Reads the results of a finished run on the same files.

    Args:
      config: what is compared; a folder of photographs for "natural" may have changed, so there is nothing to reuse.
      pairs: of images.
      workdir: where the results would be.

    Returns:
      Metric -> value and so on, or None if there are none.

    Raises:
      ValueError: if the directory holds results of other settings.
    """
    if not command_line.check_workdir(workdir, config) or config.natural:
        return None
    retained = read_finished(workdir / "images.jsonl")
    try:
        document = json.loads((workdir / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    current = all(pair.name in retained and is_current(retained[pair.name], pair, digests_of(pair)) for pair in pairs)
    return document["metrics"] if current and document.get("images") == len(pairs) else None


def summarize(values: Sequence[float], seed: int) -> dict[str, Any]:
    """Averages a metric over images.

    Args:
      values: one per image.
      seed: of the bootstrap.

    Returns:
      "value", and with two or more finite values "low" and "high", the ends of a 95 % interval.
    """
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all() or numbers.size < 2:
        return {"value": encode(float(numbers.mean()))}
    result = bootstrap_interval(lambda index: numbers[index].mean(), numbers.size, seed=seed)
    return {"value": result.value, "low": result.low, "high": result.high, "standard_error": result.standard_error}


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


def run(config: Config, workdir: pathlib.Path, extra: Extra = Extra()) -> dict[str, dict[str, Any]]:
    """Evaluates a folder of decoded images, or shows the results that are there.

    Args:
      config: what to compare and how.
      workdir: where to write; left alone when the input is refused.
      extra: what is printed.

    Returns:
      Metric -> "value", "standard_error" or "low" and "high", "higher_is_better", "protocol".

    Raises:
      ValueError: if folders, files or options cannot be used, or the directory holds results of other settings.
      FileNotFoundError: if a metric that was asked for needs weights that are not installed.
    """
    began = time.perf_counter()
    failures: dict[str, str] = {}
    light = Light(get_display(config.display).primaries, config.white_luminance, config.negative)
    pairs = pair_folders(config.reference, config.candidate, config.bitstreams, color=config.color, failures=failures,
                         light=light)
    plan = make_plan(config, pairs)
    workdir = pathlib.Path(workdir)
    table = None if failures else read_results(config, pairs, workdir)
    if table is None:
        with command_line.claim_workdir(workdir, config):
            table = compute(plan, config, pairs, workdir, failures)
            tables.write_run_record(
                workdir, name="rdr evaluate", config=config, duration_seconds=time.perf_counter() - began)
    pairs = [pair for pair in pairs if pair.name not in failures]
    _show(config, pairs, workdir, table, extra, time.perf_counter() - began)
    if failures:
        raise ValueError(f"{len(failures)} of {len(pairs) + len(failures)} pairs of images could not be evaluated, and "
                         f"are left out: {'; '.join(failures.values())}")
    return table


def _show(
    config: Config, pairs: Sequence[Pair], workdir: pathlib.Path, table: dict[str, dict[str, Any]], extra: Extra,
    seconds: float,
) -> None:
    """Prints the results."""
    if extra.json:
        rate, pixels = table.get("rate_bpp", {}).get("value"), [pair.height * pair.width for pair in pairs]
        bits = [pair.bits for pair in pairs if pair.bits is not None]
        size = None if rate is None or len(bits) < len(pairs) else sum(bits) // 8
        show_json(Outcome(size, rate, table.get("psnr", {}).get("value"), seconds),
                  images=len(pairs), pixels=sum(pixels), workdir=str(workdir), metrics=table)
        return
    shown = {
        "metric": list(table),
        "value": [f"{float(entry['value']):.5g}" for entry in table.values()],
        "error or interval": [describe_error(entry) for entry in table.values()],
        "better": ["higher" if entry["higher_is_better"] else "lower" for entry in table.values()],
    }
    print(tables.render(shown))
    print(f"{len(pairs)} images; results.json, results.csv, images.csv and contact_sheet.png are in {workdir}")


def compute(
    plan: Plan, config: Config, pairs: Sequence[Pair], workdir: pathlib.Path, failures: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Computes all metrics and writes their files.

    Args:
      plan: the metrics.
      config: what to compare and how.
      pairs: of images.
      workdir: where to write.
      failures: name -> what is wrong with a pair that cannot be read; gets those that are found.

    Returns:
      Metric -> value and so on.

    Raises:
      ValueError: if no pair can be read.
    """
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    suite = MetricSuite.from_plan(plan)
    size = config.batch_size * suite.mesh.devices.size
    records = evaluate_images(suite, pairs, workdir, batch_size=size, failures=failures)
    if not records:
        raise ValueError("; ".join(failures.values()))
    pairs = [pair for pair in pairs if pair.name not in failures]
    notes = [*plan.notes, *(f"left out: {reason}" for reason in failures.values())]
    table = aggregate(plan, records, config)
    if suite.has_features:
        images = [FeatureFile(feature_path(workdir, record["name"])) for record in records]
        table |= between_sets(plan, suite, images, records, notes)
    for note in notes[len(plan.notes) + len(failures):]:
        print(f"note: {note}", file=sys.stderr)
    contact_sheet.write(workdir / "contact_sheet.png", pairs, records, plan.metrics)
    write_results(workdir, config, records, table, notes)
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


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    words = (sys.argv if argv is None else argv)[1:]
    if words and not words[0].startswith("-"):
        from rdr.cli import evaluate_folder

        return evaluate_folder.main(argv)

    def call():
        parsed = command_line.parse(CommandLine("rdr evaluate", DESCRIPTION, {"": Config()}, Extra()), argv)
        run(parsed.config, parsed.required_workdir(), parsed.extra)

    return command_line.run_safely(call)
