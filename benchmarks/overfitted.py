"""Speed of the overfitted codec: a step of a fit against its arithmetic, decoding by parts, and quality against time.

    python -m benchmarks.overfitted [--sizes=256x256,512x768] [--repetitions=3] [--fits=100,300,1000]

A step's arithmetic is counted as three times the decoder's multiply-accumulates (value, and gradients with respect to
what a product's two sides are); the machine's peak is that of a large float32 matrix product in the same run.
"""

import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from rdr.codecs.overfitted import arithmetic, codec, file, training
from rdr.codecs.overfitted.architecture import Architecture, operations, shapes
from rdr.codecs.overfitted.objectives import objective
from rdr.codecs.overfitted.start import first_weights

TRADE_OFF = 0.01


def timed(call: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Shortest wall and CPU seconds of several calls.

    Args:
      call: what to time.
      repetitions: how often.

    Returns:
      Wall seconds, CPU seconds.
    """
    times = []
    for _ in range(repetitions):
        wall, cpu = time.perf_counter(), time.process_time()
        jax.block_until_ready(call())
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(t[0] for t in times), min(t[1] for t in times)


def peak(repetitions: int) -> float:
    """Multiply-accumulates per CPU second of a float32 matrix product of 1536 x 1536."""
    n = 1536
    a = jnp.ones((n, n), jnp.float32)
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(a))
    return n**3 / timed(lambda: product(a), repetitions)[1]


def step_row(height: int, width: int, repetitions: int, best: float) -> str:
    """Times a step of a fit."""
    arch = Architecture(height, width)
    weights = {name: jnp.asarray(w) for name, w in first_weights(arch, jax.random.key(0)).items()}
    image = jax.random.uniform(jax.random.key(1), (height, width, 3), jnp.float32)
    state = training.initial_state(arch, weights, 0.01)
    data = training.Data(image[None], jnp.float32(0), (), image, training.as_arrays(codec.PRESETS["medium"]))
    update = jax.jit(training.make_update(arch, objective("mse").distance, jax.random.key(2)))
    start = time.perf_counter()
    jax.block_until_ready(update(state, jnp.int32(0), data))
    compiled = time.perf_counter() - start
    wall, cpu = timed(lambda: update(state, jnp.int32(0), data), repetitions)
    ideal = 3 * operations(arch)["all"] * height * width / best
    return f"| {width} x {height} | {compiled:.0f} | {wall:.3f} | {cpu:.3f} | {1 / cpu:.2f} | {cpu / ideal:.1f} |"


def decode_row(height: int, width: int, spread: float, repetitions: int) -> str:
    """Times decoding of grids with Laplace numbers, so that many tables are in use."""
    arch, rng = Architecture(height, width), np.random.default_rng(0)
    weights = first_weights(arch, jax.random.key(0))
    exponents = dict.fromkeys(shapes(arch), 8)
    whole = {name: arithmetic.whole_weights(w, 8) for name, w in weights.items()}
    grids = [np.rint(rng.laplace(size=shape) * spread).astype(np.int32) for shape in arch.grids]
    message = file.write(file.Description(arch, exponents, whole, grids, None))
    description = file.read(message)
    entropy = timed(lambda: file.read(message).grids[0], repetitions)
    synthesis = timed(lambda: file.picture(description), repetitions)
    bits = 8 * len(message) / (height * width)
    return (f"| {width} x {height} | {bits:.2f} | {entropy[0]:.2f} ({entropy[1]:.2f}) | "
            f"{synthesis[0]:.2f} ({synthesis[1]:.2f}) | {entropy[0] + synthesis[0]:.2f} |")


def fit_row(steps: int) -> str:
    """Encodes a 256 x 256 crop of a photograph at one lambda."""
    from skimage import data

    picture = np.asarray(data.astronaut())[:256, 128:384]
    options = codec.Options(schedule=training.Schedule(steps=steps), trade_off=TRADE_OFF)
    wall, cpu = time.perf_counter(), time.process_time()
    message = codec.encode(picture, options)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    error = float(np.mean((codec.decode(message) / 255.0 - picture / 255.0) ** 2))
    cost = 8 * len(message) / 256**2 + TRADE_OFF * 255.0**2 * error
    return f"| {steps} | {len(message)} | {-10 * np.log10(error):.2f} | {cost:.3f} | {wall:.0f} | {cpu:.0f} |"


def main(argv: list[str]) -> None:
    """Prints two tables in Markdown."""
    values = flags.FlagValues()
    flags.DEFINE_list("sizes", ["256x256", "512x768"], "height x width", flag_values=values)
    flags.DEFINE_integer("repetitions", 3, "calls of each", flag_values=values)
    flags.DEFINE_list("fits", ["100", "300", "1000"], "steps of fits", flag_values=values)
    values(argv)
    sizes = [tuple(map(int, size.split("x"))) for size in values.sizes]
    best = peak(values.repetitions)
    print(f"peak: {best / 1e9:.1f} billion multiply-accumulates per CPU second\n")
    print("| pixels | compile s | step s | CPU s | steps per CPU s | times its arithmetic at the peak |\n"
          "|---|---|---|---|---|---|")
    for height, width in sizes:
        print(step_row(height, width, values.repetitions, best), flush=True)
    print("\n| pixels | bits per pixel | entropy s (CPU) | synthesis s (CPU) | decoding s |\n|---|---|---|---|---|")
    for height, width in sizes:
        for spread in (0.1, 1.0):
            print(decode_row(height, width, spread, values.repetitions), flush=True)
    print("\n| steps | bytes | PSNR dB | bits per pixel + lambda MSE | s | CPU s |\n|---|---|---|---|---|---|")
    for steps in map(int, values.fits):
        print(fit_row(steps), flush=True)


if __name__ == "__main__":
    main(sys.argv)
