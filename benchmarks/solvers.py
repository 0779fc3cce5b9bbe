"""Measures the discrete solvers against their aims and writes `benchmarks/solvers.md`.

    python -m benchmarks.solvers [--dit=/path/to/python/with/dit] [--out=benchmarks/solvers.md]

Times are of compiled solves (median of three, the first call left out), on whatever else the machine is doing.
`dit` lives in an environment of its own; without `--dit` its rows are left out.
"""

import argparse
import functools
import json
import os
import pathlib
import platform
import subprocess
import time

import jax
import numpy as np

from theory.discrete import (
    rate_distortion,
    rate_distortion_curve,
    rate_distortion_perception,
    rate_distortion_perception_surface,
)

# What the other environment runs: dit's Blahut-Arimoto, at the same slope (in nats, as dit takes it).
DIT = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np, dit
from dit.rate_distortion.blahut_arimoto import _blahut_arimoto
problem = json.load(sys.stdin)
p, d, beta = np.array(problem["pmf"]), np.array(problem["matrix"]), problem["slope_nats"]
n = len(p)
q = np.full((n, d.shape[1]), 1 / d.shape[1])
times = []
for _ in range(3):
    begin = time.perf_counter()
    (rate, distortion), joint = _blahut_arimoto(p, beta, q, lambda p_x, q_y_x: d)
    times.append(time.perf_counter() - begin)
json.dump({"rate": float(rate), "distortion": float(distortion), "seconds": sorted(times)[1],
           "version": dit.__version__, "joint": np.asarray(joint).tolist()}, sys.stdout)
"""


def timed(call, repeats=3):
    """Runs a call once to compile, then times it; returns its value and the median of the seconds."""
    value = jax.block_until_ready(call())
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        value = jax.block_until_ready(call())
        seconds.append(time.perf_counter() - begin)
    return value, float(np.median(seconds))


def gap(answer):
    """The largest certified gap of an answer, in bits."""
    return float(np.max(answer.rate - answer.rate_lower))


def grid_gaussian(n, width=8.0):
    """A standard normal pmf on n points, and squared distances between them."""
    x = np.linspace(-width, width, n)
    pmf = np.exp(-0.5 * x**2)
    return pmf / pmf.sum(), (x[:, None] - x) ** 2


def aims():
    """Times what is aimed at, a row each."""
    rng = np.random.default_rng(0)
    rows = []

    def add(what, aim, seconds, certified, note=""):
        rows.append((what, aim, seconds, certified, note))
        print(rows[-1], flush=True)

    pmf, matrix = grid_gaussian(1000)
    for rate in (0.1, 1.0, 5.0):
        solve = functools.partial(rate_distortion, pmf, matrix, distortion=2.0 ** (-2 * rate))
        answer, seconds = timed(solve, 1)
        add(f"R(D), Gaussian, 1,000 points, {rate:g} bit", "1e-9 bit in 2 s", seconds, gap(answer),
            f"{int(answer.iterations)} steps")
    pmf, matrix = rng.dirichlet(np.ones(300)), rng.random((300, 300))
    zero = float((pmf @ matrix).min())
    grid = zero * np.linspace(0.02, 0.98, 100)
    answer, seconds = timed(lambda: rate_distortion_curve(pmf, matrix, distortions=grid), 1)
    add("R(D) curve, 300 letters, 100 points", "1e-9 bit in 20 s", seconds, gap(answer))
    x = np.sort(rng.standard_normal(50))
    pmf, matrix = rng.dirichlet(np.ones(50)), (x[:, None] - x) ** 2
    zero = float((pmf @ matrix).min())
    answer, seconds = timed(lambda: rate_distortion_perception_surface(
        pmf, matrix, distortions=zero * np.linspace(0.05, 1.0, 30), perceptions=zero * np.linspace(0.002, 0.5, 30),
        divergence="w2sq", points=x, tolerance=1e-6), 1)
    add("R(D, P) surface, W2 squared, 50 letters, 30 x 30", "1e-6 bit in 60 s", seconds, gap(answer))
    for n, tolerance in ((64, 1e-8), (256, 1e-6)):
        x = np.sort(rng.standard_normal(n))
        pmf, matrix = rng.dirichlet(np.ones(n)), (x[:, None] - x) ** 2
        zero = float((pmf @ matrix).min())
        cases = (("kl", 0.05, "0.1 s"), ("tv", 0.0, "0.1 s (P = 0)"), ("tv", 0.05, "0.5 s"),
                 ("w2sq", 0.05 * zero, "2 s"))
        for divergence, perception, aim in cases:
            options = {"points": x} if divergence == "w2sq" else {}
            solve = functools.partial(
                rate_distortion_perception, pmf, matrix, distortion=0.4 * zero, perception=perception,
                divergence=divergence, tolerance=tolerance, **options)
            answer, seconds = timed(solve)
            add(f"R(D, P), {n} letters, {divergence}, P = {perception:.3g}",
                f"{tolerance:g} bit in {aim}" if n == 64 else f"{tolerance:g} bit", seconds, gap(answer),
                f"{int(answer.iterations)} steps")
    return rows


METHODS_NOTE = """\
Iterations / time of one solve until the *certified* gap (rate of the channel found, minus the lower bound that the same
run proves) is below the limit at the head of the column; at most 4,000 updates of the Blahut-Arimoto methods. The last
column is what the final channel's rate exceeds R(D) at its own distortion by, according to the interior point's bounds:
Blahut-Arimoto's channel can be much better than it can prove. At loose gaps all methods are equally fast on problems of
this size, an update of Blahut-Arimoto being cheaper than a Newton step; the interior point wins where the proof must be
tight. The constrained method pays for meeting the distortion
exactly in every update. `dit` stops by a rule of its own and proves no bound."""
TOLERANCES = (1e-3, 1e-6, 1e-9)


def excess(pmf, matrix, rate, distortion):
    """By how much the rate of a channel exceeds the certified R(D) at its distortion, bits, as text."""
    return f"{rate - float(rate_distortion(pmf, matrix, distortion=distortion, tolerance=1e-10).rate_lower):.0e}"


def methods(dit_python):
    """Iterations and seconds of each method to gaps of 1e-3, 1e-6 and 1e-9 bit, on the same sources."""
    rng = np.random.default_rng(1)
    problems = {
        "Gaussian, 100 points": (*grid_gaussian(100, 6.0), 2.0),
        "random, 64 letters": (rng.dirichlet(np.ones(64)), rng.random((64, 64)), 8.0),
    }
    rows = []
    for name, (pmf, matrix, slope_nats) in problems.items():
        slope = slope_nats / np.log(2.0)
        target = rate_distortion(pmf, matrix, slope=slope).distortion
        for method in ("interior_point", "blahut_arimoto", "constrained_blahut_arimoto"):
            cells = []
            for tolerance in TOLERANCES:
                given = {"distortion": target} if method.startswith("constrained") else {"slope": slope}
                limit = 100 if method == "interior_point" else 4_000
                solve = functools.partial(rate_distortion, pmf, matrix, method=method, tolerance=tolerance,
                                          max_iterations=limit, **given)
                answer, seconds = timed(solve, 1)
                reached = "" if bool(answer.converged) else f" (stopped at {gap(answer):.0e})"
                cells.append(f"{int(answer.iterations):,} / {1e3 * seconds:.3g} ms{reached}")
            rows.append((name, method, *cells, excess(pmf, matrix, float(answer.rate), float(answer.distortion))))
            print(rows[-1], flush=True)
        if dit_python:
            message = json.dumps({"pmf": pmf.tolist(), "matrix": matrix.tolist(), "slope_nats": slope_nats})
            ran = subprocess.run([dit_python, "-c", DIT], input=message, capture_output=True, text=True, timeout=600)
            if ran.returncode:
                print(ran.stderr[-500:])
                continue
            said = json.loads(ran.stdout)
            # It proves nothing: what counts as reached is what its rate exceeds our lower bound by.
            above = excess(pmf, matrix, said["rate"], said["distortion"])
            cells = [f"{1e3 * said['seconds']:.3g} ms" if float(above) <= tolerance else "not reached"
                     for tolerance in TOLERANCES]
            rows.append((name, f"dit {said['version']}, nothing certified", *cells, above))
            print(rows[-1], flush=True)
    return rows


def commit():
    """The first digits of the working tree's commit."""
    ran = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return ran.stdout.strip() or "unknown"


def main():
    """Measures and writes solvers.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dit", default=None)
    parser.add_argument("--out", default=str(pathlib.Path(__file__).with_name("solvers.md")))
    options = parser.parse_args()
    lines = ["# Speed of the discrete solvers", "",
             "Written by `python -m benchmarks.solvers`. Compiled solves on "
             f"{os.cpu_count()} {platform.machine()} cores, jax {jax.__version__}, backend {jax.default_backend()}, "
             f"commit {commit()}; load average at the start {os.getloadavg()[0]:.1f}.", "",
             "## Aims", "", "| what | aim | seconds | largest certified gap (bit) | |", "|---|---|---|---|---|"]
    lines += [f"| {w} | {a} | {s:.3g} | {g:.1e} | {n} |" for w, a, s, g, n in aims()]
    lines += ["", "## Methods", "", METHODS_NOTE, "",
              "| source | method | 1e-3 bit | 1e-6 bit | 1e-9 bit | excess at the end |", "|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in methods(options.dit)]
    pathlib.Path(options.out).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
