"""Image-to-image network on two resolutions, conditioned on numbers such as a noise level or a time.

The image is sorted into 2 x 2 pixels, so that no convolution runs at full resolution; a third of a million parameters
at 32 channels.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from rdr.randomness import truncated_normal_kernel
from rdr.transforms.convolution import Convolution, depth_to_space


def space_to_depth(x: jax.Array) -> jax.Array:
    """Sorts 2 x 2 pixels into groups of four channels: the inverse of `depth_to_space`.

    Args:
      x: [batch, 2 height, 2 width, channels].

    Returns:
      [batch, height, width, 4 channels]; the last axis is (row phase, column phase, channel).
    """
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, height // 2, width // 2, 4 * channels)


class ConditionedBlock(nn.Module):
    """x + two 3 x 3 convolutions, the second of which sees a (1 + s) + b, where s and b are linear in the condition."""

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array) -> jax.Array:
        """Maps [batch, height, width, channels] and [batch, features] to the shape of the first."""
        channels = x.shape[-1]
        y = Convolution(channels, size=3)(nn.silu(x))
        scale, shift = jnp.split(_dense(2 * channels)(condition)[:, None, None], 2, axis=-1)
        y = Convolution(channels, size=3)(nn.silu(y * (1.0 + scale) + shift))
        gain = self.param("gain", nn.initializers.zeros, (channels,), jnp.float32)  # starts as the identity
        return x + gain[None, None, None] * y


class UNet(nn.Module):
    """Image and condition to image: blocks at half and quarter resolution, with a connection at the half.

    Attributes:
      channels: at half resolution; twice as many at a quarter.
      outputs: channels of the result.
      blocks: at a quarter of the resolution.

    Reference: Ronneberger, Fischer, Brox (ronneberger2015unet), with residual blocks and conditions as in Dhariwal
      and Nichol (dhariwal2021diffusion), without attention and normalization.
    """

    channels: int = 32
    outputs: int = 1
    blocks: int = 3

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array) -> jax.Array:
        """Applies the network.

        Args:
          x: [batch, height, width, channels], float32; sides are multiples of 4.
          condition: [batch, numbers], of the order of 1.

        Returns:
          [batch, height, width, outputs]; 0 at the start of training.
        """
        angles = condition[:, :, None] * jnp.asarray([[[1.0, 2.0, 4.0, 8.0]]], jnp.float32)
        waves = jnp.concatenate((jnp.sin(angles), jnp.cos(angles)), axis=-1).reshape(len(x), -1)
        condition = nn.silu(_dense(2 * self.channels)(jnp.concatenate((condition, waves), axis=-1)))
        fine = Convolution(self.channels, size=3)(space_to_depth(x))
        fine = ConditionedBlock()(fine, condition)
        coarse = Convolution(2 * self.channels, size=1)(space_to_depth(fine))
        for _ in range(self.blocks):
            coarse = ConditionedBlock()(coarse, condition)
        fine = fine + depth_to_space(Convolution(4 * self.channels, size=1)(nn.silu(coarse)))
        fine = ConditionedBlock()(fine, condition)
        out = depth_to_space(Convolution(4 * self.outputs, size=3)(nn.silu(fine)))
        gain = self.param("gain", nn.initializers.zeros, (self.outputs,), jnp.float32)
        return out * gain[None, None, None]


def _dense(features: int) -> nn.Dense:
    return nn.Dense(features, dtype=jnp.float32, param_dtype=jnp.float32, kernel_init=truncated_normal_kernel)
