"""Sources in time under causal coding: sequential rate-distortion functions, realism of frames and of videos."""

from theory._lazy import attach

_MODULES = ("binary_markov", "gauss_markov", "video_realism")
_EXPORTS = {
    "HorizonRate": "gauss_markov",
    "MarkovRate": "binary_markov",
    "VideoDistortions": "video_realism",
    "causal_rate": "binary_markov",
    "critical_distortion": "binary_markov",
    "frame_rates": "gauss_markov",
    "horizon_rate": "gauss_markov",
    "parallel_rate": "gauss_markov",
    "rate_bracket": "binary_markov",
    "sequential_distortion": "gauss_markov",
    "sequential_rate": "gauss_markov",
    "steady_distortion": "video_realism",
    "video_distortions": "video_realism",
}

__getattr__, __dir__, __all__ = attach(__name__, {name: name for name in _MODULES} | _EXPORTS)
