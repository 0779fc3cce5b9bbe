"""R(D, P) of densities on the line: a finite alphabet of bins above, its multipliers made functions below."""

from theory._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "ContinuousRateDistortionPerception": "perception",
    "rate_distortion_perception": "perception",
})
