"""Times every full-reference metric on a folder of images, and the memory that the process takes.

    python -m benchmarks.metrics [--images=DIR] [--count=24] [--metrics=all] [--quality=20]

Images are compared with their JPEGs. Without --images, images of scikit-image are resized to 768 x 512. Printed as a
Markdown table: seconds for all images, wall and CPU (over all threads), seconds of the first call, which compiles, and
the peak of resident memory of a process that computes this metric alone (each runs in a process of its own). Reading
weights and files is not timed.
"""

import io
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import time

import numpy as np
from absl import flags
from PIL import Image

from rdr.metrics.full_reference import FULL_REFERENCE, full_reference

HEIGHT, WIDTH = 512, 768


def load(folder, count):
    """Images [count, 512, 768, 3], portraits turned."""
    if folder:
        files = sorted(f for f in pathlib.Path(folder).iterdir() if f.suffix.lower() in (".png", ".jpg"))[:count]
        images = [Image.open(f).convert("RGB") for f in files]
        images = [x.rotate(90, expand=True) if x.height > x.width else x for x in images]
    else:
        from skimage import data

        names = ("astronaut", "coffee", "chelsea", "rocket")
        images = [Image.fromarray(getattr(data, names[i % len(names)])()) for i in range(count)]
    return [x.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC) if x.size != (WIDTH, HEIGHT) else x for x in images]


def as_jpeg(image, quality):
    """The image after JPEG at a quality, RGB."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def measure(name, images, candidates):
    """Times one metric in this process."""
    metric = full_reference(name)
    pairs = [tuple(np.asarray(x, np.float32)[None] / 255 for x in pair) for pair in zip(images, candidates)]
    began = time.perf_counter()
    np.asarray(metric.call(metric.params, pairs[0][1], pairs[0][0]))
    first = time.perf_counter() - began
    began, cpu = time.perf_counter(), time.process_time()
    values = [float(metric.call(metric.params, y, x)[0]) for x, y in pairs]
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"value": np.mean(values), "wall": wall, "cpu": cpu, "first": first, "peak": peak}


def main(argv=None):
    """Measures each metric in a process of its own and prints the table."""
    values = flags.FlagValues()
    flags.DEFINE_string("images", "", "folder of images", flag_values=values)
    flags.DEFINE_integer("count", 24, "how many", flag_values=values)
    flags.DEFINE_string("metrics", "all", "names separated by commas", flag_values=values)
    flags.DEFINE_integer("quality", 20, "of the JPEGs", flag_values=values)
    flags.DEFINE_boolean("alone", False, "measure one metric in this process", flag_values=values)
    argv = list(sys.argv if argv is None else argv)
    values(argv)
    names = list(FULL_REFERENCE) if values.metrics == "all" else values.metrics.split(",")
    if values.alone:
        images = load(values.images, values.count)
        print(json.dumps(measure(names[0], images, [as_jpeg(x, values.quality) for x in images])))
        return
    import jax

    print(f"jax {jax.__version__}, {platform.machine()}, {os.cpu_count()} CPU cores, load {os.getloadavg()[0]:.1f}, "
          f"{values.count} images of {WIDTH} x {HEIGHT}, one at a time\n")
    print("| metric | mean value | wall s | CPU s | first call s | peak memory MiB |\n|---|---|---|---|---|---|")
    for name in names:
        words = [f"--images={values.images}", f"--count={values.count}", f"--quality={values.quality}"]
        command = [sys.executable, "-m", "benchmarks.metrics", "--alone", f"--metrics={name}", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"| {name} | {done.stderr.strip().splitlines()[-1]} | | | | |", flush=True)
            continue
        m = json.loads(done.stdout.splitlines()[-1])
        times = (f"{m[key]:.1f}" for key in ("wall", "cpu", "first"))
        cells = (name, f"{m['value']:.5g}", *times, f"{m['peak']:.0f}")
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
