"""Analysis and synthesis networks of the published image codecs, by paper.

N is the number of channels inside, M that of the latents.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from rdr.transforms.convolution import Convolution
from rdr.transforms.gdn import GDN


class Analysis(nn.Module):
    """Image to latents at a sixteenth of the resolution: four strided 5 x 5 convolutions with GDN between them.

    Attributes:
      channels: N.
      latents: M.

    Reference: Ballé et al. (balle2018variational), figure 4.
    """

    channels: int
    latents: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [batch, height, width, 3] to [batch, height / 16, width / 16, M]; sides are multiples of 16."""
        for _ in range(3):
            x = GDN()(Convolution(self.channels, scale="half")(x))
        return Convolution(self.latents, scale="half")(x)


class Synthesis(nn.Module):
    """Latents to image: four 5 x 5 convolutions that double the resolution, with inverse GDN between them.

    Attributes:
      channels: N.

    Reference: Ballé et al. (balle2018variational), figure 4.
    """

    channels: int

    @nn.compact
    def __call__(self, y: jax.Array) -> jax.Array:
        """Maps [batch, rows, columns, M] to [batch, 16 rows, 16 columns, 3]."""
        for _ in range(3):
            y = GDN(inverse=True)(Convolution(self.channels, scale="double")(y))
        return Convolution(3, scale="double")(y)


class HyperAnalysis(nn.Module):
    """Latents to hyper-latents at a quarter of their resolution.

    Attributes:
      channels: N, of the hyper-latents too.
      leaky: whether rectifiers leak, and signs are kept (mbt2018), or magnitudes are taken first (bmshj2018).

    Reference: Ballé et al. (balle2018variational), figure 4; Minnen et al. (minnen2018joint), table 1.
    """

    channels: int
    leaky: bool = False

    @nn.compact
    def __call__(self, y: jax.Array) -> jax.Array:
        """Maps [batch, rows, columns, M] to [batch, rows / 4, columns / 4, N]; sides are multiples of 4."""
        activation = nn.leaky_relu if self.leaky else nn.relu
        y = activation(Convolution(self.channels, size=3)(y if self.leaky else jnp.abs(y)))
        y = activation(Convolution(self.channels, scale="half")(y))
        return Convolution(self.channels, scale="half")(y)


class HyperSynthesis(nn.Module):
    """Hyper-latents to what the prior needs to know of each latent.

    Attributes:
      widths: channels of the three layers: (N, N, M) in bmshj2018, (M, 3 M / 2, 2 M) in mbt2018.
      leaky: whether rectifiers leak (mbt2018) or not (bmshj2018, also after the last layer).

    Reference: Ballé et al. (balle2018variational), figure 4; Minnen et al. (minnen2018joint), table 1.
    """

    widths: tuple[int, int, int]
    leaky: bool = False

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """Maps [batch, rows, columns, N] to [batch, 4 rows, 4 columns, widths[2]]."""
        activation = nn.leaky_relu if self.leaky else nn.relu
        z = activation(Convolution(self.widths[0], scale="double")(z))
        z = activation(Convolution(self.widths[1], scale="double")(z))
        z = Convolution(self.widths[2], size=3)(z)
        return z if self.leaky else activation(z)


class Stack(nn.Module):
    """Convolutions that keep the resolution, with leaky rectifiers between them.

    Attributes:
      widths: output channels of each.
      size: of the kernels.
    """

    widths: tuple[int, ...]
    size: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [batch, rows, columns, channels] to [batch, rows, columns, widths[-1]]."""
        for i, width in enumerate(self.widths):
            x = Convolution(width, size=self.size)(x if i == 0 else nn.leaky_relu(x))
        return x
