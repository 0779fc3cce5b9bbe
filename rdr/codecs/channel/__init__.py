"""Channel simulation: codecs whose reconstruction is the input plus noise of a stated distribution."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "ChannelCodec": "base",
    "Noise": "noises",
    "block_channel": "block",
    "gaussian_noise": "noises",
    "gaussian_source": "noises",
    "laplace_noise": "noises",
    "lattice_channel": "lattice",
    "layered_channel": "layered",
    "mixture_source": "noises",
    "student_t_noise": "noises",
    "uniform_noise": "noises",
})
