"""Codecs, losses, metrics, bitstreams and training, as pure functions and Flax modules.

Subpackages are imported when they are used: `import rdr` costs nothing, `rdr.losses` imports the losses.
"""

from rdr._lazy import attach

__version__ = "0.1.0"

_SUBPACKAGES = (
    "bitstream", "codecs", "data", "entropy_models", "estimators", "evaluation", "features", "losses", "metrics",
    "quantize", "randomness", "sharding", "training", "transforms", "units", "vision", "web",
)

__getattr__, __dir__, __all__ = attach(__name__, {name: name for name in _SUBPACKAGES})
