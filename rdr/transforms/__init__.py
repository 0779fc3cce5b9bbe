"""Analysis and synthesis networks."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "Analysis": "image",
    "Convolution": "convolution",
    "ElementwiseNetwork": "elementwise",
    "GDN": "gdn",
    "HyperAnalysis": "image",
    "HyperSynthesis": "image",
    "ResidualAnalysis": "residual",
    "ResidualDense": "dense",
    "ResidualSynthesis": "residual",
    "Synthesis": "image",
    "UNet": "unet",
})
