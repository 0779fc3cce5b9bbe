"""Certified rate-distortion(-perception) functions of finite alphabets: every answer has two sides."""

from theory.discrete.classical import RateDistortion, rate_distortion
from theory.discrete.curves import (
    DistortionRate,
    distortion_rate,
    rate_distortion_curve,
    rate_distortion_perception_surface,
)
from theory.discrete.perception import rate_distortion_perception
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.solver import RateDistortionPerception

__all__ = [
    "DistortionRate",
    "Divergence",
    "RateDistortion",
    "RateDistortionPerception",
    "distortion_rate",
    "rate_distortion",
    "rate_distortion_curve",
    "rate_distortion_perception",
    "rate_distortion_perception_surface",
]
