"""Times training steps and coding of the amortized image codecs, beside CompressAI where it is installed.

    python -m benchmarks.training [--cases=factorized:1,hyperprior:1,factorized:8,hyperprior:8,factorized:code,..]
        [--peer=.venv-peers/torch/bin/python]

N = 128, M = 192; a step takes B crops of 256 x 256 (loss, gradients, clipping, Adam, moving average); `code` is one
random image of 768 x 512 with untrained parameters, which makes more bytes than a trained codec would. The peer's
calls come right after ours in each case. Printed as a Markdown table: the shortest wall time and CPU time (over all
threads) of a call, the ratios of both to the peer's, compile time, and what the compiled step takes beside arguments
and results.
"""

import json
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from rdr.codecs.image import make_codec, objective
from rdr.training.step import initial_state, make_optimizer, make_step

NAMES = {"factorized": "bmshj2018-factorized", "hyperprior": "bmshj2018-hyperprior", "mean": "mbt2018-mean"}


def best(function, repetitions: int) -> tuple[float, float]:
    """Shortest wall and CPU seconds of a call."""
    found = []
    for _ in range(repetitions):
        wall, cpu = time.perf_counter(), time.process_time()
        jax.block_until_ready(function())
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return tuple(min(values) for values in zip(*found))


def make_call(name: str, what: str) -> tuple[Callable[[], object], dict]:
    """What a case is, a step of a batch, compressing or decompressing, compiled; and what compiling took."""
    codec = make_codec(NAMES[name])
    if what in ("compress", "decompress"):
        params = codec.finalize(jax.jit(codec.init)(jax.random.key(0)))
        image = np.random.default_rng(0).random((1, 512, 768, 3)).astype(np.float32)
        message = codec.encode(params, image)
        codec.decode(message, params=params)
        return {"compress": lambda: codec.encode(params, image),
                "decompress": lambda: codec.decode(message, params=params)}[what], {}
    batch, optimizer = int(what), make_optimizer(learning_rate=1e-4, steps=1000)
    state = initial_state(jax.jit(codec.init)(jax.random.key(0)), optimizer)
    loss = objective.rate_distortion_loss(codec, rate_levels=0, weights=(0.01, 0.01))
    x = jnp.asarray(np.random.default_rng(0).integers(0, 256, (batch, 256, 256, 3), np.uint8))
    started = time.perf_counter(), time.process_time()
    compiled = jax.jit(make_step(loss, optimizer, seed=0)).lower(state, x).compile()
    compiling = time.perf_counter() - started[0], time.process_time() - started[1]
    jax.block_until_ready(compiled(state, x))
    memory = compiled.memory_analysis()
    return lambda: compiled(state, x), {"compile": compiling, "megabytes": memory.temp_size_in_bytes / 2**20}


def measure(name: str, what: str, repetitions: int) -> dict:
    """A training step, or compressing and decompressing an image."""
    found = {}
    for key in ("compress", "decompress") if what == "code" else ("step",):
        call, compiling = make_call(name, key if what == "code" else what)
        found |= {key: best(call, repetitions), **compiling}
    return found


def main(argv: list[str] | None = None) -> None:
    """Prints the table."""
    values = flags.FlagValues()
    flags.DEFINE_list("cases", ["factorized:1", "hyperprior:1", "factorized:8", "hyperprior:8", "factorized:code",
                                "hyperprior:code"], "what to time", flag_values=values)
    flags.DEFINE_integer("repetitions", 3, "calls of each", flag_values=values)
    flags.DEFINE_string("peer", "", "Python of an environment with CompressAI", flag_values=values)
    values(sys.argv if argv is None else argv)
    print(f"{platform.processor() or platform.machine()}, {jax.device_count()} {jax.devices()[0].platform} device, "
          f"jax {jax.__version__}\n")
    print("| case | wall, s | CPU, s | wall / peer | CPU / peer | compile wall, CPU, s | images/s | temporaries, MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for case in values.cases:
        name, what = case.split(":")
        mine = measure(name, what, values.repetitions)
        peer = {}
        if values.peer and name != "mean":
            script = pathlib.Path(__file__).with_name("peer_training.py")
            done = subprocess.run([*values.peer.split(), str(script), case], check=True, capture_output=True, text=True)
            peer = json.loads(done.stdout.splitlines()[-1])
        for key in ("step", "compress", "decompress"):
            if key not in mine:
                continue
            ratios = [f"{a / b:.2f}" for a, b in zip(mine[key], peer[key])] if peer else ["", ""]
            compiling = "{:.0f}, {:.0f}".format(*mine["compile"]) if "compile" in mine else ""
            speed = f"{int(what) / mine[key][0]:.2f}" if key == "step" else ""
            memory = f"{mine['megabytes']:.0f}" if "megabytes" in mine else ""
            print(f"| {case.split(':')[0]} {key}{' of ' + what if key == 'step' else ''} | {mine[key][0]:.3f} | "
                  f"{mine[key][1]:.3f} | {ratios[0]} | {ratios[1]} | {compiling} | {speed} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
