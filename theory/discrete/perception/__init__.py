"""R(D, P) of a finite source."""

from theory._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "Divergence": "divergences",
    "RateDistortionPerception": "solver",
    "rate_distortion_perception": "rdp",
})
