"""R(D) of a finite source."""

from theory._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "RateDistortion": "solution",
    "rate_distortion": "solver",
})
