"""Gaussian sources: scalar, vector and stationary, with and without realism."""

from theory._lazy import attach

_SCALAR = (
    "DIVERGENCES", "conditional_rate_distortion_perception", "distortion_rate", "distortion_rate_perception",
    "rate_distortion", "rate_distortion_perception", "strong_realism_distortion",
)
_MODULES = (
    "absolute_error", "common_randomness", "diffusion", "lower_bounds", "process", "rectified_flow", "remote",
    "restoration", "scalar",
    "side_information", "successive_refinement", "upper_bounds", "vector", "vector_block_realism",
    "vector_common_randomness", "vector_perception", "vector_realism",
)

__getattr__, __dir__, __all__ = attach(
    __name__, {**{name: "scalar" for name in _SCALAR}, **{name: name for name in _MODULES}}
)
