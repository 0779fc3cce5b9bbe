"""Times what other projects do, too, by turns with them, and prints one table.

    make bench-peers [COOLCHIC=/path/to/its/repository] [TORCH_INDEX=https://download.pytorch.org/whl/cpu]
    python -m benchmarks.peers [--peers=.venv-peers] [--threads=1] [--turns=5] [--only=ssim,ott]

Each side runs in a process of its own and makes its calls when it is told to, ours and the peer's in turn, so that what
else the machine does falls on both; the table has the medians of CPU seconds (over all threads) and their ratio, ours
over theirs. Where both compute the same number, the last column says by how much they differ, relatively. Peers are in
environments below the folder of --peers; what is not installed there is left out, with a sentence.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from benchmarks import peer_calls

BUSY = 1.5  # load average above which the table says that the machine was busy


class Row(NamedTuple):
    """What is compared.

    Attributes:
      what: for people.
      ours: our case, of `CASES`.
      environment: folder of the peer's environment.
      peer: its case, of `peer_calls.CASES`.
    """

    what: str
    ours: str
    environment: str
    peer: str


_IMAGES = "value and gradient, 4 x 256 x 256 x 3"
_CLOUDS = "entropic transport, 400 points in the plane, epsilon .1, error 1e-4"
ROWS = [
    Row(f"SSIM, {_IMAGES}", "ssim", "torch", "pytorch-msssim ssim"),
    Row(f"SSIM, {_IMAGES}", "ssim", "torch", "piq ssim"),
    Row(f"MS-SSIM, {_IMAGES}", "ms_ssim", "torch", "pytorch-msssim ms_ssim"),
    Row(f"MS-SSIM, {_IMAGES}", "ms_ssim", "torch", "piq ms_ssim"),
    Row(f"LPIPS (AlexNet), {_IMAGES}", "lpips", "torch", "lpips"),
    Row("Frechet distance of two Gaussians, 512 dimensions", "frechet", "torch", "torch-fidelity"),
    Row(_CLOUDS, "transport", "ott", "ott"),
    Row(_CLOUDS, "transport", "ott", "POT sinkhorn"),
    Row("sliced W2, 64 directions, 4,000 points in 64 dimensions", "sliced", "ott", "POT sliced"),
    Row("factorized prior, training step of 8", "train factorized:8", "torch", "compressai factorized:8"),
    Row("hyperprior, training step of 1", "train hyperprior:1", "torch", "compressai hyperprior:1"),
    Row("hyperprior, training step of 8", "train hyperprior:8", "torch", "compressai hyperprior:8"),
    Row("hyperprior, 768 x 512 to bytes", "train hyperprior:compress", "torch", "compressai hyperprior:compress"),
    Row("hyperprior, bytes to 768 x 512", "train hyperprior:decompress", "torch", "compressai hyperprior:decompress"),
    Row("entropy coding, 10^6 Gaussians of 64 scales", "encode", "solvers", "constriction encode"),
    Row("entropy decoding, the same", "decode", "solvers", "constriction decode"),
    Row("R(D), 64 letters, a slope; ours to a proven 1e-6 bit", "slope", "solvers", "dit"),
    Row("R(D), 16 letters, a distortion; ours to a proven 1e-8 bit", "distortion", "solvers", "clarabel"),
    Row("R(D, P) with total variation, the same", "perception", "solvers", "clarabel tv"),
    Row("step of a fit to 256 x 256, squared error", "fit", "torch", "Cool-Chic"),
]


def _gradient(loss, batch=4) -> Callable[[], float]:
    x, y = peer_calls.image_pair(batch=batch)
    call = jax.jit(jax.value_and_grad(lambda x, y: loss(x, y).mean()))
    return lambda: float(jax.block_until_ready(call(x, y))[0])


def _ssim(name: str) -> Callable[[], float]:
    from rdr.losses.ssim import ms_ssim, ssim

    return _gradient({"ssim": ssim, "ms_ssim": ms_ssim}[name])


def _lpips() -> Callable[[], None]:
    from rdr.features import weights
    from rdr.losses.lpips import LPIPSParams, lpips

    shapes = weights.architecture("alexnet").layers
    heads = tuple(np.ones(shape[-1], np.float32) for _, shape in shapes)
    params = LPIPSParams(weights.random_params("alexnet", jax.random.key(0)), heads)
    call = _gradient(lambda x, y: lpips(params, x, y))
    return lambda: call() and None


def _frechet() -> Callable[[], float]:
    from rdr.metrics.frechet import gaussian_frechet

    (mean, covariance), (other_mean, other_covariance) = peer_calls.gaussian_features()
    return lambda: gaussian_frechet(mean, covariance, other_mean, other_covariance)


def _transport() -> Callable[[], float]:
    from rdr.losses.sinkhorn import entropic_transport

    x, y = peer_calls.point_clouds()
    call = jax.jit(lambda x, y: entropic_transport(x, y, epsilon=0.1, tolerance=1e-4).cost)
    return lambda: float(call(x, y))


def _sliced() -> Callable[[], None]:
    from rdr.losses.sliced_wasserstein import sliced_w2_squared

    x, y = peer_calls.point_clouds(4000, 64)
    call = jax.jit(lambda x, y: sliced_w2_squared(x, y, key=jax.random.key(0)))
    return lambda: float(call(x, y)) and None


def _coding(what: str) -> Callable[[], float]:
    from benchmarks.coding import gaussian_tables
    from rdr.bitstream.coder import decode_symbols, encode_symbols

    x, ids, sigma, reach = peer_calls.gaussian_symbols()
    tables = gaussian_tables(sigma, reach)
    coded = encode_symbols(x, tables, ids)
    calls = {"encode": lambda: sum(map(len, encode_symbols(x, tables, ids))),
             "decode": lambda: decode_symbols(*coded, x.size, tables, ids).sum()}
    return calls[what]


def _solver(what: str) -> Callable[[], float]:
    from theory.discrete import rate_distortion, rate_distortion_perception

    pmf, matrix = peer_calls.source(64 if what == "slope" else 16)
    calls = {
        "slope": lambda: rate_distortion(pmf, matrix, slope=8 / np.log(2), tolerance=1e-6),
        "distortion": lambda: rate_distortion(pmf, matrix, distortion=0.2, tolerance=1e-8),
        "perception": lambda: rate_distortion_perception(pmf, matrix, distortion=0.2, perception=0.1, divergence="tv",
                                                         tolerance=1e-8),
    }

    def call():
        answer = jax.block_until_ready(calls[what]())
        return float(answer.rate + (8 / np.log(2) * answer.distortion if what == "slope" else 0))

    return call


def _train(case: str) -> Callable[[], None]:
    from benchmarks import training

    call, _ = training.make_call(*case.split(":"))
    return lambda: jax.block_until_ready(call()) and None


def _fit() -> Callable[[], None]:
    from benchmarks import overfitted

    call = overfitted.make_steps("mse", "alexnet", 256, 256)
    return lambda: jax.block_until_ready(call()) and None


CASES: dict[str, Callable[[], Callable[[], float | None]]] = {
    "ssim": lambda: _ssim("ssim"), "ms_ssim": lambda: _ssim("ms_ssim"), "lpips": _lpips, "frechet": _frechet,
    "transport": _transport, "sliced": _sliced, "fit": _fit,
    **{name: lambda name=name: _coding(name) for name in ("encode", "decode")},
    **{name: lambda name=name: _solver(name) for name in ("slope", "distortion", "perception")},
    **{row.ours: lambda name=row.ours: _train(name.split()[1]) for row in ROWS if row.ours.startswith("train ")},
}  # fmt: skip


class Side:
    """A process that makes a call when it is told to.

    Attributes:
      ready: what it said first.
    """

    def __init__(self, command: Sequence[str], threads: int):
        eigen = "" if threads > 1 else " --xla_cpu_multi_thread_eigen=false"
        limits = dict.fromkeys(("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        environment = {**os.environ, **limits, "XLA_FLAGS": os.environ.get("XLA_FLAGS", "") + eigen}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         stderr=subprocess.PIPE, env=environment)
        self.ready = self._read()

    def _read(self):
        assert self._process.stdout is not None and self._process.stderr is not None
        for line in self._process.stdout:
            if line[0] in "{[":  # some libraries greet their users
                return json.loads(line)
        lines = self._process.stderr.read().strip().splitlines()
        raise RuntimeError(lines[-1] if lines else "it ended without a word")

    def call(self) -> float:
        """CPU seconds of a call."""
        return self.turn()[0]

    def turn(self) -> list[float]:
        """Everything that it says of a call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(row: Row, peers: pathlib.Path, threads: int, turns: int) -> list[str]:
    """Times both sides of a row.

    Args:
      row: what is compared.
      peers: folder of the peers' environments.
      threads: of each side.
      turns: of each side.

    Returns:
      Cells of the table.

    Raises:
      RuntimeError: if a side cannot do its part; the sentence says why.
    """
    python = peers / row.environment / "bin" / "python"
    if not python.exists():
        raise RuntimeError(f"there is no {python}")
    if row.peer == "Cool-Chic" and not os.environ.get("COOLCHIC"):
        raise RuntimeError("COOLCHIC names no copy of its repository")
    commands = ([sys.executable, "-m", "benchmarks.peers", f"--serve={row.ours}"],
                [str(python), str(pathlib.Path(__file__).with_name("peer_calls.py")), row.peer, str(threads)])
    sides: list[Side] = []
    try:
        for command in commands:
            sides.append(Side(command, threads))
        spent = np.array([[side.call() for side in sides] for _ in range(turns)])
    finally:
        for side in sides:
            side.close()
    ours, theirs = np.median(spent, 0)
    ours /= _steps(row)
    values = [side.ready["value"] for side in sides]
    differ = "" if None in values else f"{abs(values[0] - values[1]) / abs(values[1]):.0e}"
    ratios = spent[:, 0] / _steps(row) / spent[:, 1]
    cells = (f"{1e3 * ours:.3g}", f"{1e3 * theirs:.3g}", f"{ours / theirs:.2f}",
             f"{ratios.min():.2f} to {ratios.max():.2f}", sides[1].ready["version"], differ)
    return [row.what, *cells]


def _steps(row: Row) -> int:
    """Steps in one of our calls."""
    return 10 if row.ours == "fit" else 1


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table, and what was left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=".venv-peers", type=pathlib.Path)
    parser.add_argument("--threads", default=1, type=int)
    parser.add_argument("--turns", default=5, type=int)
    parser.add_argument("--only", default="", help="words of which what is compared, or the peer's name, has one")
    parser.add_argument("--serve", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.serve:
        peer_calls.serve(CASES[options.serve](), f"jax {jax.__version__}")
        return
    if hasattr(os, "sched_setaffinity"):  # what a library starts anyway shares these cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    load = os.getloadavg()[0]
    print(f"jax {jax.__version__}, Python {platform.python_version()}, {platform.machine()}, {options.threads} "
          f"thread{'s' if options.threads > 1 else ''} on as many cores, {options.turns} turns each, "
          f"{time.strftime('%Y-%m-%d')}, load average {load:.1f}{', a busy machine' if load > BUSY else ''}\n")
    print("| what | ours, CPU ms | peer, CPU ms | ours / peer | of single turns | peer | values differ by |\n"
          "|---|---|---|---|---|---|---|", flush=True)
    left_out, words = [], options.only.split(",") if options.only else [""]
    for row in ROWS:
        if any(word.lower() in f"{row.what} {row.peer}".lower() for word in words):
            try:
                print(f"| {' | '.join(measure(row, options.peers, options.threads, options.turns))} |", flush=True)
            except (RuntimeError, OSError) as error:
                left_out.append(f"{row.peer} was left out: {error}.")
    print("\n".join(["", *left_out]))


if __name__ == "__main__":
    main()
