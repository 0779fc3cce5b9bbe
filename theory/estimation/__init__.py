"""Bounds on rate, distortion and realism of a source that is known by its samples: values with errors and sides."""

from theory._lazy import attach

_EXPORTS = {
    "Distance": "distances",
    "Estimate": "estimate",
    "KINDS": "estimate",
    "certificate": "confident_dual",
    "coupled_bound": "distances",
    "density_bound": "projections",
    "dual": "csiszar_dual",
    "dual_lines": "csiszar_dual",
    "fit_dual": "csiszar_dual",
    "frechet_distance": "distances",
    "gaussian": "gaussian_channel",
    "gaussian_plug_in": "gaussian_channel",
    "independent_bound": "projections",
    "intervals": "intervals",
    "known_sources": "known_sources",
    "mmd_squared": "distances",
    "principal_projections": "projections",
    "projection_bound": "projections",
    "projection_lines": "projections",
    "realism_bound": "realism_bounds",
    "sliced_wasserstein_squared": "distances",
    "split": "samples",
    "wasserstein_squared": "distances",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS)
