"""Images and videos by formula, with their distortions, on which models of seeing are compared; NumPy alone."""

from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """A pair: distortion and strength, display, height and width, seed, frames and frames per second (0: an image)."""

    kind: str
    strength: float
    display: str
    size: tuple[int, int]
    seed: int
    frames: int = 0
    rate: float = 0.0

    @property
    def name(self):
        length = f"-{self.frames}@{self.rate:g}" if self.frames else ""
        return f"{self.kind}-{self.strength:g}-{self.display}-{self.size[0]}x{self.size[1]}{length}"


KINDS = ("noise", "blur", "jpeg", "color", "brightness", "shift", "banding")
STRENGTHS = {"noise": (0.01, 0.08), "blur": (0.7, 2.0), "jpeg": (12, 60), "color": (0.02, 0.1),
             "brightness": (0.02, 0.15), "shift": (1, 3), "banding": (40, 10)}
IMAGES = (
    *(Case(kind, strength, "standard_4k", (96, 128), k) for k, kind in enumerate(KINDS)
      for strength in STRENGTHS[kind]),
    *(Case(kind, STRENGTHS[kind][0], "standard_fhd", (77, 101), 10 + k) for k, kind in enumerate(KINDS)),
    *(Case(kind, STRENGTHS[kind][1], "standard_phone", (76, 101), 20 + k) for k, kind in enumerate(KINDS)),
    *(Case(kind, STRENGTHS[kind][1], "standard_hdr_pq", (101, 76), 30 + k) for k, kind in enumerate(KINDS)),
    *(Case(kind, STRENGTHS[kind][0], "standard_hdr_linear", (77, 101), 40 + k) for k, kind in enumerate(KINDS)),
    Case("noise", 0.08, "standard_hdr_hlg", (76, 101), 50), Case("jpeg", 60, "standard_hdr_hlg", (76, 101), 51),
    Case("noise", 0.08, "standard_4k", (16, 20), 60), Case("color", 0.1, "standard_4k", (9, 31), 61),
    Case("blur", 2.0, "standard_4k", (5, 7), 62), Case("brightness", 0.15, "standard_phone", (2, 3), 63),
    Case("noise", 0.0, "standard_4k", (16, 20), 64), Case("jpeg", 60, "standard_hmd", (150, 210), 65),
    Case("noise", 0.08, "standard_4k", (271, 300), 66), Case("banding", 10, "standard_hdr_pq", (9, 31), 67),
)  # fmt: skip
VIDEOS = (
    Case("noise", 0.08, "standard_4k", (48, 64), 70, 10, 30.0),
    Case("flicker", 0.1, "standard_4k", (20, 24), 71, 10, 30.0),
    Case("blur", 2.0, "standard_fhd", (45, 51), 72, 12, 25.0),
    Case("freeze", 3, "standard_phone", (48, 64), 73, 16, 60.0),
    Case("jpeg", 60, "standard_hdr_pq", (40, 61), 74, 8, 24.0),
    Case("shift", 1, "standard_hdr_linear", (48, 64), 75, 6, 50.0),
)  # fmt: skip


def pair(case):
    """The distorted and the original image or video of a case, float32 [(frames,) height, width, 3]."""
    rng = np.random.default_rng(case.seed)
    original = scene(case, rng)
    frames = original if case.frames else original[None]
    if case.kind == "freeze":
        changed = frames[np.arange(len(frames)) // int(case.strength) * int(case.strength)]
    elif case.kind == "flicker":
        changed = frames + case.strength * (-1.0) ** np.arange(len(frames))[:, None, None, None]
    else:
        changed = np.stack([DISTORTIONS[case.kind](frame, case.strength, rng) for frame in frames])
    changed = changed if case.frames else changed[0]
    return tuple(coded(np.clip(x, 0, 1), case.display) for x in (changed, original))


def scene(case, rng):
    """Shapes, ramps and noise of a natural spectrum, in [0, 1]; in videos they move to the right."""
    height, width = case.size
    y, x = np.mgrid[:height, :width] / max(height, width)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij"))
    spectrum = np.fft.fft2(rng.standard_normal((3, height, width))) / np.maximum(frequency, 1 / max(height, width))
    noise = np.fft.ifft2(spectrum).real
    noise = np.moveaxis(noise / noise.std((1, 2), keepdims=True), 0, -1)
    tint, center = rng.uniform(0.2, 0.7, 3), rng.uniform(0.2, 0.6, 2)

    def frame(moved):
        disk = 1 / (1 + np.exp(np.minimum(60 * (np.hypot(y - center[0], x - center[1] - moved) - 0.2), 500)))
        stripes = 0.5 + 0.5 * np.sign(np.sin(40 * (x - moved) + 9 * y))
        base = 0.25 + 0.4 * x[..., None] * tint + 0.35 * disk[..., None] * tint[::-1]
        base = base + 0.1 * (stripes * (y > 0.4))[..., None] + 0.08 * np.roll(noise, int(moved * 50), axis=1)
        return np.round(np.clip(base, 0, 1) * 255) / 255

    return np.stack([frame(0.02 * k) for k in range(case.frames)]) if case.frames else frame(0.0)


def coded(image, display):
    """What the display takes: for a linear one luminances from 0.05 to 1000 cd/m^2."""
    return np.float32(0.05 + 1000 * image**3 if "linear" in display else image)


def _blur(image, sigma, rng):
    radius = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    for axis in (0, 1):
        taps = np.arange(-radius, radius + 1)
        at = np.clip(np.arange(image.shape[axis])[:, None] + taps, 0, image.shape[axis] - 1)
        image = np.moveaxis(np.moveaxis(image, axis, -1)[..., at] @ (kernel / kernel.sum()), -1, axis)
    return image


def _jpeg(image, step, rng):
    # Blocks of 8 x 8 in cosines, steps that grow with frequency; no chroma planes.
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % 8), (0, -width % 8), (0, 0)), mode="edge") * 255
    k, n = np.mgrid[:8, :8]
    cosines = np.sqrt(np.where(k, 2, 1) / 8) * np.cos(np.pi * (n + 0.5) * k / 8)
    blocks = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8, 3)
    steps = step * (1 + k + n) / 4
    coefficients = np.einsum("ui,aibjc,vj->aubvc", cosines, blocks, cosines)
    coefficients = np.round(coefficients / steps[:, None, :, None]) * steps[:, None, :, None]
    return np.einsum("ui,aubvc,vj->aibjc", cosines, coefficients, cosines).reshape(padded.shape)[:height, :width] / 255


DISTORTIONS = {
    "noise": lambda image, s, rng: image + s * rng.standard_normal(image.shape),
    "blur": _blur,
    "jpeg": _jpeg,
    "color": lambda image, s, rng: image + s * np.array([1.0, -0.6, 0.8]),
    "brightness": lambda image, s, rng: image + s,
    "shift": lambda image, s, rng: np.roll(image, int(s), axis=1),
    "banding": lambda image, levels, rng: np.round(image * levels) / levels,
}
