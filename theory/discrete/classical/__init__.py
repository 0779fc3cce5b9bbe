"""R(D) of a finite source."""

from theory.discrete.classical.solver import RateDistortion, rate_distortion

__all__ = ["RateDistortion", "rate_distortion"]
