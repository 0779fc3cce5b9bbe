"""Channel simulation: codecs whose reconstruction is the input plus noise of a stated distribution."""

from rdr.codecs.channel.base import ChannelCodec
from rdr.codecs.channel.block import block_channel
from rdr.codecs.channel.lattice import lattice_channel
from rdr.codecs.channel.layered import layered_channel
from rdr.codecs.channel.noises import (
    Noise,
    gaussian_noise,
    gaussian_source,
    laplace_noise,
    mixture_source,
    student_t_noise,
    uniform_noise,
)

__all__ = [
    "ChannelCodec",
    "Noise",
    "block_channel",
    "gaussian_noise",
    "gaussian_source",
    "laplace_noise",
    "lattice_channel",
    "layered_channel",
    "mixture_source",
    "student_t_noise",
    "uniform_noise",
]
