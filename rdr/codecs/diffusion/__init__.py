"""Diffusion: forward process, exact denoisers of known sources, and codecs that send noisy samples step by step."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "ExactSource": "sources",
    "ancestral": "process",
    "banana": "curves",
    "bridge": "process",
    "circle": "curves",
    "ddcm_codec": "ddcm",
    "decoding_times": "process",
    "diffuse": "process",
    "diffusion_codec": "codec",
    "gaussian_process": "sources",
    "gaussian_vector": "sources",
    "information_times": "process",
    "mixture": "sources",
    "probability_flow": "process",
    "swirl": "sources",
})
