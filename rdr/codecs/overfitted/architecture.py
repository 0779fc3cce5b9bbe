"""Architecture of an overfitted codec's decoder: its sizes, the shapes of its weights, and what it costs.

An image of H x W pixels has a latent of whole numbers at each of the resolutions 1, 1/2, 1/4, .. Coarse latents are
brought to full size by separable interpolation, two-fold step by step; a small network turns the numbers at a pixel
into its color. Another small network tells, from what was decoded before, where the next number probably lies.
"""

from typing import NamedTuple

# Neighbors (row, column) of a number in its own latent that its distribution depends on. All of them satisfy
# column + 2 row < 0, so that numbers on a line column + 2 row = constant can be decoded side by side.
CONTEXT = ((0, -1), (0, -2), (0, -3), (-1, -2), (-1, -1), (-1, 0), (-1, 1),
           (-2, -2), (-2, -1), (-2, 0), (-2, 1), (-2, 2))
SLOPE = 2
# And those in the next coarser latent, around its own place there.
PARENTS = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0))
INPUTS = len(CONTEXT) + len(PARENTS)
TAPS = 4  # of each phase of the interpolation
SYNTHESIS = ("pixel_in", "pixel_out", "pixel_skip", "refine_in", "refine_out")
KERNEL = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1))


class Architecture(NamedTuple):
    """Sizes of a decoder.

    Attributes:
      height: of the image, in pixels.
      width: of the image, in pixels.
      channels: 1 for gray images, 3 for RGB.
      levels: number of latents; latent i has ceil(height / 2^i) x ceil(width / 2^i) numbers.
      noise_levels: the finest so many resolutions also have a latent of shared noise; 0 for none.
      entropy_width: hidden units in each of two layers of the entropy network.
      synthesis_width: hidden units per pixel of the synthesis network.
      refinement_width: hidden channels of its two 3 x 3 convolutions.
    """

    height: int
    width: int
    channels: int = 3
    levels: int = 7
    noise_levels: int = 0
    entropy_width: int = 16
    synthesis_width: int = 24
    refinement_width: int = 6

    @property
    def latent_shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each latent, finest first."""
        return tuple((-(-self.height // 2**i), -(-self.width // 2**i)) for i in range(self.levels))


def shapes(arch: Architecture) -> dict[str, tuple[int, ...]]:
    """The shapes of all weights.

    Args:
      arch: sizes of the decoder.

    Returns:
      Shapes by name, in the order in which the file has them. "entropy_*" belong to the entropy network,
      "upsampling" holds the taps of each two-fold step's even phase (odd phases are mirror images), the others are
      the synthesis.
    """
    h, s, c, r = arch.entropy_width, arch.synthesis_width, arch.channels, arch.refinement_width
    return {
        "entropy_in": (h, INPUTS), "entropy_in_bias": (arch.levels, h), "entropy_hidden": (h, h),
        "entropy_hidden_bias": (h,), "entropy_out": (2, h), "entropy_skip": (2, INPUTS), "entropy_out_bias": (2,),
        "upsampling": (max(arch.levels - 1, 1), TAPS),
        "pixel_in": (s, arch.levels + arch.noise_levels), "pixel_in_bias": (s,), "pixel_out": (c, s),
        "pixel_skip": (c, arch.levels + arch.noise_levels), "pixel_out_bias": (c,),
        "refine_in": (r, len(KERNEL) * c), "refine_in_bias": (r,),
        "refine_out": (c, len(KERNEL) * r), "refine_out_bias": (c,),
    }


def operations(arch: Architecture) -> dict[str, float]:
    """Multiply-accumulates of decoding, counted from the sizes of all matrix products and interpolations.

    Args:
      arch: sizes of the decoder.

    Returns:
      Per pixel of the image: "entropy", "upsampling", "synthesis" and "all".
    """
    shape, pixels = shapes(arch), arch.height * arch.width
    weights = {name: 1 for name in shape}
    for name, sizes in shape.items():
        for n in sizes:
            weights[name] *= n
    numbers = sum(rows * columns for rows, columns in arch.latent_shapes)
    per_number = sum(weights[name] for name in ("entropy_in", "entropy_hidden", "entropy_out", "entropy_skip"))
    upsampling = 0
    for level in range(arch.levels - 1):
        (rows, columns), coarse = arch.latent_shapes[level], arch.latent_shapes[level + 1]
        maps = arch.levels - level - 1 + max(arch.noise_levels - level - 1, 0)
        upsampling += TAPS * maps * (rows * coarse[1] + rows * columns)
    counts = {
        "entropy": per_number * numbers / pixels,
        "upsampling": upsampling / pixels,
        "synthesis": float(sum(weights[name] for name in SYNTHESIS)),
    }
    return counts | {"all": sum(counts.values())}
