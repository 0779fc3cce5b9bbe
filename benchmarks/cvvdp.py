"""CPU time and memory of ColorVideoVDP, ours and, by turns with it, the package's, in an environment of its own.

    python -m venv .venv-peers/cvvdp && .venv-peers/cvvdp/bin/pip install cvvdp==0.5.7
    python -m benchmarks.cvvdp [--peer_python=.venv-peers/cvvdp/bin/python] [--out=benchmarks/cvvdp.md]

Value, and value and gradient, of an image of 1920 x 1080, and the value of 30 frames of 512 x 512, on standard_4k, in
float32. Each side of a row is a process of its own that makes a call when it is told to, ours and the peer's in turn.
CPU seconds are over all threads; memory is the most that the process had resident during calls, what was compiled or
imported before included where it stays. Without --peer_python ours are measured alone.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
import time
import types
from collections.abc import Callable, Sequence

import numpy as np

CASES = ("value", "gradient", "video")
RATE = 30.0  # frames per second
_TITLES = {"value": "value, {1} x {0}", "gradient": "value and gradient, {1} x {0}",
           "video": "value, {0} frames of {2} x {1}"}


def images(shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Waves and noise, and more noise.

    Args:
      shape: height and width, or frames, height and width.

    Returns:
      Distorted and original, float32 [*shape, 3].
    """
    rng = np.random.default_rng(0)
    places = np.meshgrid(*(np.arange(n, dtype=np.float32) / 16 for n in shape), indexing="ij")
    waves = np.stack([np.sin(sum(x * (k + j + 1) for j, x in enumerate(places)) / 3) for k in range(3)], -1)
    original = np.clip(0.5 + 0.3 * waves + 0.05 * rng.standard_normal(waves.shape), 0, 1).astype(np.float32)
    noise = 0.05 * rng.standard_normal(waves.shape)
    return np.clip(original + noise, 0, 1).astype(np.float32), original


def ours(case: str, shape: Sequence[int]) -> tuple[Callable[[], float], str]:
    """Compiles our call.

    Args:
      case: of `CASES`.
      shape: of the image or the video.

    Returns:
      The call, which returns JOD, and what it was made with.
    """
    import jax

    from rdr.vision.cvvdp import cvvdp, cvvdp_video

    test, reference = map(jax.numpy.asarray, images(shape))
    if case == "video":
        call = jax.jit(lambda x, y: cvvdp_video(x, y, display="standard_4k", frames_per_second=RATE).jod)
    else:
        def jod(x, y):
            return cvvdp(x[None], y[None], display="standard_4k").jod[0]

        call = jax.jit(jod if case == "value" else jax.value_and_grad(jod))
    compiled = call.lower(test, reference).compile()
    memory = compiled.memory_analysis()
    note = "" if memory is None else f", temporary numbers {memory.temp_size_in_bytes / 2**20:.0f} MiB"
    return lambda: float(jax.tree.leaves(jax.block_until_ready(compiled(test, reference)))[0]), (
        f"jax {jax.__version__}{note}")


def theirs(case: str, shape: Sequence[int], threads: int) -> tuple[Callable[[], float], str]:
    """Makes the package's call; runs in its environment.

    Args:
      case: of `CASES`.
      shape: of the image or the video.
      threads: of it.

    Returns:
      As `ours`.
    """
    # Torchvision registers compiled operators at import, which torch may lack; the blur that is used needs none.
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    import pycvvdp
    import torch

    torch.set_num_threads(threads)
    metric = pycvvdp.cvvdp(display_name="standard_4k", quiet=True, device=torch.device("cpu"))
    test, reference = map(torch.from_numpy, images(shape))
    options = {"dim_order": "FHWC" if case == "video" else "HWC", "frames_per_second": RATE if case == "video" else 0}

    def value():
        with torch.no_grad():
            return float(metric.predict(test, reference, **options)[0])

    def gradient():
        test.grad = None
        lost = metric.loss(test.requires_grad_(True), reference, **options)
        lost.backward()
        return 10.0 - float(lost.detach())

    version = ", ".join(f"{name} {importlib.metadata.version(name).split('+')[0]}" for name in ("cvvdp", "torch"))
    return (gradient if case == "gradient" else value), version


def resident_peak(*, reset: bool = False) -> float:
    """The most memory that was resident since the last reset, MiB; 0 where the system does not say."""
    try:
        if reset:
            pathlib.Path("/proc/self/clear_refs").write_text("5")
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def serve(call: Callable[[], float], version: str) -> None:
    """Makes a call whenever a line is read, and prints CPU seconds, wall seconds and MiB.

    Args:
      call: what is measured.
      version: of what.
    """
    print(json.dumps({"version": version, "value": call()}), flush=True)
    for _ in sys.stdin:
        resident_peak(reset=True)
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        spent = time.process_time() - cpu, time.perf_counter() - wall
        print(json.dumps([*spent, resident_peak()]), flush=True)


def measure(case: str, shape: Sequence[int], options: argparse.Namespace) -> list[str]:
    """Measures a row.

    Args:
      case: of `CASES`.
      shape: of the image or the video.
      options: of the command.

    Returns:
      Its cells.

    Raises:
      RuntimeError: if a side cannot do its part.
    """
    from benchmarks.peers import Side

    words = [f"--serve={case}", f"--threads={options.threads}", f"--shape={'x'.join(map(str, shape))}"]
    commands = [[sys.executable, "-m", "benchmarks.cvvdp", *words]]
    if options.peer_python:
        commands.append([options.peer_python, str(pathlib.Path(__file__)), "--theirs", *words])
    sides: list[Side] = []
    try:
        for command in commands:
            sides.append(Side(command, options.threads))
        spent = np.array([[side.turn() for side in sides] for _ in range(options.turns)])
    finally:
        for side in sides:
            side.close()
    cpu, wall, memory = np.median(spent, 0).T
    cells = [_TITLES[case].format(*shape), f"{cpu[0]:.2f}", f"{wall[0]:.2f}", f"{memory[0]:.0f}"]
    if len(sides) == 2:
        cells += [f"{cpu[1]:.2f}", f"{wall[1]:.2f}", f"{memory[1]:.0f}", f"{cpu[0] / cpu[1]:.2f}",
                  f"{memory[0] / memory[1]:.2f}" if memory[1] else "",
                  f"{abs(sides[0].ready['value'] - sides[1].ready['value']):.0e}"]
    return [*cells, "; ".join(side.ready["version"] for side in sides)]


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table, and writes it with its text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer_python", default="", help="Python of the environment that has cvvdp 0.5.7")
    parser.add_argument("--threads", default=2, type=int)
    parser.add_argument("--turns", default=5, type=int)
    parser.add_argument("--image", default="1080x1920", help="height x width")
    parser.add_argument("--video", default="30x512x512", help="frames x height x width")
    parser.add_argument("--out", default="", help="file that the page is written to, too")
    parser.add_argument("--serve", default="", choices=("", *CASES), help=argparse.SUPPRESS)
    parser.add_argument("--shape", default="", help=argparse.SUPPRESS)
    parser.add_argument("--theirs", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.serve:
        shape = [int(n) for n in options.shape.split("x")]
        serve(*(theirs(options.serve, shape, options.threads) if options.theirs else ours(options.serve, shape)))
        return
    import jax

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    load = os.getloadavg()[0]
    both = bool(options.peer_python)
    peer = "cvvdp CPU s | wall s | MiB | CPU, ours / theirs | memory, ours / theirs | JOD differ by | " if both else ""
    lines = ["# Speed and memory of ColorVideoVDP", "", "\n".join((__doc__ or "").strip().splitlines()[2:]), "",
             f"jax {jax.__version__}, Python {platform.python_version()}, {platform.machine()}, {options.threads} "
             f"threads on as many cores, medians of {options.turns} turns, {time.strftime('%Y-%m-%d')}, load average "
             f"{load:.1f}{', a busy machine' if load > 1.5 else ''}.", "",
             f"| what | ours, CPU s | wall s | MiB | {peer}versions |", "|" + "---|" * (11 if both else 5)]
    print("\n".join(lines), flush=True)
    for case in CASES:
        shape = [int(n) for n in (options.video if case == "video" else options.image).split("x")]
        lines.append(f"| {' | '.join(measure(case, shape, options))} |")
        print(lines[-1], flush=True)
    if options.out:
        pathlib.Path(options.out).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
