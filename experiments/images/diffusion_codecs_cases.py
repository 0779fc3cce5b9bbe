"""Codecs that `experiments.images.diffusion_codecs` measures, and their rows in its table."""

from typing import Any, NamedTuple

import numpy as np

from experiments.images import diffusion_codecs_measures as measures
from rdr.codecs.base import Codec
from rdr.codecs.diffusion import codec as diffusion
from rdr.codecs.diffusion.ddcm import ddcm_codec
from rdr.codecs.diffusion.sources import ExactSource
from rdr.data.samples import Samples
from rdr.evaluation import estimate_tables


class Case(NamedTuple):
    """A codec, and how it is decoded.

    Attributes:
      channel: how steps are sent; "codebook-b" for codebooks of 2^b words.
      noise: deviation of the noise at the last time, in gray levels: t / (1 - t) is its square.
      steps: how many.
      least: of `rdr.codecs.diffusion.codec.diffusion_codec`.
      decoders: which of them.
      denoiser: "network" or "linear".
    """

    channel: str
    noise: float
    steps: int = 1
    least: float = 0.25
    decoders: tuple[str, ...] = ("mean", "flow")
    denoiser: str = "network"

    def label(self) -> str:
        """A name for files and messages."""
        return f"{self.denoiser}-{self.channel}-{self.noise:g}-{self.steps}-{self.least:g}"


_ALL, _NOISES = ("mean", "flow", "ancestral"), (1.0, 0.6, 0.35, 0.2, 0.12)
SMOKE = (Case("uniform", 0.5, 2, decoders=_ALL), Case("E8", 0.5), Case("codebook-2", 0.3, 4, decoders=("mean",)),
         Case("uniform", 0.5, denoiser="linear"))
QUICK = (
    *(Case("uniform", noise, decoders=_ALL) for noise in _NOISES),
    *(Case("uniform", noise, denoiser="linear") for noise in _NOISES[::2]),
    *(Case("uniform", noise, k) for k in (2, 4) for noise in _NOISES[1:4]),
    *(Case("uniform", 0.35, least=least) for least in (0.0, 1.0)),
    *(Case(channel, 0.35) for channel in ("layered", "E8")), Case("codebook-4", 0.3, 8),
)
CASES = {"smoke": SMOKE, "quick": QUICK, "full": (
    *QUICK, *(Case("uniform", 0.35, k, least) for k, least in ((8, 0.25), (2, 0.0), (2, 1.0), (4, 1.0))),
    *(Case(channel, noise) for channel in ("layered", "E8") for noise in (1.0, 0.6, 0.2, 0.12)),
    Case("codebook-4", 0.3, 24),
    *(Case(channel, noise, k, decoders=_ALL) for channel in ("layered", "E8") for k in (2, 4, 8)
              for noise in _NOISES), *(Case("uniform", 0.06, k, decoders=_ALL) for k in (1, 2, 4)))}


def make_codec(case: Case, source: ExactSource, decode_steps: int) -> Codec:
    """Makes the codec of a case.

    Args:
      case: which.
      source: with the denoiser.
      decode_steps: of flows and ancestral sampling.

    Returns:
      The codec.
    """
    end = case.noise**2 / (1.0 + case.noise**2)
    times = measures.equal_times(source.identity["variances"], end, case.steps)
    if case.channel.startswith("codebook-"):
        return ddcm_codec(source, bits=int(case.channel.partition("-")[2]), times=times, decode_steps=decode_steps)
    return diffusion.diffusion_codec(source, channel=case.channel, times=times, decode_steps=decode_steps,
                                     least=case.least)


def add_row(table: dict[str, list], config: Any, samples: Samples, bounds: dict[str, list], case: Case | None,
            result: dict[str, Any], null: measures.Realism) -> None:
    """Appends a codec's row.

    Args:
      table: columns by name.
      config: settings of the experiment.
      samples: the source.
      bounds: rows of estimators.
      case: of a diffusion codec; None for the linear and the trained one.
      result: what was measured.
      null: realism of the originals.
    """
    errors = np.array(result["errors"])
    d, d_se = float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(errors.size))
    if case is None:
        header, is_trained = float("nan"), result["channel"] == "trained"
        bits = 8.0 * np.array(result["bytes"]) / config.vectors if is_trained else np.array(result["bits"])
        rate = float(bits.mean()) if is_trained else result["rate"]
        rate_se = float(bits.std(ddof=1) / np.sqrt(bits.size))
        codec = ("trained" if is_trained else "KLT") + " dither" + (
            " realistic" if result["decoder"] == "realistic" else "")
    else:
        bits = 8.0 * np.array(result["bytes"]) / config.vectors
        rate, rate_se = float(bits.mean()), float(bits.std(ddof=1) / np.sqrt(bits.size))
        header = 8.0 * float(np.mean(result["head_bytes"])) / config.vectors
        family = {"uniform": "UQDM", "codebook": "DDCM"}.get(case.channel.partition("-")[0], "DiffC")
        suffix = {"flow": "F", "ancestral": "A", "mean": "mean"}[result["decoder"]]
        codec = f"{family}-{suffix} {case.channel} {case.denoiser}"
    upper, lower = (curve(bounds, np.array([d - 1e-3 * d, d, d + 1e-3 * d])) for curve in (
        estimate_tables.upper_curve, estimate_tables.lower_curve))
    slope = float(np.nan_to_num((upper.rate[0] - upper.rate[2]) / (2e-3 * d)))
    error = np.sqrt(rate_se**2 + (slope * d_se) ** 2 + float(np.nan_to_num(max(upper.se[1], lower.se[1]))) ** 2)
    row = {
        "source": samples.name, "dimension": samples.dimension, "codec": codec, "shared": "unlimited",
        "rate_bits": rate, "distortion": d, "perception": result["frechet"], "bound_kind": "R(D) from samples",
        "bound_lower_bits": float(lower.rate[1]), "bound_upper_bits": float(upper.rate[1]),
        "gap_bits": rate - float(upper.rate[1]), "gap_se": float(error), "seed": config.seed,
        "channel": result["channel"] if case is None else case.channel,
        "denoiser": {"klt": "linear", "trained": "none"}[result["channel"]] if case is None else case.denoiser,
        "decoder": result["decoder"], "steps": 1 if case is None else case.steps,
        "noise": result["aim"] if case is None else case.noise, "least": float("nan") if case is None else case.least,
        "rate_se": rate_se, "distortion_se": d_se, "psnr": -10.0 * float(np.log10(d / samples.dimension)),
        "header_bits": header, "perception_null": null.frechet, "sliced_w2": result["sliced"],
        "sliced_w2_null": null.sliced, "feature_frechet": result["features"], "feature_frechet_null": null.features,
        "encode_seconds": result.get("encode_seconds", float("nan")),
        "decode_seconds": result.get("decode_seconds", float("nan"))}
    for name, cell in row.items():
        table.setdefault(name, []).append(cell)
