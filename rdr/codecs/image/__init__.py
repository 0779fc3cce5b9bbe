"""Amortized image codecs: networks that were trained once, and code any image."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "EntropyModel": "entropy_model",
    "LoadedCodec": "files",
    "NAMES": "models",
    "codec": "codec",
    "context": "context",
    "factorized": "factorized",
    "files": "files",
    "gain_units": "gain_units",
    "hyperprior": "hyperprior",
    "image_codec": "codec",
    "load_codec": "files",
    "load_pretrained": "pretrained",
    "make_codec": "models",
    "make_model": "models",
    "objective": "objective",
    "pca_init": "pca_init",
    "pretrained": "pretrained",
    "save_codec": "files",
})
