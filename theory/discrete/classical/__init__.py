"""R(D) of a finite source."""

from theory.discrete.classical.solution import RateDistortion
from theory.discrete.classical.solver import rate_distortion

__all__ = ["RateDistortion", "rate_distortion"]
