"""Analysis and synthesis networks with residual blocks in place of GDN.

N is the number of channels inside, M that of the latents. Resolutions change as in `rdr.transforms.image`, by strided
convolutions and by convolutions whose output is sorted into pixels.
"""

import flax.linen as nn
import jax

from rdr.transforms.convolution import Convolution

BLOCKS = 3  # between two changes of resolution


class Bottleneck(nn.Module):
    """x + a 3 x 3 convolution of half as many channels between two of 1 x 1, with rectifiers between them."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [batch, height, width, channels], an even number of them, to the same shape."""
        channels = x.shape[-1]
        y = nn.relu(Convolution(channels // 2, size=1)(x))
        y = nn.relu(Convolution(channels // 2, size=3)(y))
        return x + Convolution(channels, size=1)(y)


class ResidualAnalysis(nn.Module):
    """Image to latents at a sixteenth of the resolution: four strided 5 x 5 convolutions with blocks between them.

    Attributes:
      channels: N, even.
      latents: M.

    Reference: He et al. (he2022elic), figure 4, without its attention modules.
    """

    channels: int
    latents: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [batch, height, width, 3] to [batch, height / 16, width / 16, M]; sides are multiples of 16."""
        for _ in range(3):
            x = Convolution(self.channels, scale="half")(x)
            for _ in range(BLOCKS):
                x = Bottleneck()(x)
        return Convolution(self.latents, scale="half")(x)


class ResidualSynthesis(nn.Module):
    """Latents to image: four 5 x 5 convolutions that double the resolution, with blocks between them.

    Attributes:
      channels: N, even.

    Reference: He et al. (he2022elic), figure 4, without its attention modules.
    """

    channels: int

    @nn.compact
    def __call__(self, y: jax.Array) -> jax.Array:
        """Maps [batch, rows, columns, M] to [batch, 16 rows, 16 columns, 3]."""
        for _ in range(3):
            y = Convolution(self.channels, scale="double")(y)
            for _ in range(BLOCKS):
                y = Bottleneck()(y)
        return Convolution(3, scale="double")(y)
