"""R(D, P) of a finite source."""

from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.rdp import rate_distortion_perception
from theory.discrete.perception.solver import RateDistortionPerception

__all__ = ["Divergence", "RateDistortionPerception", "rate_distortion_perception"]
