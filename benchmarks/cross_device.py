"""Files that this machine's first device writes and the CPU reads, and the other way round.

    python -m benchmarks.cross_device --workdir=OUT [--steps=500]

A fitted image must decode to the same pixels; of the pretrained amortized codec, whose decoder computes in floats, the
message must decode, and the largest difference of a pixel is printed. Status 1 if pixels of fitted images differ.
"""

import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
from absl import flags

from rdr.data.image_io import read_image, write_image

ROOT = pathlib.Path(__file__).parents[1]
SHAPE = (48, 64)


def make_image() -> np.ndarray:
    """Waves and noise, the same everywhere; uint8 [height, width, 3]."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    waves = 128 + 80 * (np.sin(rows / 3) * np.cos(columns / 4))[..., None] * np.array([0.6, 0.8, 1.0])
    return np.clip(waves + np.random.default_rng(0).normal(0, 6, waves.shape), 0, 255).astype(np.uint8)


def call(words: list[str], *, on_cpu: bool) -> None:
    """Runs `rdr` on the first device, or on the CPU."""
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | ({"JAX_PLATFORMS": "cpu"} if on_cpu else {})
    done = subprocess.run([sys.executable, "-m", "rdr", *words], env=variables, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise SystemExit(f"rdr {' '.join(words)} ended with status {done.returncode}: {done.stderr[-500:]}")


def differences(workdir: pathlib.Path, name: str, flags_of_encode: list[str]) -> dict[str, int]:
    """Largest differences of pixels between decoders on both devices, by who wrote the file."""
    write_image(workdir / "image.png", make_image())
    found = {}
    for writer in ("device", "cpu"):
        message = workdir / f"{name}_{writer}.rdr"
        call(["encode", str(workdir / "image.png"), str(message), *flags_of_encode], on_cpu=writer == "cpu")
        decoded = []
        for reader in ("device", "cpu"):
            image = workdir / f"{name}_{writer}_{reader}.png"
            call(["decode", str(message), str(image)], on_cpu=reader == "cpu")
            decoded.append(read_image(image).astype(int))
        found[writer] = int(np.abs(decoded[0] - decoded[1]).max())
    return found


def main(argv: list[str]) -> int:
    """Prints a table; returns the exit status."""
    values = flags.FlagValues()
    flags.DEFINE_string("workdir", None, "where files go", required=True, flag_values=values)
    flags.DEFINE_integer("steps", 500, "steps of the fit", flag_values=values)
    values(argv)
    workdir = pathlib.Path(values.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    print(f"first device: {jax.devices()[0].device_kind}\n\n| codec | written by | largest difference of a pixel |\n"
          "|---|---|---|")
    fitted = differences(workdir, "fitted", [f"--steps={values.steps}", "--rd_lambda=0.02"])
    amortized = differences(workdir, "amortized", ["--checkpoint=pretrained"])
    for name, found in (("fitted", fitted), ("amortized", amortized)):
        for writer, largest in found.items():
            print(f"| {name} | {writer} | {largest} |")
    return 1 if any(fitted.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
