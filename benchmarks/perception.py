"""Times value and gradient of Wasserstein distortion against the published formulation.

    python -m benchmarks.perception [--cases=rgb_256,rgb_512,vgg_maps_256] [--repetitions=5]

The baseline is the published pyramid written anew below: channels as the batch of a 3 x 3 convolution, five levels,
the statistics of both images computed in every call. Ours caches the reference. Calls of the two alternate, so that
what else the machine does falls on both. Printed as a Markdown table: the shortest wall time and the shortest CPU
time (over all threads) of a call, their ratios, compile time, and the memory that the compiled program takes for
itself beside arguments and results.
"""

import functools
import os
import platform
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from rdr.features import vgg, weights
from rdr.features.multiscale import multiscale
from rdr.losses.wasserstein_distortion import distance, prepare

LEVELS = 5


def baseline_smooth(x, stride):
    """(channels, height, width), zeros outside."""
    kernel = jnp.outer(jnp.array([0.25, 0.5, 0.25], x.dtype), jnp.array([0.25, 0.5, 0.25], x.dtype))
    return jax.lax.conv(x[:, None], kernel[None, None], (stride, stride), "SAME")[:, 0]


def baseline_statistics(x):
    """Means and deviations of the published pyramid's five levels."""
    moments, found = (x, x * x), []
    for _ in range(LEVELS):
        first, second = (baseline_smooth(m, 1) for m in moments)
        variance = jnp.maximum(second - first * first, 0)
        positive = variance > 0
        found.append((first, jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1)), 0)))
        moments = first[:, ::2, ::2], second[:, ::2, ::2]
    return found


def baseline_map(a, b, log2_sigma):
    """The published distortion of two maps with their statistics computed anew."""
    total = jnp.mean(jax.nn.relu(1 - log2_sigma)[None] * (a - b) ** 2)
    for level, ((m, v), (n, w)) in enumerate(zip(baseline_statistics(a), baseline_statistics(b)), 1):
        weight = jax.nn.relu(1 - jnp.abs(log2_sigma - level))
        total += jnp.mean(weight[None] * ((m - n) ** 2 + (v - w) ** 2))
        log2_sigma = baseline_smooth(log2_sigma[None], 2)[0]
    return total


def baseline(reference, image, log2_sigma):
    """The published distortion of all maps."""
    total = 0.0
    for a, b in zip(jax.tree.leaves(reference), jax.tree.leaves(image)):
        a, b = a[0].transpose(2, 0, 1), b[0].transpose(2, 0, 1)
        local = jax.image.resize(log2_sigma, a.shape[1:], "linear", antialias=True)
        ratio = 0.5 * np.log2(log2_sigma.size / (a.shape[1] * a.shape[2]))
        total += baseline_map(a, b, jax.nn.relu(local - ratio))
    return total


def vgg_shapes(side):
    """The sixteen maps of the published distortion: the image, and five maps at each of three resolutions."""
    shapes = [(1, side, side, 3)]
    for scale in range(3):
        shapes += [
            (1, side >> (scale + block), side >> (scale + block), channels)
            for block, channels in enumerate((64, 128, 256, 512, 512))
        ]
    return shapes


def make_case(name):
    """Arguments: a reference and an image, and the function from images to maps."""
    rng = np.random.default_rng(0)

    def draw(shape):
        return jnp.asarray(rng.random(shape), jnp.float32)

    kind, _, side = name.rpartition("_")
    side = int(side)
    if kind == "rgb":
        shape = (1, side, side, 3)
        return draw(shape), draw(shape), lambda x: x, side
    if kind == "vgg_maps":
        shapes = vgg_shapes(side)
        return [draw(s) for s in shapes], [draw(s) for s in shapes], lambda x: x, side
    if kind == "vgg":
        found = weights.weights_available("vgg16")
        params = weights.load_params("vgg16") if found else weights.random_params("vgg16", jax.random.key(0))

        def features(x):
            # A resolution that leaves a block nothing (below 16 pixels) does not occur at the sides timed here.
            call = functools.partial(vgg.features, params, pooling="average")
            return {"input": x, **multiscale(call, x)}

        shape = (1, side, side, 3)
        return draw(shape), draw(shape), features, side
    raise ValueError(f"cases are rgb_SIDE, vgg_maps_SIDE and vgg_SIDE, got {name!r}")


def compile_timed(function, *arguments):
    """The compiled function, and wall and CPU seconds that it took to compile."""
    began = time.perf_counter(), time.process_time()
    compiled = jax.jit(function).lower(*arguments).compile()
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    return compiled, wall, cpu, compiled.memory_analysis().temp_size_in_bytes / 2**20


def time_once(compiled, arguments):
    """Wall and CPU seconds of a call."""
    began = time.perf_counter(), time.process_time()
    jax.block_until_ready(compiled(*arguments))
    return time.perf_counter() - began[0], time.process_time() - began[1]


def measure(name, repetitions):
    """Rows of the table for one case."""
    reference, image, features, side = make_case(name)
    # The baseline does the same work whatever sigma is. Ours: sigma = 8 at every pixel, the published setting,
    # which needs two levels per map, and a map from 0 to 16, which needs them all.
    ramp = jnp.broadcast_to(jnp.linspace(0, 4, side, dtype=jnp.float32), (side, side))
    programs = {"published formulation": (
        jax.value_and_grad(lambda x, r, s: baseline(features(r), features(x), s)), (image, reference, ramp)
    )}
    for label, sigma in (("ours, sigma = 8", 8.0), ("ours, sigma from 0 to 16", np.asarray(2.0**ramp - 1))):
        prepared = jax.jit(lambda x, s=sigma: prepare(features(x), s, image_shape=(side, side)))(reference)
        programs[label] = (
            jax.value_and_grad(lambda x, statistics: distance(statistics, features(x)).sum()), (image, prepared)
        )
    compiled = {label: compile_timed(f, *arguments) for label, (f, arguments) in programs.items()}
    times = {label: [] for label in programs}
    for repetition in range(repetitions + 1):
        for label, (_, arguments) in programs.items():
            spent = time_once(compiled[label][0], arguments)
            if repetition > 0:  # the first call warms up
                times[label].append(spent)
    best = {label: np.min(spent, 0) * 1e3 for label, spent in times.items()}
    base = best["published formulation"]
    for label, (wall, cpu) in best.items():
        _, compile_wall, compile_cpu, memory = compiled[label]
        print(
            f"| {name} | {label} | {wall:.0f} | {base[0] / wall:.1f} | {cpu:.0f} | {base[1] / cpu:.1f} "
            f"| {compile_wall:.0f} ({compile_cpu:.0f}) | {memory:.0f} |",
            flush=True,
        )


def main(argv):
    """Measures the cases of the command line and prints the table."""
    values = flags.FlagValues()
    flags.DEFINE_list("cases", "rgb_256,rgb_512,vgg_maps_256", "what to time; also vgg_SIDE", flag_values=values)
    flags.DEFINE_integer("repetitions", 5, "calls of each", flag_values=values)
    values(argv)
    device = jax.devices()[0]
    print(f"jax {jax.__version__}, {device.device_kind}, {platform.machine()}, {os.cpu_count()} cores, "
          f"load average {os.getloadavg()[0]:.1f}\n")
    print("| case | formulation | wall ms | times faster | CPU ms | times less | compile s (CPU) | temporary MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for name in values.cases:
        measure(name, values.repetitions)


if __name__ == "__main__":
    main(sys.argv)
