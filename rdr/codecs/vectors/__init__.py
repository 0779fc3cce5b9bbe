"""Codecs of samples and vectors: each is a model of what sets it apart, made into a codec by `vector_codec`."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "VectorModel": "model",
    "block_codec": "block",
    "codebook_codec": "codebook",
    "lattice_codec": "lattice",
    "lattice_quantizer": "lattice",
    "lattice_transform_codec": "lattice_transform",
    "linear_model": "linear",
    "scalar_codec": "scalar",
    "trellis_codec": "trellis",
    "trellis_quantizer": "trellis",
    "vector_codec": "codec",
    "water_filling": "water_filling",
})
