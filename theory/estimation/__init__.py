"""Bounds on rate, distortion and realism of a source that is known by its samples: values with errors and sides."""

from theory._lazy import attach

_EXPORTS = {
    "Estimate": "estimate",
    "KINDS": "estimate",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS)
