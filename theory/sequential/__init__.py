"""Sources in time under causal coding: sequential rate-distortion functions, realism of frames and of videos."""

from theory._lazy import attach

_MODULES = ("binary_markov", "gauss_markov", "video_realism")

__getattr__, __dir__, __all__ = attach(__name__, {name: name for name in _MODULES})
