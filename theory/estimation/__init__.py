"""Bounds on rate, distortion and realism of a source that is known by its samples: values with errors and sides."""

from theory._lazy import attach

_EXPORTS = {
    "Estimate": "estimate",
    "KINDS": "estimate",
    "gaussian": "gaussian_channel",
    "gaussian_plug_in": "gaussian_channel",
    "intervals": "intervals",
    "known_sources": "known_sources",
    "split": "samples",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS)
