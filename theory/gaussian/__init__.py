"""Gaussian sources: scalar, vector and stationary, with and without realism."""

from theory.gaussian.scalar import (
    DIVERGENCES,
    conditional_rate_distortion_perception,
    distortion_rate,
    distortion_rate_perception,
    rate_distortion,
    rate_distortion_perception,
    strong_realism_distortion,
)

__all__ = [
    "DIVERGENCES",
    "conditional_rate_distortion_perception",
    "distortion_rate",
    "distortion_rate_perception",
    "rate_distortion",
    "rate_distortion_perception",
    "strong_realism_distortion",
]
