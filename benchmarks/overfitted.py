"""Speed of the overfitted codec: a step of a fit against its arithmetic, decoding by parts, and quality against time.

    python -m benchmarks.overfitted [--sizes=256x256,512x768] [--repetitions=3] [--fits=100,300,1000] [--image=FILE]

Steps are timed as a fit does them, several as one program; fits are those of a 256 x 256 photograph, or of FILE whole.
A step's arithmetic is counted as three times the decoder's multiply-accumulates (value, and gradients with respect to
what a product's two sides are); the machine's peak is that of a large float32 matrix product in the same run.
"""

import math
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from rdr.codecs.overfitted import codec, exact_inference, format, training
from rdr.codecs.overfitted.architecture import Architecture, operations, shapes
from rdr.codecs.overfitted.objectives import objective
from rdr.codecs.overfitted.pretrained_init import starting_weights
from rdr.codecs.overfitted.schedule import Schedule, as_arrays
from rdr.data.image_io import read_image

TRADE_OFF = 0.01
STEPS = 10  # in one program


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


def make_steps(name: str, features: str, height: int, width: int) -> Callable[[], object]:
    """Ten steps of a fit, not compiled yet."""
    goal = objective(name, features=features)
    arch = Architecture(height, width)
    weights = {name: jnp.asarray(w) for name, w in starting_weights(arch, jax.random.key(0)).items()}
    image = jax.random.uniform(jax.random.key(1), (height, width, 3), jnp.float32)
    state = training.initial_state(arch, weights, 0.01)
    data = training.Data(goal.prepare(goal.params, image[None], 4.0), jnp.float32(0), (), image,
                         as_arrays(codec.DEFAULT.schedule), goal.params)
    update = training.make_update(arch, goal.distance, jax.random.key(2))
    steps = jnp.arange(STEPS, dtype=jnp.int32)
    run = jax.jit(lambda state, data: jax.lax.scan(lambda s, step: update(s, step, data), state, steps))
    return lambda: run(state, data)


def step_row(name: str, features: str, height: int, width: int, repetitions: int, best: float) -> str:
    """Times a step of a fit."""
    call, arch = make_steps(name, features, height, width), Architecture(height, width)
    start = time.perf_counter()
    jax.block_until_ready(call())
    compiled = time.perf_counter() - start
    wall, cpu = (seconds / STEPS for seconds in timed(call, repetitions))
    ratio = f"{cpu * best / (3 * operations(arch)['all'] * height * width):.1f}" if name == "mse" else ""
    title = name if name == "mse" else f"{name}, {features}"
    return f"| {title} | {width} x {height} | {compiled:.0f} | {wall:.3f} | {cpu:.3f} | {1 / wall:.1f} | {ratio} |"


def decode_row(height: int, width: int, spread: float, repetitions: int) -> str:
    """Times decoding of latents with Laplace numbers, so that many tables are in use."""
    arch, rng = Architecture(height, width), np.random.default_rng(0)
    weights = starting_weights(arch, jax.random.key(0))
    exponents = dict.fromkeys(shapes(arch), 8)
    whole = {name: exact_inference.quantize_weights(w, 8) for name, w in weights.items()}
    latents = [np.rint(rng.laplace(size=shape) * spread).astype(np.int32) for shape in arch.latent_shapes]
    message = format.write(format.Description(arch, exponents, whole, latents, None)).message
    description = format.read(message)
    entropy = timed(lambda: format.read(message).latents[0], repetitions)
    synthesis = timed(lambda: format.render(description), repetitions)
    bits = 8 * len(message) / (height * width)
    return (f"| {width} x {height} | {bits:.2f} | {entropy[0]:.2f} ({entropy[1]:.2f}) | "
            f"{synthesis[0]:.2f} ({synthesis[1]:.2f}) | {entropy[0] + synthesis[0]:.2f} |")


def load(path: str) -> np.ndarray:
    """Reads an image; without a path, a 256 x 256 crop of a photograph of scikit-image."""
    if path:
        return read_image(path)
    from skimage import data

    return np.asarray(data.astronaut())[:256, 128:384]


def fit_row(image: np.ndarray, steps: int) -> str:
    """Encodes an image at one lambda."""
    options = codec.Options(schedule=Schedule(steps=steps), rd_lambda=TRADE_OFF)
    wall, cpu = time.perf_counter(), time.process_time()
    message = codec.encode(image, options)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    error = float(np.mean((codec.decode(message) / 255.0 - image / 255.0) ** 2))
    bits = 8 * len(message) / math.prod(image.shape[:2])
    cost, psnr = bits + TRADE_OFF * 255.0**2 * error, -10 * np.log10(error)
    return f"| {steps} | {len(message)} | {bits:.3f} | {psnr:.2f} | {cost:.3f} | {wall:.0f} | {cpu:.0f} |"


def main(argv: list[str]) -> None:
    """Prints three tables in Markdown."""
    values = flags.FlagValues()
    flags.DEFINE_list("sizes", ["256x256", "512x768"], "height x width", flag_values=values)
    flags.DEFINE_integer("repetitions", 3, "calls of each", flag_values=values)
    flags.DEFINE_list("fits", ["100", "300", "1000"], "steps of fits", flag_values=values)
    flags.DEFINE_string("image", "", "what fits encode", flag_values=values)
    values(argv)
    sizes = [tuple(map(int, size.split("x"))) for size in values.sizes]
    best = peak(values.repetitions)
    print(f"peak: {best / 1e9:.1f} billion multiply-accumulates per CPU second\n")
    print("| objective | pixels | compile s | step s | CPU s | steps per s | times its arithmetic at the peak |\n"
          "|---|---|---|---|---|---|---|")
    for name, features in (("mse", ""), ("wd", "alexnet"), ("wd", "vgg16")):
        for height, width in sizes if name == "mse" else sizes[:1]:
            print(step_row(name, features, height, width, values.repetitions, best), flush=True)
    print("\n| pixels | bits per pixel | entropy s (CPU) | synthesis s (CPU) | decoding s |\n|---|---|---|---|---|")
    for height, width in sizes:
        for spread in (0.1, 1.0):
            print(decode_row(height, width, spread, values.repetitions), flush=True)
    image = load(values.image)
    print("\n| steps | bytes | bits per pixel | PSNR dB | bits per pixel + lambda MSE | s | CPU s |\n"
          "|---|---|---|---|---|---|---|")
    for steps in map(int, values.fits):
        print(fit_row(image, steps), flush=True)


if __name__ == "__main__":
    main(sys.argv)
