"""Sources known by samples and a denoiser: networks in exact arithmetic, any other function, and networks in files.

A network of `rdr.codecs.diffusion.network` computes the same everywhere, and so do messages that are decoded with it.
Any other denoiser, such as a network that JAX runs in floating point, repeats itself on the same device with the same
software: its codecs are named after these (`runtime`), and their messages are refused elsewhere.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import io
import json
import os
import pathlib
import platform
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from rdr.codecs.diffusion import network, process
from rdr.codecs.diffusion.arithmetic import LARGEST
from rdr.codecs.diffusion.sources import ExactSource
from rdr.files import write_bytes

FORMAT = "rdr denoiser 1"
PRETRAINED = {"fashion_mnist": (
    "fashion_mnist_16x16.npz", "5679a9924145de879dc164b93b550372eaf546ba4f830627b9d3c3a0df7b26b7")}
_SAMPLING_STEPS = 64
_NUMBERS = 2.0**network.FRACTION


def _sampler(samples: ArrayLike | None, dimension: int, denoise: Callable[[np.ndarray, float], np.ndarray]
             ) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Draws from samples, or if there are none from what the denoiser takes the source to be."""
    if samples is None:
        times = process.decoding_times(1.0, _SAMPLING_STEPS)

        def sample(rng: np.random.Generator, count: int) -> np.ndarray:
            start = rng.standard_normal((count, dimension))
            return process.ancestral(denoise, start, times, lambda _: rng.standard_normal(start.shape))

        return sample
    rows = np.asarray(samples)
    if rows.ndim != 2 or rows.shape[1] != dimension or not len(rows) or not np.isfinite(rows).all():
        raise ValueError(f"samples must be finite, [samples, {dimension}], got shape {rows.shape}")
    return lambda rng, count: rows[rng.integers(0, len(rows), count)].astype(np.float64)


def network_source(model: Mapping[str, Any], weights: Mapping[str, Any] | None, *, samples: ArrayLike | None = None,
                   name: str = "network") -> ExactSource:
    """Makes a source of samples' moments and a network, with a denoiser that computes the same everywhere.

    Args:
      model: from `rdr.codecs.diffusion.network.statistics`.
      weights: of a network, from `rdr.codecs.diffusion.network.round_weights`; None for the Gaussian with these
        moments.
      samples: [samples, dimension], of which a codec's tables are made; None for samples that the network draws.
      name: what it is called.

    Returns:
      The source. Codecs send principal components.

    Raises:
      ValueError: if sizes do not fit each other, or weights are no multiples of 2^-12.
    """
    mean, axes, variances = (np.asarray(model[key], np.float32) for key in ("mean", "axes", "variances"))
    n = mean.size
    if mean.shape != (n,) or axes.shape != (n, n) or variances.shape != (n,) or not (variances > 0).all():
        raise ValueError(f"model must have mean [n], axes [n, n] and positive variances [n], got shapes {mean.shape}, "
                         f"{axes.shape} and {variances.shape}")
    identity: dict[str, Any] = {"mean": mean, "axes": axes, "variances": variances}
    if weights is not None:
        weights = {key: np.asarray(value, np.float32) for key, value in weights.items()}
        _check_weights(weights, n)
        identity["network"] = weights
    denoise = network.exact_denoiser(identity, weights)
    wide = axes.astype(np.float64)
    return ExactSource(name, n, identity, mean.astype(np.float64), (wide * variances) @ wide.T,
                       _sampler(samples, n, denoise), denoise, None, None, basis=wide, largest=LARGEST / 2)


def _check_weights(weights: Mapping[str, np.ndarray], dimension: int) -> None:
    width, blocks, k = weights["input_bias"].size, len(weights["first"]), len(network.LEVELS)
    expected = jax.eval_shape(lambda: network.init(jax.random.key(0), dimension, width=width, blocks=blocks))
    shapes = {key: value.shape for key, value in weights.items()}
    if shapes != {key: value.shape for key, value in expected.items()}:
        raise ValueError(f"weights must be of a network of {dimension} inputs and {k} levels, got shapes {shapes}")
    for key, value in weights.items():
        steps = np.asarray(value, np.float64) * _NUMBERS
        if not (np.isfinite(steps).all() and (steps == np.rint(steps)).all() and np.abs(value).max() < 8.0):
            raise ValueError(f"weights must be multiples of 2^-{network.FRACTION} below 8 in size, {key} are not: give "
                             "them to round_weights")


def runtime() -> str:
    """Names the device and the software that floating-point results depend on.

    Returns:
      The platform and 12 hexadecimal digits of the SHA-256 of backend, device, processor, number of cores, versions
      of JAX and NumPy, and settings of both.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = (jax.default_backend(), jax.devices()[0].device_kind, platform.machine(), _processor(), cores,
             jax.__version__, np.__version__, os.environ.get("XLA_FLAGS", ""), os.environ.get("OMP_NUM_THREADS", ""),
             *(str(jax.config.values.get(name)) for name in ("jax_enable_x64", "jax_default_matmul_precision")))
    return f"{jax.default_backend()}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"


def _processor() -> str:
    """What Linux says of the first core: model and instructions that libraries choose by."""
    path = pathlib.Path("/proc/cpuinfo")
    if not path.is_file():
        return platform.processor()
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    return "\n".join(line for line in lines if line.partition(":")[0].strip() in ("model name", "flags", "Features"))


def denoiser_source(denoise: Callable[[np.ndarray, float], ArrayLike], samples: ArrayLike, *, identity: Any,
                    name: str = "denoiser") -> ExactSource:
    """Makes a source of samples and any denoiser, whose messages are decoded on the same device and software only.

    Args:
      denoise: (x_t, t) -> E[x_0 | x_t], [batch, dimension] both, float64 in; such as a network that JAX runs. Vectors
        must not depend on those beside them.
      samples: [samples, dimension], at least two: of which tables and principal components are made.
      identity: tree of arrays that the denoiser is made of; the fingerprint in a message holds it.
      name: what it is called.

    Returns:
      The source.

    Raises:
      ValueError: if the samples are too few or not finite.
    """
    model = network.statistics(samples)
    basis = model["axes"].astype(np.float64)

    def float64(x: np.ndarray, t: float) -> np.ndarray:
        return np.asarray(denoise(x, t), np.float64)

    return ExactSource(name, len(basis), {"denoiser": identity, **model}, model["mean"].astype(np.float64),
                       (basis * model["variances"]) @ basis.T, _sampler(samples, len(basis), float64), float64, None,
                       None, arithmetic=runtime(), basis=basis, largest=LARGEST / 2)


def save_network(path: str | pathlib.Path, model: Mapping[str, Any], weights: Mapping[str, Any], *,
                 notes: Mapping[str, Any]) -> str:
    """Writes a network and the moments that it goes with, whole or not at all.

    Args:
      path: the file, .npz.
      model: from `rdr.codecs.diffusion.network.statistics`.
      weights: from `rdr.codecs.diffusion.network.round_weights`.
      notes: whatever JSON can hold: how it was made.

    Returns:
      The SHA-256 of the file, in hexadecimal digits.

    Raises:
      ValueError: if they do not fit each other.
    """
    network_source(model, weights)
    header = json.dumps({"format": FORMAT, "notes": dict(notes)}, sort_keys=True).encode()
    arrays = {"header": np.frombuffer(header, np.uint8), "mean": np.asarray(model["mean"], np.float32),
              "variances": np.asarray(model["variances"], np.float32),
              "axes": np.rint(np.asarray(model["axes"], np.float64) * 2.0**20).astype(np.int32)}
    arrays |= {f"network/{key}": np.rint(np.asarray(value, np.float64) * _NUMBERS).astype(np.int16)
               for key, value in weights.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def load_network(path: str | pathlib.Path, *, samples: ArrayLike | None = None, sha256: str | None = None,
                 name: str | None = None) -> ExactSource:
    """Reads a network that `save_network` wrote, as a source.

    Args:
      path: the file.
      samples: as `network_source` takes them.
      sha256: what the file's SHA-256 must be, in hexadecimal digits; None for any.
      name: of the source; default that of the file.

    Returns:
      The source.

    Raises:
      ValueError: if there is no such file, it is damaged, or not the one with that hash.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"network: there is no file {path}")
    data = path.read_bytes()
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"network: {path} has SHA-256 {hashlib.sha256(data).hexdigest()}, expected {sha256}")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = dict(archive)
        said = json.loads(arrays.pop("header").tobytes())["format"]
        model = {"mean": arrays["mean"], "variances": arrays["variances"],
                 "axes": (arrays["axes"] * 2.0**-20).astype(np.float32)}
        weights = {key.partition("/")[2]: (value / _NUMBERS).astype(np.float32)
                   for key, value in arrays.items() if key.startswith("network/")}
        if said != FORMAT:
            raise ValueError(f"its format is {said!r}")
        return network_source(model, weights, samples=samples, name=name or path.stem)
    except Exception as error:  # whatever a damaged archive raises
        raise ValueError(f"network: {path} is none that save_network wrote, or damaged: {error}") from None


@functools.cache
def pretrained(name: str = "fashion_mnist") -> ExactSource:
    """Finds a network that comes with the package.

    Args:
      name: "fashion_mnist": images of 16 x 16 pixels in [0, 1], means of those of Fashion-MNIST.

    Returns:
      The source; codecs' tables are made of samples that the network draws, which takes 40 CPU seconds. Give
      `load_network` real samples to be faster, and a little better.

    Raises:
      ValueError: if there is none of this name, or this installation lacks it.
    """
    if name not in PRETRAINED:
        raise ValueError(f"name must be one of {', '.join(PRETRAINED)}, got {name!r}")
    file, digest = PRETRAINED[name]
    return load_network(path_of(file), sha256=digest, name=name)


def path_of(file: str) -> pathlib.Path:
    """Finds where a network of the package is, or would be.

    Args:
      file: its name.

    Returns:
      Its path.
    """
    return pathlib.Path(str(importlib.resources.files("rdr.codecs.diffusion") / file))
