"""Diffusion: forward process, exact denoisers, networks, and codecs that send noisy samples step by step."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "ExactSource": "sources",
    "ancestral": "process",
    "banana": "curves",
    "bridge": "process",
    "circle": "curves",
    "ddcm_codec": "ddcm",
    "decoding_times": "process",
    "denoiser_source": "network_sources",
    "diffuse": "process",
    "diffusion_codec": "codec",
    "gaussian_process": "sources",
    "gaussian_vector": "sources",
    "information_times": "process",
    "load_network": "network_sources",
    "mixture": "sources",
    "network_source": "network_sources",
    "pretrained": "network_sources",
    "probability_flow": "process",
    "swirl": "sources",
})
