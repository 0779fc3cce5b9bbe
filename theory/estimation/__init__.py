"""Bounds on rate, distortion and realism of a source that is known by its samples: values with errors and sides."""

from theory._lazy import attach

_EXPORTS = {
    "Estimate": "estimate",
    "KINDS": "estimate",
    "certificate": "confident_dual",
    "density_bound": "projections",
    "dual": "csiszar_dual",
    "dual_lines": "csiszar_dual",
    "fit_dual": "csiszar_dual",
    "gaussian": "gaussian_channel",
    "gaussian_plug_in": "gaussian_channel",
    "independent_bound": "projections",
    "intervals": "intervals",
    "known_sources": "known_sources",
    "principal_projections": "projections",
    "projection_bound": "projections",
    "projection_lines": "projections",
    "split": "samples",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS)
